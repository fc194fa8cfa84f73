//! Messages as the registry keeps them: what is unread for whom, and what a hostile sender cannot do.

use std::fs;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::Process;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{MessageKind, SessionId};
use deconflict_registry::{Draft, Message, MessageId, NewSession, Recipient, Registry};
use serde_json::json;

use crate::support::{Editor, Office, Terminal, Workspace, timestamp, wait_for};

impl Office {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn unread(&self, session: &SessionId) -> Vec<String> {
        texts(&self.registry.unread_messages(session).unwrap())
    }

    fn all(&self, session: &SessionId) -> Vec<String> {
        texts(&self.registry.messages(session).unwrap())
    }

    fn read_everything(&self, session: &SessionId) -> usize {
        let unread = self.registry.unread_messages(session).unwrap();
        let ids: Vec<MessageId> = unread.into_iter().map(|message| message.id).collect();
        self.registry.mark_read(session, &ids).unwrap()
    }
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.record.text()).collect()
}

#[test]
fn unread_is_what_was_sent_to_the_session_and_the_news_of_others() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    office.send(&bob, &Recipient::Everyone, "old");
    office.clock.advance(Duration::from_mins(61));
    office.send(&bob, &Recipient::Everyone, "news");
    let carol = office.session("carol");
    office.send(&alice, &Recipient::Session(carol.clone()), "to carol");
    office.send(&carol, &Recipient::Everyone, "her own");
    assert_eq!(office.unread(&carol), ["news", "to carol"]);
    assert_eq!(office.all(&carol), ["old", "news", "to carol"], "older ones can still be listed");
    assert_eq!(office.unread(&alice), ["old", "news", "her own"], "it was there when all of them were sent");
    assert_eq!(office.unread(&bob), ["her own"]);
}

#[test]
fn what_is_read_stays_read_and_only_for_the_reader() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    office.send(&alice, &Recipient::Everyone, "one");
    office.send(&alice, &Recipient::Session(bob.clone()), "two");
    let carol = office.session("carol");
    assert_eq!(office.read_everything(&bob), 2);
    assert_eq!(office.read_everything(&bob), 0, "nothing was left to read");
    assert_eq!(office.unread(&bob), Vec::<String>::new());
    assert_eq!(office.all(&bob), ["one", "two"]);
    assert_eq!(office.unread(&carol), ["one"]);
    let elsewhere = Registry::open(office.registry.path(), office.clock.clone()).unwrap();
    assert!(elsewhere.unread_messages(&bob).unwrap().is_empty(), "read marks survive restarts");
    assert_eq!(office.registry.mark_read(&bob, &[MessageId::new("unheard of")]).unwrap(), 0);
}

#[test]
fn markers_of_one_session_lose_no_mark() {
    const EACH: usize = 25;
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    let to_bob = Recipient::Session(bob.clone());
    let sent: Vec<MessageId> =
        (0..4 * EACH).map(|number| office.send(&alice, &to_bob, &format!("message {number}")).id).collect();
    std::thread::scope(|scope| {
        for part in sent.chunks(EACH) {
            let (registry, bob) = (office.registry.clone(), &bob);
            scope.spawn(move || {
                for id in part {
                    assert_eq!(registry.mark_read(bob, std::slice::from_ref(id)).unwrap(), 1);
                }
            });
        }
    });
    assert_eq!(office.unread(&bob), Vec::<String>::new());
}

#[test]
fn messages_sent_in_the_same_instant_all_arrive() {
    const EACH: usize = 25;
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..EACH {
                    let draft = Draft { message: number.to_string(), ..Draft::new(MessageKind::Note) };
                    office.registry.send(&alice, &Recipient::Session(bob.clone()), &draft).unwrap();
                }
            });
        }
    });
    assert_eq!(office.unread(&bob).len(), 4 * EACH);
    assert_eq!(office.read_everything(&bob), 4 * EACH);
}

