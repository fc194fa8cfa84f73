//! Tests through the doors that users have: the terminal, the language server's pipe and the directory on disk.
//!
//! All of them are one binary, so that they are linked once and share `support`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, unused_mut, reason = "some tests need what only Linux tells")
)]
#![allow(clippy::needless_pass_by_value, reason = "JSON literals read better without a reference")]

mod after_a_minute;
mod afternoon;
mod age;
mod assembly_line;
mod beside;
mod board;
mod board_by_changes;
mod board_keeping;
mod capabilities;
mod changes;
mod claim_all;
mod claim_words;
mod claims;
mod clean_up;
mod commands;
mod commit_verb;
mod committed;
mod demo;
mod discovery;
mod documents;
mod every_way_agents;
mod every_way_bytes;
mod every_way_git;
mod every_way_people;
mod exclusions;
mod file_systems;
mod foreign_text;
mod foreign_words;
mod fuzzed;
mod git_knowledge;
mod guard;
mod guard_habits;
mod guard_hooks;
mod guard_lfs;
mod guard_managers;
mod guard_operations;
mod guard_owners;
mod guard_push;
mod held_by_hand;
mod hooks_agents;
mod hooks_cursor;
mod hooks_identity;
mod hooks_opencode;
mod hooks_policy;
mod hooks_resources;
mod hooks_state;
mod hooks_trouble;
mod hooks_turns;
mod hostile;
mod hostile_git;
mod journal;
mod journal_afternoon;
mod journal_editors;
mod journal_hooks;
mod journal_verbs;
mod lifecycle;
mod load;
mod losses;
mod machines;
mod mailbox;
mod mcp;
mod messages;
mod moved_head;
mod names;
mod namespaces;
mod naming;
mod neovim;
mod neovim_actions;
mod neovim_days;
mod neovim_journal;
mod neovim_surroundings;
mod on_windows;
mod one_name;
mod ordering;
mod other_editors;
mod overlaps;
mod own_agents;
mod own_views;
mod presentation;
mod private_files;
mod processes;
mod queueing;
mod races;
#[cfg(target_os = "linux")]
mod real_agents;
mod records;
mod run_verb;
mod session_processes;
mod settings;
mod setup;
mod setup_doctor;
mod setup_editors;
mod setup_races;
mod shared_clone;
mod shared_settings;
mod shell_damage;
mod stores;
mod support;
mod team;
mod team_cluster;
mod team_exclusive;
mod team_fence;
mod team_presence;
mod terminal_doctor;
mod terminal_identity;
mod terminal_interop;
mod terminal_output;
mod terminal_races;
mod terminal_refusals;
mod terminal_verbs;
mod terminal_watch;
mod texts;
mod times;
mod trouble;
mod two_sessions;
mod unusual_clients;
mod view;
mod waiting_in_line;
mod watching;
mod wording;
mod words;
mod workspaces;
mod written_files;

use std::fs;
use std::path::Path;

/// A module that nobody lists is never compiled, and its tests would pass by not running.
#[test]
fn every_file_is_listed_as_a_module() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut forgotten = Vec::new();
    collect_unlisted(&tests, "main.rs", &mut forgotten);
    assert_eq!(forgotten, Vec::<String>::new(), "files without a `mod` line in the module above them");
}

fn collect_unlisted(folder: &Path, parent_module: &str, forgotten: &mut Vec<String>) {
    let parent = fs::read_to_string(folder.join(parent_module)).unwrap_or_default();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(name);
        let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        if !is_module || name == parent_module {
            continue;
        }
        let listed = parent.lines().any(|line| {
            line.trim_start_matches("pub(crate) ").trim_start_matches("mod ").trim_end_matches(';') == module
        });
        if !listed {
            forgotten.push(path.display().to_string());
        }
        if path.is_dir() {
            collect_unlisted(&path, "mod.rs", forgotten);
        }
    }
}
