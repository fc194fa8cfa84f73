//! `deconflict commit`: one session's own changes, on today's `HEAD`, with everybody else's work and staging as it was.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use deconflict_journal::{Cause, Settlement};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{NewSession, Registry};
use serde_json::Value;

use super::journal_verbs::{Clone, poem};
use super::support::{Outcome, Terminal, Workspace};

#[track_caller]
fn commit(terminal: &Terminal, arguments: &[&str]) -> Outcome {
    let all = ["commit", "-m", "Work"].iter().chain(arguments).copied();
    terminal.run(all)
}

/// What a commit has of a file.
fn show(workspace: &Workspace, what: &str) -> String {
    workspace.git(&["show", what])
}

fn changed_by_head(workspace: &Workspace) -> String {
    workspace.git(&["show", "--name-status", "--format=", "--no-renames", "HEAD"])
}

/// The entries of the worktree's index, without their stamps.
fn index(workspace: &Workspace) -> String {
    workspace.git(&["ls-files", "--stage"])
}

#[cfg(unix)]
fn hook(workspace: &Workspace, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = workspace.path(format!(".git/hooks/{name}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn commits_of_three_sessions_add_up_to_the_working_tree() {
    let (clone, [ada, ben, cy]) = Clone::with_sessions(["ada", "ben", "cy"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(2, "of ada")]));
    clone.edit("ben", "poem.txt", poem(&[(2, "of ada"), (5, "of ben")]));
    clone.edit("cy", "poem.txt", poem(&[(2, "of ada"), (5, "of ben"), (9, "of cy")]));
    clone.edit("ben", "neu und.txt", "of ben\n");
    let made = commit(&ada, &["--json"]).expect_code(0).json();
    assert_eq!(made["commit"], here.git(&["rev-parse", "HEAD"]).trim());
    assert_eq!(made["files"], serde_json::json!([{"path": "poem.txt", "change": "changed"}]));
    let left: Vec<_> = made["left"].as_array().unwrap().iter().map(|left| &left["session"]).collect();
    assert_eq!(left, ["ben", "cy"]);
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(2, "of ada")]));
    assert_eq!(here.git(&["log", "-1", "--format=%s by %an"]), "Work by cy\n");
    // The next one stands on top of it, and takes nothing back.
    commit(&ben, &[]).expect_code(0);
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(2, "of ada"), (5, "of ben")]));
    assert_eq!(changed_by_head(here), "A\tneu und.txt\nM\tpoem.txt\n");
    commit(&cy, &[]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    assert_eq!(here.git(&["rev-list", "--count", "HEAD"]), "5\n");
    assert_eq!(here.read("poem.txt"), poem(&[(2, "of ada"), (5, "of ben"), (9, "of cy")]));
    let nothing = commit(&cy, &["--json"]).expect_code(1).json();
    assert_eq!(nothing["reason"], "nothing");
}

