//! What people really do with git beside the guard: what must not be refused, what must not slip past it, and advice that
//! harms nobody.

#![cfg(target_os = "linux")]

use std::fs;

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{CodingAgent, Committer, Editor, Terminal, Workspace, guarded_workspace, hold_since};

fn hold(workspace: &Workspace, file: &str) {
    hold_since(workspace, file, -TimeDelta::hours(1));
}

/// The lines that a refusal advises, as a person pastes them.
fn advised<'a>(told: &'a str, about: &str) -> &'a str {
    let line = told.lines().find(|line| line.contains(about)).unwrap_or_else(|| panic!("{about}: {told}"));
    &line[line.rfind("git ").unwrap()..]
}

#[test]
fn an_intent_to_add_is_no_part_of_a_commit() {
    let (workspace, person) = guarded_workspace();
    workspace.write("src/new.rs", "half done\n");
    hold(&workspace, "src/new.rs");
    person.git(&["add", "--intent-to-add", "src/new.rs"]).expect_code(0);
    workspace.write("README.md", "mine\n");
    person.git(&["add", "README.md"]).expect_code(0);
    let committed = person.git(&["commit", "-m", "Mine"]).expect_code(0);
    assert_eq!(committed.stderr, "");
    // With all changes it is part of it.
    workspace.write("README.md", "mine again\n");
    let refused = person.git(&["commit", "-am", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("src/new.rs"), "{refused:?}");
}

#[test]
fn a_split_index_is_read_too() {
    let (workspace, person) = guarded_workspace();
    hold(&workspace, "src/lib.rs");
    workspace.write("src/lib.rs", "half done\n");
    workspace.git(&["update-index", "--split-index"]);
    // An entry that takes the place of one in the shared index stands there without its name.
    workspace.write("src/lib.rs", "half done again\n");
    for _ in 0..2 {
        let refused = person.git(&["commit", "-am", "Sweep"]).expect_code(1);
        assert!(refused.stderr.contains("src/lib.rs"), "{refused:?}");
        workspace.git(&["add", "src/lib.rs"]);
    }
}

#[test]
fn beside_a_split_index_it_is_known_who_changed_what_and_what_stood_there() {
    let (workspace, _) = guarded_workspace();
    for number in 0..50 {
        workspace.write(format!("src/{number}.rs"), "committed\n");
    }
    workspace.commit_all("Files");
    workspace.git(&["config", "core.splitIndex", "true"]);
    workspace.git(&["update-index", "--split-index"]);
    workspace.write("src/7.rs", "staged\n");
    workspace.git(&["add", "src/7.rs"]);
    let agent = CodingAgent::on(&workspace, "agent");
    agent.start();
    // Not to be read before it runs.
    let line = "for f in 3 8; do echo more >> src/$f.rs; done; rm -f $(ls src/9.rs)";
    agent.before_command(&format!("{line}; : $RANDOM")).expect_no_denial();
    for file in ["src/3.rs", "src/8.rs"] {
        workspace.write(file, "committed\nmore\n");
    }
    fs::remove_file(workspace.path("src/9.rs")).unwrap();
    agent.after_command(&format!("{line}; : $RANDOM")).expect_no_denial();
    let terminal = agent.shell();
    let uncommitted = terminal.run(["status", "--json"]).expect_code(0).json()["uncommitted"].clone();
    let mut files: Vec<&str> =
        uncommitted.as_array().unwrap().iter().filter_map(|file| file["resource_name"].as_str()).collect();
    files.sort_unstable();
    assert_eq!(files, ["src/3.rs", "src/8.rs", "src/9.rs"], "{uncommitted}");
    let lines = terminal.run(["blame", "--json", "src/3.rs"]).expect_code(0).json()["lines"].clone();
    assert_eq!(lines[1]["session"], agent.id().as_str(), "{lines}");
    assert!(lines[0].get("session").is_none_or(serde_json::Value::is_null), "{lines}");
    let history = terminal.run(["history", "--json", "src/9.rs"]).expect_code(0).json();
    let entry = history["entries"][0]["id"].as_str().unwrap();
    terminal.run(["restore", "src/9.rs", "--at", entry]).expect_code(0);
    assert_eq!(workspace.read("src/9.rs"), "committed\n");
    // A commit releases what is as it was committed, as git saw it.
    workspace.git(&["add", "--all"]);
    let committed = Committer::person(&workspace).session(agent.id().as_str());
    committed.git(&["commit", "--quiet", "--message", "Agent's"]).expect_code(0);
    assert_eq!(workspace.coordination().holder("src/3.rs"), None);
}

#[test]
fn a_held_file_that_is_left_out_of_a_merge_has_what_the_merge_brought() {
    let (workspace, person) = guarded_workspace();
    workspace.git(&["switch", "--quiet", "-c", "feature"]);
    workspace.write("src/lib.rs", "of the feature\n");
    workspace.commit_all("A feature");
    workspace.git(&["switch", "--quiet", "main"]);
    workspace.write("README.md", "of main\n");
    workspace.commit_all("Main goes on");
    hold(&workspace, "src/lib.rs");
    person.git(&["merge", "--no-commit", "feature"]);
    workspace.write("src/lib.rs", "of the feature\nhalf done\n");
    person.git(&["add", "--all"]).expect_code(0);
    let refused = person.git(&["commit", "-m", "Merge"]).expect_code(1);
    let line = advised(&refused.stderr, "leave it out").to_owned();
    person.run("sh".as_ref(), &["-c", &line]).expect_code(0);
    person.git(&["commit", "-m", "Merge"]).expect_code(0);
    assert_eq!(workspace.git(&["show", "HEAD:src/lib.rs"]), "of the feature\n");
    assert_eq!(workspace.read("src/lib.rs"), "of the feature\nhalf done\n");
}

#[test]
fn a_conflict_in_a_held_file_is_never_left_out_with_its_marks() {
    let (workspace, person) = guarded_workspace();
    workspace.git(&["switch", "--quiet", "-c", "feature"]);
    workspace.write("src/lib.rs", "of the feature\n");
    workspace.commit_all("A feature");
    workspace.git(&["switch", "--quiet", "main"]);
    workspace.write("src/lib.rs", "of main\n");
    workspace.commit_all("Main goes on");
    hold(&workspace, "src/lib.rs");
    assert_ne!(person.git(&["merge", "feature"]).exit_code, 0);
    workspace.write("src/lib.rs", "of both\n");
    person.git(&["add", "--all"]).expect_code(0);
    let refused = person.git(&["commit", "-m", "Merge"]).expect_code(1);
    assert!(!refused.stderr.contains("AUTO_MERGE"), "{refused:?}");
    assert!(refused.stderr.contains("talk to the holder"), "{refused:?}");
}

#[test]
fn advice_keeps_what_the_holder_staged_in_part() {
    let (workspace, person) = guarded_workspace();
    hold(&workspace, "src/lib.rs");
    workspace.write("src/lib.rs", "a first part\n");
    workspace.git(&["add", "src/lib.rs"]);
    workspace.write("src/lib.rs", "a first part\nand the rest\n");
    workspace.write("README.md", "mine\n");
    person.git(&["add", "README.md"]).expect_code(0);
    let staged = workspace.git(&["rev-parse", ":src/lib.rs"]);
    let refused = person.git(&["commit", "-m", "Sweep"]).expect_code(1);
    let line = advised(&refused.stderr, "leave it out").replace("git commit", "git commit --quiet -m Mine");
    person.run("sh".as_ref(), &["-c", &line]).expect_code(0);
    assert_eq!(workspace.git(&["show", "--name-only", "--format=", "HEAD"]), "README.md\n");
    assert_eq!(workspace.git(&["rev-parse", ":src/lib.rs"]), staged);
    assert_eq!(workspace.read("src/lib.rs"), "a first part\nand the rest\n");
}

#[test]
fn what_was_fetched_may_be_pushed_to_another_remote() {
    let (workspace, person) = guarded_workspace();
    // Somebody else's clone pushed to a fork.
    let fork = workspace.beside("fork.git");
    workspace.git(&["clone", "--quiet", "--bare", workspace.root().to_str().unwrap(), fork.to_str().unwrap()]);
    let theirs = workspace.beside("theirs");
    workspace.git(&["clone", "--quiet", fork.to_str().unwrap(), theirs.to_str().unwrap()]);
    fs::write(theirs.join("README.md"), "published\n").unwrap();
    let there = person.clone().in_folder(&theirs);
    there.git(&["commit", "--quiet", "--all", "--message", "Published"]).expect_code(0);
    there.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    hold(&workspace, "README.md");
    // By its address, so that no branch of a remote has it here.
    person.git(&["pull", "--quiet", fork.to_str().unwrap(), "main"]).expect_code(0);
    let pushed = person.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
}

#[test]
fn a_commit_that_was_amended_after_the_claim_keeps_its_old_date_and_is_refused_all_the_same() {
    let (workspace, person) = guarded_workspace();
    let (before, later) = ("2 hours ago", "1 minute ago");
    let at = |date: &str| {
        let date = workspace.git(&["-c", "core.hooksPath=/dev/null", "rev-parse", &format!("--since={date}")]);
        date.trim().trim_start_matches("--max-age=").to_owned() + " +0000"
    };
    let old = person.clone().env("GIT_AUTHOR_DATE", at(before)).env("GIT_COMMITTER_DATE", at(before));
    let new = person.clone().env("GIT_COMMITTER_DATE", at(later));
    workspace.write("src/lib.rs", "mine, before\n");
    old.git(&["commit", "-qam", "Mine"]).expect_code(0);
    hold(&workspace, "src/lib.rs");
    // Moved onto another commit, it is what it was.
    workspace.git(&["switch", "--quiet", "-c", "side", "main~"]);
    workspace.write("README.md", "beside\n");
    workspace.commit_all("Beside");
    new.git(&["rebase", "--quiet", "side", "main"]).expect_code(0);
    let pushed = person.git(&["push", "--quiet", "origin", "main:moved"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
    // The message alone was changed.
    new.git(&["commit", "--quiet", "--amend", "--no-verify", "-m", "Mine, in better words"]).expect_code(0);
    let pushed = person.git(&["push", "--quiet", "origin", "main:reworded"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
    // What the holder wrote since was swept into it.
    workspace.write("src/lib.rs", "mine, before\nhalf done\n");
    new.git(&["commit", "--quiet", "--all", "--amend", "--no-edit", "--no-verify"]).expect_code(0);
    let refused = person.git(&["push", "origin", "main:amended"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by \"Robin\""), "{refused:?}");
}

#[test]
fn a_conflict_that_a_rebase_resolved_with_what_somebody_holds_is_refused() {
    let (workspace, person) = guarded_workspace();
    let old = |date: &str| person.clone().env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
    workspace.write("src/lib.rs", "mine\n");
    old("2020-01-01T00:00:00Z").git(&["commit", "-qam", "Mine"]).expect_code(0);
    workspace.git(&["switch", "--quiet", "-c", "side", "main~"]);
    workspace.write("src/lib.rs", "beside\n");
    old("2020-01-02T00:00:00Z").git(&["commit", "-qam", "Beside"]).expect_code(0);
    hold(&workspace, "src/lib.rs");
    assert_ne!(person.git(&["rebase", "--quiet", "side", "main"]).exit_code, 0);
    workspace.write("src/lib.rs", "of both, and half done\n");
    workspace.git(&["add", "--all"]);
    person
        .clone()
        .env("GIT_EDITOR", "true")
        .git(&["-c", "core.hooksPath=/dev/null", "rebase", "--continue"])
        .expect_code(0);
    let refused = person.git(&["push", "origin", "main:rebased"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by \"Robin\""), "{refused:?}");
}

#[test]
fn a_session_that_is_unknown_here_is_no_person() {
    let (workspace, person) = guarded_workspace();
    let editor = Editor::start(&workspace, "tester");
    let document = editor.open("src/lib.rs");
    document.type_text("// mine\n");
    workspace.coordination().wait_for_claim("src/lib.rs");
    document.save();
    let refused = person.clone().session("session-of-elsewhere").git(&["commit", "-qam", "By whom?"]).expect_code(1);
    assert!(refused.stderr.contains("unset DECONFLICT_SESSION"), "{refused:?}");
    person.git(&["commit", "-qam", "Mine"]).expect_code(0);
    editor.quit();
}

#[test]
fn what_an_own_agent_left_when_its_turn_ended_may_be_committed_and_stashed() {
    let (workspace, person) = guarded_workspace();
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    agent.prompt();
    agent.edit("src/lib.rs", "pub mod one;\n").expect_no_denial();
    person.git(&["commit", "-qam", "While it works"]).expect_code(1);
    let stopped = person.git(&["stash"]);
    assert_ne!(stopped.exit_code, 0, "{stopped:?}");
    agent.waits_for_its_user();
    person.git(&["stash"]).expect_code(0);
    person.git(&["stash", "pop"]).expect_code(0);
    person.git(&["commit", "-qam", "What it left"]).expect_code(0);
}

#[test]
fn a_refusal_says_one_thing_once() {
    let (workspace, person) = guarded_workspace();
    hold(&workspace, "src/lib.rs");
    workspace.write("src/lib.rs", "half done\n");
    for words in [&["commit", "-qam", "Sweep"][..], &["stash"]] {
        let refused = person.git(words);
        assert_ne!(refused.exit_code, 0, "{refused:?}");
        let refused = refused.stderr;
        assert_eq!(refused.matches("contains what others hold").count(), 1, "{refused}");
        assert_eq!(refused.matches("has been claimed by").count(), 1, "{refused}");
        let errors = refused.lines().filter(|line| line.starts_with("error") || line.starts_with("refused"));
        assert_eq!(errors.count(), 1, "{refused}");
    }
}

#[test]
fn a_refusal_of_many_files_names_ten_and_counts_the_rest() {
    let (workspace, person) = guarded_workspace();
    for number in 0..13 {
        let file = format!("held-{number}.txt");
        workspace.write(&file, "theirs\n");
        hold(&workspace, &file);
    }
    workspace.git(&["add", "--all"]);
    let told = person.git(&["commit", "-m", "Sweep"]).expect_code(1).stderr;
    assert_eq!(told.matches("has been claimed by").count(), 10, "{told}");
    assert!(told.contains("And 3 more."), "{told}");
    assert_eq!(told.matches("Ask for it").count(), 1, "one line a holder: {told}");
}

#[test]
fn strange_names_are_named_so_that_they_can_be_pasted() {
    let (workspace, person) = guarded_workspace();
    for name in ["new\nline.txt", "space ", ":colon", ":(top)x", "-dash", "quo'te", "t\tab"] {
        workspace.write(name, "half done\n");
        hold(&workspace, name);
        workspace.write("README.md", format!("mine, beside {name}\n"));
        person.git(&["add", "--all"]).expect_code(0);
        let refused = person.git(&["commit", "-m", "Sweep"]).expect_code(1);
        let told = &refused.stderr;
        let from = told.find("git restore").unwrap_or_else(|| panic!("{refused:?}"));
        let end = told.find("  Ask for it").unwrap_or_else(|| panic!("{refused:?}"));
        person.run("sh".as_ref(), &["-c", &told[from..end]]).expect_code(0);
        person.git(&["commit", "-qm", "Mine"]).expect_code(0);
        assert_eq!(workspace.git(&["show", "--name-only", "--format=", "HEAD"]), "README.md\n", "{name}");
        fs::remove_file(workspace.path(name)).unwrap();
        workspace.coordination().remove_claim("file", name);
    }
}

#[test]
fn the_claims_of_a_removed_worktree_go_with_it() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    let ada = Terminal::with_named_session(&workspace, "Ada").0;
    let there = ada.clone().in_folder(&feature);
    there.run(["claim", "file", "README.md"]).expect_code(0);
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    let ben = Terminal::with_named_session(&workspace, "Ben").0;
    workspace.git(&["worktree", "remove", feature.to_str().unwrap()]);
    let told = ben.run(["status", "--json"]).expect_code(0).json();
    let names: Vec<&str> =
        told["claims"].as_array().unwrap().iter().map(|claim| claim["resource_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["README.md"]);
    // Another one of that name is somebody else's.
    workspace.git(&["worktree", "add", "--quiet", feature.to_str().unwrap(), "feature"]);
    ben.clone().in_folder(&feature).run(["claim", "file", "README.md"]).expect_code(0);
}

#[test]
fn a_stash_of_everything_leaves_the_coordination_directory_and_a_clean_up_of_everything_ends_well() {
    let (workspace, person) = guarded_workspace();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let editor = Editor::start(&workspace, "tester");
    let document = editor.open("src/lib.rs");
    document.type_text("// mine\n");
    workspace.coordination().wait_for_claim("src/lib.rs");
    workspace.write("README.md", "mine\n");
    let stopped = person.git(&["stash", "--all"]);
    assert_ne!(stopped.exit_code, 0, "{stopped:?}");
    assert!(stopped.stderr.contains("git stash push --include-untracked"), "{stopped:?}");
    assert_eq!(workspace.read("README.md"), "mine\n");
    person.git(&["stash", "push", "--include-untracked"]).expect_code(0);
    person.git(&["stash", "pop"]).expect_code(0);

    person.git(&["clean", "-fdx"]).expect_code(0);
    // The editor's session comes back with what it holds, and an agent takes part.
    workspace.coordination().wait_for_claim("src/lib.rs");
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    agent.before_edit("src/lib.rs").expect_denial();
    agent.edit("src/main.rs", "fn main() {}\n").expect_no_denial();
    let told = ada.run(["claim", "file", "README.md"]);
    assert!(told.exit_code == 0 || told.stderr.contains("deconflict start --session"), "{told:?}");
    editor.quit();
}

/// Has somebody's git counted. Tells, of the program's verb with which words, how often it asked git, and how it ended.
fn counting(workspace: &Workspace, committer: Committer) -> impl Fn(&str) -> (usize, i32) {
    let log = workspace.beside("asked");
    let counted = workspace.beside("counted");
    fs::create_dir(&counted).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|path| path.exists()).unwrap();
    let wrapper = counted.join("git");
    fs::write(&wrapper, format!("#!/bin/sh\necho asked >> '{}'\nexec '{}' \"$@\"\n", log.display(), git.display()))
        .unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths([counted].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let committer = committer.env("PATH", path);
    move |line: &str| {
        let _ = fs::remove_file(&log);
        let line = format!("'{}' {line}", env!("CARGO_BIN_EXE_deconflict"));
        let ended = committer.run("sh".as_ref(), &["-c", &line]);
        (fs::read_to_string(&log).unwrap_or_default().lines().count(), ended.exit_code)
    }
}

#[test]
fn git_is_asked_no_more_often_whose_changes_many_files_have_than_of_one() {
    let (workspace, person) = guarded_workspace();
    let asked = counting(&workspace, person);
    let writer = CodingAgent::on(&workspace, "writer");
    writer.start();
    let mut counts = Vec::new();
    for many in [2, 20] {
        let files: Vec<String> = (0..many).map(|number| format!("src/of-{many}/{number}.rs")).collect();
        fs::create_dir_all(workspace.path(format!("src/of-{many}"))).unwrap();
        for file in &files {
            writer.edit(file, "theirs\n").expect_no_denial();
        }
        writer.shell().run(["release", "--all"]).expect_code(0);
        workspace.git(&["add", "--all"]);
        let (before, code) = asked("guard pre-commit");
        assert_eq!(code, 1, "it is the writer's");
        workspace.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "Theirs"]);
        counts.push((before, asked("guard post-commit").0));
    }
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn git_does_not_wait_until_the_claims_on_many_committed_files_are_released() {
    let (workspace, person) = guarded_workspace();
    let files: Vec<String> = (0..300).map(|number| format!("src/{number}.rs")).collect();
    for file in &files {
        workspace.write(file, "mine\n");
        workspace.coordination().write_claim("agent", "file", file, json!({"automatic": true}));
    }
    hold(&workspace, "README.md");
    workspace.git(&["add", "src"]);
    let committed = person.session("agent").git(&["commit", "--quiet", "-m", "Mine"]).expect_code(0);
    assert_eq!(committed.stderr, "");
    let here = workspace.coordination();
    for file in &files {
        here.wait_for_no_claim(file);
    }
    assert!(here.claim("README.md").is_some(), "what others hold stays");
    let is_told = |board: &str| board.contains("README.md") && !board.contains("src/");
    here.wait_for("the board to say so", |it| is_told(&it.board()).then_some(()));
}

#[test]
fn git_waits_for_a_small_commit_after_a_large_one_that_was_given_up() {
    let (workspace, person) = guarded_workspace();
    for file in (0..300).map(|number| format!("src/{number}.rs")).chain(["small.rs".to_owned()]) {
        workspace.write(&file, "mine\n");
        workspace.coordination().write_claim("agent", "file", &file, json!({"automatic": true}));
    }
    workspace.git(&["add", "src"]);
    let agent = person.session("agent");
    // Git takes no commit without a message.
    agent.git(&["commit", "--quiet", "-m", ""]).expect_code(1);
    workspace.git(&["add", "small.rs"]);
    agent.git(&["commit", "--quiet", "-m", "Mine", "--", "small.rs"]).expect_code(0);
    assert!(workspace.coordination().claim("small.rs").is_none());
    assert!(workspace.coordination().claim("src/0.rs").is_some(), "it is not committed");
}

#[test]
fn git_is_asked_no_more_often_about_thousands_of_files_and_tags_than_about_one() {
    let (workspace, person) = guarded_workspace();
    let counted = counting(&workspace, person.session("agent"));
    let asked = |line: &str| {
        let (times, code) = counted(line);
        assert_eq!(code, 0, "{line}");
        times
    };
    let mut counts = Vec::new();
    for many in [1, 500] {
        let files: Vec<String> = (0..many).map(|number| format!("src/of-{many}-{number}.rs")).collect();
        for file in &files {
            workspace.write(file, "mine\n");
            workspace.coordination().write_claim("agent", "file", file, json!({"automatic": true}));
            workspace.git(&["update-ref", &format!("refs/tags/v{file}"), "HEAD"]);
        }
        workspace.git(&["add", "--all"]);
        let before = asked("guard pre-commit");
        workspace.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "Mine"]);
        let after = asked("guard post-commit");
        assert!(files.iter().all(|file| workspace.coordination().claim(file).is_none()));
        let none = "0".repeat(40);
        let head = workspace.git(&["rev-parse", "HEAD"]);
        let tag = |file: &String| format!("refs/tags/v{file} {} refs/tags/v{file} {none}\n", head.trim());
        fs::write(workspace.beside("refs"), files.iter().map(tag).collect::<String>()).unwrap();
        let pushed = asked(&format!("guard pre-push origin x < '{}'", workspace.beside("refs").display()));
        counts.push((before, after, pushed));
    }
    assert_eq!(counts[0], counts[1]);
}
