//! The journal through the terminal: what was changed, having it back, taking it out, and whose each line is.

use std::fs;
use std::path::Path;

use chrono::Utc;
use deconflict_changes::{Recorder, Telling, author_of};
use deconflict_journal::{Cause, Entry, Journal};
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::Registry;
use deconflict_workspace::{Ignored, Namer, locate};
use serde_json::Value;

use super::support::{Terminal, Workspace};

/// A clone in which several work, whose edits are recorded as their hooks and servers do it.
pub(super) struct Clone {
    pub(super) workspace: Workspace,
}

impl Clone {
    /// With a committed file `poem.txt` of ten lines, and a session of a person of each name.
    pub(super) fn with_sessions<const N: usize>(names: [&str; N]) -> (Self, [Terminal; N]) {
        let workspace = Workspace::small();
        workspace.write("poem.txt", poem(&[]));
        workspace.commit_all("A poem");
        let terminals = names.map(|name| {
            let terminal = Terminal::on(&workspace);
            workspace.git(&["config", "user.name", name]);
            terminal.run(["--session", name, "start", "--name", name]).expect_code(0);
            terminal.session(name)
        });
        (Self { workspace }, terminals)
    }

    pub(super) fn recorded<T>(
        &self,
        session: &str,
        record: impl FnOnce(&Recorder, &deconflict_journal::Author) -> T,
    ) -> T {
        let directory = self.workspace.root().join("COORDINATION");
        let registry = Registry::open(&directory, std::sync::Arc::new(SystemClock::new())).unwrap();
        let journal = Journal::of(&directory, None).unwrap();
        let namer = Namer::new(&locate(self.workspace.root(), None, None).unwrap());
        let ignored = Ignored::new();
        let recorder = Recorder { journal: &journal, namer: &namer, ignored: &ignored, registry: Some(&registry) };
        let session = registry.session(&SessionId::new(session).unwrap()).unwrap().unwrap();
        record(&recorder, &author_of(&session))
    }

    /// Looks, changes the file, and says who did.
    pub(super) fn change(&self, session: &str, cause: Cause, path: &str, change: impl FnOnce()) -> Entry {
        self.recorded(session, |recorder, author| {
            let resource = Resource::file(path).unwrap();
            let began = Utc::now();
            recorder.look(&resource, began).unwrap();
            change();
            let noticed = recorder.changed_by(author, cause, &resource, began, Utc::now()).unwrap().unwrap();
            let telling = Telling { recorder: *recorder, by: Some(&author.session) };
            telling.tell(&noticed, Utc::now()).unwrap();
            noticed.entry
        })
    }

    pub(super) fn edit(&self, session: &str, path: &str, text: impl AsRef<[u8]>) -> Entry {
        self.change(session, Cause::Edit, path, || self.workspace.write(path, text.as_ref()))
    }

    pub(super) fn by_command(&self, session: &str, command: &str, path: &str, text: impl AsRef<[u8]>) -> Entry {
        let cause = Cause::Command { command: Some(command.to_owned()) };
        self.change(session, cause, path, || self.workspace.write(path, text.as_ref()))
    }
}

/// Ten lines, some of them replaced.
pub(super) fn poem(replaced: &[(usize, &str)]) -> String {
    let line = |number: usize| match replaced.iter().find(|(replaced, _)| *replaced == number) {
        Some((_, text)) => format!("{text}\n"),
        None => format!("line {number}\n"),
    };
    (1..=10).map(line).collect()
}

#[track_caller]
fn history(terminal: &Terminal, arguments: &[&str]) -> Vec<Value> {
    let all = ["history", "--json"].iter().chain(arguments).copied();
    terminal.run(all).expect_code(0).json()["entries"].as_array().unwrap().clone()
}

fn fields<'a>(entries: &'a [Value], name: &str) -> Vec<&'a str> {
    entries.iter().map(|entry| entry[name].as_str().unwrap_or("-")).collect()
}

