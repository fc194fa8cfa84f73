//! The machine loses its power: of what was not synced, any part may be lost. An afternoon of several sessions is
//! recorded call by call, and replayed up to every call with more or less of the unsynced missing.
//!
//! A file's content is safe when the file was synced, and a name when its folder was. Of the later changes of a folder
//! any number from the first on may be there, whatever became of other folders; of unsynced content all, half or
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_platform::clock::{ManualClock, SystemClock};
use deconflict_protocol::{Resource, parse};
use deconflict_registry::{BoardKeeper, ClaimOutcome, Completion, NewSession, Recipient, Registry, Terms, View};
use serde_json::{Value, json};

use super::scenes::{age, all_files, claim, dead_process, file, heir, id, join, send};
use super::{DIRECTORY, expect_usable, folder_in_memory, is_whole_board};
use crate::invariant::contradiction_on_disk;
use crate::linearizability::Random;
use crate::{Scale, scale};

const CHANGES: &str = "DECONFLICT_CHANGES";

#[test]
fn what_was_confirmed_survives_a_power_loss() {
    let folder = folder_in_memory();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["crashes::power::afternoon", "--exact"])
        .env(DIRECTORY, folder.path().join("COORDINATION"))
        .env(CHANGES, folder.path().join("changes"))
        .status()
        .unwrap();
    assert!(status.success());
    let changes = fs::read_to_string(folder.path().join("changes")).unwrap();
    let changes: Vec<Value> = changes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let variants = match scale() {
        Scale::Short => 5,
        Scale::Long => 60,
    };
    let mut disk = Disk::with_folder(folder.path());
    let mut confirmed = Vec::new();
    let mut boards = Vec::new();
    let mut random = Random(1);
    for (number, change) in changes.iter().enumerate() {
        if change["kind"] == "confirmed" {
            confirmed.push(change["message"].as_str().unwrap().to_owned());
        } else {
            disk.carry_out(change);
        }
        boards.extend(disk.current(&folder.path().join("COORDINATION/STATUS_BOARD.md")));
        boards.dedup();
        for variant in 0..variants {
            let what = format!("after change {number}, {change}, variant {variant}");
            let after = folder_in_memory();
            disk.lose_power(folder.path(), after.path(), &mut |choices| match variant {
                0 => 0,
                1 => choices - 1,
                _ => random.below(choices),
            });
            expect_promises_kept(&after.path().join("COORDINATION"), &confirmed, &boards, &what);
        }
    }
    println!(
        "{} power losses after {} changes, {} messages confirmed",
        changes.len() * variants,
        changes.len(),
        confirmed.len()
    );
    assert!(confirmed.len() >= 5 && boards.len() >= 3, "{confirmed:?} {boards:?}");
}

/// The process that is recorded; as a test it does nothing.
#[test]
fn afternoon() {
    let (Some(directory), Some(log)) = (std::env::var_os(DIRECTORY), std::env::var_os(CHANGES)) else { return };
    if Path::new(&directory).exists() {
        return;
    }
    let confirm = |message: &str| {
        let mut log = fs::File::options().append(true).open(&log).unwrap();
        writeln!(log, "{}", json!({ "kind": "confirmed", "message": message })).unwrap();
    };
    let registry = Registry::create(Path::new(&directory), Arc::new(SystemClock::new())).unwrap();
    let tell = |from: &str, to: &Recipient, text: &str| {
        send(&registry, from, to, text);
        confirm(text);
    };
    let direct = |name: &str| Recipient::Session(id(name));
    join(&registry, "anna");
    claim(&registry, "anna", &file("a"));
    tell("anna", &Recipient::Everyone, "the first message of all");
    join(&registry, "berta");
    tell("anna", &direct("berta"), "the first message to berta");
    registry.refresh_board().unwrap();
    registry.register(heir("crashed", Some(dead_process()))).unwrap();
    tell("berta", &direct("crashed"), "a message that goes on to an heir");
    let unread = registry.unread_messages(&id("berta")).unwrap();
    registry.mark_read(&id("berta"), &unread.iter().map(|message| message.id.clone()).collect::<Vec<_>>()).unwrap();
    registry.register(heir("heir", None)).unwrap();
    tell("anna", &direct("heir"), "another message to the heir");
    age(&registry.path().join("STATUS_BOARD.md"), 1);
    registry.refresh_board().unwrap();
    registry.hand_off(&id("anna"), &file("a"), &id("berta"), None).unwrap();
    let force = Terms { force: true, ..Terms::default() };
    registry.claim(&id("anna"), &Resource::directory(".").unwrap(), &force).unwrap();
    tell("berta", &direct("anna"), "why?");
    registry.release_all(&id("anna")).unwrap();
    registry.complete(&id("berta"), &Completion { notes: Some("home".to_owned()), ..Completion::default() }).unwrap();
    tell("anna", &Recipient::Everyone, "good night");
    let view = View::new(id("anna"), Arc::clone(registry.clock()));
    BoardKeeper::new(registry.clone(), view).finish().unwrap();
    // Old broadcasts go, and nothing else does.
    let later = Arc::new(ManualClock::new(Utc::now() + TimeDelta::hours(2)));
    Registry::open(registry.path(), later).unwrap().clean_up().unwrap();
}

