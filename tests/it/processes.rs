//! What the operating system tells of processes and files.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use deconflict_platform::{
    Life, ScopeRelation, ancestors, booted_at, current_process, is_found_in_other_letters, life, owned_by_user,
    pid_scope, process, relation_to, writable_by_everyone,
};

/// A child that lives until its standard input is closed.
fn waiting_child() -> std::process::Child {
    let program = if cfg!(windows) { "more" } else { "cat" };
    Command::new(program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_process_is_alive_until_it_ends_even_before_it_is_collected() {
    let mut child = waiting_child();
    let seen = process(child.id()).unwrap();
    assert!(!seen.started.is_empty());
    assert_eq!(life(child.id(), Some(&seen.started)), Life::Alive);
    assert_eq!(life(child.id(), None), Life::Alive);

    child.kill().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while life(child.id(), Some(&seen.started)) != Life::Gone {
        assert!(std::time::Instant::now() < deadline, "a killed child that nobody collected still counts as alive");
        std::thread::yield_now();
    }
    child.wait().unwrap();
    assert_eq!(process(child.id()), None);
}

#[test]
fn another_start_token_means_another_process() {
    let me = current_process();
    assert_eq!(me.pid, std::process::id());
    assert_eq!(life(me.pid, Some(&me.started)), Life::Alive);
    assert_eq!(life(me.pid, Some("0")), Life::Gone);
    assert_eq!(process(0), None);
}

#[test]
fn the_nearest_ancestor_is_the_parent_and_tells_its_command() {
    let ancestors: Vec<_> = ancestors().collect();
    #[cfg(unix)]
    assert_eq!(ancestors[0].pid, std::os::unix::process::parent_id());
    assert_eq!(process(ancestors[0].pid).unwrap().started, ancestors[0].started);
    assert!(!ancestors[0].command().is_empty());
    assert!(!ancestors[0].name.is_empty());
}

#[test]
fn this_process_is_in_its_own_scope() {
    assert_eq!(relation_to(&pid_scope()), ScopeRelation::Same);
    assert_eq!(relation_to(""), ScopeRelation::Elsewhere);
    assert_eq!(relation_to("of another program"), ScopeRelation::Elsewhere);
}

#[test]
fn the_machine_was_started_before_now() {
    let booted = booted_at().unwrap();
    assert!(booted < SystemTime::now());
}

#[test]
fn case_counts_where_both_spellings_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["Notes", "42"] {
        std::fs::File::create(folder.path().join(name)).unwrap();
    }
    let ignores_case = std::fs::File::open(folder.path().join("notes")).is_ok();
    assert_eq!(is_found_in_other_letters(&folder.path().join("Notes")), ignores_case);
    if !ignores_case {
        std::fs::File::create(folder.path().join("notes")).unwrap();
        assert!(!is_found_in_other_letters(&folder.path().join("Notes")));
        assert!(!is_found_in_other_letters(&folder.path().join("42")));
    }
}

#[test]
#[cfg(unix)]
fn permissions_tell_who_may_write() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::metadata(folder.path()).unwrap()
    };
    assert!(!writable_by_everyone(&with_mode(0o775)));
    assert!(writable_by_everyone(&with_mode(0o777)));
    assert!(owned_by_user(&with_mode(0o755)));
}