#[test]
fn only_the_named_paths_are_committed() {
    let (clone, [ada, ben]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    clone.edit("ada", "src/neu.rs", "fn neu() {}\n");
    clone.edit("ada", "poem.txt", poem(&[(1, "of ada")]));
    clone.edit("ben", "README.md", "of ben\n");
    commit(&ada.clone().in_folder("src"), &["lib.rs"]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tsrc/lib.rs\n");
    commit(&ada, &["src"]).expect_code(0);
    assert_eq!(changed_by_head(here), "A\tsrc/neu.rs\n");
    // Others' changes are named, and stay.
    let refused = commit(&ada, &["README.md"]).expect_code(1);
    assert!(refused.stderr.contains("\"README.md\", changes of \"ben\""), "{refused:?}");
    commit(&ada, &["nowhere.txt"]).expect_code(1);
    commit(&ben, &["."]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tREADME.md\n");
    assert_eq!(here.git(&["status", "--porcelain"]), " M poem.txt\n");
}

/// Git takes a file for unchanged that is as long and as old as the one in the index, unless the index is no newer.
#[test]
fn what_was_changed_in_the_second_of_the_index_stays_changed() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    let index = here.path(".git/index");
    here.git(&["config", "core.trustctime", "false"]);
    let second = SystemTime::now() - Duration::from_hours(1);
    let stamp = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_modified(second).unwrap();
    let text = here.read("poem.txt");
    stamp(&here.path("poem.txt"));
    here.git(&["update-index", "--refresh"]);
    here.write("poem.txt", text.to_uppercase());
    stamp(&here.path("poem.txt"));
    stamp(&index);
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    assert_eq!(here.git(&["--no-optional-locks", "status", "--porcelain"]), " M poem.txt\n M src/lib.rs\n");
    commit(&ada, &["src/lib.rs"]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), " M poem.txt\n");
}

#[test]
fn where_changes_of_two_meet_nothing_is_committed_and_the_place_is_named() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada"), (4, "of ada too")]));
    clone.edit("ben", "poem.txt", poem(&[(3, "of ada"), (4, "of both")]));
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    let before = (here.git(&["rev-parse", "HEAD"]), index(here));
    let refused = commit(&ada, &["--json"]).expect_code(1).json();
    assert_eq!(refused["reason"], "overlap");
    assert_eq!(refused["overlaps"][0]["path"], "poem.txt");
    assert_eq!((&refused["overlaps"][0]["first"], &refused["overlaps"][0]["others"][0]), (&3.into(), &"ben".into()));
    assert_eq!((here.git(&["rev-parse", "HEAD"]), index(here)), before);
    // What has nothing to do with it can be committed.
    commit(&ada, &["src/lib.rs"]).expect_code(0);
}

#[test]
fn what_nobody_is_known_to_have_changed_is_left_out_and_named() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    here.write("poem.txt", poem(&[(3, "of ada"), (8, "of nobody")]));
    let made = commit(&ada, &["--json"]).expect_code(0).json();
    assert_eq!(made["left"], serde_json::json!([{"path": "poem.txt", "reason": "unknown"}]));
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(here.read("poem.txt"), poem(&[(3, "of ada"), (8, "of nobody")]));
}

#[test]
fn a_new_file_of_nobody_known_is_left_out_and_not_added_empty() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.write("plan.txt", "of a script\n");
    ada.run(["claim", "plan.txt"]).expect_code(0);
    let nothing = commit(&ada, &["--json"]).expect_code(1).json();
    assert_eq!(nothing["left"], serde_json::json!([{"path": "plan.txt", "reason": "unknown"}]));
    clone.edit("ada", "poem.txt", poem(&[(2, "of ada")]));
    commit(&ada, &[]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tpoem.txt\n");
}

#[test]
fn what_is_staged_stays_staged_byte_for_byte() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    // Ben staged another file, a part of the same file, one that is not in the working tree any more, and one that is only
    // meant to be added.
    here.write("README.md", "staged by ben\n");
    here.write("gone.txt", "staged and gone\n");
    here.write("poem.txt", poem(&[(9, "of ben")]));
    here.git(&["add", "README.md", "gone.txt", "poem.txt"]);
    here.remove("gone.txt");
    here.write("README.md", "and changed again\n");
    here.write("src/neu.rs", "");
    here.git(&["add", "--intent-to-add", "src/neu.rs"]);
    here.write("poem.txt", poem(&[]));
    clone.edit("ben", "poem.txt", poem(&[(9, "of ben")]));
    clone.edit("ada", "poem.txt", poem(&[(1, "of ada"), (9, "of ben")]));
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    let staged = |path: &str| here.git(&["ls-files", "--stage", "--", path]);
    let others = (staged("README.md"), staged("gone.txt"), staged("src/neu.rs"));
    let debug = |path: &str| here.git(&["ls-files", "--debug", "--", path]);
    let stamps = (debug("README.md"), debug("gone.txt"), debug("src/main.rs"));
    commit(&ada, &[]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tpoem.txt\nM\tsrc/lib.rs\n");
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(1, "of ada")]));
    assert_eq!((staged("README.md"), staged("gone.txt"), staged("src/neu.rs")), others);
    assert_eq!((debug("README.md"), debug("gone.txt"), debug("src/main.rs")), stamps);
    // Ben's line is staged on top of Ada's now, and the next commit takes nothing back.
    assert_eq!(show(here, ":poem.txt"), poem(&[(1, "of ada"), (9, "of ben")]));
    assert_eq!(show(here, ":src/lib.rs"), "pub mod lexer;\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "MM README.md\nAD gone.txt\nM  poem.txt\n A src/neu.rs\n");
    assert!(!here.path(".git/index.lock").exists());
    let leftovers = fs::read_dir(here.path(".git")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(leftovers.into_iter().all(|name| !name.to_string_lossy().starts_with("deconflict-commit")));
}

#[test]
fn what_ones_own_changes_were_when_they_were_staged_is_no_hindrance() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(2, "of ada")]));
    here.git(&["add", "poem.txt"]);
    clone.edit("ada", "poem.txt", poem(&[(2, "of ada, better")]));
    // Renamed and changed at once: under its new name nobody saw what is staged.
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    let (began, command) = (Utc::now(), Cause::Command { command: None });
    clone.change("ada", command.clone(), "src/neu.rs", || {
        here.git(&["mv", "src/lib.rs", "src/neu.rs"]);
        here.write("src/neu.rs", "pub mod lexer;\nmod neu;\n");
    });
    clone.recorded("ada", |recorder, author| {
        recorder.changed_by(author, command, &Resource::file("src/lib.rs").unwrap(), began, Utc::now()).unwrap()
    });
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(2, "of ada, better")]));
    assert_eq!(changed_by_head(here), "M\tpoem.txt\nD\tsrc/lib.rs\nA\tsrc/neu.rs\n");
}

