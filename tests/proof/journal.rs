//! The journal under faults: whoever writes it may be killed at any change and in the middle of any write, the disk may
//! be full, two hundred may write at once, and somebody may delete it. What was kept stays, and the next one can go on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::{Author, Cause, Damage, Entry, Journal, Limits, Observation};
use deconflict_protocol::{Resource, SessionId};

const SCENE: &str = "DECONFLICT_PROOF_SCENE";
const FOLDER: &str = "DECONFLICT_PROOF_DIRECTORY";

/// What a process does that may die of it, and how many contents are kept before.
const SCENES: [(&str, usize); 5] = [("first", 0), ("next", 3), ("forget", 3), ("drop", 3), ("pack", 1000)];

fn journal(folder: &Path) -> Journal {
    Journal::of(&folder.join("COORDINATION"), None).unwrap()
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn author(name: &str) -> Author {
    Author { session: SessionId::new(name).unwrap(), label: name.to_owned(), person: None, agent: None }
}

fn observe(folder: &Path, name: &str, by: &str, at: DateTime<Utc>) -> Result<Option<Entry>, deconflict_journal::Error> {
    let edit = Observation::by(author(by), Cause::Edit, at, at);
    journal(folder).observe(&file(name), &folder.join(name), &edit)
}

fn edit(folder: &Path, name: &str, content: &str, by: &str) {
    let at = Utc::now();
    journal(folder).observe(&file(name), &folder.join(name), &Observation::look(at)).unwrap();
    fs::write(folder.join(name), content).unwrap();
    observe(folder, name, by, at).unwrap();
}

/// What stood in a file, as the journal tells: every content, in order. Each follows from the one before.
fn story(folder: &Path, name: &str) -> Vec<String> {
    let journal = journal(folder);
    let entries = journal.log(&file(name)).unwrap().entries();
    for (before, after) in entries.iter().zip(&entries[1.min(entries.len())..]) {
        assert_eq!(before.after, after.before, "{name}");
    }
    let text = |entry: &Entry| String::from_utf8(journal.content(entry.after.kept().unwrap()).unwrap()).unwrap();
    entries.iter().map(text).collect()
}

fn prepared(contents: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join(".git/objects")).unwrap();
    fs::create_dir_all(folder.path().join(".git/refs")).unwrap();
    fs::write(folder.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    for number in 0..contents {
        edit(folder.path(), "a", &format!("{number}\n"), "anna");
    }
    if contents > 0 {
        edit(folder.path(), "b", "other\n", "anna");
    }
    folder
}

fn actor_command(folder: &Path, scene: &str, faults: &str) -> Command {
    fs::write(folder.join("faults"), faults).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["journal::actor", "--exact"])
        .env(SCENE, scene)
        .env(FOLDER, folder)
        .env("DECONFLICT_FAULTS", folder.join("faults"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn play(folder: &Path, scene: &str, faults: &str) -> ExitStatus {
    actor_command(folder, scene, faults).env("DECONFLICT_CHANGES", folder.join("changes")).status().unwrap()
}

/// The process that dies; as a test it does nothing.
#[test]
fn actor() {
    let (Some(scene), Some(folder)) = (std::env::var_os(SCENE), std::env::var_os(FOLDER)) else { return };
    let folder = PathBuf::from(folder);
    // What is needed: the last of the contents that were kept before, and the other file's.
    let is_needed = |_: &Resource, entry: &Entry| {
        let content = entry.after.kept().and_then(|content| journal(&folder).content(content).ok());
        [Some(b"2\n".to_vec()), Some(b"other\n".to_vec())].contains(&content)
    };
    let maintain = |now| journal(&folder).maintain(now, Limits::default(), &is_needed, &|_| false).map(drop);
    let result = match scene.to_str().unwrap() {
        "first" | "next" => observe(&folder, "a", "berta", Utc::now()).map(drop),
        "forget" => journal(&folder).forget(&file("a")).map(drop),
        "drop" => maintain(Utc::now() + TimeDelta::days(8)),
        "pack" => maintain(Utc::now()),
        writer => {
            for number in 0..5 {
                let at = Utc::now();
                fs::write(folder.join("shared"), format!("{writer} {number}\n")).unwrap();
                observe(&folder, "shared", writer, at).unwrap();
                edit(&folder, writer, &format!("{number}\n"), writer);
            }
            Ok(())
        }
    };
    result.unwrap();
}

#[test]
fn a_writer_may_be_killed_after_every_change() {
    for (scene, contents) in SCENES {
        let template = prepared(contents);
        fs::write(template.path().join("a"), "newest\n").unwrap();
        let folder = copy(&template);
        assert!(play(folder.path(), scene, "").success(), "{scene}");
        let changes = fs::read_to_string(folder.path().join("changes")).unwrap();
        let count = changes.lines().count();
        let writes = changes.lines().filter(|line| line.contains("\"kind\":\"write\"")).count();
        // Packing removes a thousand contents one after the other: some of them stand for all.
        let deaths = (1..=count).step_by((count / 12).max(1)).map(|number| ("kill-after", number));
        let deaths: Vec<_> = deaths.chain((1..=writes).map(|number| ("tear", number))).collect();
        println!("{scene}: {} points of death among {count} changes", deaths.len());
        assert!(deaths.len() > 2, "{scene}: {deaths:?}");
        for (fault, number) in deaths {
            die(copy(&template).path(), scene, contents, &format!("{fault} {number}\n"));
        }
    }
}

fn copy(template: &tempfile::TempDir) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(template.path().parent().unwrap()).unwrap();
    let all = template.path().join(".");
    assert!(Command::new("cp").arg("-a").args([&all, folder.path()]).status().unwrap().success());
    folder
}

fn die(folder: &Path, scene: &str, contents: usize, fault: &str) {
    let status = play(folder, scene, fault);
    assert!(status.success() || status.signal() == Some(9), "{scene}, {fault}: {status}");
    expect_whole(folder, scene, contents, fault);
    // Whoever died does it again, and then everything can be done.
    assert!(play(folder, scene, "").success(), "{scene}, {fault}, again");
    expect_whole(folder, scene, contents, fault);
    edit(folder, "c", "one\n", "carla");
    assert_eq!(story(folder, "c"), ["one\n"]);
    let left = journal(folder);
    match scene {
        "first" | "next" => {
            let tip = left.tip(&file("a")).unwrap().unwrap();
            assert_eq!(left.content(tip.state.kept().unwrap()).unwrap(), b"newest\n");
        }
        "forget" => {
            let name = Journal::name_of(b"1\n").unwrap();
            assert!(left.content(name).is_err(), "{fault}");
        }
        "pack" => assert!(left.usage().unwrap().packs > 0, "{fault}"),
        _ => {}
    }
}

/// Nothing is lost but what was to be dropped.
fn expect_whole(folder: &Path, scene: &str, contents: usize, fault: &str) {
    let what = format!("{scene}, {fault}");
    if contents > 0 {
        assert_eq!(story(folder, "b"), ["other\n"], "{what}");
    }
    if scene == "forget" {
        return;
    }
    let all: Vec<String> = (0..contents).map(|number| format!("{number}\n")).collect();
    let story = story(folder, "a");
    assert!(story.starts_with(&all) || scene == "drop" && story == ["2\n"], "{what}: {story:?}");
    assert_eq!(journal(folder).damage().unwrap().contents, [], "{what}");
}

#[test]
fn two_hundred_writers_at_once_lose_nothing() {
    let folder = prepared(1);
    fs::write(folder.path().join("shared"), "").unwrap();
    observe(folder.path(), "shared", "anna", Utc::now()).unwrap();
    let names: Vec<String> = (0..200).map(|number| format!("writer-{number}")).collect();
    let mut children: Vec<Child> =
        names.iter().map(|name| actor_command(folder.path(), name, "").spawn().unwrap()).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    for name in &names {
        assert_eq!(story(folder.path(), name), ["0\n", "1\n", "2\n", "3\n", "4\n"]);
    }
    let shared = story(folder.path(), "shared");
    assert!(shared.len() >= 2, "{shared:?}");
    // What stood there at the end is the newest that is told.
    assert_eq!(shared.last().unwrap(), &fs::read_to_string(folder.path().join("shared")).unwrap());
    assert_eq!(journal(folder.path()).damage().unwrap(), Damage::default());
    let ids = journal(folder.path()).recent(DateTime::UNIX_EPOCH, usize::MAX).unwrap();
    let ids: BTreeSet<_> = ids.into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 1 + 1 + 200 * 5 + shared.len());
}

#[test]
fn a_full_disk_loses_nothing_that_was_kept() {
    for kind in ["create", "write", "rename", "makefolder"] {
        for scene in ["next", "drop"] {
            let folder = prepared(3);
            fs::write(folder.path().join("a"), "newest\n").unwrap();
            let _ = play(folder.path(), scene, &format!("fail {kind} 28 journal\n"));
            expect_whole(folder.path(), scene, 3, kind);
            assert!(play(folder.path(), "next", "").success());
            assert_eq!(story(folder.path(), "a").last().unwrap(), "newest\n", "there is room again");
        }
    }
}

#[test]
fn a_journal_that_is_deleted_is_made_again() {
    let folder = prepared(3);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in ["anna", "berta", "carla"] {
            let (folder, is_done) = (folder.path(), &is_done);
            scope.spawn(move || {
                let mut number = 0;
                while !is_done.load(Ordering::SeqCst) {
                    let name = format!("of {writer}");
                    fs::write(folder.join(&name), format!("{number}\n")).unwrap();
                    // What is deleted at this very moment may fail, and nothing else does.
                    let _ = observe(folder, &name, writer, Utc::now());
                    number += 1;
                }
            });
        }
        for _ in 0..100 {
            let _ = fs::remove_dir_all(journal(folder.path()).path());
            thread::yield_now();
        }
        is_done.store(true, Ordering::SeqCst);
    });
    for name in ["of anna", "of berta", "of carla"] {
        observe(folder.path(), name, "anna", Utc::now()).unwrap();
        edit(folder.path(), name, "at last\n", "anna");
        assert_eq!(story(folder.path(), name).last().unwrap(), "at last\n");
    }
}
