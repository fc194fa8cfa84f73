//! A process may be killed after every call that changes the directory, and in the middle of every write; and the
//! machine may lose its power at any time. What was promised holds all the same.

mod power;
mod scenes;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chrono::Utc;
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::parse;
use deconflict_registry::{Recipient, Registry};
use serde_json::Value;

use self::scenes::{SCENES, Scene, age, all_files, claim, file, files, join, registry, send, texts};
use crate::invariant::contradiction_on_disk;

/// Names the scene and the directory to the process that is to die.
const SCENE: &str = "DECONFLICT_PROOF_SCENE";
const DIRECTORY: &str = "DECONFLICT_PROOF_DIRECTORY";

/// Every kind of call that changes something.
const KINDS: [&str; 11] = [
    "attributes",
    "create",
    "exchange",
    "link",
    "makefolder",
    "remove",
    "removefolder",
    "rename",
    "sync",
    "syncfolder",
    "write",
];

#[test]
fn a_process_may_be_killed_after_every_change() {
    let next = AtomicUsize::new(0);
    let play = || {
        let mut played = Vec::new();
        while let Some(scene) = SCENES.get(next.fetch_add(1, Ordering::SeqCst)) {
            played.extend(die_everywhere(scene));
        }
        played
    };
    // Several at once, because each waits for the disk most of the time.
    let kinds: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(play)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    println!("{} points of death in {} scenes", kinds.len(), SCENES.len());
    let kinds: BTreeSet<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), KINDS, "all kinds of calls were cut short");
}

/// Plays a scene once for every point at which the process can die. Returns the kinds of calls that it died of.
fn die_everywhere(scene: &'static Scene) -> Vec<String> {
    let kind = |change: &Value| change["kind"].as_str().unwrap().to_owned();
    let record = |_| Stage::set(scene).changes().iter().map(kind).collect::<Vec<String>>();
    // Whoever has to wait for the lock, which the child of another thread may keep until it has become a program of its
    // own, opens its file again and again: the shortest way is the one that every play goes at least.
    let recorded = (0..5).map(record).min_by_key(Vec::len).unwrap_or_default();
    let writes = recorded.iter().filter(|kind| *kind == "write").count();
    let deaths = (1..=recorded.len()).map(|number| ("kill-after", number));
    let deaths = deaths.chain((1..=writes).map(|number| ("tear", number)));
    let mut kinds = Vec::new();
    for (fault, number) in deaths {
        // A name that is taken by chance makes a call more or less, so now and then the last one is not reached.
        if Stage::set(scene).expect_all_well_after(fault, number) {
            kinds.push(if fault == "tear" { "write".to_owned() } else { recorded[number - 1].clone() });
        }
    }
    assert!(kinds.len() * 10 >= (recorded.len() + writes) * 9, "{}: {kinds:?}", scene.name);
    kinds
}

/// The process that dies; as a test it does nothing.
#[test]
fn actor() {
    let (Some(scene), Some(directory)) = (std::env::var_os(SCENE), std::env::var_os(DIRECTORY)) else { return };
    let scene = SCENES.iter().find(|known| scene == known.name).unwrap();
    let directory = Path::new(&directory);
    let registry = match Registry::open(directory, Arc::new(SystemClock::new())) {
        Ok(registry) => registry,
        Err(_) => Registry::create(directory, Arc::new(SystemClock::new())).unwrap(),
    };
    (scene.act)(&registry);
}

/// A directory in which a scene is to be played.
struct Stage {
    scene: &'static Scene,
    folder: tempfile::TempDir,
}

impl Stage {
    fn set(scene: &'static Scene) -> Self {
        let folder = folder_in_memory();
        let stage = Self { scene, folder };
        // The first session of all makes the directory.
        if scene.name != "the first session" {
            let registry = Registry::create(&stage.directory(), Arc::new(SystemClock::new())).unwrap();
            (scene.prepare)(&registry);
        }
        stage
    }

    fn directory(&self) -> std::path::PathBuf {
        self.folder.path().join("COORDINATION")
    }