#[test]
fn what_git_converts_is_committed_and_undone_as_it_stands_on_disk() {
    let (clone, [ada, ben]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    here.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    here.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    here.write(".gitattributes", "*.up filter=upper\n*.wide working-tree-encoding=UTF-16LE\n");
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    here.write("a.up", "one\ntwo\nthree\n");
    here.write("a.wide", wide("one\ntwo\n"));
    here.commit_all("Converted");
    clone.edit("ada", "a.up", "one\nof ada\nthree\n");
    clone.edit("ben", "a.up", "one\nof ada\nthree\nof ben\n");
    clone.edit("ada", "a.wide", wide("one\nof ada\n"));
    commit(&ada, &[]).expect_code(0);
    assert_eq!(show(here, "HEAD:a.up"), "ONE\nOF ADA\nTHREE\n");
    assert_eq!(show(here, "HEAD:a.wide"), "one\nof ada\n");
    assert_eq!(here.git(&["status", "--porcelain"]), " M a.up\n");
    clone.edit("ada", "a.up", "of ada too\none\nof ada\nthree\nof ben\n");
    ada.run(["undo"]).expect_code(0);
    assert_eq!(here.read("a.up"), "one\nof ada\nthree\nof ben\n");
    commit(&ben, &[]).expect_code(0);
    assert_eq!(show(here, "HEAD:a.up"), "ONE\nOF ADA\nTHREE\nOF BEN\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_is_staged_and_does_not_go_together_with_it_refuses_the_commit() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.write("poem.txt", poem(&[(3, "staged")]));
    here.git(&["add", "poem.txt"]);
    here.write("poem.txt", poem(&[]));
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    let before = (here.git(&["rev-parse", "HEAD"]), index(here));
    let refused = commit(&ada, &["--json"]).expect_code(1).json();
    assert_eq!((&refused["reason"], &refused["paths"]), (&"staged".into(), &serde_json::json!(["poem.txt"])));
    assert_eq!((here.git(&["rev-parse", "HEAD"]), index(here)), before);
    // The very same content may be staged already.
    here.git(&["add", "poem.txt"]);
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
}

#[cfg(unix)]
#[test]
fn a_head_that_moves_meanwhile_is_what_the_commit_stands_on() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    hook(
        here,
        "pre-commit",
        "[ -e moved ] && exit 0\ntouch moved\nunset GIT_INDEX_FILE\necho of ben > ben.txt\n\
         git add ben.txt\ngit commit -q --no-verify -m Between",
    );
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.git(&["log", "--format=%s", "-3"]), "Work\nBetween\nA poem\n");
    assert_eq!(changed_by_head(here), "M\tpoem.txt\n");
    assert_eq!(show(here, "HEAD:ben.txt"), "of ben\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "?? moved\n");
    assert_eq!(here.git(&["reflog", "-1", "--format=%gs"]), "commit: Work\n");
}

#[cfg(unix)]
#[test]
fn the_repositorys_own_hooks_run_and_have_their_say() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let before = (here.git(&["rev-parse", "HEAD"]), index(here));
    for name in ["pre-commit", "prepare-commit-msg", "commit-msg"] {
        hook(here, name, "echo not today >&2; exit 1");
        let refused = commit(&ada, &[]).expect_code(1);
        assert!(refused.stderr.contains("not today") && refused.stderr.contains(name), "{refused:?}");
        assert_eq!((here.git(&["rev-parse", "HEAD"]), index(here)), before);
        fs::remove_file(here.path(format!(".git/hooks/{name}"))).unwrap();
    }
    // They see what is committed and no more; what pre-commit adds is committed too.
    hook(here, "pre-commit", "git diff --cached --name-only > seen\necho made > made.txt\ngit add made.txt");
    hook(here, "commit-msg", "echo; echo 'Reviewed-by: nobody' >> \"$1\"");
    hook(here, "post-commit", "git rev-parse HEAD > committed; exit 1");
    here.write("README.md", "staged\n");
    here.git(&["add", "README.md"]);
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.read("seen"), "poem.txt\n");
    assert_eq!(here.read("committed"), here.git(&["rev-parse", "HEAD"]));
    assert_eq!(changed_by_head(here), "A\tmade.txt\nM\tpoem.txt\n");
    assert_eq!(here.git(&["log", "-1", "--format=%B"]), "Work\nReviewed-by: nobody\n\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "M  README.md\n?? committed\n?? seen\n");
}

