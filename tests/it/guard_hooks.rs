//! Adding the guard to a repository's hooks beside those that are there, and taking it out again.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use deconflict_workspace::git_hooks::{self, Guard, HooksFolder, Scope};
use serde_json::{Value, json};

use crate::support::{CodingAgent, Committer, Editor, Terminal, Workspace};

fn install(workspace: &Workspace) -> Value {
    Committer::person(workspace).deconflict(&["guard", "--install", "--json"]).expect_code(0).json()
}

fn uninstall(workspace: &Workspace) -> Value {
    Committer::person(workspace).deconflict(&["guard", "--uninstall", "--json"]).expect_code(0).json()
}

fn changes(document: &Value) -> Vec<&str> {
    document["hooks"].as_array().unwrap().iter().map(|hook| hook["change"].as_str().unwrap()).collect()
}

/// Everything in a folder: content or link, and mode.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().to_str().unwrap().as_bytes().to_vec()
            } else if metadata.is_dir() {
                waiting.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path, (content, metadata.permissions().mode()));
        }
    }
    found
}

fn write_hook(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn hold(workspace: &Workspace) {
    workspace.coordination().write_session("agent", json!({"client": "claude-code"}));
    workspace.coordination().write_claim("agent", "file", "src/lib.rs", json!({}));
    fs::create_dir_all(workspace.path(".git/info")).unwrap();
    fs::write(workspace.path(".git/info/exclude"), "COORDINATION/\n").unwrap();
}

/// Tries a commit of a free file and one of a held file; returns what the repository's own hooks wrote down.
#[track_caller]
fn try_commits(workspace: &Workspace) -> String {
    let person = Committer::person(workspace);
    let log = workspace.beside("log");
    let _ = fs::remove_file(&log);
    workspace.write("README.md", format!("{:?}\n", std::time::Instant::now()));
    person.git(&["commit", "-m", "Mine", "README.md"]).expect_code(0);
    let logged = fs::read_to_string(&log).unwrap_or_default();
    hold(workspace);
    workspace.write("src/lib.rs", format!("{:?}\n", std::time::Instant::now()));
    person.git(&["commit", "-m", "Sweep", "src/lib.rs"]).expect_code(1);
    logged
}

#[test]
fn it_comes_and_goes_without_a_trace_and_may_be_asked_for_twice() {
    let workspace = Workspace::small();
    let hooks = workspace.path(".git/hooks");
    let before = picture(&hooks);
    assert_eq!(changes(&install(&workspace)), ["added"; 4]);
    let installed = picture(&hooks);
    assert_eq!(changes(&install(&workspace)), ["none"; 4]);
    assert_eq!(picture(&hooks), installed);
    try_commits(&workspace);
    assert_eq!(changes(&uninstall(&workspace)), ["removed"; 4]);
    assert_eq!(picture(&hooks), before);
    assert_eq!(changes(&uninstall(&workspace)), ["none"; 4]);
    // A clone that was made without templates has no such folder.
    fs::remove_dir_all(&hooks).unwrap();
    assert_eq!(changes(&install(&workspace)), ["added"; 4]);
}

#[test]
fn where_nobody_commits_it_says_so_in_words() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    let bare = workspace.bare_repository("remote");
    let places = [
        (bare.clone(), "bare repository: nobody commits there"),
        (workspace.path(".git"), "git's own folder. Try again in the worktree"),
        (workspace.beside("nowhere"), "in no git repository"),
    ];
    for (place, words) in places {
        fs::create_dir_all(&place).unwrap();
        let before = picture(&place);
        for verb in ["--install", "--uninstall"] {
            let told = person.clone().in_folder(&place).deconflict(&["guard", verb]).expect_code(3);
            assert!(told.stderr.contains(words) && !told.stderr.contains("fatal"), "{told:?}");
        }
        assert_eq!(picture(&place), before);
    }
    // A worktree of a bare repository is one where people commit.
    workspace.git(&["push", "--quiet", bare.to_str().unwrap(), "main"]);
    let linked = workspace.beside("linked");
    workspace.git(&["-C", bare.to_str().unwrap(), "worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
    person.in_folder(&linked).deconflict(&["guard", "--install"]).expect_code(0);
    assert!(bare.join("hooks/pre-commit").is_file());
}

#[test]
fn another_policy_renews_it() {
    let workspace = Workspace::small();
    install(&workspace);
    let person = Committer::person(&workspace);
    let renewed = person.deconflict(&["guard", "--install", "--when-unsure", "deny", "--json"]).expect_code(0).json();
    assert_eq!(changes(&renewed), ["renewed", "none", "renewed", "none"]);
    assert!(workspace.read(".git/hooks/pre-commit").contains("--when-unsure deny"));
}

#[test]
fn a_shell_hook_keeps_its_place_its_name_and_its_input() {
    let workspace = Workspace::small();
    let log = workspace.beside("log");
    let hooks = workspace.path(".git/hooks");
    // Strict, and it looks at its own name, as husky's and others' do.
    let text =
        format!("#!/usr/bin/env bash\nset -euo pipefail\necho \"$(basename \"$0\") $#\" >> '{}'\n", log.display());
    write_hook(&hooks.join("pre-commit"), &text, 0o750);
    write_hook(
        &hooks.join("pre-push"),
        &format!("#!/bin/sh -eu\necho \"$1\" >> '{0}'\ncat >> '{0}'\n", log.display()),
        0o700,
    );
    let before = picture(&hooks);
    install(&workspace);
    assert_eq!(try_commits(&workspace), "pre-commit 0\n");

    workspace.add_remote("origin");
    fs::remove_file(&log).unwrap();
    Committer::person(&workspace).git(&["push", "--quiet", "origin", "main", "main:other"]).expect_code(0);
    let logged = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = logged.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "origin"), "{logged}");
    assert!(lines[2].starts_with("refs/heads/main ") && lines[2].contains(" refs/heads/other "), "{logged}");
    // Nothing to push, nothing to read.
    fs::remove_file(&log).unwrap();
    Committer::person(&workspace).git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert_eq!(fs::read_to_string(&log).unwrap(), "origin\n");

    uninstall(&workspace);
    assert_eq!(picture(&hooks), before);
}

