//! Several claims that are taken as one, where the disk is full when some of them are written: none is taken then, and
//! whoever held one of them holds it still.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Error, NewSession, Registry, Terms};
use rustix::io::Errno;

/// Names the directory to the process that claims.
const DIRECTORY: &str = "DECONFLICT_PROOF_DIRECTORY";

fn registry(directory: &Path) -> Registry {
    Registry::create(directory, Arc::new(SystemClock::new())).unwrap()
}

fn resources() -> [Resource; 3] {
    [Resource::file("a").unwrap(), Resource::directory("nest").unwrap(), Resource::file("z").unwrap()]
}

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// The process that claims, by force, while its disk is full; as a test it does nothing.
#[test]
fn claimant() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let registry = registry(Path::new(&directory));
    let terms = Terms { force: true, ..Terms::default() };
    let outcome = registry.claim_all(&session("berta"), None, &resources(), &terms);
    assert!(matches!(outcome, Err(Error::Full { .. })), "{outcome:?}");
}

/// The files in a folder, each with what is in it.
fn records(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut records: Vec<_> = paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    records.sort();
    records
}

#[test]
fn a_full_disk_leaves_every_claim_with_its_holder() {
    for failing in ["fail link ERRNO file-z", "fail link ERRNO directory-nest", "fail create ERRNO .unfinished"] {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("COORDINATION");
        let registry = registry(&directory);
        for name in ["anna", "berta"] {
            registry.register(NewSession { id: Some(session(name)), ..NewSession::default() }).unwrap();
        }
        for held in ["a", "nest/b"] {
            registry.claim(&session("anna"), &Resource::file(held).unwrap(), &Terms::default()).unwrap();
        }
        let before = records(&directory.join("claims"));
        let faults = folder.path().join("faults");
        fs::write(&faults, failing.replace("ERRNO", &Errno::NOSPC.raw_os_error().to_string())).unwrap();
        let claimed = Command::new(std::env::current_exe().unwrap())
            .args(["all_or_none::claimant", "--exact"])
            .env(DIRECTORY, &directory)
            .env("DECONFLICT_FAULTS", &faults)
            .output()
            .unwrap();
        assert!(claimed.status.success(), "{failing}: {claimed:?}");
        assert_eq!(records(&directory.join("claims")), before, "{failing}");
        assert!(registry.unread_messages(&session("anna")).unwrap().is_empty(), "{failing}: nothing was taken over");
        let left = [&*directory, &directory.join(".unfinished")].map(|folder| {
            let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().starts_with(".unfinished-")).count()
        });
        assert_eq!(left, [0, 0], "{failing}");
        // And when there is room again all of it is had.
        let terms = Terms { force: true, ..Terms::default() };
        registry.claim_all(&session("berta"), None, &resources(), &terms).unwrap();
        for resource in resources() {
            assert!(registry.claim_of(&resource).unwrap().unwrap().held_by(&session("berta")));
        }
    }
}
