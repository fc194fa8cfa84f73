//! The status board and what lies behind it: real findings, absolute times, nothing that comes alive.

use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use deconflict_platform::Process;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{MessageKind, Resource};
use deconflict_registry::{Activity, Concern, Draft, NewSession, Recipient, Terms};
use serde_json::json;

use crate::support::{Office, timestamp, wait_for};

impl Office {
    fn findings(&self) -> Vec<String> {
        let findings = self.registry.overview().unwrap().coordination_needed;
        findings.iter().map(Concern::to_string).collect()
    }

    fn section(&self, title: &str) -> String {
        let board = self.registry.board_text().unwrap();
        let after = board.split(&format!("{title}\n\n")).nth(1).unwrap_or_else(|| panic!("no {title} in {board}"));
        after.split("---").next().unwrap().to_owned()
    }
}

fn gone() -> Process {
    Process { pid: u32::MAX - 1, started: "never".to_owned() }
}

#[test]
fn the_board_has_the_originals_sections_with_absolute_times() {
    let office = Office::new();
    let alice =
        office.registry.register(NewSession { name: Some("Alice".to_owned()), ..NewSession::default() }).unwrap();
    let bob = office.session("session-002");
    let activity = Activity {
        action: "building".to_owned(),
        target: Some("church-guidance-ministry droplet of my_team: us".to_owned()),
        phase: Some("BUILD - landing page".to_owned()),
        progress: Some("30%".to_owned()),
        next_action: Some("implement intake form".to_owned()),
        estimated_completion: Some("2025-11-15T12:00:00Z".to_owned()),
        is_said: true,
        ..Activity::default()
    };
    office.clock.advance(Duration::from_millis(5));
    office.registry.heartbeat(&alice.id, &activity).unwrap();
    office.claim(&bob, "src/my-file.rs", &Terms::default());
    let draft = Draft { message: "Dashboard tests passing".to_owned(), ..Draft::new(MessageKind::Note) };
    office.registry.send(&bob, &Recipient::Everyone, &draft).unwrap();
    let board = office.registry.board_text().unwrap();
    let minute = office.clock.now().format("%Y-%m-%d %H:%M UTC").to_string();
    let until = (office.clock.now() + TimeDelta::hours(4)).format("%Y-%m-%d %H:%M UTC").to_string();
    let expected = [
        "# 🤝 Multi-Session Status Board",
        &format!("**Last Updated:** {minute}"),
        "**Active Sessions:** 2",
        "## 🟢 Active Sessions",
        &format!("### Alice · {} (Started: ", alice.id),
        "### session-002 (Started: ",
        "- **Status:** Building",
        "- **Working On:** church-guidance-ministry droplet of my_team: us",
        "- **Phase:** BUILD - landing page",
        "- **Progress:** 30%",
        "- **Next:** implement intake form",
        "- **Est. Complete:** 2025-11-15 12:00 UTC",
        "## 🔒 Active Claims",
        &format!("- **file/src/my-file.rs** - session-002 (expires {until})"),
        "## 📬 Recent Messages (Last Hour)",
        &format!("- **{minute}** - session-002 → broadcast: \"Dashboard tests passing\""),
        "## ⚠️ Coordination Needed",
        "- None detected",
    ];
    for part in expected {
        assert!(board.contains(part), "{part:?} is missing in\n{board}");
    }
    office.clock.advance(Duration::from_mins(61));
    assert!(office.section("Recent Messages (Last Hour)").contains("- None"), "an hour later it is old");
}