#[test]
fn a_hook_that_refuses_still_refuses() {
    let workspace = Workspace::small();
    write_hook(&workspace.path(".git/hooks/pre-commit"), "#!/bin/sh\necho my own reasons >&2\nexit 7\n", 0o755);
    install(&workspace);
    workspace.write("README.md", "mine\n");
    let refused = Committer::person(&workspace).git(&["commit", "-am", "Mine"]).expect_code(1);
    assert!(refused.stderr.contains("my own reasons"), "{refused:?}");
}

#[test]
fn hooks_of_other_kinds_are_run_from_beside_and_come_back_as_they_were() {
    let workspace = Workspace::small();
    let log = workspace.beside("log");
    let hooks = workspace.path(".git/hooks");
    let text = format!("echo \"$(basename \"$0\")\" >> '{}'\n", log.display());
    // A link to a script that git tracks, one without a first line, and one that is switched off.
    workspace.write("tools/check", format!("#!/bin/sh\n{text}"));
    fs::set_permissions(workspace.path("tools/check"), fs::Permissions::from_mode(0o755)).unwrap();
    workspace.commit_all("Add a check");
    std::os::unix::fs::symlink("../../tools/check", hooks.join("pre-commit")).unwrap();
    write_hook(&hooks.join("post-commit"), &text, 0o755);
    write_hook(&hooks.join("pre-push"), "#!/bin/sh\nexit 1\n", 0o644);
    let before = picture(&hooks);
    let tracked = workspace.read("tools/check");

    install(&workspace);
    assert_eq!(try_commits(&workspace), "pre-commit\npost-commit\n");
    assert_eq!(workspace.read("tools/check"), tracked, "what a link leads to is left alone");
    let remote = workspace.bare_repository("remote");
    Committer::person(&workspace).git(&["push", "--quiet", remote.to_str().unwrap(), "main"]).expect_code(0);

    install(&workspace);
    uninstall(&workspace);
    assert_eq!(picture(&hooks), before);
}