#[test]
fn history_tells_what_changed_newest_first_and_needs_no_session() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let first = clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("claude", "src/neu ünd.rs", "fn neu() {}\n");
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    let nobody = Terminal::on(&clone.workspace);
    let entries = history(&nobody, &[]);
    assert_eq!(fields(&entries, "path"), ["poem.txt", "src/neu ünd.rs", "poem.txt"]);
    assert_eq!(fields(&entries, "cause"), ["command", "edit", "edit"]);
    assert_eq!(fields(&entries, "command"), ["gen.py poem.txt", "-", "-"]);
    assert_eq!(fields(&entries, "session"), ["claude", "claude", "ada"]);
    assert_eq!(fields(&entries, "label"), ["claude", "claude", "ada"]);
    assert_eq!(entries[2]["id"], first.id.as_str());
    assert_eq!((&entries[2]["added"], &entries[2]["removed"]), (&1.into(), &1.into()));
    assert!(entries[1].get("before").is_none(), "{entries:?}");
    assert_eq!(entries[0]["before"], entries[2]["after"]);
    // A file, a folder, a session, a time.
    assert_eq!(history(&nobody, &["poem.txt"]).len(), 2);
    assert_eq!(fields(&history(&nobody, &["src"]), "path"), ["src/neu ünd.rs"]);
    assert_eq!(fields(&history(&nobody, &["--session", "ada"]), "path"), ["poem.txt"]);
    assert_eq!(history(&nobody, &["--since", "0s"]).len(), 0);
    assert_eq!(history(&nobody, &["--since", "1h", "."]).len(), 3);
    // From another folder, by what is relative to it, and of a folder that is gone.
    fs::remove_dir_all(clone.workspace.path("src")).unwrap();
    // That it is gone is noticed then.
    let gone = history(&nobody, &["src"]);
    assert_eq!(fields(&gone, "path"), ["src/neu ünd.rs", "src/neu ünd.rs"]);
    assert_eq!(fields(&gone, "cause"), ["unknown", "edit"]);
    assert_eq!(history(&nobody.clone().in_folder(".git"), &["../poem.txt"]).len(), 2);
    let patch = history(&ada, &["--patch", "poem.txt"])[1]["patch"].as_str().unwrap().to_owned();
    assert!(patch.contains("-line 3\n+of ada\n"), "{patch}");
    let words = nobody.run(["history", "--patch"]).expect_code(0).stdout;
    assert!(words.contains("just now)") || words.contains("ago)"), "{words}");
    assert!(words.contains("command \"gen.py poem.txt\"") && words.contains("    +generated\n"), "{words}");
}

#[test]
fn where_nobody_coordinates_nothing_was_changed_and_git_tells_whose_lines_are() {
    let workspace = Workspace::small();
    let nobody = Terminal::on(&workspace);
    assert_eq!(history(&nobody, &[]).len(), 0);
    assert_eq!(history(&nobody, &["README.md"]).len(), 0);
    let blamed = nobody.run(["blame", "--json", "README.md"]).expect_code(0).json();
    assert_eq!(blamed["lines"].as_array().unwrap().len(), 3);
    assert!(blamed["lines"][0]["commit"].is_string() && blamed["lines"][0]["at"].is_string(), "{blamed}");
    assert_eq!(nobody.run(["restore", "README.md"]).exit_code, 1);
    assert_eq!(nobody.run(["undo"]).exit_code, 1);
    assert!(!workspace.coordination().exists());
    assert!(!workspace.path(".git/deconflict").exists());
}