#[test]
fn it_works_before_the_first_commit_and_on_a_detached_head() {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet"]);
    let terminal = Terminal::on(&workspace);
    terminal.run(["--session", "ada", "start"]).expect_code(0);
    let clone = Clone { workspace };
    let here = &clone.workspace;
    clone.edit("ada", "a b.txt", "first\n");
    let ada = terminal.session("ada");
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.git(&["log", "--format=%s"]), "Work\n");
    assert_eq!(here.git(&["reflog", "-1", "--format=%gs"]), "commit (initial): Work\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    here.git(&["switch", "--quiet", "--detach"]);
    clone.edit("ada", "a b.txt", "second\n");
    let made = commit(&ada, &[]).expect_code(0);
    assert!(made.stdout.contains("on a detached HEAD: Work"), "{made:?}");
    assert_eq!(here.git(&["rev-parse", "main"]), here.git(&["rev-parse", "HEAD^"]));
    assert_eq!(here.git(&["status", "--porcelain"]), "");
}

#[test]
fn in_the_middle_of_a_merge_it_is_refused() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.git(&["switch", "--quiet", "--create", "other"]);
    here.write("README.md", "other\n");
    here.commit_all("Other");
    here.git(&["switch", "--quiet", "main"]);
    here.git(&["merge", "--quiet", "--no-ff", "--no-commit", "other"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let refused = commit(&ada, &[]).expect_code(1);
    assert!(refused.stderr.contains("middle of a merge"), "{refused:?}");
    here.git(&["merge", "--abort"]);
    commit(&ada, &[]).expect_code(0);
}

#[cfg(unix)]
#[test]
fn deletions_renames_modes_links_and_awkward_names_are_committed_as_they_are() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let awkward = "größe\n 寸.txt";
    here.write(awkward, poem(&[]));
    here.commit_all("An awkward name");
    clone.edit("ada", awkward, poem(&[(10, "of ada")]));
    clone.change("ada", Cause::Command { command: None }, "src/parser.rs", || here.remove("src/parser.rs"));
    clone.edit("ada", "src/lexer.rs", "pub fn parse() {}\n");
    clone.change("ada", Cause::Command { command: None }, "src/main.rs", || {
        fs::set_permissions(here.path("src/main.rs"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    clone.change("ada", Cause::Command { command: None }, "link", || symlink("nowhere", here.path("link")).unwrap());
    clone.change("ada", Cause::Command { command: None }, "src/lib.rs", || here.remove("src/lib.rs"));
    clone.edit("ada", "src/lib.rs/inner.rs", "a folder now\n");
    commit(&ada, &[]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    let changes = here.git(&["diff", "--raw", "--abbrev=1", "-z", "-M", "HEAD^", "HEAD"]);
    let changes: Vec<&str> = changes.split('\0').collect();
    assert!(changes.iter().any(|field| field.starts_with(":100644 100755") && field.ends_with('M')), "{changes:?}");
    assert!(changes.iter().any(|field| field.starts_with(":000000 120000")), "{changes:?}");
    assert!(changes.windows(3).any(|it| it[0].ends_with("R100") && it[1] == "src/parser.rs"), "{changes:?}");
    assert_eq!(show(here, &format!("HEAD:{awkward}")), poem(&[(10, "of ada")]));
}

#[test]
fn line_ends_are_kept_as_git_keeps_them() {
    let (clone, [ada, ben]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    let windows = |text: String| text.replace('\n', "\r\n");
    here.write("both.txt", windows(poem(&[])));
    here.commit_all("Windows' line ends are committed");
    here.git(&["config", "core.autocrlf", "true"]);
    here.remove("poem.txt");
    here.git(&["checkout", "--", "poem.txt"]);
    assert_eq!(here.read("poem.txt"), windows(poem(&[])));
    for path in ["poem.txt", "both.txt"] {
        clone.edit("ada", path, windows(poem(&[(2, "of ada")])));
        clone.edit("ben", path, windows(poem(&[(2, "of ada"), (8, "of ben")])));
    }
    commit(&ada, &[]).expect_code(0);
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(2, "of ada")]));
    assert_eq!(show(here, "HEAD:both.txt"), windows(poem(&[(2, "of ada")])));
    commit(&ben, &[]).expect_code(0);
    assert_eq!(
        here.git(&["diff", "--stat", "HEAD~2", "HEAD"]).lines().last(),
        Some(" 2 files changed, 4 insertions(+), 4 deletions(-)")
    );
    assert_eq!(here.git(&["status", "--porcelain"]), "");
}

#[cfg(unix)]
#[test]
fn a_commit_is_signed_as_git_has_it_configured() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let key = here.home().join("key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).output();
    if !made.is_ok_and(|made| made.status.success()) {
        super::support::report_missing("ssh-keygen");
        return;
    }
    here.git(&["config", "gpg.format", "ssh"]);
    here.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    let is_signed = || here.git(&["cat-file", "commit", "HEAD"]).contains("-----BEGIN SSH SIGNATURE-----");
    clone.edit("ada", "poem.txt", poem(&[(3, "first")]));
    commit(&ada, &[]).expect_code(0);
    assert!(!is_signed());
    clone.edit("ada", "poem.txt", poem(&[(3, "second")]));
    commit(&ada, &["-S"]).expect_code(0);
    assert!(is_signed());
    here.git(&["config", "commit.gpgSign", "true"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "third")]));
    commit(&ada, &["--no-gpg-sign"]).expect_code(0);
    assert!(!is_signed());
    clone.edit("ada", "poem.txt", poem(&[(3, "fourth")]));
    commit(&ada, &[]).expect_code(0);
    assert!(is_signed());
}

#[cfg(unix)]
#[test]
fn without_a_message_the_users_editor_opens() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ben", "poem.txt", poem(&[(3, "of ada"), (7, "of ben")]));
    let untouched = ada.clone().env("GIT_EDITOR", "true").run(["commit"]).expect_code(1);
    assert!(untouched.stderr.contains("commit message is empty"), "{untouched:?}");
    let script = here.home().join("an editor.sh");
    fs::write(&script, "cp \"$1\" \"$HOME/shown\"; echo 'Written   ' > \"$1\"; cat \"$HOME/shown\" >> \"$1\"").unwrap();
    let editor = format!("sh '{}'", script.display());
    ada.env("GIT_EDITOR", editor).run(["commit"]).expect_code(0);
    assert_eq!(here.git(&["log", "-1", "--format=%B"]), "Written\n\n");
    let shown = fs::read_to_string(here.home().join("shown")).unwrap();
    assert!(shown.contains("#\tchanged: poem.txt") && shown.contains("changes of \"ben\""), "{shown}");
}