#[test]
fn lines_that_others_add_later_stay() {
    let workspace = Workspace::small();
    install(&workspace);
    let hook = workspace.path(".git/hooks/pre-commit");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, format!("{text}echo added later\n")).unwrap();
    uninstall(&workspace);
    assert_eq!(fs::read_to_string(&hook).unwrap(), "#!/bin/sh\necho added later\n");

    // Of a hook that was moved nothing may be lost either.
    fs::write(&hook, "no first line\n").unwrap();
    install(&workspace);
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, format!("{text}echo added later\n")).unwrap();
    let told = Committer::person(&workspace).deconflict(&["guard", "--uninstall"]).expect_code(3);
    assert!(told.stderr.contains("added lines"), "{told:?}");
    assert_eq!(workspace.read(".git/hooks/deconflict.before/pre-commit"), "no first line\n");
}

#[test]
fn a_configured_folder_is_used_be_it_relative_or_huskys() {
    let workspace = Workspace::small();
    let log = workspace.beside("log");
    workspace.git(&["config", "core.hooksPath", ".husky/_"]);
    // As husky lays it out: a stub for each hook, which runs what is in the folder above under the stub's own name.
    let runner =
        "n=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n";
    write_hook(&workspace.path(".husky/_/h"), runner, 0o644);
    for name in ["pre-commit", "pre-push", "post-commit"] {
        write_hook(&workspace.path(format!(".husky/_/{name}")), "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"", 0o755);
    }
    workspace.write(".husky/_/.gitignore", "*\n");
    workspace.write(".husky/pre-commit", format!("echo husky >> '{}'\n", log.display()));
    workspace.commit_all("Use husky");
    let before = picture(&workspace.path(".husky"));
    let installed = install(&workspace);
    assert_eq!((&installed["scope"], changes(&installed)), (&json!("husky"), vec!["added"; 4]));
    assert!(!workspace.path(".git/hooks/pre-commit").exists());
    assert_eq!(try_commits(&workspace), "husky\n");
    let said = Committer::person(&workspace).in_folder("src").deconflict(&["guard", "--install"]).expect_code(0);
    assert!(said.stderr.contains(".husky/pre-commit"), "{said:?}");
    uninstall(&workspace);
    assert_eq!(picture(&workspace.path(".husky")), before);
}

#[test]
fn a_folder_for_all_repositories_is_used_and_said() {
    let workspace = Workspace::small();
    let shared = workspace.home().join("git hooks");
    workspace.git(&["config", "--global", "core.hooksPath", shared.to_str().unwrap()]);
    let said = Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    assert!(said.stderr.contains("other repositories"), "{said:?}");
    try_commits(&workspace);
    uninstall(&workspace);
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
}

#[test]
fn all_worktrees_of_a_clone_share_it() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    let person = Committer::person(&workspace).in_folder(&feature);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    try_commits(&workspace);
}