#[test]
fn a_restore_brings_back_what_another_took_and_can_be_taken_back() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let contents: [(&str, Vec<u8>); 4] = [
        ("poem.txt", poem(&[(3, "of ada")]).into()),
        ("windows.txt", b"one\r\ntwo\r\n".to_vec()),
        ("bild ä.bin", vec![0, 159, 146, 150, 0, 255]),
        ("no end", b"no line end".to_vec()),
    ];
    for (path, text) in &contents {
        clone.edit("ada", path, text);
        clone.by_command("claude", "gen.py", path, b"generated\n");
        let restored = ada.run(["restore", "--json", path]).expect_code(0).json();
        assert_eq!(restored["restored"][0]["path"], *path);
        assert_eq!(fs::read(clone.workspace.path(path)).unwrap(), *text, "{path}");
        let entries = history(&ada, &[path]);
        assert_eq!(fields(&entries[..2], "cause"), ["restore", "command"]);
        assert_eq!(restored["restored"][0]["entry"], entries[1]["id"]);
        assert_eq!(clone.workspace.coordination().holder(path).as_deref(), Some("ada"));
        let again = ada.run(["restore", path, "--at", entries[0]["id"].as_str().unwrap()]).expect_code(0);
        assert!(again.stdout.contains("To undo this: deconflict restore"), "{again:?}");
        let in_folder = ada.clone().in_folder("src").run(["restore".into(), format!("../{path}")]);
        assert!(in_folder.stdout.contains(clone.workspace.path(path).to_str().unwrap()), "{in_folder:?}");
        ada.run(["restore", path, "--at", history(&ada, &[path])[0]["id"].as_str().unwrap()]).expect_code(0);
        assert_eq!(fs::read(clone.workspace.path(path)).unwrap(), b"generated\n");
    }
    // What was deleted, and what was not there.
    let gone = Cause::Command { command: Some("rm poem.txt".to_owned()) };
    let deleted = clone.change("claude", gone, "poem.txt", || clone.workspace.remove("poem.txt"));
    ada.run(["restore", "poem.txt"]).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), "generated\n");
    ada.run(["restore", "poem.txt", "--at", &history(&ada, &["poem.txt"])[0]["id"].as_str().unwrap()[..8]])
        .expect_code(0);
    assert!(!clone.workspace.path("poem.txt").exists());
    let other = ada.run(["restore", "no end", "--at", deleted.id.as_str()]);
    assert_eq!(other.exit_code, 2, "{other:?}");
    assert_eq!(ada.run(["restore", "no end", "--at", "no-such"]).exit_code, 1);
    assert_eq!(ada.run(["restore", "Cargo.lock"]).exit_code, 1);
}

#[cfg(unix)]
#[test]
fn links_and_the_executable_bit_come_back() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let path = clone.workspace.path("poem.txt");
    let script = clone.workspace.path("run.sh");
    clone.edit("ada", "run.sh", "#!/bin/sh\n");
    let executable = |yes| fs::set_permissions(&script, fs::Permissions::from_mode(if yes { 0o755 } else { 0o644 }));
    clone.change("ada", Cause::Edit, "run.sh", || executable(true).unwrap());
    clone.change("claude", Cause::Edit, "run.sh", || executable(false).unwrap());
    ada.run(["restore", "run.sh"]).expect_code(0);
    assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0o111);
    // A file that became a link, and a link that became a file.
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let swap = || {
        fs::remove_file(&path).unwrap();
        symlink("README.md", &path).unwrap();
    };
    clone.change("claude", Cause::Edit, "poem.txt", swap);
    ada.run(["restore", "poem.txt"]).expect_code(0);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(clone.workspace.read("README.md"), "# Small\n\nA few files.\n");
    let entries = history(&ada, &["poem.txt"]);
    ada.run(["restore", "poem.txt", "--at", entries[0]["id"].as_str().unwrap()]).expect_code(0);
    assert_eq!(fs::read_link(&path).unwrap().to_str(), Some("README.md"));
}

