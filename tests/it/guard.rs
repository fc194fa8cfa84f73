//! The guard before and after a commit, in real repositories: what it refuses, to whom, and what it leaves alone.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::{Committer, Editor, Terminal, Workspace, timestamp};

/// A repository with the guard in its hooks, in which `agent` holds a file.
fn guarded() -> Workspace {
    let workspace = Workspace::small();
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    hold(&workspace, "src/lib.rs");
    workspace
}

fn hold(workspace: &Workspace, file: &str) {
    let coordination = workspace.coordination();
    coordination.write_session("agent", json!({"name": "Robin", "client": "claude-code"}));
    coordination.write_claim("agent", "file", file, json!({"phase": "BUILD - the parser"}));
    fs::write(workspace.root().join(".git/info/exclude"), "COORDINATION/\n").unwrap();
}

#[track_caller]
fn committed(workspace: &Workspace) -> Vec<String> {
    let names = workspace.git(&["show", "--pretty=format:", "--name-only", "--no-renames", "HEAD"]);
    names.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_commit_with_anothers_file_is_refused_and_the_rest_goes_through() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.write("src/lib.rs", "half done\n");
    workspace.write("README.md", "mine\n");
    person.git(&["add", "--all"]).expect_code(0);
    let refused = person.git(&["commit", "-m", "Sweep"]).expect_code(1);
    for part in [
        "refused:",
        "\"src/lib.rs\" has been claimed by \"Robin\" since",
        "BUILD - the parser",
        "git restore --staged -- src/lib.rs",
    ] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    assert!(!refused.stderr.contains("--no-verify"), "{refused:?}");

    // What it advises does it.
    person.git(&["restore", "--staged", "--", "src/lib.rs"]).expect_code(0);
    let allowed = person.git(&["commit", "-m", "Mine"]).expect_code(0);
    assert_eq!(allowed.stderr, "", "where nothing is in the way nothing is said");
    assert_eq!(committed(&workspace), ["README.md"]);
}

#[test]
fn commit_all_is_refused_with_advice_that_leaves_the_file_out() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.write("src/lib.rs", "half done\n");
    workspace.write("src/main.rs", "fn main() {}\n");
    let refused = person.git(&["commit", "-a", "-m", "Sweep"]).expect_code(1);
    let advice = "git add --update -- :/ ':(top,exclude)src/lib.rs' && git commit";
    assert!(refused.stderr.contains(advice), "{refused:?}");
    let add = ["add", "--update", "--", ":/", ":(top,exclude)src/lib.rs"];
    person.clone().in_folder("src").git(&add).expect_code(0);
    person.git(&["commit", "-m", "Mine"]).expect_code(0);
    assert_eq!(committed(&workspace), ["src/main.rs"]);

    let refused = person.git(&["commit", "-m", "Named", "src/lib.rs"]).expect_code(1);
    assert!(refused.stderr.contains("name the other files only"), "{refused:?}");
}

