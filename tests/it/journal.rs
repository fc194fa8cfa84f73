//! The journal keeps what stood in files and who changed them, through its public verbs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::{
    Author, Before, Cause, CommandRun, Commit, Entry, Error, FileState, Journal, Limits, Line, Observation, Settlement,
    Upkeep,
};
use deconflict_protocol::{Resource, SessionId};

use super::support::wait_for;

struct Scene {
    root: tempfile::TempDir,
    journal: Journal,
}

fn scene() -> Scene {
    let root = tempfile::tempdir().unwrap();
    let made = Command::new("git").args(["init", "--quiet"]).current_dir(root.path()).status().unwrap();
    assert!(made.success());
    let journal = Journal::of(&root.path().join("COORDINATION"), None).unwrap();
    Scene { root, journal }
}

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

fn author(name: &str) -> Author {
    Author { session: session(name), label: name.to_uppercase(), person: None, agent: None }
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

/// A time of the test's own, in seconds.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn observe(&self, name: &str, observation: &Observation) -> Option<Entry> {
        self.journal.observe(&file(name), &self.path(name), observation).unwrap()
    }

    fn look(&self, name: &str, seconds: i64) -> Option<Entry> {
        self.observe(name, &Observation::look(at(seconds)))
    }

    fn edit(&self, name: &str, content: impl AsRef<[u8]>, by: &str, seconds: i64) -> Entry {
        self.look(name, seconds);
        self.write(name, content);
        let edit = Observation::by(author(by), Cause::Edit, at(seconds), at(seconds));
        self.observe(name, &edit).unwrap()
    }

    fn content(&self, state: &FileState) -> Vec<u8> {
        self.journal.content(state.kept().unwrap()).unwrap()
    }

    fn entries(&self, name: &str) -> Vec<Entry> {
        self.journal.log(&file(name)).unwrap().entries()
    }

    /// Clears away what is too old or too much. Other tests start processes, and until such a one runs its own program it
    /// holds the lock, too.
    fn maintain(&self, now: DateTime<Utc>, limits: Limits, needed: &dyn Fn(&Resource, &Entry) -> bool) -> Upkeep {
        let done = || self.journal.maintain(now, limits, needed, &|_| false).unwrap();
        wait_for("the journal's lock to be free", || Some(done()).filter(|done| *done != Upkeep::default()))
    }

    fn pack(&self) {
        for number in 0..1000 {
            self.edit("many", format!("line {number}\n").repeat(50), "packer", 0);
        }
        let packed = self.maintain(at(1), Limits::default(), &|_, _| false).packed;
        assert!(packed >= 1000, "{packed}");
        let usage = self.journal.usage().unwrap();
        assert_eq!((usage.loose, usage.packs), (0, 1));
    }

    /// All files of the journal.
    fn stored(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.journal.path()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }
}

#[test]
fn whatever_stood_there_comes_back_byte_for_byte() {
    let scene = scene();
    let large: Vec<u8> = (0..40 << 20).map(|number: u32| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let contents = [b"one\n".to_vec(), b"a\r\nb\r\n".to_vec(), vec![0, 159, 146, 150, 10, 0], Vec::new(), large];
    let name = "with spaces und Umlauten \u{e4}\u{1f980}";
    for (second, content) in (1..).zip(&contents) {
        let entry = scene.edit(name, content, "anna", second);
        assert_eq!(scene.content(&entry.after), *content);
    }
    fs::remove_file(scene.path(name)).unwrap();
    let removed = scene.look(name, 9).unwrap();
    assert_eq!((removed.after, removed.cause, removed.author), (FileState::Absent, Cause::Unknown, None));
    let entries = scene.entries(name);
    assert_eq!(entries[0].before, FileState::Absent);
    for (entry, content) in entries[1..].iter().zip(&contents) {
        assert!(scene.content(&entry.before) == *content);
    }
    assert_eq!(entries.len(), contents.len() + 1);
}

#[cfg(unix)]
#[test]
fn links_and_modes_are_states_of_their_own_and_no_link_is_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scene = scene();
    scene.write("secret", "of another folder\n");
    scene.edit("a", "text\n", "anna", 1);
    fs::set_permissions(scene.path("a"), fs::Permissions::from_mode(0o755)).unwrap();
    let entry = scene.look("a", 2).unwrap();
    assert!(matches!(entry.after, FileState::File { executable: true, .. }));
    assert_eq!(entry.before.kept(), entry.after.kept());
    fs::remove_file(scene.path("a")).unwrap();
    symlink("secret", scene.path("a")).unwrap();
    let entry = scene.look("a", 3).unwrap();
    assert!(matches!(entry.after, FileState::Link { .. }));
    assert_eq!(scene.content(&entry.after), b"secret");
    fs::remove_file(scene.path("a")).unwrap();
    fs::create_dir(scene.path("a")).unwrap();
    let entry = scene.look("a", 4).unwrap();
    assert!(matches!(entry.after, FileState::NotKept { .. }));
}

