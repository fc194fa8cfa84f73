//! What agents' hooks remember between events, and which locks that takes.

#![cfg(target_os = "linux")]

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use serde_json::json;

use crate::support::{CodingAgent, Workspace};

const FILE: &str = "src/main.rs";

/// Counts how often a file is opened, by whomever.
struct Opened(OwnedFd);

impl Opened {
    fn watch(path: &Path) -> Self {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        // Equal events in a row would be told once; with the closing between them none are equal.
        inotify::add_watch(&queue, path, WatchFlags::OPEN | WatchFlags::CLOSE).unwrap();
        Self(queue)
    }

    /// Since this was asked last.
    fn count(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        while let Ok(event) = events.next() {
            count += usize::from(event.events().contains(ReadFlags::OPEN));
        }
        count
    }
}

#[test]
fn an_edit_takes_the_lock_once_and_a_read_never() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    for file in [FILE, "src/lib.rs", "README.md"] {
        agent.edit(file, "new\n").expect_silence();
    }
    // The first edits of a session are told to the others, and registered it.
    let lock = Opened::watch(&workspace.coordination().directory().join(".lock"));
    for file in [FILE, "src/parser.rs", FILE] {
        agent.before_edit(file).expect_silence();
        assert_eq!(lock.count(), 1, "before an edit of {file}");
        agent.after_edit(file).expect_silence();
        assert_eq!(lock.count(), 0, "after an edit of {file}");
    }
    agent.after_read("src/parser.rs").expect_silence();
    agent.before_command("cat src/parser.rs").expect_silence();
    agent.after_command("cat src/parser.rs").expect_silence();
    assert_eq!(lock.count(), 0, "reading, and commands that only read");
    let other = CodingAgent::on(&workspace, "two");
    other.start();
    lock.count();
    other.before_edit("src/new.rs").expect_silence();
    assert_eq!(lock.count(), 1, "the first edit of a session");
    other.before_edit(FILE).expect_denial();
    assert_eq!(lock.count(), 1, "a refusal");
}

#[test]
fn what_a_hook_remembers_lies_in_its_users_own_folder_below_git() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() {}\n").expect_no_denial();
    let directory = workspace.coordination().directory().to_owned();
    let hidden = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!hidden.into_iter().any(|name| name.contains("notebook")), "nothing of it is in the shared directory");
    let root = workspace.root();
    let user = fs::metadata(root).unwrap().uid().to_string();
    let own = root.join(".git/deconflict").join(user);
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o700);
    let states = own.join("hooks");
    let state = fs::read_dir(states).unwrap().next().unwrap().unwrap().path().join(agent.id());
    assert!(fs::read_to_string(&state).unwrap().contains(FILE));
    // Git neither shows it nor takes it along.
    assert_eq!(workspace.git(&["status", "--porcelain", "--ignored", "--", ".git"]).trim(), "");
    agent.end();
    assert!(!state.exists(), "an ended session leaves nothing");
}

#[test]
fn without_git_it_lies_in_the_users_state_folder() {
    let workspace = Workspace::plain();
    workspace.write(FILE, "fn main() {}\n");
    fs::create_dir_all(workspace.root().join("COORDINATION/sessions")).unwrap();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() { }\n").expect_no_denial();
    let state = workspace.home().join(".local/state/deconflict");
    assert_eq!(fs::read_dir(state).unwrap().count(), 1);
    // The turn's end knows what the edit claimed.
    agent.stop();
    let left = workspace.coordination().claim(FILE).unwrap();
    let lease = chrono::DateTime::parse_from_rfc3339(left["expires_at"].as_str().unwrap()).unwrap();
    assert!(lease.to_utc() < chrono::Utc::now() + chrono::TimeDelta::minutes(16), "{left}");
}

#[test]
fn what_an_earlier_version_remembered_still_counts() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    let coordination = workspace.coordination();
    let earlier = coordination.create().directory().join(".notebooks");
    fs::create_dir(&earlier).unwrap();
    let seen = json!({"note": "seen", "resource": format!("file/{FILE}"), "state": "1:2:3"});
    fs::write(earlier.join(agent.id()), format!("{seen}\n")).unwrap();
    let refused = agent.before_edit(FILE);
    assert!(refused.expect_denial().contains("after you last looked"), "{refused:?}");
    assert!(!earlier.join(agent.id()).exists());
    agent.before_edit(FILE).expect_no_denial();
}