#[test]
fn a_persons_own_editor_is_in_an_agents_way_and_not_in_the_persons() {
    let workspace = Workspace::small();
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    let editor = Editor::start(&workspace, "tester");
    let document = editor.open("src/lib.rs");
    document.type_text("// mine\n");
    let coordination = workspace.coordination();
    coordination.wait_for_claim("src/lib.rs");
    document.save();

    let agent = Committer::agent(&workspace, "claude");
    let refused = agent.git(&["commit", "-am", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by"), "{refused:?}");
    let sandboxed = Committer::person(&workspace).env("CLAUDECODE", "1");
    sandboxed.git(&["commit", "-am", "Sweep"]).expect_code(1);
    // Somebody else, on this machine or another.
    Committer::person(&workspace).env("USER", "bob").env("LOGNAME", "bob").git(&["commit", "-am", "x"]).expect_code(1);

    Committer::person(&workspace).git(&["commit", "-am", "Mine"]).expect_code(0);
    coordination.wait_for_no_claim("src/lib.rs");
    editor.quit();
}

#[test]
fn a_person_with_a_session_owns_what_it_holds_and_the_own_editors() {
    let workspace = guarded();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    let editor = Editor::start(&workspace, "tester");
    let document = editor.open("src/main.rs");
    document.type_text("// mine\n");
    workspace.coordination().wait_for_claim("src/main.rs");
    document.save();
    workspace.write("README.md", "mine\n");
    let session = Committer::person(&workspace).session(&id);
    session.git(&["commit", "-am", "Mine"]).expect_code(0);
    let heartbeats = workspace.coordination().heartbeats(&id);
    let told = heartbeats.iter().find(|heartbeat| heartbeat["action"] == "committed");
    assert_eq!(told.unwrap()["files_touched"], json!(["README.md", "src/main.rs"]));
    assert!(workspace.coordination().claim("README.md").is_some(), "what is claimed by hand stays claimed");

    // Without it, a claim by hand in a terminal is nobody's that can be told.
    workspace.write("README.md", "more\n");
    let refused = Committer::person(&workspace).git(&["commit", "-am", "More"]).expect_code(1);
    assert!(refused.stderr.contains(&format!("export DECONFLICT_SESSION={id}")), "{refused:?}");
    editor.quit();
}

#[test]
fn an_agent_owns_what_its_own_session_holds_and_nothing_else() {
    let workspace = guarded();
    workspace.write("src/lib.rs", "done\n");
    let agent = Committer::agent(&workspace, "claude");
    agent.git(&["commit", "-am", "By nobody known"]).expect_code(1);
    agent.clone().session("agent").git(&["commit", "-am", "By itself"]).expect_code(0);
    workspace.coordination().write_claim("other", "file", "README.md", json!({}));
    workspace.write("README.md", "half done\n");
    agent.session("agent").git(&["commit", "-am", "Sweep"]).expect_code(1);
}

#[test]
fn only_active_claims_are_in_the_way() {
    let workspace = guarded();
    let coordination = workspace.coordination();
    let person = Committer::person(&workspace);
    workspace.write("src/lib.rs", "changed\n");
    workspace.git(&["add", "--all"]);
    let look = || person.deconflict(&["guard", "--json"]);
    assert_eq!(look().expect_code(1).json()["outcome"], "refused");
    let ended = timestamp(Utc::now() - TimeDelta::minutes(5));
    coordination.write_claim("agent", "file", "src/lib.rs", json!({"expires_at": ended}));
    assert_eq!(look().expect_code(0).json()["outcome"], "allowed");
    coordination.write_claim("agent", "file", "src/lib.rs", json!({"automatic": true, "idle_since": ended}));
    let warned = look().expect_code(0).json();
    assert_eq!(warned["warnings"][0]["claim"]["standing"], "idle", "{warned}");
    coordination.write_claim("agent", "file", "src/lib.rs", json!({}));
    coordination.write_session("agent", json!({"status": "completed"}));
    assert_eq!(look().expect_code(0).json()["outcome"], "allowed");
}

#[test]
fn renames_deletions_and_directories_are_known() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.git(&["mv", "src/lib.rs", "src/library.rs"]);
    let refused = person.git(&["commit", "-m", "Rename"]).expect_code(1);
    let advice = "git restore --staged -- src/lib.rs src/library.rs";
    assert!(refused.stderr.contains(advice), "half a rename is not committed either: {refused:?}");
    workspace.git(&["reset", "--quiet", "--hard"]);

    workspace.git(&["rm", "--quiet", "src/lib.rs"]);
    person.git(&["commit", "-m", "Delete"]).expect_code(1);
    workspace.git(&["reset", "--quiet", "--hard"]);

    workspace.coordination().write_claim("agent", "directory", "docs", json!({}));
    workspace.write("docs/a.md", "a\n");
    workspace.write("docs/deep/größe 1.md", "b\n");
    workspace.git(&["add", "--all"]);
    let refused = person.git(&["commit", "-m", "Below"]).expect_code(1);
    assert!(refused.stderr.contains("the directory \"docs\"") && refused.stderr.contains("2 files"), "{refused:?}");
    let held = person.deconflict(&["guard", "--json"]).expect_code(1).json();
    let changes = held["held"][0]["changes"].as_array().unwrap();
    assert_eq!(changes[1], json!({"path": "docs/deep/größe 1.md", "change": "added"}));
}

#[test]
fn a_link_is_not_what_it_leads_to() {
    let workspace = guarded();
    std::os::unix::fs::symlink("src/lib.rs", workspace.path("link")).unwrap();
    workspace.git(&["add", "--all"]);
    Committer::person(&workspace).git(&["commit", "-m", "Link"]).expect_code(0);
}

#[test]
fn the_first_commit_of_all_is_looked_at() {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet"]);
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    hold(&workspace, "a.txt");
    workspace.write("a.txt", "half done\n");
    workspace.git(&["add", "a.txt"]);
    let refused = Committer::person(&workspace).git(&["commit", "-m", "First"]).expect_code(1);
    assert!(refused.stderr.contains("git rm --cached --quiet -- a.txt"), "{refused:?}");
}

#[test]
fn a_merge_brings_what_others_committed_and_is_not_held_up_by_it() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.git(&["checkout", "--quiet", "-b", "theirs"]);
    workspace.write("src/lib.rs", "theirs\n");
    workspace.write("README.md", "# Theirs\n");
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", "Theirs"]);
    workspace.git(&["checkout", "--quiet", "main"]);
    workspace.write("README.md", "# Ours\n");
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", "Ours"]);

    // README.md conflicts; src/lib.rs comes with the merge.
    person.git(&["merge", "theirs"]).expect_code(1);
    workspace.write("README.md", "# Both\n");
    workspace.git(&["add", "README.md"]);
    // What somebody else did meanwhile is swept in.
    workspace.coordination().write_claim("agent", "file", "src/parser.rs", json!({}));
    workspace.write("src/parser.rs", "half done\n");
    let refused = person.git(&["commit", "-am", "Merge"]).expect_code(1);
    assert!(
        refused.stderr.contains("\"src/parser.rs\" has been claimed by") && !refused.stderr.contains("src/lib.rs"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("git merge --abort"), "{refused:?}");
    // What is left out is what the merge itself did not make of the file.
    workspace.coordination().write_claim("agent", "file", "src/lib.rs", json!({}));
    workspace.write("src/lib.rs", "half done\n");
    let refused = person.git(&["commit", "-am", "Merge"]).expect_code(1);
    assert!(refused.stderr.contains("git restore --staged --source=AUTO_MERGE -- src/lib.rs"), "{refused:?}");
    workspace.git(&["add", "src/lib.rs"]);
    workspace.git(&["restore", "--staged", "--source=AUTO_MERGE", "--", "src/lib.rs"]);
    assert_eq!(workspace.git(&["show", ":src/lib.rs"]), "theirs\n");
    person.git(&["commit", "-m", "Merge"]).expect_code(0);
    assert_eq!(workspace.git(&["rev-list", "--parents", "-1", "HEAD"]).split_whitespace().count(), 3);
}

#[test]
fn a_rebase_and_a_cherry_pick_replay_commits() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.git(&["checkout", "--quiet", "-b", "topic"]);
    workspace.write("src/lib.rs", "topic\n");
    workspace.write("README.md", "# Topic\n");
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", "Topic"]);
    workspace.git(&["checkout", "--quiet", "main"]);
    workspace.write("README.md", "# Main\n");
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", "Main"]);

    person.git(&["cherry-pick", "topic"]).expect_code(1);
    workspace.write("README.md", "# Both\n");
    workspace.git(&["add", "README.md"]);
    person.git(&["commit", "-m", "Picked"]).expect_code(0);
    workspace.git(&["reset", "--quiet", "--hard", "HEAD~1"]);

    workspace.git(&["checkout", "--quiet", "topic"]);
    person.git(&["rebase", "main"]).expect_code(1);
    workspace.write("README.md", "# Both\n");
    workspace.git(&["add", "README.md"]);
    // A commit by hand in the middle of it.
    person.git(&["commit", "-m", "Rebased"]).expect_code(0);
    workspace.coordination().write_claim("agent", "file", "Cargo.lock", json!({}));
    workspace.write("Cargo.lock", "half done\n");
    let refused = person.git(&["commit", "-a", "--amend", "-m", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("\"Cargo.lock\" has been claimed by"), "{refused:?}");
    workspace.git(&["checkout", "--quiet", "Cargo.lock"]);
    person.git(&["rebase", "--continue"]).expect_code(0);
}

#[test]
fn a_linked_worktree_is_another_place() {
    let workspace = guarded();
    let feature = workspace.add_worktree("feature");
    let person = Committer::person(&workspace).in_folder(&feature);
    // The main worktree's file is held, this one is not.
    fs::write(feature.join("src/lib.rs"), "mine\n").unwrap();
    person.git(&["commit", "-am", "Mine"]).expect_code(0);
    workspace.coordination().write_claim("agent", "file", "//feature/src/main.rs", json!({"worktree": "feature"}));
    fs::write(feature.join("src/main.rs"), "half done\n").unwrap();
    let refused = person.clone().in_folder("src").git(&["commit", "-am", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/main.rs (worktree feature)\" has been claimed by"), "{refused:?}");
}

#[test]
fn submodules_are_parts_of_the_whole() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    let library = Workspace::small();
    workspace.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        library.root().to_str().unwrap(),
        "library",
    ]);
    workspace.git(&["commit", "--quiet", "--message", "Add the library"]);
    let inside = person.clone().in_folder("library");
    inside.deconflict(&["guard", "--install"]).expect_code(0);
    let coordination = workspace.coordination();
    coordination.write_claim("agent", "file", "library/src/lib.rs", json!({}));
    workspace.write("library/src/lib.rs", "half done\n");
    inside.git(&["commit", "-am", "Sweep"]).expect_code(1);
    inside.git(&["checkout", "src/lib.rs"]).expect_code(0);
    workspace.write("library/README.md", "mine\n");
    inside.git(&["commit", "-am", "Mine"]).expect_code(0);

    // The pointer to it has nothing of what is held inside, but is in a directory that is held as a whole.
    workspace.git(&["add", "library"]);
    person.deconflict(&["guard"]).expect_code(0);
    coordination.write_claim("agent", "directory", "library", json!({}));
    person.git(&["commit", "-m", "Move on"]).expect_code(1);
}

