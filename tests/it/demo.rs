//! The demonstration: the first command that a newcomer runs.

use std::fs;
use std::path::PathBuf;

use crate::support::{Terminal, Workspace};

/// A prompt outside of any repository whose temporary files can be counted.
fn newcomer() -> (Workspace, Terminal, PathBuf) {
    let workspace = Workspace::plain();
    let temporary = workspace.root().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let terminal = Terminal::on(&workspace).env("TMPDIR", &temporary).env("TEMP", &temporary).env("TMP", &temporary);
    (workspace, terminal, temporary)
}

#[test]
fn every_step_is_seen_and_nothing_is_left_behind() {
    let (workspace, terminal, temporary) = newcomer();
    let told = terminal.run(["demo", "--json"]).expect_code(0).json();
    assert_eq!(told["ok"], true);
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 10, "{told:#}");
    for step in steps {
        assert!(!step["seen"].as_array().unwrap().is_empty(), "{step:#}");
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "the scratch repository is still there");
    assert_eq!(fs::read_dir(workspace.root()).unwrap().count(), 1, "it wrote into the current folder");
}

#[test]
fn people_read_a_story_without_terminal_codes_in_a_pipe() {
    let (_workspace, terminal, _temporary) = newcomer();
    let told = terminal.run(["demo"]).expect_code(0);
    assert!(!told.stdout.contains('\u{1b}'), "{}", told.stdout);
    for words in
        ["alice", "bob", "agent", "held by alice since", "May I fix the rounding?", "kill -9", " ms", "All 10 steps"]
    {
        assert!(told.stdout.contains(words), "{words:?} is missing in {}", told.stdout);
    }
}

#[test]
fn a_step_that_is_not_seen_is_a_failure() {
    let (_workspace, terminal, temporary) = newcomer();
    let told = terminal.env("PATH", temporary.as_os_str()).run(["demo"]).expect_code(3);
    assert!(told.stderr.contains("git"), "{}", told.stderr);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "the scratch repository is still there");
}
