//! What `doctor` finds, and how it says to fix it.

use std::fs;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Terminal, Workspace, timestamp};

#[track_caller]
fn examine(terminal: &Terminal, code: i32) -> Value {
    terminal.run(["doctor", "--json"]).expect_code(code).json()
}

/// The finding with this code, which says how to fix it.
#[track_caller]
fn finding(document: &Value, code: &str) -> Value {
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["code"] == code);
    let found = found.unwrap_or_else(|| panic!("no {code} in {document:#}"));
    let is_good = found["severity"] == "good";
    assert!(is_good || found["mend"].as_str().is_some_and(|mend| !mend.is_empty()), "{found}");
    found.clone()
}

fn codes(document: &Value, severity: &str) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap().iter();
    let of_severity = findings.filter(|finding| finding["severity"] == severity);
    of_severity.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_healthy_workspace_is_well() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    let document = examine(&terminal, 0);
    assert_eq!(document["ok"], true);
    assert_eq!(document["directory"], workspace.path("COORDINATION").to_str().unwrap());
    assert!(document["because"].as_str().unwrap().contains("main worktree"), "{document}");
    assert!(document["session"].as_str().unwrap().contains(&id), "{document}");
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(codes(&document, "problem"), Vec::<String>::new());
    assert_eq!(codes(&document, "good"), ["locks", "watching", "records"], "{document:#}");
    let words = terminal.run(["doctor"]).expect_code(0).stdout;
    assert!(words.contains("All is well."), "{words}");
}

#[test]
fn a_workspace_without_a_directory_is_well_too() {
    let workspace = Workspace::small();
    let document = examine(&Terminal::on(&workspace), 0);
    assert!(finding(&document, "missing")["mend"].as_str().unwrap().contains("deconflict start"));
    assert!(!workspace.coordination().exists(), "looking makes nothing");
}

#[test]
fn a_repository_without_the_guard_is_well_and_told_of_it() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let advice = finding(&examine(&terminal, 0), "no-guard");
    assert_eq!(advice["severity"], "note", "{advice}");
    assert!(advice["mend"].as_str().unwrap().contains("deconflict guard --install"), "{advice}");
    terminal.run(["guard", "--install"]).expect_code(0);
    // From a folder in it, too, and wherever its hooks are.
    let inside = terminal.clone().in_folder(workspace.path("src"));
    let found = finding(&examine(&inside, 0), "guard");
    assert!(found["message"].as_str().unwrap().contains(".git/hooks"), "{found}");
    workspace.git(&["config", "core.hooksPath", "tools/hooks"]);
    let lost = finding(&examine(&terminal, 1), "guard-lost");
    assert!(lost["message"].as_str().unwrap().contains("core.hooksPath now leads there"), "{lost}");
    terminal.run(["guard", "--install"]).expect_code(0);
    assert!(finding(&examine(&terminal, 0), "guard")["message"].as_str().unwrap().contains("tools/hooks"));

    let no_repository = Workspace::plain();
    let document = examine(&Terminal::on(&no_repository), 0);
    let notes = codes(&document, "note");
    assert!(!notes.iter().any(|code| code.contains("guard")), "{document:#}");
}

#[test]
fn each_trouble_with_records_is_found() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let earlier = timestamp(Utc::now() - TimeDelta::hours(6));
    coordination.write_session("session-over", json!({"status": "completed"}));
    coordination.write_claim("session-over", "file", "src/lib.rs", json!({"claimed_at": earlier}));
    coordination.write_claim("session-over", "file", "src/main.rs", json!({"resource_name": "src/other.rs"}));
    coordination.write_text("claims/file-broken.claim", "no JSON");
    coordination.age("claims/file-broken.claim", Duration::from_mins(2));
    coordination.write_text("claims/.unfinished-1234", "half a rec");
    coordination.age("claims/.unfinished-1234", Duration::from_hours(1));
    coordination.write_text(".current_session", "session-over\n");
    coordination.write_text("scripts/session-claim.sh", "#!/bin/sh\nrm -rf /\n");
    let silent = timestamp(Utc::now() - TimeDelta::days(2));
    coordination.write_session("session-silent", json!({"started_at": silent, "last_heartbeat": silent}));
    coordination.age("sessions/session-silent.json", Duration::from_hours(48));

    let document = examine(&Terminal::on(&workspace), 1);
    assert_eq!(document["ok"], false);
    for (code, part) in [
        ("damaged", "file-broken.claim"),
        ("says-something-else", "src/other.rs"),
        ("stale-claim", "src/lib.rs"),
        ("leftover", ".unfinished-1234"),
        ("current-session", "session-over"),
        ("other-script", "session-claim.sh"),
        ("session-silent", "session-silent"),
    ] {
        let found = finding(&document, code);
        assert!(found["message"].as_str().unwrap().contains(part), "{part} in {found}");
    }
    let words = Terminal::on(&workspace).run(["doctor"]).expect_code(1).stdout;
    assert!(words.contains("file-broken.claim") && words.contains("to fix"), "{words}");
}

#[test]
fn directories_that_are_not_used_are_found() {
    let workspace = Workspace::small();
    fs::create_dir_all(workspace.path("src/COORDINATION/sessions")).unwrap();
    let document = examine(&Terminal::on(&workspace), 1);
    let found = finding(&document, "nested");
    assert!(found["message"].as_str().unwrap().contains("src/COORDINATION"), "{found}");
}

#[test]
fn a_directory_that_git_knows_is_found() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let terminal = Terminal::on(&workspace);
    finding(&examine(&terminal, 1), "not-ignored");
    workspace.commit_all("Track it");
    let before = fs::read_dir(coordination.directory()).unwrap().count();
    finding(&examine(&terminal, 1), "not-adopted");
    assert_eq!(fs::read_dir(coordination.directory()).unwrap().count(), before, "nothing is tried out in it");
    terminal.run(["init", "--adopt"]).expect_code(0);
    let found = finding(&examine(&terminal, 1), "tracked");
    assert!(found["message"].as_str().unwrap().contains("stash"), "{found}");
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_used_is_found() {
    let workspace = Workspace::small();
    let elsewhere = workspace.beside("elsewhere");
    fs::create_dir_all(elsewhere.join("sessions")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, workspace.path("COORDINATION")).unwrap();
    let found = finding(&examine(&Terminal::on(&workspace), 1), "unsuitable");
    assert!(found["message"].as_str().unwrap().contains("symlink"), "{found}");
}

#[test]
fn a_session_that_is_not_there_is_found() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let document = examine(&Terminal::on(&workspace).session("session-x"), 1);
    assert!(finding(&document, "unknown-session")["message"].as_str().unwrap().contains("session-x"));
}