#[test]
fn what_is_committed_and_unchanged_since_is_released() {
    let workspace = Workspace::small();
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    let coordination = workspace.coordination();
    coordination.write_session("agent", json!({"client": "claude-code"}));
    for file in ["README.md", "src/lib.rs", "src/main.rs", "Cargo.lock"] {
        coordination.write_claim("agent", "file", file, json!({"automatic": true}));
    }
    coordination.write_claim("agent", "file", "src/parser.rs", json!({}));
    for file in ["README.md", "src/lib.rs", "src/parser.rs"] {
        workspace.write(file, "done\n");
    }
    workspace.git(&["add", "README.md", "src/lib.rs", "src/parser.rs"]);
    workspace.git(&["rm", "--quiet", "src/main.rs"]);
    workspace.write("src/lib.rs", "done, and more\n");
    Committer::agent(&workspace, "claude").session("agent").git(&["commit", "-m", "Done"]).expect_code(0);
    // Changed since, claimed by hand, not committed: these stay.
    let expected = ["file-Cargo.lock.claim", "file-src%2Flib.rs.claim", "file-src%2Fparser.rs.claim"];
    assert_eq!(coordination.claim_files(), expected);
    assert!(!coordination.board().contains("README.md"), "the board is up to date");
}

#[test]
fn an_editor_that_has_more_unsaved_changes_keeps_its_file() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    let editor = Editor::start(&workspace, "tester");
    let document = editor.open("src/lib.rs");
    document.type_text("// saved\n");
    let coordination = workspace.coordination();
    let before = coordination.wait_for_claim("src/lib.rs");
    document.save();
    document.type_text("// not saved\n");
    editor.settle(&workspace);
    person.git(&["commit", "-am", "What was saved"]).expect_code(0);
    // From outside nobody sees what is unsaved, so the claim goes, and its editor takes it again at once.
    coordination.wait_for("the editor to claim its file again", |here| {
        here.claim("src/lib.rs")
            .filter(|claim| claim["claimed_by"] == before["claimed_by"] && claim["id"] != before["id"])
    });
    assert_eq!(document.codes(), Vec::<String>::new());
    editor.quit();
}