#[test]
fn what_stands_in_the_way_of_a_restore_is_named_with_the_way_out() {
    let (clone, [ada]) = Clone::with_sessions(["Ada"]);
    clone.workspace.write("notes/a.txt", "one\n");
    clone.workspace.commit_all("Notes");
    let root = clone.workspace.root().to_owned();
    let gone = |path: &str, stands: &str| {
        ada.run(["claim", path]).expect_code(0);
        clone.edit("Ada", path, "mine\n");
        clone.change("Ada", Cause::Save, path, || {
            fs::remove_file(root.join(path)).unwrap();
            if stands.is_empty() {
                fs::remove_dir(root.join(path).parent().unwrap()).unwrap();
                fs::write(root.join("notes"), "a file\n").unwrap();
            } else {
                clone.workspace.write(stands, "other\n");
            }
        })
    };
    for (path, stands, in_the_way) in [("notes/a.txt", "", "notes"), ("poem.txt", "poem.txt/line", "poem.txt")] {
        let entry = gone(path, stands);
        let refused = ada.run(["restore", path, "--at", entry.id.as_str()]).expect_code(3);
        assert!(refused.stderr.contains(&format!("{in_the_way} is in the way")), "{refused:?}");
        let advice = refused
            .stderr
            .lines()
            .find_map(|line| line.trim().strip_prefix("Move it out of the way first: mv "))
            .unwrap();
        let (from, to) = advice.split_once(' ').unwrap();
        fs::rename(from, to).unwrap();
        ada.run(["restore", path, "--at", entry.id.as_str()]).expect_code(0);
        assert_eq!(fs::read_to_string(root.join(path)).unwrap(), "mine\n");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link_that_stands_where_a_folder_was() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let here = &clone.workspace;
    here.write("elsewhere/parser.rs", "of nobody\n");
    here.commit_all("Another folder");
    clone.edit("ada", "src/parser.rs", "of ada\n");
    clone.change("claude", Cause::Command { command: None }, "src/parser.rs", || {
        fs::rename(here.path("src"), here.path("moved")).unwrap();
        std::os::unix::fs::symlink("elsewhere", here.path("src")).unwrap();
    });
    assert_eq!(history(&ada, &["src/parser.rs"])[0]["after"], Value::Null);
    let refused = ada.run(["restore", "src/parser.rs"]).expect_code(3);
    assert!(refused.stderr.contains("src is in the way"), "{refused:?}");
    ada.run(["undo"]);
    assert_eq!(here.read("elsewhere/parser.rs"), "of nobody\n");
    here.remove("src");
    ada.run(["restore", "src/parser.rs"]).expect_code(0);
    assert_eq!(here.read("src/parser.rs"), "of ada\n");
    assert_eq!(here.read("elsewhere/parser.rs"), "of nobody\n");
}

#[test]
fn what_another_holds_is_neither_restored_nor_undone() {
    let (clone, [ada, claude]) = Clone::with_sessions(["ada", "claude"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ada", "new.txt", "new\n");
    clone.by_command("claude", "gen.py", "other.txt", "generated\n");
    clone.by_command("claude", "gen.py", "other.txt", "generated again\n");
    claude.run(["claim", "file", "poem.txt"]).expect_code(0);
    claude.run(["claim", "file", "other.txt"]).expect_code(0);
    for arguments in [&["restore", "other.txt"][..], &["undo"], &["undo", "--session", "ada"]] {
        let refused = ada.run(["--json"].iter().chain(arguments).copied()).expect_code(1).json();
        let said = (&refused["reason"], &refused["claim"]["claimed_by"]);
        assert_eq!(said, (&"claimed".into(), &"claude".into()), "{arguments:?}");
    }
    ada.run(["undo", "--dry-run"]).expect_code(0);
    // All or nothing.
    assert_eq!(clone.workspace.read("new.txt"), "new\n");
    assert_eq!(clone.workspace.coordination().holder("new.txt"), None);
}

#[test]
fn a_person_without_a_session_restores_for_themselves_and_leaves_no_session() {
    let (clone, [_, claude]) = Clone::with_sessions(["ada", "claude"]);
    clone.workspace.git(&["config", "user.name", "Grace"]);
    let start = ["--session", "helper", "start", "--client", "claude-code"];
    Terminal::on(&clone.workspace).run(start).expect_code(0);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("helper", "poem.txt", poem(&[(3, "of ada"), (5, "of helper")]));
    // Grace's agent came last, and that is Grace's own.
    let grace = Terminal::on(&clone.workspace);
    grace.run(["restore", "poem.txt"]).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[]));
    let newest = &history(&grace, &["poem.txt"])[0];
    assert_eq!(newest["cause"], "restore");
    let session = clone.workspace.coordination().session(newest["session"].as_str().unwrap()).unwrap();
    assert_eq!((&session["status"], &session["person"]), (&"completed".into(), &"Grace".into()));
    assert_eq!(clone.workspace.coordination().claim_files(), Vec::<String>::new());
    claude.run(["status"]).expect_code(0);
}

#[test]
fn what_ones_own_agent_took_comes_back_too() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    Terminal::on(&clone.workspace).run(["--session", "helper", "start", "--client", "claude-code"]).expect_code(0);
    for terminal in [&ada, &Terminal::on(&clone.workspace)] {
        clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
        clone.by_command("helper", "gen.py", "poem.txt", "generated\n");
        terminal.run(["restore", "poem.txt"]).expect_code(0);
        assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
        clone.by_command("helper", "gen.py", "poem.txt", poem(&[]));
        ada.run(["release", "--all"]).expect_code(0);
    }
}