#[test]
fn what_did_not_change_makes_no_entry() {
    let scene = scene();
    assert_eq!(scene.journal.log(&file("a")).unwrap().lines(), []);
    assert!(!scene.journal.path().exists(), "who only reads makes nothing");
    scene.write("a", "one\n");
    assert_eq!(scene.look("a", 1), None, "nobody knows what stood there before");
    let written = fs::File::options().write(true).open(scene.path("a")).unwrap();
    written.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
    assert_eq!(scene.look("a", 2), None, "it was only touched");
    let tip = scene.journal.tip(&file("a")).unwrap().unwrap();
    assert_eq!(tip.at, at(2));
    assert_eq!(scene.content(&tip.state), b"one\n");
    assert_eq!(scene.entries("a"), []);
}

#[test]
fn a_change_that_leaves_length_and_time_is_found() {
    let scene = scene();
    for number in 0..50 {
        let entry = scene.edit("a", format!("{number:02}"), "anna", number);
        assert_eq!(scene.content(&entry.after), format!("{number:02}").into_bytes());
    }
    assert_eq!(scene.entries("a").len(), 50);
}

#[test]
fn the_last_commit_says_what_stood_there_before_the_first_look() {
    let scene = scene();
    scene.write("a", "one\ntwo\nthree\n");
    let before = Some(Before::Bytes(b"one\nthree\nfour\n".to_vec()));
    let entry = scene.observe("a", &Observation { before, ..Observation::look(at(1)) }).unwrap();
    assert_eq!(scene.content(&entry.before), b"one\nthree\nfour\n");
    assert_eq!((entry.added, entry.removed), (1, 1));
    scene.write("b", "same\n");
    let before = Some(Before::Bytes(b"same\n".to_vec()));
    assert_eq!(scene.observe("b", &Observation { before, ..Observation::look(at(1)) }), None);
}

#[test]
fn who_noticed_first_leaves_the_change_to_who_knows_more() {
    let scene = scene();
    scene.edit("a", "one\n", "anna", 1);
    scene.write("a", "two\n");
    let noticed = scene.look("a", 3).unwrap();
    assert_eq!(noticed.author, None);
    let later = Observation::by(author("berta"), Cause::Edit, at(4), at(5));
    assert_eq!(scene.observe("a", &later), None, "it was noticed before this edit began");
    let idle = Observation::by(author("berta"), Cause::Edit, at(3), at(5));
    assert_eq!(scene.observe("a", &idle), None, "it was found by the look before this edit");
    let command = Cause::Command { command: Some("python gen.py".to_owned()) };
    let ran = scene.observe("a", &Observation::by(author("anna"), command.clone(), at(2), at(6))).unwrap();
    assert_eq!((&ran.id, &ran.cause, ran.author.unwrap().label), (&noticed.id, &command, "ANNA".to_owned()));
    let other = Observation::by(author("carla"), command, at(2), at(6));
    assert_eq!(scene.observe("a", &other), None, "it has an author");
    let saved = scene.observe("a", &Observation::by(author("berta"), Cause::Save, at(2), at(7))).unwrap();
    assert_eq!((saved.cause, saved.author), (Cause::Save, Some(author("berta"))), "a save of this text is surer");
    let entries = scene.entries("a");
    assert_eq!(entries.last().unwrap().author, Some(author("berta")));
    assert_eq!(entries.iter().filter(|entry| entry.id == noticed.id).count(), 1);
}