#[test]
fn a_repeat_is_delivered_once_but_nobody_can_pass_for_another() {
    let office = Office::new();
    let (bob, coordination) = (office.session("bob"), office.coordination());
    coordination.write_message("ghost", "bob", "s", "first", json!({ "id": "7" }));
    coordination.write_message("ghost", "broadcast", "s", "again", json!({ "id": "7" }));
    coordination.write_message("mallory", "bob", "s", "in another's name", json!({ "id": "7" }));
    assert_eq!(office.unread(&bob).len(), 2, "{:?}", office.unread(&bob));
    office.read_everything(&bob);
    coordination.write_message("ghost", "bob", "s", "and again", json!({ "id": "7" }));
    assert_eq!(office.unread(&bob), Vec::<String>::new());
}

#[test]
fn a_successor_gets_what_a_crashed_session_left_unread() {
    let office = Office::new();
    let alice = office.session("alice");
    let gone = Process { pid: u32::MAX - 1, started: "never".to_owned() };
    let window = |keeper: Option<Process>, worktree: Option<&str>| NewSession {
        client: Some("nvim".to_owned()),
        user: Some("uma".to_owned()),
        worktree: worktree.map(str::to_owned),
        keeper,
        ..NewSession::default()
    };
    let crashed = office.register(window(Some(gone), None));
    let to_crashed = Recipient::Session(crashed.id.clone());
    office.send(&alice, &to_crashed, "read");
    office.send(&alice, &Recipient::Everyone, "read by it");
    office.read_everything(&crashed.id);
    office.send(&alice, &to_crashed, "unread");
    office.send(&alice, &Recipient::Everyone, "broadcast");
    office.clock.advance(Duration::from_hours(2));

    let stranger = office.register(NewSession { client: Some("nvim".to_owned()), ..NewSession::default() });
    let elsewhere = office.register(window(None, Some("feature")));
    assert_eq!(office.unread(&stranger.id), Vec::<String>::new());
    assert_eq!(office.unread(&elsewhere.id), Vec::<String>::new());
    let heir = office.register(window(None, None));
    assert_eq!(office.unread(&heir.id), ["unread", "broadcast"]);
    let second = office.register(window(None, None));
    assert_eq!(office.unread(&second.id), Vec::<String>::new(), "the first heir got everything");
    office.send(&alice, &to_crashed, "too late");
    let third = office.register(window(None, None));
    assert_eq!(office.unread(&third.id), ["too late"]);
}

#[test]
fn messages_of_the_original_scripts_are_read() {
    let office = Office::new();
    let bob = office.session("bob");
    let now = office.now();
    let sent = |minutes: i64| timestamp(now - TimeDelta::minutes(minutes));
    let coordination = office.coordination();
    coordination.write(
        "messages/broadcast/2025-11-15_10-03-session-002.json",
        &json!({
            "from": "session-002", "to": "broadcast", "timestamp": sent(2), "type": "work_completed",
            "subject": "BUILD phase complete",
            "details": { "resource": "church-guidance-ministry", "tests_passing": true },
        }),
    );
    let same_second = "2025-11-15_10-05-00-session-003.json";
    for (folder, to, text) in [("broadcast", "broadcast", "to all"), ("direct/bob", "bob", "to bob")] {
        coordination.write(
            &format!("messages/{folder}/{same_second}"),
            &json!({ "from": "session-003", "to": to, "timestamp": sent(1), "subject": "s", "message": text }),
        );
    }
    let expected = ["resource: church-guidance-ministry; tests_passing: true", "to all", "to bob"];
    assert_eq!(office.unread(&bob), expected, "whatever their names say, they are new");
    assert_eq!(office.read_everything(&bob), 3);
}