#[test]
fn what_cannot_be_told_goes_by_the_policy_and_is_never_silent() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    fs::remove_dir_all(workspace.path("COORDINATION/claims")).unwrap();
    workspace.write("COORDINATION/claims", "not a folder");
    workspace.write("README.md", "mine\n");
    let warned = person.git(&["commit", "-am", "One"]).expect_code(0);
    assert!(warned.stderr.contains("Could not tell") && warned.stderr.contains("claims"), "{warned:?}");

    person.deconflict(&["guard", "--install", "--when-unsure", "deny"]).expect_code(0);
    workspace.write("README.md", "more\n");
    let denied = person.git(&["commit", "-am", "Two"]).expect_code(1);
    assert!(denied.stderr.contains("git commit --no-verify"), "{denied:?}");
    workspace.git(&["add", "README.md"]);
    let told = person.deconflict(&["guard", "--json"]).expect_code(3).json();
    assert_eq!((&told["ok"], &told["outcome"]), (&json!(false), &json!("could_not_tell")));
    let told = person.deconflict(&["guard", "--json", "--when-unsure", "allow"]).expect_code(0).json();
    assert_eq!(told["outcome"], "could_not_tell");
}

#[test]
fn a_damaged_record_is_neither_yes_nor_no_and_a_known_holder_comes_first() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    let coordination = workspace.coordination();
    coordination.write_text("claims/file-README.md.claim", "{\"claimed_by\": ");
    coordination.age("claims/file-README.md.claim", Duration::from_mins(1));
    workspace.write("README.md", "mine\n");
    workspace.git(&["add", "--all"]);
    let told = person.deconflict(&["guard"]).expect_code(3);
    assert!(told.stderr.contains("README.md") && told.stderr.contains("damaged"), "{told:?}");
    workspace.write("src/lib.rs", "half done\n");
    workspace.git(&["add", "--all"]);
    person.deconflict(&["guard"]).expect_code(1);
}