#[test]
fn the_board_is_rewritten_only_when_it_has_something_to_tell() {
    let office = Office::new();
    let alice = office.session("alice");
    let automatic = Terms { automatic: true, lease: TimeDelta::minutes(15), ..Terms::default() };
    office.claim(&alice, "a", &automatic);
    let holding = office.registry.claims().unwrap()[0].holding().unwrap();
    let refresh = || {
        office.clock.advance(Duration::from_mins(6));
        office.registry.refresh_board().unwrap();
        office.coordination().board()
    };
    let first = refresh();
    assert!(first.contains("file/a"), "{first}");
    office.registry.keep_alive(&alice).unwrap();
    office.registry.renew(&holding, TimeDelta::minutes(15)).unwrap();
    assert_eq!(refresh(), first, "neither keepalives nor renewals show");
    office.registry.set_name(&alice, "Alice").unwrap();
    let second = refresh();
    assert!(second.contains("Alice") && second != first, "{second}");
}

#[test]
fn a_verb_leaves_a_board_that_a_server_keeps() {
    let office = Office::new();
    office.coordination().write_text("STATUS_BOARD.md", "the server's");
    let keeper = office.coordination().directory().join(".board-keeper");
    let server = fs::File::create(keeper).unwrap();
    server.lock().unwrap();
    office.registry.refresh_board().unwrap();
    assert_eq!(office.coordination().board(), "the server's");
    drop(server);
    // Other tests start processes, and until such a one runs its own program it holds our locks, too.
    wait_for("the board to be written", || {
        office.registry.refresh_board().unwrap();
        office.coordination().board().contains("Active Sessions").then_some(())
    });
}

#[test]
fn coordination_needed_lists_real_findings() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    assert_eq!(office.findings(), Vec::<String>::new());

    office.claim(&alice, "src/a.rs", &Terms::default());
    office.registry.set_editing(&bob, &[Resource::file("src/a.rs").unwrap()]).unwrap();
    assert_eq!(office.findings(), ["\"bob\" is editing \"src/a.rs\", which \"alice\" holds"]);
    office.registry.set_editing(&bob, &[]).unwrap();

    let request = |about: &str| Draft {
        resource: Some(Resource::file(about).unwrap()),
        ..Draft::new(MessageKind::ReleaseRequest)
    };
    office.clock.advance(Duration::from_millis(1));
    office.registry.send(&bob, &Recipient::Session(alice.clone()), &request("src/a.rs")).unwrap();
    office.registry.send(&bob, &Recipient::Session(alice.clone()), &request("src/not-claimed.rs")).unwrap();
    let found = office.findings();
    assert!(found.len() == 1 && found[0].starts_with("\"bob\" asked \"alice\" to release \"src/a.rs\""), "{found:?}");
    office.clock.advance(Duration::from_hours(2));
    assert_eq!(office.findings(), found, "a request is pending until it is granted");
    office.registry.release(&alice, &Resource::file("src/a.rs").unwrap()).unwrap();
    assert_eq!(office.findings(), Vec::<String>::new());

    office.claim(&alice, "src/b.rs", &Terms::default());
    office.claim(&bob, "//feature-x/src/b.rs", &Terms::default());
    let found = office.findings();
    assert!(found.len() == 1 && found[0].contains("\"src/b.rs (worktree feature-x)\" by \"bob\""), "{found:?}");
    office.registry.release_all(&bob).unwrap();

    office.clock.advance(Duration::from_hours(5));
    let found = office.findings();
    assert!(found.len() == 1 && found[0].contains("src/b.rs\" by \"alice\" expired at"), "{found:?}");
    office.registry.release_all(&alice).unwrap();

    let new = NewSession { name: Some("Carol".to_owned()), keeper: Some(gone()), ..NewSession::default() };
    let carol = office.registry.register(new).unwrap();
    let found = office.findings();
    assert!(found[0].contains("\"Carol\" ended without a word"), "{found:?}");
    let json = serde_json::to_value(&office.registry.overview().unwrap().coordination_needed).unwrap();
    assert_eq!(json[0]["kind"], "silent_session", "{json}");
    assert_eq!(json[0]["session"], json!({ "session_id": carol.id.as_str(), "label": "Carol" }));
    office.registry.complete(&carol.id, &deconflict_registry::Completion::default()).unwrap();

    office.clock.advance(Duration::from_hours(25));
    assert_eq!(office.findings().len(), 2, "alice and bob have been silent for a day: {:?}", office.findings());
    assert!(office.section("Active Sessions").contains("- None"), "who gives no sign for a day is not active");
    office.claim(&bob, "c", &Terms::default());
    assert!(office.section("Active Sessions").contains("### bob"), "unless it holds something");
}