#[test]
fn a_program_that_is_gone_is_said_only_where_somebody_coordinates() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install", "--when-unsure", "deny"]).expect_code(0);
    let hook = workspace.read(".git/hooks/pre-commit");
    workspace.write(".git/hooks/pre-commit", hook.replace(env!("CARGO_BIN_EXE_deconflict"), "/gone/deconflict"));
    // Without it on the path either.
    let path = std::env::var_os("PATH").unwrap();
    let tools = workspace.beside("tools");
    fs::create_dir(&tools).unwrap();
    for tool in ["git", "sh", "dirname", "cat", "mv", "setsid"] {
        let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), tools.join(tool)).unwrap();
    }
    let bare = person.env("PATH", tools.as_os_str());
    workspace.write("README.md", "mine\n");
    assert_eq!(bare.git(&["commit", "-am", "One"]).expect_code(0).stderr, "");
    workspace.coordination().create();
    fs::write(workspace.path(".git/info/exclude"), "COORDINATION/\n").unwrap();
    workspace.write("README.md", "more\n");
    let told = bare.git(&["commit", "-am", "Two"]).expect_code(1);
    assert!(told.stderr.contains("no longer installed"), "{told:?}");
}

/// Has the guard's lines run another program.
fn have_hooks_run(workspace: &Workspace, program: &Path) {
    for hook in ["pre-commit", "post-commit", "pre-push", "reference-transaction"] {
        let text = workspace.read(format!(".git/hooks/{hook}"));
        let text = text.replace(env!("CARGO_BIN_EXE_deconflict"), program.to_str().unwrap());
        workspace.write(format!(".git/hooks/{hook}"), text);
    }
}