#[test]
fn where_nobody_coordinates_nothing_is_held_up() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install", "--when-unsure", "deny"]).expect_code(0);
    let commit = |person: &Committer| {
        workspace.git(&["commit", "--quiet", "--no-verify", "--allow-empty", "--message", "Before"]);
        workspace.write("README.md", format!("{:?}\n", std::time::Instant::now()));
        let ended = person.git(&["commit", "-am", "Mine"]).expect_code(0);
        assert_eq!(ended.stderr, "");
    };
    commit(&person);
    assert!(!workspace.coordination().exists(), "looking makes no directory");
    commit(&person.clone().env("DECONFLICT_DIR", workspace.home().join("COORDINATION")));
    // A file, or a link to something, that only has the name.
    workspace.write("COORDINATION", "a play in five acts\n");
    commit(&person);
    workspace.remove("COORDINATION");
    fs::create_dir(workspace.path("COORDINATION")).unwrap();
    commit(&person);
}

#[test]
fn a_directory_that_came_with_a_clone_has_no_say_until_it_is_joined() {
    let workspace = Workspace::small();
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    workspace.coordination().write_session("agent", json!({}));
    workspace.coordination().write_claim("agent", "file", "README.md", json!({}));
    workspace.git(&["add", "--all", "--force"]);
    workspace.git(&["commit", "--quiet", "--no-verify", "--message", "Share the directory"]);
    workspace.write("README.md", "mine\n");
    person.git(&["commit", "-am", "Mine"]).expect_code(0);
    person.deconflict(&["init", "--adopt"]).expect_code(0);
    workspace.write("README.md", "more\n");
    person.git(&["commit", "-am", "More"]).expect_code(1);
}

#[test]
fn looking_writes_nothing_so_that_a_directory_that_only_can_be_read_has_its_say() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = guarded();
    let directory = workspace.path("COORDINATION");
    let mode = |mode| {
        for folder in [directory.join("claims"), directory.join("sessions"), directory.clone()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mode(0o555);
    workspace.write("src/lib.rs", "half done\n");
    Committer::person(&workspace).git(&["commit", "-am", "Sweep"]).expect_code(1);
    let entries = fs::read_dir(&directory).unwrap().count();
    mode(0o755);
    assert_eq!(entries, 5, "nothing was added");
}

#[test]
fn no_configured_program_runs() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = guarded();
    let trap = workspace.beside("trap.sh");
    let sprung = workspace.beside("sprung");
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    workspace.write("src/lib.rs", "half done\n");
    workspace.write(".gitattributes", "* filter=trap diff=trap\n");
    workspace.git(&["add", "--all"]);
    for key in
        ["core.fsmonitor", "core.pager", "diff.external", "diff.trap.textconv", "diff.trap.command", "gpg.program"]
    {
        workspace.git(&["config", key, trap.to_str().unwrap()]);
    }
    workspace.git(&["config", "log.showSignature", "true"]);
    let person = Committer::person(&workspace).env("GIT_EXTERNAL_DIFF", trap.as_os_str());
    person.deconflict(&["guard"]).expect_code(1);
    person.deconflict(&["guard", "post-commit"]).expect_code(0);
    assert!(!sprung.exists(), "{}", fs::read_to_string(&sprung).unwrap());
    person.git(&["diff", "--cached"]);
    assert!(sprung.exists(), "the trap works, had anyone stepped into it");
}