#[test]
fn damaged_records_are_told_and_hurt_nothing_else() {
    let office = Office::new();
    let alice = office.session("alice");
    office.claim(&alice, "good", &Terms::default());
    let coordination = office.coordination();
    coordination.write_text("claims/file-torn.claim", "{\"claimed_by\":");
    coordination.age("claims/file-torn.claim", Duration::from_mins(1));
    coordination.write_text("sessions/torn.json", "{");
    coordination.write_text("sessions/deep.json", &"[".repeat(500_000));
    coordination.write_text("sessions/huge.json", &" ".repeat(2 << 20));
    coordination.write_text("messages/broadcast/2025-11-15_10-00-00-torn.json", "no");
    coordination.write_text("heartbeats/2025-11-15_10-00-00-alice.json", "no");
    coordination.write_claim("alice", "file", "liar", json!({ "resource_name": "the truth" }));
    coordination.write(
        "claims/file-other.claim",
        &json!({ "claimed_by": "alice", "resource_type": "file", "resource_name": "something\u{1b}[31m else" }),
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", coordination.directory().join("sessions/link.json")).unwrap();
        let pipe = coordination.directory().join("sessions/pipe.json");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        std::os::unix::fs::symlink("/etc", coordination.directory().join("messages/direct/alice")).unwrap();
    }
    let found = office.findings();
    let mut expected = vec![
        "\"claims/file-torn.claim\" cannot be used: it is not valid JSON",
        "\"sessions/torn.json\" cannot be used",
        "\"sessions/deep.json\" cannot be used",
        "\"sessions/huge.json\" cannot be used: it is larger than 1 MiB",
        "\"messages/broadcast/2025-11-15_10-00-00-torn.json\" cannot be used",
        "the claim on \"other\" says inside that it is on \"file something[31m else\"",
    ];
    #[cfg(unix)]
    expected.extend([
        "\"sessions/link.json\" cannot be used: it is a link",
        "\"sessions/pipe.json\" cannot be used: it is a link, a folder or a device",
        "\"messages/direct/alice\" cannot be used: it is a link",
    ]);
    for part in expected {
        assert!(found.iter().any(|finding| finding.contains(part)), "{part:?} is missing in {found:#?}");
    }
    assert!(office.section("Active Claims").contains("file/good"));
}

#[test]
fn nothing_that_others_write_comes_alive_on_the_board() {
    const NASTY: &str = "**b** [a](http://e.x) <b>x</b> `c` ![i](x)\n# title\u{1b}[2J\u{202e}| www.e.x";
    let office = Office::new();
    let coordination = office.coordination();
    let long = format!("{NASTY}{}", "x".repeat(100_000));
    coordination.write_session("ghost", json!({ "name": NASTY, "current_work": long, "progress": NASTY }));
    coordination.write_claim("ghost", "task", NASTY, json!({ "phase": long }));
    coordination.write_message("ghost", "broadcast", NASTY, &long, json!({ "from": "../\u{1b}x" }));
    coordination.write("sessions/a b.json", &json!({ "session_id": NASTY, "status": "active", "client": NASTY }));
    let board = office.registry.board_text().unwrap();
    for live in ["**b**", "[a](", "<b>", "`c`", "![i](", "\n# title", "\u{1b}", "\u{202e}", "http://", "www.e"] {
        assert!(!board.contains(live), "{live:?} is live in {board}");
    }
    assert!(board.contains("title"), "{board}");
    assert!(board.len() < 8_000, "texts are cut");
}