#[test]
fn an_undo_leaves_the_others_changes_and_can_be_undone() {
    let (clone, [ada, claude]) = Clone::with_sessions(["ada", "claude"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("claude", "poem.txt", poem(&[(3, "of ada"), (9, "of claude")]));
    clone.edit("claude", "new.txt", "new\n");
    clone.edit("ada", "windows.txt", "one\r\n");
    clone.edit("claude", "windows.txt", "one\r\ntwo\r\n");
    let planned = claude.run(["undo", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!((&planned["dry_run"], planned["undone"].as_array().unwrap().len()), (&true.into(), 3));
    assert!(clone.workspace.path("new.txt").exists());
    let undone = claude.run(["undo", "--json"]).expect_code(0).json();
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(clone.workspace.read("windows.txt"), "one\r\n");
    assert!(!clone.workspace.path("new.txt").exists());
    assert_eq!(undone["unknown"], serde_json::json!([]));
    assert_eq!(claude.run(["undo", "--json"]).expect_code(0).json()["undone"], serde_json::json!([]));
    // Back again, by the entries that the undo made.
    let ids = undone["undone"].as_array().unwrap().iter().map(|file| file["entry"].as_str().unwrap());
    claude.run(["undo"].into_iter().chain(ids)).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada"), (9, "of claude")]));
    assert_eq!(clone.workspace.read("new.txt"), "new\n");
    // Another session's, also one that has ended.
    ada.run(["end"]).expect_code(0);
    claude.run(["undo", "--session", "ada"]).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(9, "of claude")]));
    assert_eq!(claude.run(["status", "--json"]).json()["coordination_needed"], serde_json::json!([]));
}

#[test]
fn an_undo_is_refused_with_the_places_where_both_changed_a_line() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada"), (4, "of ada")]));
    clone.edit("ada", "new.txt", "new\n");
    clone.edit("claude", "poem.txt", poem(&[(3, "of both"), (4, "of ada")]));
    let refused = ada.run(["undo"]).expect_code(1);
    assert!(refused.stderr.contains("poem.txt:3-4, of claude"), "{refused:?}");
    assert!(refused.stderr.contains("deconflict blame poem.txt"), "{refused:?}");
    let refused = ada.run(["undo", "--json"]).expect_code(1).json();
    assert_eq!((&refused["reason"], &refused["overlaps"][0]["path"]), (&"overlap".into(), &"poem.txt".into()));
    assert_eq!(refused["overlaps"][0]["others"], serde_json::json!(["claude"]));
    assert!(clone.workspace.path("new.txt").exists());
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of both"), (4, "of ada")]));
}

