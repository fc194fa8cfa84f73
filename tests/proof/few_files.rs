//! Too few file handles to read what git says: whoever asks is told so, and never that there is another repository or
//! none.

use std::path::Path;
use std::process::Command;

use deconflict_workspace::Repository;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::support::Workspace;

/// Names the folder to the process that has few handles.
const FOLDER: &str = "DECONFLICT_PROOF_FOLDER";

/// The process that has few handles; as a test it does nothing.
#[test]
fn reader() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let limit = getrlimit(Resource::Nofile);
    let mut failures = 0;
    for handles in 3..16 {
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(handles), ..limit }).unwrap();
        let found = Repository::containing(Path::new(&folder));
        setrlimit(Resource::Nofile, limit).unwrap();
        match found {
            Ok(found) => assert_eq!(found.unwrap().worktree(), Some("feature"), "with {handles} handles"),
            Err(_) => failures += 1,
        }
    }
    assert!((1..12).contains(&failures), "{failures}");
}

#[test]
fn too_few_to_tell_whose_worktree_it_is() {
    let workspace = Workspace::small();
    let worktree = workspace.add_worktree("feature");
    let read = Command::new(std::env::current_exe().unwrap())
        .args(["few_files::reader", "--exact"])
        .env(FOLDER, worktree.canonicalize().unwrap())
        .output()
        .unwrap();
    assert!(read.status.success(), "{read:?}");
}
