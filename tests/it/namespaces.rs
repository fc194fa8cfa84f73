//! Sessions in containers: what a process's numbers mean there, and what of it holds outside.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use deconflict_platform::{ScopeRelation, pid_scope, relation_to};
use serde_json::json;

use crate::support::{Editor, Outcome, Terminal, Workspace};

/// Runs verbs where this machine seems to have been started so many seconds earlier; `None` where it makes no such
/// namespace.
fn run_with_offset(workspace: &Workspace, seconds: i64, words: &[&str]) -> Option<Outcome> {
    let offset = format!("--boottime={seconds}");
    let unshare = Terminal::on(workspace).program(Path::new("unshare"));
    let inside = ["--user", "--map-root-user", "--time", &offset, "--fork", "--"];
    if unshare.run(inside.iter().chain(&["true"]).copied()).exit_code != 0 {
        eprintln!("SKIPPED: this machine makes no time namespaces");
        return None;
    }
    let program = [env!("CARGO_BIN_EXE_deconflict")];
    Some(unshare.run(inside.iter().chain(&program).chain(words).copied()))
}

#[test]
fn a_live_holder_is_respected_where_the_machine_seems_to_have_started_at_another_time() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let editor = Editor::start(&workspace, "alice");
    let alice = editor.wait_for_session();
    editor.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_holder("src/main.rs", &alice);
    workspace.coordination().write_session("inside", json!({}));
    let claim = ["--session", "inside", "claim", "file", "src/main.rs"];
    let Some(outcome) = run_with_offset(&workspace, 1_000_000, &claim) else { return };
    assert_eq!(outcome.exit_code, 1, "{outcome:?}");
    assert_eq!(workspace.coordination().holder("src/main.rs").as_ref(), Some(&alice));
    assert_eq!(workspace.coordination().session(&alice).unwrap()["status"], "active");
}

/// A torn claim from before a power loss blocks nobody; one that was torn since then does.
#[test]
fn a_torn_claim_is_of_this_boot_whenever_the_machine_seems_to_have_started() {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    if uptime < 120.0 {
        eprintln!("SKIPPED: this machine was started a moment ago");
        return;
    }
    let workspace = Workspace::small();
    workspace.coordination().write_session("inside", json!({}));
    workspace.coordination().write_text("claims/file-README.md.claim", "{");
    workspace.coordination().age("claims/file-README.md.claim", Duration::from_mins(1));
    let check = ["check", "README.md"];
    let outside = Terminal::on(&workspace).run(check);
    assert_ne!(outside.exit_code, 0, "{outside:?}");
    #[allow(clippy::cast_possible_truncation, reason = "no machine runs so long")]
    let Some(inside) = run_with_offset(&workspace, -(uptime as i64) + 10, &check) else { return };
    assert_eq!(inside.exit_code, outside.exit_code, "{inside:?}");
}

/// Whoever sees no other time than the kernel's own writes the scope that older versions wrote.
#[test]
fn scopes_of_older_records_are_understood() {
    let scope = pid_scope();
    let is_initial = fs::read_link("/proc/self/ns/time").is_ok_and(|link| link.ends_with("time:[4026531834]"));
    if is_initial {
        assert_eq!(scope.split('/').count(), 3, "{scope}");
        assert_eq!(relation_to(&format!("{scope}/4026532999")), ScopeRelation::Elsewhere);
    }
    assert_eq!(relation_to(&scope), ScopeRelation::Same);
}