#[test]
fn no_program_is_started_where_nobody_coordinates_and_one_is_wherever_somebody_might() {
    const ALL: &str = "pre-commit\npost-commit\npre-push\n";
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    let (program, log) = (workspace.beside("program"), workspace.beside("log"));
    let text =
        format!("#!/bin/sh\necho \"$2\" >> '{}'\nexec '{}' \"$@\"\n", log.display(), env!("CARGO_BIN_EXE_deconflict"));
    write_hook(&program, &text, 0o755);
    have_hooks_run(&workspace, &program);
    let remote = workspace.bare_repository("remote");
    let started = |person: &Committer| {
        let _ = fs::remove_file(&log);
        person.git(&["commit", "--allow-empty", "-m", "One"]).expect_code(0);
        person.git(&["push", "--quiet", remote.to_str().unwrap(), "HEAD:refs/heads/one", "--force"]).expect_code(0);
        fs::read_to_string(&log).unwrap_or_default()
    };
    assert_eq!(started(&person), "");
    workspace.write("src/deep/down/file", "");
    assert_eq!(started(&person.clone().in_folder(workspace.path("src/deep/down"))), "");
    // A directory that is named, one above, one whose name leads nowhere, a linked worktree.
    assert_eq!(started(&person.clone().env("DECONFLICT_DIR", workspace.beside("COORDINATION"))), ALL);
    let above = workspace.beside("COORDINATION");
    fs::create_dir(&above).unwrap();
    assert_eq!(started(&person), ALL);
    fs::remove_dir(&above).unwrap();
    assert_eq!(started(&person), "");
    std::os::unix::fs::symlink("nowhere", workspace.path("COORDINATION")).unwrap();
    assert_eq!(started(&person), ALL);
    fs::remove_file(workspace.path("COORDINATION")).unwrap();
    let linked = workspace.beside("linked");
    workspace.git(&["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    assert_eq!(started(&person.clone().in_folder(&linked)), ALL);
    hold(&workspace);
    assert_eq!(started(&person), ALL);
}

#[test]
fn a_guard_that_cannot_run_stops_nothing_and_only_its_refusal_does() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    let remote = workspace.bare_repository("remote");
    let program = workspace.beside("program");
    have_hooks_run(&workspace, &program);
    // Where nobody coordinates it would not be started at all.
    hold(&workspace);
    let cases = [
        ("#!/bin/sh\nexit 0\n", true),
        ("#!/bin/sh\nexit 1\n", false),
        ("#!/bin/sh\nexit 2\n", true),
        ("#!/bin/sh\nexit 101\n", true),
        ("#!/bin/sh\nkill -SEGV $$\n", true),
        ("#!/no/such/interpreter\n", true),
        ("\u{7f}ELF no program\n", true),
    ];
    for (number, (text, goes_on)) in cases.into_iter().enumerate() {
        write_hook(&program, text, 0o755);
        workspace.write("README.md", format!("{number}\n"));
        let committed = person.git(&["commit", "-am", "One"]);
        assert_eq!(committed.exit_code == 0, goes_on, "{text}: {committed:?}");
        let pushed = person.git(&["push", remote.to_str().unwrap(), &format!("HEAD:refs/heads/b{number}")]);
        assert_eq!(pushed.exit_code == 0, goes_on, "{text}: {pushed:?}");
        workspace.git(&["reset", "-q", "--hard"]);
    }
}

#[test]
fn only_scripts_of_plain_shells_take_lines() {
    let workspace = Workspace::plain();
    let folder = HooksFolder { path: workspace.path("hooks"), scope: Scope::Shared, is_of_one_worktree: false };
    let guard = Guard { program: "/opt/it's/deconflict".into(), deny_when_unsure: true };
    let hook = folder.path.join("pre-commit");
    let is_moved = |content: &str| {
        write_hook(&hook, content, 0o755);
        git_hooks::install(&folder, &guard).unwrap();
        assert_eq!(git_hooks::state(workspace.root(), &folder), git_hooks::GuardState::Complete);
        let is_moved = folder.path.join("deconflict.before/pre-commit").exists();
        assert!(std::process::Command::new("sh").arg("-n").arg(&hook).status().unwrap().success());
        git_hooks::uninstall(&folder).unwrap();
        assert_eq!(fs::read_to_string(&hook).unwrap(), content);
        is_moved
    };
    for first_line in
        ["#!/bin/sh", "#! /bin/bash -e", "#!/usr/bin/env bash", "#!/usr/bin/env -S zsh -f", "#!/bin/busybox sh"]
    {
        assert!(!is_moved(&format!("{first_line}\necho\n")), "{first_line}");
    }
    for content in [
        "",
        "echo no first line\n",
        "#!/bin/sh",
        "#!/bin/sh\r\n",
        "#!/usr/bin/env python3\n",
        "#!/usr/bin/env\n",
        "#!/usr/bin/fish\n",
        "#!\n",
        "\u{7f}ELF\n",
        "#!/bin/sh\n# >>> deconflict guard\n",
    ] {
        assert_eq!(is_moved(content), !content.starts_with("#!/bin/sh\n"), "{content:?}");
    }
}

#[test]
fn an_editor_says_beside_an_agent_that_a_guard_was_lost_and_not_that_there_never_was_one() {
    const LOST: &str = "The guard is no longer in pre-commit";
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit("src/main.rs", "fn main() {}\n").expect_no_denial();
    let open = |name: &str| {
        let editor = Editor::start(&workspace, name);
        editor.open("src/lib.rs").type_text("// mine\n");
        workspace.coordination().wait_for_holder("src/lib.rs", &editor.session_id());
        editor
    };
    let never = open("never");
    never.settle(&workspace);
    assert_eq!(never.messages(), Vec::<String>::new());
    never.quit();

    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    workspace.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let told = open("lost").wait_for_message(LOST)["message"].as_str().unwrap().to_owned();
    assert!(told.contains("deconflict guard --install") && told.contains("deconflict guard --uninstall"), "{told}");
}

#[test]
fn a_missing_guard_is_said_where_a_session_begins_and_one_that_was_never_there_only_once() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    let begin = |id: &str| CodingAgent::on(&workspace, id).start().notice().to_owned();
    // Who is alone in a clone needs none.
    assert_eq!(begin("one"), "");
    let _ada = Terminal::with_named_session(&workspace, "Ada");
    assert!(begin("two").contains("No guard checks commits here"));
    assert_eq!(begin("three"), "");
    install(&workspace);
    assert_eq!(begin("four"), "");
    // As a manager of hooks does it that removes what it was not told of.
    for hook in ["pre-commit", "post-commit", "pre-push", "reference-transaction"] {
        fs::remove_file(workspace.path(format!(".git/hooks/{hook}"))).unwrap();
    }
    for id in ["five", "six"] {
        let told = begin(id);
        assert!(told.contains("The guard is no longer in") && told.contains("deconflict guard --install"), "{told}");
    }
    let told = person.deconflict(&["start"]).expect_code(0).stderr;
    assert!(told.contains("The guard is no longer in"), "{told}");
    uninstall(&workspace);
    assert_eq!(begin("seven"), "");
}