#[test]
fn what_nobody_is_known_to_have_changed_is_left_and_named() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.workspace.write("poem.txt", poem(&[(3, "of ada"), (9, "of nobody")]));
    let undone = ada.run(["undo", "--json"]).expect_code(0).json();
    assert_eq!(undone["unknown"], serde_json::json!(["poem.txt"]));
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(9, "of nobody")]));
    assert_eq!(fields(&history(&ada, &["poem.txt"])[..2], "cause"), ["restore", "unknown"]);
}

#[test]
fn blame_names_the_session_of_each_line_before_and_after_the_commit() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let lines = || {
        let blamed = ada.run(["blame", "--json", "poem.txt"]).expect_code(0).json();
        blamed["lines"].as_array().unwrap().clone()
    };
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("claude", "poem.txt", poem(&[(3, "of ada"), (9, "of claude")]));
    let before = lines();
    assert_eq!(before.len(), 10);
    assert_eq!(
        (&before[2]["line"], &before[2]["session"], &before[8]["label"]),
        (&3.into(), &"ada".into(), &"claude".into())
    );
    assert!(before[2].get("commit").is_none() && before[0]["commit"].is_string() && before[0].get("session").is_none());
    clone.workspace.git(&["commit", "-qam", "Both"]);
    let after = lines();
    assert_eq!(fields(&after, "session"), fields(&before, "session"));
    let head = clone.workspace.git(&["rev-parse", "HEAD"]);
    assert_eq!((&after[2]["commit"], &after[8]["commit"]), (&head.trim().into(), &head.trim().into()));
    assert_eq!(after[0]["commit"], before[0]["commit"]);
    // A line that nobody is known to have written.
    clone.workspace.write("poem.txt", poem(&[(3, "of ada"), (5, "of nobody"), (9, "of claude")]));
    let fifth = &lines()[4];
    assert!(fifth.get("session").is_none() && fifth.get("commit").is_none() && fifth["at"].is_string(), "{fifth}");
    let words = ada.run(["blame", "poem.txt"]).expect_code(0).stdout;
    assert!(words.lines().nth(2).unwrap().ends_with("of ada"), "{words}");
    assert!(words.lines().nth(4).unwrap().contains("unknown"), "{words}");
    assert!(words.lines().next().unwrap().contains("line 1"), "{words}");
    // Whoever switches to another branch and back has not written what is there.
    clone.workspace.git(&["checkout", "-qf", "-b", "other", "HEAD~1"]);
    clone.recorded("claude", |recorder, author| {
        let (resource, began) = (Resource::file("poem.txt").unwrap(), Utc::now());
        recorder.look(&resource, began).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
        clone.workspace.git(&["checkout", "-q", "main"]);
        let cause = Cause::Command { command: Some("git checkout main".to_owned()) };
        recorder.changed_by(author, cause, &resource, began, Utc::now()).unwrap();
    });
    assert_eq!(lines()[2]["commit"], head.trim());
}

#[test]
fn what_is_to_be_forgotten_is_gone() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    clone.edit("ada", "secret.txt", "password\n");
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let forgotten = ada.run(["history", "--forget", "secret.txt", "--json"]).expect_code(0).json();
    assert_eq!(forgotten["forgotten"], serde_json::json!(["secret.txt"]));
    assert_eq!(history(&ada, &["secret.txt"]).len(), 0);
    assert_eq!(history(&ada, &[]).len(), 1);
    assert_eq!(clone.workspace.read("secret.txt"), "password\n");
    let again = ada.run(["history", "--forget", "secret.txt"]).expect_code(0);
    assert!(again.stdout.contains("Nothing of it was kept"), "{again:?}");
}