#[test]
fn nothing_that_lies_about_as_a_message_harms() {
    let office = Office::new();
    let (bob, coordination) = (office.session("bob"), office.coordination());
    let outside = office.workspace.path("secret.json");
    fs::write(&outside, json!({ "from": "ghost", "message": "secret" }).to_string()).unwrap();
    let at = |name: &str| format!("messages/direct/bob/2025-11-15_10-00-00-{name}.json");
    coordination.write_text(&at("empty"), "");
    coordination.write_text(&at("cut"), r#"{"from":"ghost","mess"#);
    coordination.write_text(&at("deep"), &"[".repeat(100_000));
    coordination.write_text(&at("huge"), &format!("{{\"message\":\"{}\"}}", "x".repeat(2 << 20)));
    coordination.write(&at("escape"), &json!({ "from": "../../../secret", "to": 7, "message": "unsafe sender" }));
    coordination.write_message("ghost", "bob", "s", "plain", json!({}));
    fs::create_dir_all(coordination.directory().join(at("folder"))).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, coordination.directory().join(at("link"))).unwrap();
        make_pipe(&coordination.directory().join(at("pipe")));
    }
    let messages = office.registry.unread_messages(&bob).unwrap();
    let mut found = texts(&messages);
    found.sort();
    assert_eq!(found, ["plain", "unsafe sender"]);
    let from_unsafe = messages.iter().find(|message| message.record.text() == "unsafe sender").unwrap();
    assert_eq!(from_unsafe.from, None);
    assert_eq!(office.read_everything(&bob), 2);
    assert_eq!(office.unread(&bob), Vec::<String>::new());
}

#[test]
#[cfg(unix)]
fn a_folder_of_messages_that_leads_outside_is_not_followed() {
    let office = Office::new();
    let (alice, bob, coordination) = (office.session("alice"), office.session("bob"), office.coordination());
    let outside = office.workspace.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("2025-11-15_10-00-00-x.json"), r#"{"from":"x","message":"secret"}"#).unwrap();
    std::os::unix::fs::symlink(&outside, coordination.directory().join("messages/direct/bob")).unwrap();
    std::os::unix::fs::symlink(&outside, coordination.directory().join(".read")).unwrap();
    office.send(&alice, &Recipient::Everyone, "plain");
    assert_eq!(office.unread(&bob), ["plain"]);
    let to_bob = Recipient::Session(bob.clone());
    assert!(office.registry.send(&alice, &to_bob, &Draft::new(MessageKind::Note)).is_err());
    let id = office.registry.unread_messages(&bob).unwrap().remove(0).id;
    assert!(office.registry.mark_read(&bob, &[id]).is_err(), "a mark would be written outside");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written outside");
}

#[test]
fn a_terminal_of_the_session_reads_what_its_server_only_counts() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({ "name": "The Ghost" }));
    let alice = Editor::builder(&workspace).setting("messages.show", json!("none")).start();
    let session = alice.wait_for_session();
    let unread = |count: u64| {
        wait_for("the server to count the unread messages", || {
            (alice.status()["messages"]["unread"] == count).then_some(())
        });
    };
    coordination.write_message("ghost", &session, "One", "first words", json!({}));
    coordination.write_message("ghost", "broadcast", "Two", "second words", json!({}));
    unread(2);
    let terminal = Terminal::on(&workspace).session(&session);
    let peeked = terminal.run(["messages", "--peek"]).expect_code(0);
    assert!(peeked.stdout.contains("first words") && peeked.stdout.contains("second words"), "{peeked:?}");
    alice.settle(&workspace);
    unread(2);
    terminal.run(["messages"]).expect_code(0);
    unread(0);
    assert_eq!(alice.messages(), Vec::<String>::new());
}

#[test]
#[cfg(unix)]
fn what_a_killed_server_left_unread_is_delivered_to_the_next() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let before = Editor::builder(&workspace).setting("messages.show", json!("none")).start();
    let session = before.wait_for_session();
    coordination.write_message("ghost", &session, "One", "words for whoever comes", json!({}));
    wait_for("the message to be counted", || (before.status()["messages"]["unread"] == 1).then_some(()));
    before.kill_server();
    // The window is closed for good, so that nobody resumes its session.
    before.kill();
    drop(before);
    let after = Editor::builder(&workspace).process_id(std::os::unix::process::parent_id()).start();
    assert_ne!(after.wait_for_session(), session);
    let shown = after.wait_for_message("words for whoever comes");
    assert!(shown.to_string().contains("ghost"), "{shown}");
    after.settle(&workspace);
    assert_eq!(after.messages().len(), 1);
}

#[cfg(unix)]
fn make_pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
