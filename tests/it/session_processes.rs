//! Which sessions name which processes: asked by each verb of a terminal, among thousands of sessions.

use std::fs;
use std::time::Duration;

use deconflict_platform::{self as platform, Process};
use deconflict_protocol::SessionId;
use deconflict_registry::NewSession;
use serde_json::{Value, json};

use super::support::Office;

/// So many that their records are not all read each time.
const MANY: usize = 40;

fn crowd(office: &Office) -> Vec<SessionId> {
    (0..MANY).map(|number| office.session(&format!("one-{number}"))).collect()
}

/// Those that name this process, by their names.
fn named(office: &Office, process: &Process) -> Vec<String> {
    let found = office.registry.live_sessions_naming(&[process.pid]).unwrap();
    let mut names: Vec<String> = found.into_iter().map(|session| session.id.as_str().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn whoever_wrote_the_record_and_however_it_is_found_at_once() {
    let office = Office::new();
    let sessions = crowd(&office);
    let me = platform::current_process();
    // What was found out a moment ago counts for a moment, by a clock that goes on.
    office.clock.advance(Duration::from_secs(1));
    assert_eq!(named(&office, &me), [] as [&str; 0]);
    office.registry.set_keeper(&sessions[3], &me).unwrap();
    assert_eq!(named(&office, &me), ["one-3"]);

    // A file that takes another's place often gets the number that the one before that had.
    office.registry.set_name(&sessions[5], "Ada").unwrap();
    office.registry.set_keeper(&sessions[5], &me).unwrap();
    assert_eq!(named(&office, &me), ["one-3", "one-5"]);
    office.registry.set_name(&sessions[5], "Ben").unwrap();
    office.registry.set_keeper(&sessions[5], &Process { pid: me.pid, started: "0".to_owned() }).unwrap();
    assert_eq!(named(&office, &me), ["one-3"], "its process is gone");

    let new =
        NewSession { id: Some(SessionId::new("late").unwrap()), keeper: Some(me.clone()), ..NewSession::default() };
    office.register(new);
    assert_eq!(named(&office, &me), ["late", "one-3"]);
    fs::remove_file(office.workspace.path("COORDINATION/sessions/one-3.json")).unwrap();
    assert_eq!(named(&office, &me), ["late"]);
}

#[test]
fn a_record_that_another_program_writes_into_is_read_again() {
    let office = Office::new();
    crowd(&office);
    let me = platform::current_process();
    assert_eq!(named(&office, &me), [] as [&str; 0]);
    let path = office.workspace.path("COORDINATION/sessions/one-7.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["client_pid"] = json!(me.pid);
    fs::write(&path, record.to_string()).unwrap();
    office.clock.advance(Duration::from_secs(3));
    assert_eq!(named(&office, &me), ["one-7"]);
    // What is remembered may be anything.
    for garbage in [&b""[..], b"\xff\xff\xff\xff\xff", b"\x01"] {
        fs::write(office.workspace.path("COORDINATION/.session-processes"), garbage).unwrap();
        assert_eq!(named(&office, &me), ["one-7"]);
    }
}