#[test]
fn what_was_lost_is_told_by_the_next_verb_and_stays_in_the_status_until_it_is_back() {
    let (clone, [ada, claude]) = Clone::with_sessions(["ada", "claude"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let loss = clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    let prompt = |terminal: &Terminal| terminal.run(["status", "--oneline"]).expect_code(0).stdout.trim().to_owned();
    assert_eq!(prompt(&ada), "0 held, 0 by others, 1 unread, 1 lost");
    assert_eq!(prompt(&claude), "0 held, 0 by others, 0 unread");
    let told = ada.run(["check", "README.md"]).expect_code(0);
    assert!(told.stderr.contains("'claude' changed") && told.stderr.contains("deconflict restore"), "{told:?}");
    assert_eq!(ada.run(["check", "README.md"]).expect_code(0).stderr, "");
    let status = || claude.run(["status", "--json"]).expect_code(0).json();
    let needed = status()["coordination_needed"][0].clone();
    assert_eq!(
        (&needed["kind"], &needed["resource_name"], &needed["entry"]),
        (&"overwritten".into(), &"poem.txt".into(), &loss.id.as_str().into())
    );
    assert_eq!((&needed["owner"]["label"], &needed["by"]["label"]), (&"ada".into(), &"claude".into()));
    let page = ada.run(["status"]).expect_code(0).stdout;
    let how = format!("deconflict restore poem.txt --at {}", loss.id);
    assert!(page.contains("Needs coordinating") && page.contains(&how), "{page}");
    ada.run(["restore", "poem.txt"]).expect_code(0);
    // The other one is told of that, and nothing is left to be settled.
    assert!(claude.run(["check", "README.md"]).expect_code(0).stderr.contains("by a restore"));
    assert_eq!(status()["coordination_needed"], serde_json::json!([]));
    assert_eq!(prompt(&ada), "1 held, 0 by others, 0 unread");
}

#[test]
fn the_status_tells_what_lies_uncommitted_and_whose_it_is_also_of_ended_sessions() {
    let (clone, [ada, _, grace]) = Clone::with_sessions(["ada", "claude", "grace"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("claude", "poem.txt", poem(&[(3, "of ada"), (9, "of claude")]));
    clone.edit("claude", "new.txt", "new\n");
    ada.run(["end"]).expect_code(0);
    let uncommitted = || grace.run(["status", "--json"]).expect_code(0).json()["uncommitted"].clone();
    let owners = |file: &Value| {
        let mut named: Vec<Value> = file["owners"].as_array().unwrap().clone();
        named.sort_by_key(|owner| owner["label"].to_string());
        named
    };
    let files = uncommitted();
    let poem_file = files.as_array().unwrap().iter().find(|file| file["resource_name"] == "poem.txt").unwrap();
    assert_eq!(fields(&owners(poem_file), "session_id"), ["ada", "claude"]);
    assert_eq!((&owners(poem_file)[0]["added"], &owners(poem_file)[0]["removed"]), (&1.into(), &1.into()));
    let page = grace.run(["status"]).expect_code(0).stdout;
    let line = page.lines().find(|line| line.contains("poem.txt") && line.contains("ada")).unwrap();
    assert!(page.contains("Uncommitted") && line.contains("ended") && line.contains("+1 −1"), "{page}");
    clone.workspace.commit_all("All");
    assert_eq!(uncommitted(), serde_json::json!([]));
    assert!(!grace.run(["status"]).expect_code(0).stdout.contains("Uncommitted"));
}

#[test]
fn changes_go_with_a_hand_off_and_what_an_agent_left_with_a_claim_of_its_person() {
    let (clone, [ada, grace]) = Clone::with_sessions(["ada", "grace"]);
    let agent = Terminal::on(&clone.workspace);
    agent.run(["--session", "helper", "start", "--client", "claude-code"]).expect_code(0);
    let agent = agent.session("helper");
    let owner = || {
        let files = ada.run(["status", "--json"]).expect_code(0).json()["uncommitted"].clone();
        files[0]["owners"][0]["session_id"].as_str().unwrap().to_owned()
    };
    clone.edit("helper", "poem.txt", poem(&[(3, "of helper")]));
    // While it works, and for anybody else, they are the agent's.
    let claimed = grace.run(["claim", "file", "poem.txt", "--json"]).expect_code(0).json();
    assert_eq!((&claimed["changes_of"], owner()), (&serde_json::json!([]), "helper".to_owned()));
    grace.run(["release", "file", "poem.txt"]).expect_code(0);
    agent.run(["end"]).expect_code(0);
    ada.run(["claim", "file", "poem.txt"]).expect_code(0);
    assert_eq!(owner(), "helper");
    ada.run(["release", "file", "poem.txt"]).expect_code(0);
    let claimed = grace.run(["claim", "file", "poem.txt", "--json"]).expect_code(0).json();
    assert_eq!((&claimed["changes_of"], owner()), (&serde_json::json!(["helper"]), "grace".to_owned()));
    // And on to the next.
    let handed = grace.run(["hand-off", "file", "poem.txt", "ada"]).expect_code(0).stdout;
    assert!(handed.contains("with your uncommitted changes"), "{handed}");
    assert_eq!(owner(), "ada");
    ada.run(["undo"]).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[]));
    assert_eq!(fields(&history(&ada, &["poem.txt"]), "session"), ["ada", "helper"]);
}

#[test]
fn the_users_settings_say_what_is_not_kept_and_doctor_what_is_and_what_is_wrong() {
    let (clone, [ada]) = Clone::with_sessions(["ada"]);
    let settings = clone.workspace.home().join(".config/deconflict/settings.toml");
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    fs::write(&settings, "[journal]\nexclude = [\"*.key\"]\ndays = \"many\"\nmegabytes = 0\n").unwrap();
    clone.edit("ada", "server.key", "old\n");
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let doctor = || ada.run(["doctor", "--json"]).json();
    let problems = |report: &Value| {
        let all = report["findings"].as_array().unwrap().iter();
        let is_meant = |finding: &&Value| finding["code"] == "settings" || finding["code"] == "journal-damaged";
        all.filter(is_meant).map(|finding| finding["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let report = doctor();
    let journal = fs::read_dir(clone.workspace.path(".git/deconflict")).unwrap().next().unwrap().unwrap().path();
    assert!(report["journal"].as_str().unwrap().starts_with(journal.to_str().unwrap()), "{report}");
    assert!(report["journal_size"].as_str().unwrap().contains("changed files"), "{report}");
    let wrong = problems(&report);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("journal.days") && wrong[1].contains("journal.megabytes"), "{wrong:?}");
    // What is excluded goes with the next upkeep, and what is damaged is said.
    fs::write(&settings, "[journal]\nexclude = [\"*.key\"]\ndays = 30\nmegabytes = 1.5\n").unwrap();
    ada.run(["heartbeat", "edited", "poem.txt", "later"]).expect_code(0);
    assert_eq!(fields(&history(&ada, &[]), "path"), ["poem.txt"]);
    assert_eq!(problems(&doctor()), Vec::<String>::new());
    // What a repository wants nothing kept of adds to it.
    fs::write(clone.workspace.path("deconflict.toml"), "[journal]\nexclude = [\"*.pem\"]\n").unwrap();
    ada.run(["claim", "file", "server.pem"]).expect_code(0);
    for text in ["old\n", "new\n"] {
        clone.workspace.write("server.pem", text);
        ada.run(["heartbeat", "edited", "server.pem", "later"]).expect_code(0);
    }
    assert_eq!(fields(&history(&ada, &[]), "path"), ["poem.txt"]);
    let logs = Path::new(doctor()["journal"].as_str().unwrap()).join("files");
    let log = fs::read_dir(logs).unwrap().next().unwrap().unwrap().path();
    fs::write(&log, fs::read_to_string(&log).unwrap() + "{torn").unwrap();
    assert!(problems(&doctor())[0].contains("1 line cannot be read"), "{:?}", problems(&doctor()));
}