#[test]
fn a_loss_stays_until_it_is_settled() {
    let scene = scene();
    scene.edit("a", "one\n", "anna", 1);
    let entry = scene.edit("a", "two\n", "berta", 2);
    scene.journal.lost(&entry, &author("anna"), at(3)).unwrap();
    scene.journal.lost(&entry, &author("anna"), at(3)).unwrap();
    scene.journal.lost(&entry, &author("carla"), at(3)).unwrap();
    scene.journal.told(&entry, &session("anna"), at(4)).unwrap();
    scene.journal.settle(&entry, Some(&session("anna")), Settlement::Restored, at(5)).unwrap();
    let losses = scene.journal.log(&file("a")).unwrap().losses();
    let seen: Vec<_> = losses.iter().map(|loss| (loss.owner.session.as_str(), loss.settled)).collect();
    assert_eq!(seen, [("anna", Some((Settlement::Restored, at(5)))), ("carla", None)]);
    assert_eq!(losses[0].told, [session("anna")]);
    scene.journal.settle(&entry, None, Settlement::Acknowledged, at(6)).unwrap();
    let losses = scene.journal.log(&file("a")).unwrap().losses();
    assert_eq!(losses[0].settled, Some((Settlement::Restored, at(5))));
    assert_eq!(losses[1].settled, Some((Settlement::Acknowledged, at(6))));
}

#[test]
fn what_is_given_and_committed_stands_in_the_log() {
    let scene = scene();
    let entry = scene.edit("a", "one\n", "anna", 1);
    scene.journal.give(&file("a"), &session("anna"), &author("berta"), at(2)).unwrap();
    let content = entry.after.kept();
    let commit = Commit { session: Some(session("berta")), id: "c0ffee".to_owned(), before: None, after: content };
    scene.journal.committed(&file("a"), commit, at(3)).unwrap();
    let lines = scene.journal.log(&file("a")).unwrap();
    let [.., Line::Given { to, .. }, Line::Committed { commit, content: committed, .. }] = lines.lines() else {
        panic!("{lines:?}")
    };
    assert_eq!((to.label.as_str(), commit.as_str(), *committed), ("BERTA", "c0ffee", content));
}