fn expect_promises_kept(directory: &Path, confirmed: &[String], boards: &[String], what: &str) {
    let found: Vec<String> = all_files(&directory.join("messages"))
        .iter()
        .filter_map(|path| Some(parse(&fs::read(path).ok()?).ok()?.get("message")?.as_str()?.to_owned()))
        .collect();
    for message in confirmed {
        assert!(found.contains(message), "\"{message}\" was confirmed and is lost {what}: {found:?}");
    }
    assert_eq!(contradiction_on_disk(directory, Utc::now()), None, "{what}");
    let registry = Registry::create(directory, Arc::new(SystemClock::new())).unwrap();
    let newcomer = registry.register(NewSession::default()).unwrap().id;
    let board = || fs::read_to_string(directory.join("STATUS_BOARD.md"));
    if board().is_ok_and(|board| !boards.contains(&board)) {
        // No verb waits for the disk to keep the board: one that is torn is mended by the next.
        registry.refresh_board().unwrap();
        assert!(is_whole_board(&board().unwrap()), "the board stays torn {what}");
    }
    let is_claim = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "claim");
    for path in all_files(&directory.join("claims")).into_iter().filter(is_claim) {
        let bytes = fs::read(&path).unwrap();
        if parse(&bytes).is_err() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let resource = if name == "file-a.claim" { file("a") } else { Resource::directory(".").unwrap() };
            // What is torn is as good as absent: only the other claim can be in the way.
            let outcome = registry.claim(&newcomer, &resource, &Terms::default()).unwrap();
            let is_free = match &outcome {
                ClaimOutcome::Granted { .. } => true,
                ClaimOutcome::Refused { by } => by.record_path() != format!("claims/{name}"),
                ClaimOutcome::AlreadyHeld { .. } => false,
            };
            assert!(is_free, "a torn claim is in the way {what}: {outcome:?}");
        }
    }
    registry.release_all(&newcomer).unwrap();
    for claim in registry.claims().unwrap() {
        // The folder of all would keep the bystander out.
        if let Some(holder) = claim.holder() {
            registry.release(holder, &claim.resource).unwrap();
        }
    }
    expect_usable(&registry);
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    File(usize),
    Folder,
}

#[derive(Debug, Clone)]
enum Renaming {
    Add(String, Entry),
    Remove(String),
    /// Within one folder, in one step.
    Rename(String, String),
    /// The same.
    Exchange(String, String),
}

#[derive(Debug, Default)]
struct Folder {
    synced: BTreeMap<String, Entry>,
    since: Vec<Renaming>,
}

#[derive(Debug, Default)]
struct Content {
    synced: Vec<u8>,
    now: Vec<u8>,
}

/// A disk as the operating system sees it, and what of it is safe.
#[derive(Debug, Default)]
struct Disk {
    folders: BTreeMap<PathBuf, Folder>,
    contents: Vec<Content>,
}

impl Folder {
    fn after(&self, changes: usize) -> BTreeMap<String, Entry> {
        let mut names = self.synced.clone();
        for change in &self.since[..changes] {
            match change {
                Renaming::Add(name, entry) => drop(names.insert(name.clone(), *entry)),
                Renaming::Remove(name) => drop(names.remove(name)),
                Renaming::Rename(from, to) => {
                    let entry = names.remove(from).unwrap();
                    names.insert(to.clone(), entry);
                }
                Renaming::Exchange(one, other) => {
                    let (left, right) = (names[one], names[other]);
                    names.insert(one.clone(), right);
                    names.insert(other.clone(), left);
                }
            }
        }
        names
    }

    fn now(&self) -> BTreeMap<String, Entry> {
        self.after(self.since.len())
    }
}