#[test]
fn a_finding_about_long_names_is_told_to_its_end() {
    let office = Office::new();
    let coordination = office.coordination();
    let name = format!("src/{}.rs", "long".repeat(40));
    let past = timestamp(office.clock.now() - TimeDelta::hours(1));
    coordination.write_session("ghost", json!({ "name": "A rather long name of somebody" }));
    coordination.write_claim("ghost", "file", &name, json!({ "claimed_at": past, "expires_at": past }));
    let board = office.registry.board_text().unwrap();
    assert!(board.contains("anyone may take it over"), "{board}");
}

#[test]
fn what_scripts_tell_in_heartbeats_is_on_the_board() {
    let office = Office::new();
    let coordination = office.coordination();
    let yesterday = timestamp(office.clock.now() - TimeDelta::hours(30));
    coordination.write_session("session-002", json!({ "started_at": yesterday, "last_heartbeat": yesterday }));
    for (minute, action, phase) in [("01", "planning", "SPECS"), ("05", "testing", "PRODUCTION - testing")] {
        coordination.write(
            &format!("heartbeats/2025-11-15_10-{minute}-session-002.json"),
            &json!({
                "session_id": "session-002", "timestamp": timestamp(office.clock.now()), "action": action,
                "target": "dashboard deployment", "phase": phase,
            }),
        );
    }
    let sessions = office.section("Active Sessions");
    for part in ["**Status:** Testing", "**Phase:** PRODUCTION - testing", "**Working On:** dashboard deployment"] {
        assert!(sessions.contains(part), "{part:?} is missing in {sessions}");
    }
    assert_eq!(office.findings(), Vec::<String>::new(), "its newest heartbeat is fresh, so it isn't silent");
}

#[test]
#[cfg(unix)]
fn a_board_that_leads_outside_is_replaced_and_not_followed() {
    let office = Office::new();
    office.session("alice");
    let outside = office.workspace.path("precious.md");
    fs::write(&outside, "precious").unwrap();
    let board = office.coordination().directory().join("STATUS_BOARD.md");
    std::os::unix::fs::symlink(&outside, &board).unwrap();
    office.registry.refresh_board().unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
    assert!(fs::symlink_metadata(&board).unwrap().is_file());
    assert!(office.coordination().board().contains("alice"));
}

/// Everything but a folder is replaced; what somebody keeps in a folder of that name is theirs.
#[test]
fn a_folder_where_the_board_should_be_stays_as_it_is() {
    let office = Office::new();
    office.session("alice");
    let folder = office.coordination().directory().join("STATUS_BOARD.md");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("precious.md"), "precious").unwrap();
    let error = office.registry.refresh_board().unwrap_err().to_string();
    assert!(error.contains("STATUS_BOARD.md"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("precious.md")).unwrap(), "precious");
    assert_eq!(fs::read_dir(office.coordination().directory().join(".unfinished")).unwrap().count(), 0);
}

/// After a busy night there are a hundred thousand of them, each written lately by its file's own time.
#[test]
fn messages_of_ours_whose_names_are_old_are_not_opened() {
    let office = Office::new();
    office.session("alice");
    let stamp = |ago: i64| (office.clock.now() - TimeDelta::minutes(ago)).format("%Y-%m-%d_%H-%M-%S").to_string();
    office.coordination().write_text(&format!("messages/broadcast/{}.123-bob.json", stamp(61)), "not opened");
    assert_eq!(office.findings(), Vec::<String>::new());
    // Others may name theirs in local time, so that only the file's own time tells.
    office.coordination().write_text(&format!("messages/broadcast/{}-bob.json", stamp(62)), "opened");
    office.coordination().write_text(&format!("messages/broadcast/{}.123-bob.json", stamp(59)), "opened");
    assert_eq!(office.findings().len(), 2, "{:?}", office.findings());
}
