//! A clone whose git directory is full of traps: nothing outside of it is written, nothing hangs or fills memory, and
//! files are claimed as if the traps were not there.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{CodingAgent, Committer, Editor, Outcome, Terminal, Workspace};

/// Stands in every file outside.
const SETTINGS: &str = "{\"editor.fontSize\": 12}\n";

fn with_settings(workspace: &Workspace) -> PathBuf {
    let settings = workspace.beside("settings.json");
    fs::write(&settings, SETTINGS).unwrap();
    settings
}

fn replace_by_link(path: &Path, target: impl AsRef<Path>) {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        fs::remove_dir_all(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

/// Runs a verb that may use 1 GB of memory and 20 s.
#[track_caller]
fn run_limited(workspace: &Workspace, words: &[&str]) -> Outcome {
    Terminal::on(workspace).spawn_limited(1_000_000_000, words).wait_for_at_most(Duration::from_secs(20))
}

#[test]
fn what_the_exclude_file_links_to_is_never_written() {
    for (link, target) in
        [("info/exclude", "settings.json"), ("info/exclude", ".git/config"), ("info", "outside"), ("info", ".git/refs")]
    {
        let workspace = Workspace::small();
        let settings = with_settings(&workspace);
        let outside = workspace.beside("outside");
        fs::create_dir(&outside).unwrap();
        let target = if target.starts_with(".git") { workspace.path(target) } else { workspace.beside(target) };
        let config = fs::read(workspace.path(".git/config")).unwrap();
        replace_by_link(&workspace.path(".git").join(link), &target);

        let editor = Editor::start(&workspace, "alice");
        editor.open("src/main.rs").type_text("x");
        workspace.coordination().wait_for_claim("src/main.rs");
        editor.quit();
        workspace.coordination().delete();
        CodingAgent::on(&workspace, "one").edit("src/lib.rs", "pub mod parser; \n").expect_no_denial();
        workspace.coordination().delete();
        let outcome = Terminal::on(&workspace).run(["start"]).expect_code(0);
        assert!(outcome.stderr.contains("untracked"), "it says what git will show: {outcome:?}");

        assert_eq!(fs::read_to_string(&settings).unwrap(), SETTINGS, "{link}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{link}");
        assert!(!workspace.path(".git/refs/exclude").exists(), "{link}");
        assert_eq!(fs::read(workspace.path(".git/config")).unwrap(), config, "{link}");
    }
}

#[test]
fn a_git_file_lets_nobody_write_into_another_repository() {
    for is_link in [false, true] {
        let victim = Workspace::small();
        let before = fs::read_to_string(victim.path(".git/info/exclude")).unwrap();
        let workspace = Workspace::plain();
        workspace.write("src/main.rs", "fn main() {}\n");
        if is_link {
            symlink(victim.path(".git"), workspace.path(".git")).unwrap();
        } else {
            workspace.write(".git", format!("gitdir: {}\n", victim.path(".git").display()));
        }
        let editor = Editor::start(&workspace, "alice");
        editor.open("src/main.rs").type_text("x");
        workspace.coordination().wait_for_claim("src/main.rs");
        editor.quit();
        workspace.coordination().delete();
        CodingAgent::on(&workspace, "one").edit("src/main.rs", "fn main() { }\n").expect_no_denial();
        Terminal::on(&workspace).run(["start"]).expect_code(0);
        assert!(!victim.path(".git/deconflict").exists(), "what a hook remembers is kept elsewhere");
        assert_eq!(fs::read_to_string(victim.path(".git/info/exclude")).unwrap(), before);
    }
}

/// A git directory kept elsewhere is this worktree's own where its configuration says so.
#[test]
fn a_git_directory_elsewhere_that_points_back_is_written() {
    let workspace = Workspace::small();
    let elsewhere = workspace.beside("elsewhere.git");
    fs::rename(workspace.path(".git"), &elsewhere).unwrap();
    workspace.write(".git", format!("gitdir: {}\n", elsewhere.display()));
    workspace.git(&["config", "core.worktree", workspace.root().to_str().unwrap()]);
    Terminal::on(&workspace).run(["start"]).expect_code(0);
    assert_eq!(workspace.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_never_ends_is_not_read() {
    let at = [
        ".git/HEAD",
        ".git/config",
        ".git/config.worktree",
        ".git/index",
        ".git/sharedindex.1",
        ".git/info/exclude",
        ".git/commondir",
        ".git/worktrees/other/gitdir",
        ".gitignore",
        ".gitmodules",
        "src/.gitignore",
    ];
    for path in at {
        for trap in ["zero", "pipe", "huge", "huge beside"] {
            let workspace = Workspace::small();
            let trapped = workspace.path(path);
            let _ = fs::remove_file(&trapped);
            fs::create_dir_all(trapped.parent().unwrap()).unwrap();
            match trap {
                "zero" => symlink("/dev/zero", &trapped).unwrap(),
                "pipe" => assert!(Command::new("mkfifo").arg(&trapped).status().unwrap().success()),
                "huge" => File::create(&trapped).unwrap().set_len(1 << 40).unwrap(),
                _ => {
                    let beside = workspace.beside("huge");
                    File::create(&beside).unwrap().set_len(1 << 40).unwrap();
                    symlink(&beside, &trapped).unwrap();
                }
            }
            let started = run_limited(&workspace, &["start"]);
            let session = started.stdout.trim().to_owned();
            let claim: &[&str] = &["--session", &session, "claim", "file", "src/main.rs"];
            assert!(matches!(started.exit_code, 0 | 3), "{path}, {trap}: {started:?}");
            for words in [claim, &["check", "src/lib.rs"], &["status"]].iter().skip(usize::from(session.is_empty())) {
                let output = run_limited(&workspace, words);
                assert!(matches!(output.exit_code, 0 | 3), "{path}, {trap}: {words:?}: {output:?}");
            }
        }
    }
}

#[test]
fn an_editor_and_an_agent_work_where_nothing_ends() {
    let workspace = Workspace::small();
    for name in [".git/info/exclude", ".gitmodules", "src/.gitignore"] {
        let _ = fs::remove_file(workspace.path(name));
        assert!(Command::new("mkfifo").arg(workspace.path(name)).status().unwrap().success());
    }
    let editor = Editor::start(&workspace, "alice");
    editor.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    let agent = CodingAgent::on(&workspace, "one");
    agent.before_edit("src/main.rs").expect_denial();
    agent.edit("src/lib.rs", "pub mod parser; \n").expect_no_denial();
    editor.quit();
}

#[test]
fn the_guard_writes_no_hook_through_a_link_that_leads_out() {
    let workspace = Workspace::small();
    let outside = workspace.beside("outside");
    fs::create_dir(&outside).unwrap();
    replace_by_link(&workspace.path(".git/hooks"), &outside);
    let refused = Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(3);
    assert!(refused.stderr.contains("leads out"), "{refused:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    fs::remove_file(workspace.path(".git/hooks")).unwrap();
    workspace.write(".git/hooks/pre-commit", "not a script");
    replace_by_link(&workspace.path(".git/hooks/deconflict.before"), &outside);
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(3);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(workspace.read(".git/hooks/pre-commit"), "not a script");
}

#[test]
fn a_commit_is_not_held_up_by_what_never_ends() {
    let workspace = Workspace::small();
    workspace.coordination().write_session("agent", serde_json::json!({"client": "claude-code"}));
    workspace.write("src/main.rs", "fn main() { }\n");
    workspace.git(&["add", "src/main.rs"]);
    fs::remove_file(workspace.path(".git/SQUASH_MSG")).unwrap_or_default();
    assert!(Command::new("mkfifo").arg(workspace.path(".git/SQUASH_MSG")).status().unwrap().success());
    run_limited(&workspace, &["guard", "pre-commit"]).expect_code(0);
}