    fn play(&self, faults: &str) -> ExitStatus {
        fs::write(self.folder.path().join("faults"), faults).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(["crashes::actor", "--exact"])
            .env(SCENE, self.scene.name)
            .env(DIRECTORY, self.directory())
            .env("DECONFLICT_FAULTS", self.folder.path().join("faults"))
            .env("DECONFLICT_CHANGES", self.folder.path().join("changes"))
            .stdout(Stdio::null())
            .status()
            .unwrap()
    }

    /// What the scene changes if nobody dies.
    fn changes(&self) -> Vec<Value> {
        assert!(self.play("").success(), "{}", self.scene.name);
        let changes = fs::read_to_string(self.folder.path().join("changes")).unwrap();
        changes.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns true if the process died there.
    fn expect_all_well_after(&self, fault: &str, number: usize) -> bool {
        let what = format!("{}, {fault} {number}", self.scene.name);
        let _told = Told(&what);
        let status = self.play(&format!("{fault} {number}\n"));
        assert!(status.success() || status.signal() == Some(9), "{what}: {status}");
        expect_whole(&self.directory());
        if !self.directory().join("claims").exists() {
            join_somebody(&self.directory());
        }
        let registry = registry(&self.directory());
        (self.scene.check)(&registry);
        assert_eq!(contradiction_on_disk(&self.directory(), Utc::now()), None, "{what}");
        expect_usable(&registry);
        // Whoever died does it again.
        assert!(self.play("").success(), "{what}, and again");
        (self.scene.check)(&registry);
        expect_whole(&self.directory());
        assert_eq!(contradiction_on_disk(&self.directory(), Utc::now()), None, "{what}");
        expect_nothing_left_behind(&registry);
        !status.success()
    }
}

/// A scratch folder, in memory where there is such a place: what a process leaves behind when it is killed doesn't
/// depend on the disk, and syncing takes its time.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Says what was tried when a check fails.
struct Told<'a>(&'a str);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("it failed at: {}", self.0);
        }
    }
}

fn join_somebody(directory: &Path) {
    let registry = Registry::create(directory, Arc::new(SystemClock::new())).unwrap();
    join(&registry, "somebody");
}

/// Every record can be read, and the board is complete.
fn expect_whole(directory: &Path) {
    for path in all_files(directory) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_record = path.extension().is_some_and(|extension| extension == "json" || extension == "claim");
        if is_record && !name.starts_with('.') {
            let text = fs::read(&path).unwrap();
            // The one record that was damaged before.
            assert!(parse(&text).is_ok() || text == b"{\"claimed_by\": ", "{}: {text:?}", path.display());
        }
    }
    if let Ok(board) = fs::read_to_string(directory.join("STATUS_BOARD.md")) {
        assert!(is_whole_board(&board), "{board}");
    }
}

fn is_whole_board(board: &str) -> bool {
    board.starts_with("# ") && board.ends_with("`cat COORDINATION/STATUS_BOARD.md`\n")
}

/// Nobody has to wait for the dead, and everything can be done.
fn expect_usable(registry: &Registry) {
    let bystander = join(registry, "bystander");
    claim(registry, "bystander", &file("something else"));
    send(registry, "bystander", &Recipient::Session(bystander.clone()), "to myself");
    let unread = registry.unread_messages(&bystander).unwrap();
    assert!(texts(&unread).contains(&"to myself".to_owned()));
    let ids: Vec<_> = unread.into_iter().map(|message| message.id).collect();
    registry.mark_read(&bystander, &ids).unwrap();
    assert_eq!(registry.unread_messages(&bystander).unwrap().len(), 0);
    registry.release_all(&bystander).unwrap();
    registry.refresh_board().unwrap();
    registry.overview().unwrap();
}

/// What the dead left unfinished is cleared away in time.
fn expect_nothing_left_behind(registry: &Registry) {
    let unfinished = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with(".unfinished-");
    for path in all_files(registry.path()).iter().filter(|path| unfinished(path)) {
        age(path, 2);
    }
    registry.clean_up().unwrap();
    let left: Vec<_> = all_files(registry.path()).into_iter().filter(|path| unfinished(path)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!files(&registry.path().join("sessions")).is_empty());
}