impl Disk {
    fn with_folder(path: &Path) -> Self {
        Self { folders: BTreeMap::from([(path.to_owned(), Folder::default())]), contents: Vec::new() }
    }

    fn carry_out(&mut self, change: &Value) {
        let path = Path::new(change["path"].as_str().unwrap());
        let from = || Path::new(change["from"].as_str().unwrap());
        match change["kind"].as_str().unwrap() {
            "makefolder" => {
                self.folders.entry(path.to_owned()).or_default();
                self.rename(path, |name| Renaming::Add(name, Entry::Folder));
            }
            // A file that is opened to be added to may be there already.
            "create" if self.entry(path).is_some() => {}
            "create" => {
                self.contents.push(Content::default());
                let entry = Entry::File(self.contents.len() - 1);
                self.rename(path, |name| Renaming::Add(name, entry));
            }
            "write" => {
                let offset = usize::try_from(change["offset"].as_u64().unwrap()).unwrap();
                let text = change["text"].as_str().unwrap().as_bytes();
                let content = &mut self.content_mut(path).now;
                content.truncate(offset);
                content.extend_from_slice(text);
            }
            "sync" => {
                let content = self.content_mut(path);
                content.synced.clone_from(&content.now);
            }
            "syncfolder" => {
                let folder = self.folders.get_mut(path).unwrap();
                folder.synced = folder.now();
                folder.since.clear();
            }
            "link" => {
                let entry = self.entry(from()).unwrap();
                self.rename(path, |name| Renaming::Add(name, entry));
            }
            "rename" if from().parent() == path.parent() => {
                let before = name_of(from());
                self.rename(path, |name| Renaming::Rename(before, name));
            }
            "rename" => {
                let entry = self.entry(from()).unwrap();
                self.rename(path, |name| Renaming::Add(name, entry));
                self.rename(from(), Renaming::Remove);
            }
            // Each folder is changed in one step, but not both in the same.
            "exchange" if from().parent() != path.parent() => {
                let (one, other) = (self.entry(path).unwrap(), self.entry(from()).unwrap());
                self.rename(path, |name| Renaming::Add(name, other));
                self.rename(from(), |name| Renaming::Add(name, one));
            }
            "exchange" => {
                let before = name_of(from());
                self.rename(path, |name| Renaming::Exchange(before, name));
            }
            "remove" | "removefolder" => self.rename(path, Renaming::Remove),
            "attributes" => {}
            other => panic!("{other} cannot be replayed"),
        }
    }

    fn rename(&mut self, path: &Path, change: impl FnOnce(String) -> Renaming) {
        let folder = self.folders.get_mut(path.parent().unwrap()).unwrap();
        folder.since.push(change(name_of(path)));
    }

    fn entry(&self, path: &Path) -> Option<Entry> {
        self.folders.get(path.parent()?)?.now().get(&name_of(path)).copied()
    }

    fn content_mut(&mut self, path: &Path) -> &mut Content {
        match self.entry(path) {
            Some(Entry::File(number)) => &mut self.contents[number],
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    /// What stands in a file, for whoever reads it now.
    fn current(&self, path: &Path) -> Option<String> {
        match self.entry(path)? {
            Entry::File(number) => String::from_utf8(self.contents[number].now.clone()).ok(),
            Entry::Folder => None,
        }
    }

    /// Writes what is left of a folder somewhere else. `choose` says how much of what is not safe is there: a number
    /// below a limit, for each folder and file.
    fn lose_power(&self, from: &Path, to: &Path, choose: &mut impl FnMut(usize) -> usize) {
        let folder = &self.folders[from];
        let kept = choose(folder.since.len() + 1);
        let before_boot = platform::booted_at().unwrap_or(SystemTime::now()) - Duration::from_hours(1);
        for (name, entry) in folder.after(kept) {
            let (from, to) = (from.join(&name), to.join(&name));
            match entry {
                Entry::Folder => {
                    fs::create_dir(&to).unwrap();
                    self.lose_power(&from, &to, choose);
                }
                Entry::File(number) => {
                    let Content { synced, now } = &self.contents[number];
                    let half = &now[..now.len() / 2];
                    let choice = if synced == now { 0 } else { choose(3) };
                    let bytes = [synced.as_slice(), half, now.as_slice()][choice];
                    fs::write(&to, bytes).unwrap();
                    fs::File::options().write(true).open(&to).unwrap().set_modified(before_boot).unwrap();
                }
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
