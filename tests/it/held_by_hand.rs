//! What is held by hand at a terminal is looked at by whichever verb runs next, though each remembers how it stood.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::support::{CodingAgent, Terminal, Workspace, clean_environment, wait_within};

const FILE: &str = "src/lib.rs";

/// Where verbs remember what was held.
fn lists(workspace: &Workspace) -> Vec<PathBuf> {
    let ours = workspace.path(".git/deconflict");
    let found = files_below(&ours);
    found.into_iter().filter(|path| path.file_name().is_some_and(|name| name == "held")).collect()
}

fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// What the journal has kept of the file, the newest first.
#[track_caller]
fn kept(terminal: &Terminal) -> usize {
    terminal.run(["history", FILE, "--json"]).expect_code(0).json()["entries"].as_array().unwrap().len()
}

#[test]
fn each_text_that_a_verb_came_by_is_kept() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    let come_by = || drop(ben.run(["check", "README.md"]).expect_code(0));
    ada.run(["claim", "file", FILE]).expect_code(0);
    come_by();
    workspace.write(FILE, "one\n");
    come_by();
    workspace.write(FILE, "two\n");
    come_by();
    assert_eq!(kept(&ada), 2);
}

#[test]
fn what_is_changed_is_found_whatever_was_claimed_and_released_meanwhile() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    ada.run(["claim", "file", FILE]).expect_code(0);
    ben.run(["claim", "file", "README.md"]).expect_code(0);
    ben.run(["release", "file", "README.md"]).expect_code(0);
    // Somebody who tells of nothing.
    let claims = workspace.path("COORDINATION/claims");
    let known = fs::read_dir(&claims).unwrap().next().unwrap().unwrap().path();
    fs::copy(&known, claims.join("task-other.claim")).unwrap();
    ben.run(["check", "README.md"]).expect_code(0);
    fs::remove_file(claims.join("task-other.claim")).unwrap();
    workspace.write(FILE, "one\n");
    ben.run(["claim", "file", "README.md"]).expect_code(0);
    workspace.write(FILE, "two\n");
    assert_eq!(kept(&ada), 2);
}

#[test]
fn what_was_released_is_looked_at_no_more() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let is_listed =
        || lists(&workspace).iter().any(|list| String::from_utf8_lossy(&fs::read(list).unwrap()).contains(FILE));
    ada.run(["claim", "file", FILE, "README.md"]).expect_code(0);
    ada.run(["check", "README.md"]).expect_code(0);
    assert!(is_listed());
    ada.run(["release", "file", FILE]).expect_code(0);
    assert!(!is_listed());
}

#[test]
fn what_was_changed_before_it_is_claimed_is_kept_at_once() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    workspace.write(FILE, "one\n");
    ada.run(["claim", "file", FILE]).expect_code(0);
    workspace.write(FILE, "two\n");
    assert_eq!(kept(&ada), 2);
}

#[test]
fn a_damaged_list_loses_nothing() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", FILE]).expect_code(0);
    ada.run(["check", FILE]).expect_code(0);
    let lists = lists(&workspace);
    assert!(!lists.is_empty());
    for damage in
        ["", "{", "[]", "{\"form\":1,\"claims\":null,\"head_log\":0,\"files\":[{\"file\":\"\",\"stamp\":null}]}"]
    {
        for list in &lists {
            fs::write(list, damage).unwrap();
        }
        ada.run(["check", FILE]).expect_code(0);
    }
    workspace.write(FILE, "one\n");
    ada.run(["check", FILE]).expect_code(0);
    workspace.write(FILE, "two\n");
    assert_eq!(kept(&ada), 2);
}

#[test]
fn whoever_holds_a_clean_file_hears_of_it_when_somebody_unknown_takes_it_away() {
    for line in ["git sparse-checkout set --no-cone /README.md", "rm -r src"] {
        let workspace = Workspace::small();
        let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
        let agent = CodingAgent::on(&workspace, "agent");
        agent.start();
        ada.run(["claim", "file", FILE]).expect_code(0);
        agent.shell().run(["claim", "file", "src/parser.rs"]).expect_code(0);
        let stood = [FILE, "src/parser.rs"].map(|file| workspace.read(file));
        let mut shell = Command::new("sh");
        clean_environment(&mut shell, workspace.home());
        assert!(shell.args(["-c", line]).current_dir(workspace.root()).status().unwrap().success());
        let (mut heard, mut said) = (String::new(), String::new());
        wait_within(Duration::from_secs(20), &format!("{line} to be told"), || {
            heard.push_str(agent.prompt().context());
            said.push_str(&ada.run(["check", "README.md"]).expect_code(0).stderr);
            (heard.contains("src/parser.rs") && said.contains("src/lib.rs")).then_some(())
        });
        heard.push_str(agent.prompt().context());
        said.push_str(&ada.run(["check", "README.md"]).expect_code(0).stderr);
        assert_eq!(heard.matches("deconflict restore").count(), 1, "{heard}");
        assert_eq!(said.matches("deconflict restore").count(), 1, "{said}");
        ada.run(["restore", FILE]).expect_code(0);
        agent.shell().run(["restore", "src/parser.rs"]).expect_code(0);
        assert_eq!([FILE, "src/parser.rs"].map(|file| workspace.read(file)), stood, "{line}");
    }
}