#[test]
fn a_person_without_a_session_commits_what_editors_saved_and_agents_left() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    let registry = Registry::open(
        &here.root().join("COORDINATION"),
        std::sync::Arc::new(deconflict_platform::clock::SystemClock::new()),
    )
    .unwrap();
    for name in ["busy", "done"] {
        let new = NewSession {
            id: Some(SessionId::new(name).unwrap()),
            person: Some("ada".to_owned()),
            agent: Some("claude-code".to_owned()),
            ..NewSession::default()
        };
        registry.register(new).unwrap();
    }
    clone.edit("ada", "poem.txt", poem(&[(1, "of ada")]));
    clone.edit("done", "poem.txt", poem(&[(1, "of ada"), (3, "of her agent")]));
    clone.edit("busy", "poem.txt", poem(&[(1, "of ada"), (3, "of her agent"), (5, "at work")]));
    clone.edit("ben", "poem.txt", poem(&[(1, "of ada"), (3, "of her agent"), (5, "at work"), (7, "of ben")]));
    registry.complete(&SessionId::new("done").unwrap(), &deconflict_registry::Completion::default()).unwrap();
    here.git(&["config", "user.name", "ada"]);
    let person = Terminal::on(here);
    let made = commit(&person, &["--json"]).expect_code(0).json();
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(1, "of ada"), (3, "of her agent")]));
    let sessions: Vec<&Value> = made["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(sessions, ["ada", "done"]);
    // A session commits its own alone, and what was committed with others' is not committed twice.
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    commit(&ada, &[]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tsrc/lib.rs\n");
}

#[test]
fn a_commit_settles_losses_and_releases_what_needs_no_claim_any_more() {
    let (clone, [ada, ben]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    ada.run(["claim", "file", "poem.txt"]).expect_code(0);
    let automatic = |session: &str, path: &str| {
        here.coordination().write_claim(session, "file", path, serde_json::json!({"automatic": true, "id": "x1"}));
    };
    automatic("ada", "src/lib.rs");
    automatic("ada", "src/main.rs");
    let first = clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ada", "src/lib.rs", "pub mod lexer;\n");
    clone.edit("ada", "src/main.rs", "fn main() {}\n");
    clone.by_command("ben", "gen.py", "poem.txt", poem(&[]));
    clone.edit("ada", "poem.txt", poem(&[(8, "of ada again")]));
    here.write("src/main.rs", "fn main() {}\n// of nobody\n");
    let losses = || {
        let journal = deconflict_journal::Journal::of(&here.root().join("COORDINATION"), None).unwrap();
        journal.log(&Resource::file("poem.txt").unwrap()).unwrap().losses()
    };
    assert_eq!(losses().len(), 1);
    commit(&ada, &[]).expect_code(0);
    assert_eq!(losses()[0].settled.map(|(how, _)| how), Some(Settlement::Committed));
    assert_ne!(losses()[0].entry.id, first.id);
    // By hand, by the first edit, and by the first edit of what is not committed as a whole.
    assert_eq!(here.coordination().claim_files(), ["file-poem.txt.claim", "file-src%2Fmain.rs.claim"]);
    commit(&ben, &[]).expect_code(1);
}

#[test]
fn two_hundred_files_go_into_one_commit_of_a_linked_worktree() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let folder = here.add_worktree("feature");
    fs::create_dir_all(folder.join("many")).unwrap();
    clone.edit("ada", "poem.txt", poem(&[(3, "in the main worktree")]));
    clone.recorded("ada", |recorder, author| {
        for number in 0..200 {
            let now = chrono::Utc::now();
            let resource = Resource::file(&format!("//feature/many/{number}.txt")).unwrap();
            recorder.look(&resource, now).unwrap();
            fs::write(folder.join(format!("many/{number}.txt")), format!("{number}\n")).unwrap();
            recorder.changed_by(author, Cause::Edit, &resource, now, chrono::Utc::now()).unwrap().unwrap();
        }
    });
    let made = commit(&ada.in_folder(&folder), &["--json"]).expect_code(0).json();
    assert_eq!(made["files"].as_array().unwrap().len(), 200);
    assert_eq!(here.git_in(&folder, &["status", "--porcelain"]), "");
    assert_eq!(here.git_in(&folder, &["log", "-1", "--format=%s %D"]), "Work HEAD -> feature\n");
    // In the main worktree nothing was committed.
    assert_eq!(here.git(&["status", "--porcelain"]), " M poem.txt\n");
}

/// A clone of a repository with the given object format, in which Ada works.
fn with_format(format: &str) -> (Clone, Terminal) {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet", &format!("--object-format={format}")]);
    workspace.write("poem.txt", poem(&[]));
    workspace.commit_all("A poem");
    let terminal = Terminal::on(&workspace);
    workspace.git(&["config", "user.name", "ada"]);
    terminal.run(["--session", "ada", "start", "--name", "ada"]).expect_code(0);
    (Clone { workspace }, terminal.session("ada"))
}

#[test]
fn it_works_where_objects_have_longer_names() {
    let (clone, ada) = with_format("sha256");
    let here = &clone.workspace;
    here.write("README.md", "staged\n");
    here.git(&["add", "README.md"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    here.write("poem.txt", poem(&[(3, "of ada"), (9, "of nobody")]));
    let made = commit(&ada, &["--json"]).expect_code(0).json();
    assert_eq!(made["commit"].as_str().unwrap().len(), 64);
    assert_eq!(show(here, "HEAD:poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(here.git(&["status", "--porcelain"]), "A  README.md\n M poem.txt\n");
    here.git(&["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn it_leaves_alone_what_a_sparse_checkout_leaves_out() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.write("docs/guide.md", "# Guide\n");
    here.commit_all("A guide");
    for sparse_index in ["false", "true"] {
        here.git(&["config", "index.sparse", sparse_index]);
        here.git(&["sparse-checkout", "set", "src"]);
        assert!(!here.path("docs/guide.md").exists());
        let line = format!("of ada, index.sparse {sparse_index}");
        clone.edit("ada", "poem.txt", poem(&[(3, &line)]));
        clone.edit("ada", "src/lib.rs", format!("pub mod lexer; // {sparse_index}\n"));
        commit(&ada, &[]).expect_code(0);
        assert_eq!(changed_by_head(here), "M\tpoem.txt\nM\tsrc/lib.rs\n");
        assert_eq!(show(here, "HEAD:docs/guide.md"), "# Guide\n");
        assert_eq!(here.git(&["status", "--porcelain"]), "");
        assert!(!here.path("docs/guide.md").exists());
        here.git(&["sparse-checkout", "disable"]);
    }
}

#[test]
fn what_is_in_a_submodule_is_committed_there() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let library = here.beside("library");
    fs::create_dir(&library).unwrap();
    here.git_in(&library, &["init", "--quiet"]);
    fs::write(library.join("inner.txt"), poem(&[])).unwrap();
    here.git_in(&library, &["add", "--all"]);
    here.git_in(&library, &["commit", "--quiet", "--message", "A library"]);
    let from = library.to_str().unwrap();
    here.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "library"]);
    here.git(&["commit", "--quiet", "--message", "With the library"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ada", "library/inner.txt", poem(&[(5, "of ada too")]));
    let inner = here.path("library");
    let heads = |folder: &std::path::Path| here.git_in(folder, &["log", "-1", "--format=%s"]);
    // In each repository what is in it.
    commit(&ada, &[]).expect_code(0);
    assert_eq!(changed_by_head(here), "M\tpoem.txt\n");
    assert_eq!(heads(&inner), "A library\n");
    commit(&ada.clone().in_folder("library"), &[]).expect_code(0);
    assert_eq!(heads(&inner), "Work\n");
    assert_eq!(here.git_in(&inner, &["show", "HEAD:inner.txt"]), poem(&[(5, "of ada too")]));
    assert_eq!(here.git_in(&inner, &["status", "--porcelain"]), "");
    // The superproject's own pointer to it stays for whoever means to move it.
    assert_eq!(here.git(&["status", "--porcelain"]), " M library\n");
}