#[test]
fn a_hook_without_its_run_bit_does_not_go_on_to_run_and_one_of_ours_is_missing() {
    let workspace = Workspace::small();
    let hook = workspace.path(".git/hooks/pre-commit");
    write_hook(&hook, "#!/bin/sh\nexit 1\n", 0o644);
    let before = picture(&workspace.path(".git/hooks"));
    let person = Committer::person(&workspace);
    let said = person.deconflict(&["guard", "--install"]).expect_code(0);
    assert!(!said.stdout.contains("still run"), "{said:?}");
    try_commits(&workspace);
    workspace.coordination().remove_claim("file", "src/lib.rs");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(person.deconflict(&["doctor"]).stdout.contains("The guard is no longer in pre-commit"));
    install(&workspace);
    assert!(person.deconflict(&["doctor"]).stdout.contains("The guard checks commits"));
    try_commits(&workspace);
    uninstall(&workspace);
    assert_eq!(picture(&workspace.path(".git/hooks")), before);

    // Somebody who switches their own hook off switches it off, and nothing else.
    write_hook(&hook, "#!/bin/sh\nexit 1\n", 0o755);
    install(&workspace);
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    install(&workspace);
    try_commits(&workspace);
    uninstall(&workspace);
    assert_eq!(workspace.read(".git/hooks/pre-commit"), "#!/bin/sh\nexit 1\n");
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn hooks_of_one_worktree_say_what_they_do_not_cover() {
    let covers_one = "commits in other";
    for (scope, path) in [("--local", "tools/hooks"), ("--worktree", "absolute")] {
        let workspace = Workspace::small();
        workspace.git(&["config", "extensions.worktreeConfig", "true"]);
        let path = if path == "absolute" { workspace.beside("hooks").display().to_string() } else { path.to_owned() };
        workspace.git(&["config", scope, "core.hooksPath", &path]);
        let feature = workspace.add_worktree("feature");
        let person = Committer::person(&workspace);
        let said = person.deconflict(&["guard", "--install"]).expect_code(0);
        assert!(said.stderr.contains(covers_one), "{scope}: {said:?}");
        assert!(person.deconflict(&["doctor"]).stdout.contains("so commits in others are not checked"));
        try_commits(&workspace);
        // There the same line adds it.
        let there = person.clone().in_folder(&feature);
        there.deconflict(&["guard", "--install"]).expect_code(0);
        assert!(there.deconflict(&["doctor"]).stdout.contains("The guard checks commits"), "{scope}");
    }
    let workspace = Workspace::small();
    let said = Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    assert!(!said.stderr.contains(covers_one), "{said:?}");
}

#[test]
fn a_committed_folder_of_hooks_harms_nobody_without_deconflict() {
    let workspace = Workspace::small();
    workspace.git(&["config", "core.hooksPath", "tools/hooks"]);
    workspace.coordination().create();
    fs::write(workspace.path(".git/info/exclude"), "COORDINATION/\n").unwrap();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install", "--when-unsure", "deny"]).expect_code(0);
    workspace.commit_all("Use the guard");
    let bare = person.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    workspace.write("README.md", "mine\n");
    let committed = bare.git(&["commit", "-qam", "Mine"]).expect_code(0);
    assert_eq!((committed.stdout.as_str(), committed.stderr.as_str()), ("", ""));
}