#[test]
fn commands_that_overlap_are_known() {
    let scene = scene();
    let run = |id: &str, name: &str, began| CommandRun {
        id: id.to_owned(),
        session: session(name),
        worktree: String::new(),
        command: None,
        began: at(began),
        ended: None,
    };
    scene.journal.command_began(&run("1", "anna", 1)).unwrap();
    scene.journal.command_began(&run("1", "berta", 2)).unwrap();
    scene.journal.command_began(&CommandRun { worktree: "other".to_owned(), ..run("2", "berta", 2) }).unwrap();
    scene.journal.command_ended(&session("anna"), "1", at(4)).unwrap();
    let sessions = |from, to| {
        let found = scene.journal.overlapping("", at(from), at(to)).unwrap();
        found.iter().map(|run| run.session.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sessions(3, 5), ["anna", "berta"]);
    assert_eq!(sessions(5, 6), ["berta"], "nobody saw it end");
    assert_eq!(sessions(0, 1), ["anna"]);
}

#[test]
fn entries_are_found_by_the_beginning_of_their_name_and_by_time() {
    let scene = scene();
    let mut entries = Vec::new();
    for number in 0..40 {
        let name = if number % 2 == 0 { "a" } else { "b" };
        entries.push(scene.edit(name, format!("{number}\n"), "anna", number));
    }
    let middle = &entries[20];
    assert_eq!(scene.journal.entry(middle.id.as_str()).unwrap().as_ref(), Some(middle));
    assert!(matches!(scene.journal.entry(&middle.id.as_str()[..1]), Ok(Some(_)) | Err(Error::Ambiguous(_))));
    assert!((0..16).any(|digit| matches!(scene.journal.entry(&format!("{digit:x}")), Err(Error::Ambiguous(_)))));
    assert_eq!(scene.journal.entry("no such").unwrap(), None);
    let recent = scene.journal.recent(at(-1), 5).unwrap();
    assert_eq!(recent, entries.iter().rev().take(5).cloned().collect::<Vec<_>>());
    assert_eq!(scene.journal.recent(at(38), 5).unwrap().len(), 2);
    let mut files = scene.journal.files().unwrap();
    files.sort();
    assert_eq!(files, [file("a"), file("b")]);
}

#[test]
fn packed_contents_come_back_and_gits_own_tools_read_them() {
    let scene = scene();
    let entry = scene.edit("a", "worth keeping\n", "anna", 1);
    scene.pack();
    assert_eq!(scene.content(&entry.after), b"worth keeping\n");
    let git = |arguments: &[&str]| {
        let path = scene.journal.path();
        let output = Command::new("git").arg("--git-dir").arg(path).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert_eq!(git(&["cat-file", "blob", &entry.after.kept().unwrap().to_string()]), b"worth keeping\n");
    git(&["fsck", "--strict"]);
    let next = scene.edit("a", "worth keeping too\n", "anna", 2);
    assert_eq!(scene.content(&next.before), b"worth keeping\n");
    assert_eq!((next.added, next.removed), (1, 1));
    assert_eq!(scene.journal.damage().unwrap(), deconflict_journal::Damage::default());
}

#[test]
fn what_git_ignores_is_not_kept_and_goes_when_it_becomes_ignored() {
    let scene = scene();
    scene.write("key", "secret");
    let ignored = Observation { ignored: true, ..Observation::look(at(1)) };
    assert_eq!(scene.observe("key", &ignored), None);
    assert!(!scene.journal.path().exists());

    let kept = scene.edit("key", "shared by both\n", "anna", 2);
    scene.edit("other", "shared by both\n", "anna", 2);
    let secret = scene.edit("key", "secret and old\n", "anna", 3);
    scene.pack();
    let newer = scene.edit("key", "secret and new\n", "anna", 4);
    assert_eq!(scene.observe("key", &ignored), None);
    assert_eq!(scene.journal.log(&file("key")).unwrap().lines(), []);
    for entry in [&secret, &newer] {
        let content = scene.journal.content(entry.after.kept().unwrap());
        assert!(matches!(content, Err(Error::NoContent { .. })), "{content:?}");
    }
    assert_eq!(scene.content(&kept.after), b"shared by both\n", "another file has it too");

    let kept = scene.edit("other", "excluded later\n", "anna", 5);
    wait_for("what is excluded now to be forgotten", || {
        let is_excluded = |resource: &Resource| *resource == file("other");
        scene.journal.maintain(at(6), Limits::default(), &|_, _| true, &is_excluded).unwrap();
        scene.journal.content(kept.after.kept().unwrap()).is_err().then_some(())
    });
    assert!(!scene.journal.forget(&file("other")).unwrap());
}

#[test]
fn old_changes_go_but_never_what_is_needed_or_an_unsettled_loss() {
    let scene = scene();
    for name in ["a", "b", "c", "d"] {
        scene.edit(name, format!("{name} one\n"), "anna", 0);
        scene.edit(name, format!("{name} two\n"), "berta", 1);
    }
    let newest = |name| scene.entries(name).pop().unwrap();
    scene.journal.lost(&newest("b"), &author("anna"), at(2)).unwrap();
    scene.edit("d", "d three\n", "anna", 8 * 86_400);
    let lost = newest("b").before;
    let limits = Limits::default();
    let needed = |resource: &Resource, entry: &Entry| *resource == file("c") && entry.at == at(1);
    let upkeep = scene.maintain(at(8 * 86_400), limits, &needed);
    assert!(upkeep.dropped > 0 && upkeep.removed > 0, "{upkeep:?}");
    let left = ["a", "b", "c", "d"].map(|name| scene.entries(name).len());
    assert_eq!(left, [0, 1, 1, 1]);
    assert_eq!(scene.content(&lost), b"b one\n");
    assert_eq!(scene.content(&newest("c").after), b"c two\n");
    assert_eq!(scene.content(&newest("d").before), b"d two\n");
    assert_eq!(scene.journal.damage().unwrap(), deconflict_journal::Damage::default());
    scene.journal.settle(&newest("b"), None, Settlement::Acknowledged, at(3)).unwrap();
    scene.maintain(at(30 * 86_400), limits, &|_, _| false);
    assert_eq!(scene.journal.files().unwrap(), []);
    assert_eq!(scene.journal.usage().unwrap().loose, 0);
}

#[test]
fn the_oldest_goes_when_there_is_too_much() {
    let scene = scene();
    let noise = |seed: u32| -> Vec<u8> {
        (0..20_000u32).map(|number| (number ^ seed).wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
    };
    for number in 0..40 {
        scene.edit("a", noise(number), "anna", i64::from(number));
    }
    let before = scene.journal.usage().unwrap().bytes;
    let limits = Limits { age: TimeDelta::days(7), bytes: before / 2 };
    scene.maintain(at(50), limits, &|_, _| false);
    let after = scene.journal.usage().unwrap().bytes;
    let entries = scene.entries("a");
    assert!(after <= before / 2, "{before} {after}");
    assert!(entries.len() > 5 && entries.last().unwrap().at == at(39), "{}", entries.len());
    assert_eq!(scene.content(&entries[0].before).len(), 20_000);
}

#[test]
fn what_is_damaged_loses_only_itself() {
    use std::io::Write;
    let scene = scene();
    let first = scene.edit("a", "one\n", "anna", 1);
    let is_log = |path: &PathBuf| path.parent().unwrap().ends_with("files");
    let log = scene.stored().into_iter().find(is_log).unwrap();
    let mut torn = fs::File::options().append(true).open(&log).unwrap();
    torn.write_all(b"\xff\x00 not a line\n{\"change\":{\"id\":\"01234567").unwrap();
    let second = scene.edit("a", "two\n", "anna", 2);
    let read = scene.journal.log(&file("a")).unwrap();
    let ids: Vec<_> = read.entries().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [first.id, second.id]);
    assert_eq!(read.damaged(), 2);

    let hex = first.after.kept().unwrap().to_string();
    let object = scene.journal.path().join("objects").join(&hex[..2]).join(&hex[2..]);
    fs::write(&object, b"").unwrap();
    assert!(matches!(scene.journal.content(first.after.kept().unwrap()), Err(Error::Damaged { .. })));
    assert_eq!(scene.content(&second.after), b"two\n");
    let damage = scene.journal.damage().unwrap();
    assert_eq!((damage.lines, damage.contents), (2, vec![first.after.kept().unwrap()]));
    assert_eq!(scene.journal.keep(b"one\n").unwrap(), first.after.kept().unwrap());
    assert_eq!(scene.content(&first.after), b"one\n", "who has the same content mends it");
}

#[test]
fn a_damaged_pack_hinders_nobody() {
    let scene = scene();
    let entry = scene.edit("a", "worth keeping\n", "anna", 1);
    scene.pack();
    let is_pack = |path: &PathBuf| path.parent().unwrap().ends_with("pack");
    for path in scene.stored().into_iter().filter(is_pack) {
        let whole = fs::read(&path).unwrap();
        let write = |bytes: &[u8]| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        let step = whole.len() / 60 + 1;
        for position in (0..whole.len()).step_by(step) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0xff;
            write(&damaged);
            if let Ok(content) = scene.journal.content(entry.after.kept().unwrap()) {
                assert_eq!(content, b"worth keeping\n");
            }
            write(&whole[..position]);
            let _ = scene.journal.content(entry.after.kept().unwrap());
        }
        write(&whole);
    }
    assert_eq!(scene.content(&entry.after), b"worth keeping\n");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it_and_no_link_leads_out() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scene = scene();
    scene.edit("a", "one\n", "anna", 1);
    let mode = fs::metadata(scene.journal.path().parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::remove_dir_all(scene.journal.path()).unwrap();
    symlink(elsewhere.path(), scene.journal.path()).unwrap();
    scene.write("a", "two\n");
    assert!(scene.journal.observe(&file("a"), &scene.path("a"), &Observation::look(at(2))).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
