//! Sessions that follow only the original document, and ours, see each other correctly, both ways.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Coordination, Editor, Outcome, Terminal, Workspace, timestamp};

#[track_caller]
fn status(workspace: &Workspace) -> Value {
    Terminal::on(workspace).run(["status", "--json"]).expect_code(0).json()
}

#[track_caller]
fn standing_of(workspace: &Workspace, name: &str) -> String {
    let status = status(workspace);
    let claims = status["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["resource_name"] == name);
    claim.unwrap_or_else(|| panic!("Nobody holds {name} in {status}"))["standing"].as_str().unwrap().to_owned()
}

fn at(offset: TimeDelta) -> String {
    timestamp(Utc::now() + offset)
}

#[test]
fn minimal_and_full_records_are_read() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    coordination.write("sessions/session-001.json", &json!({"session_id": "session-001"}));
    coordination.write_session(
        "session-002",
        json!({
            "status": "active", "current_work": "dashboard", "capabilities": ["general-purpose", "build", "debug"],
            "started_at": "2025-11-15T10:00:00+02:00",
        }),
    );
    coordination.write("claims/droplet-minimal.claim", &json!({"claimed_by": "session-001"}));
    coordination.write_claim(
        "session-002",
        "droplet",
        "church-guidance-ministry",
        json!({"phase": "BUILD", "estimated_duration": "4 hours", "allow_coordination": true}),
    );
    let status = status(&workspace);
    let by_id = |id: &str| status["sessions"].as_array().unwrap().iter().find(|found| found["session_id"] == id);
    assert_eq!(by_id("session-001").unwrap()["state"], "live");
    assert_eq!(by_id("session-002").unwrap()["current_work"], "dashboard");
    assert_eq!(standing_of(&workspace, "minimal"), "active");
    assert_eq!(standing_of(&workspace, "church-guidance-ministry"), "active");

    let (terminal, _) = Terminal::with_new_session(&workspace);
    let refused = terminal.run(["claim", "droplet", "church-guidance-ministry"]).expect_code(1);
    assert!(refused.stderr.contains("session-002") && refused.stderr.contains("BUILD"), "{refused:?}");
    terminal.run(["claim", "droplet", "minimal"]).expect_code(1);
}

#[test]
fn a_lease_without_an_end_lasts_four_hours() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let (recent, long_ago) = (at(-TimeDelta::hours(3)), at(-TimeDelta::hours(5)));
    for (name, fields, expected) in [
        ("empty-recent", json!({"claimed_at": recent, "expires_at": ""}), "active"),
        ("empty-old", json!({"claimed_at": long_ago, "expires_at": ""}), "expired"),
        ("null-old", json!({"claimed_at": long_ago, "expires_at": null}), "expired"),
        ("words-recent", json!({"claimed_at": recent, "expires_at": "later"}), "active"),
        ("no-time", json!({"claimed_at": null, "expires_at": null}), "active"),
        ("offset", json!({"claimed_at": recent, "expires_at": "2099-01-01T00:00:00.123456+05:30"}), "active"),
    ] {
        coordination.write_claim("session-001", "task", name, fields);
        assert_eq!(standing_of(&workspace, name), expected, "{name}");
    }
    let old = Duration::from_hours(8 * 24);
    coordination.write_claim(
        "session-001",
        "task",
        "for ever",
        json!({"claimed_at": at(-TimeDelta::days(8)), "expires_at": "2099-01-01T00:00:00Z"}),
    );
    coordination.age("claims/task-for ever.claim", old);
    assert_eq!(standing_of(&workspace, "for ever"), "expired", "no lease is believed for more than seven days");
}

#[test]
fn unknown_fields_survive_a_rewrite() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({"mood": "good", "extra": {"deep": [1, 2]}}));
    coordination.write_claim("session-001", "file", "README.md", json!({"ticket": 42}));
    let terminal = Terminal::on(&workspace).session("session-001");
    terminal.run(["claim", "file", "README.md", "--for", "6h"]).expect_code(0);
    terminal.run(["heartbeat", "building", "the parser"]).expect_code(0);
    let claim = coordination.claim("README.md").unwrap();
    assert_eq!((&claim["ticket"], &claim["claimed_by"]), (&json!(42), &json!("session-001")));
    let session = coordination.session("session-001").unwrap();
    assert_eq!((&session["mood"], &session["extra"]["deep"]), (&json!("good"), &json!([1, 2])));
    assert_eq!(session["current_work"], "the parser");
    terminal.run(["end"]).expect_code(0);
    assert_eq!(coordination.session("session-001").unwrap()["mood"], "good");
}

#[test]
fn message_text_is_read_wherever_it_is() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let (terminal, id) = Terminal::with_new_session(&workspace);
    coordination.write_message("session-001", &id, "plain", "the text", json!({}));
    coordination.write(
        "messages/broadcast/2099-11-15_12-00-session-001.json",
        &json!({
            "from": "session-001", "to": "broadcast", "timestamp": at(TimeDelta::zero()), "type": "work_completed",
            "subject": "done", "details": {"resource": "church-guidance-ministry", "tests_passing": true},
        }),
    );
    let messages = terminal.run(["messages", "--json"]).expect_code(0).json();
    let text_of = |subject: &str| {
        let all = messages["messages"].as_array().unwrap();
        let message = all.iter().find(|message| message["subject"] == subject);
        message.unwrap_or_else(|| panic!("no {subject} in {messages}"))["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(text_of("plain"), "the text");
    assert!(text_of("done").contains("church-guidance-ministry") && text_of("done").contains("tests_passing: true"));
}

#[test]
fn claim_files_count_by_their_names_whoever_spelled_them() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let record = |kind: &str, name: &str| json!({"claimed_by": "session-001", "claimed_at": at(TimeDelta::zero()), "resource_type": kind, "resource_name": name});
    // As our encoding writes them.
    coordination.write("claims/file-src%2Flib.rs.claim", &record("file", "src/lib.rs"));
    coordination.write("claims/file-CONSCIOUSNESS.md.claim", &record("file", "CONSCIOUSNESS.md"));
    // As it never would: small hexadecimal digits, a type that is none of ours, a record that says something else.
    coordination.write("claims/file-src%2fmain.rs.claim", &record("file", "src/main.rs"));
    coordination.write("claims/Machine-Öl Pumpe.claim", &record("Machine", "Öl Pumpe"));
    coordination.write("claims/file-README.md.claim", &record("file", "somewhere/else.md"));
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for name in ["src/lib.rs", "CONSCIOUSNESS.md", "README.md"] {
        terminal.run(["claim", "file", name]).expect_code(1);
    }
    terminal.run(["claim", "file", "somewhere/else.md"]).expect_code(0);
    let status = status(&workspace);
    let names: Vec<&str> =
        status["claims"].as_array().unwrap().iter().map(|claim| claim["resource_name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Öl Pumpe") && names.contains(&"src/main.rs"), "{names:?}");
    assert!(status.to_string().contains("somewhere/else.md"), "what the record says is told");

    let holder = Terminal::on(&workspace).session("session-001");
    holder.run(["release", "Machine", "Öl Pumpe"]).expect_code(0);
    holder.run(["release", "file", "README.md"]).expect_code(0);
}

#[test]
fn names_that_could_lead_out_are_followed_nowhere() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    coordination.write("claims/task-evil.claim", &json!({"claimed_by": "../../../outside"}));
    coordination.write(
        "claims/task-also-evil.claim",
        &json!({"claimed_by": "x", "resource_type": "../a", "resource_name": "../../b"}),
    );
    coordination.write("sessions/session-001.json", &json!({"session_id": "../../../outside"}));
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["status"]).expect_code(0);
    for task in ["evil", "also-evil"] {
        // What was just written may be incomplete; what stays so may be taken by force.
        coordination.age(&format!("claims/task-{task}.claim"), Duration::from_mins(1));
        terminal.run(["claim", "task", task, "--force"]).expect_code(0);
    }
    assert!(!workspace.beside("outside").exists() && !workspace.beside("outside.json").exists());
}

#[test]
fn a_record_that_is_being_written_is_respected_and_a_damaged_one_is_shown() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    coordination.write_text("claims/file-README.md.claim", "{\"claimed_by\": \"session-0");
    assert_eq!(standing_of(&workspace, "README.md"), "pending");
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let refused = terminal.run(["claim", "file", "README.md", "--force"]).expect_code(1);
    assert!(refused.stderr.contains("not complete yet"), "not even force goes over it: {refused:?}");
    coordination.age("claims/file-README.md.claim", Duration::from_mins(1));
    assert_eq!(standing_of(&workspace, "README.md"), "damaged");
    let refused = terminal.run(["claim", "file", "README.md"]).expect_code(1);
    assert!(refused.stderr.contains("damaged"), "{refused:?}");
    coordination.age("claims/file-README.md.claim", Duration::from_hours(5));
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    assert_eq!(coordination.holder("README.md"), Some(id), "it blocks nobody for longer than a default lease");
}

#[test]
fn what_we_write_the_originals_shell_can_read() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "droplet", "church-guidance"]).expect_code(0);
    terminal.run(["send", "broadcast", "A \"quoted\" subject", "and a\nsecond line"]).expect_code(0);
    let coordination = workspace.coordination();
    assert_eq!(coordination.claim_files(), ["droplet-church-guidance.claim"]);
    assert!(workspace.path(format!("COORDINATION/sessions/{id}.json")).is_file());
    let claim = coordination.claim("church-guidance").unwrap();
    for field in ["claimed_by", "claimed_at", "resource_type", "resource_name", "expires_at"] {
        assert!(claim[field].is_string(), "{field} of {claim}");
    }
    assert!(claim["expires_at"].as_str().unwrap().ends_with('Z'));
    let message = coordination.messages_to("broadcast").pop().unwrap();
    for field in ["from", "to", "timestamp", "subject", "message"] {
        assert!(message[field].is_string(), "{field} of {message}");
    }
}

/// Runs one of the wrappers as a user of the original would, from the folder above the directory.
#[cfg(unix)]
#[track_caller]
fn script(workspace: &Workspace, name: &str, words: &[&str]) -> Outcome {
    let prompt = Terminal::on(workspace);
    let prompt = prompt.command::<&str>([]);
    let mut command = Command::new(workspace.path(format!("COORDINATION/scripts/session-{name}.sh")));
    command.env_clear().envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let program = Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap();
    command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    // Whatever runs these tests, the wrappers' users have one session in `.current_session` and no variable.
    let ended = command.args(words).current_dir(workspace.root()).stdin(Stdio::null()).output().unwrap();
    Outcome {
        exit_code: ended.status.code().unwrap_or(-1),
        stdout: String::from_utf8(ended.stdout).unwrap(),
        stderr: String::from_utf8(ended.stderr).unwrap(),
    }
}

#[cfg(unix)]
#[test]
fn the_seven_scripts_work_as_the_original_says() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init", "--scripts"]).expect_code(0);
    let started = script(&workspace, "start", &[]).expect_code(0);
    let current = workspace.read("COORDINATION/.current_session");
    let id = current.trim();
    assert_eq!(started.stdout, format!("✅ Session {id} registered\n"));

    let coordination = workspace.coordination();
    assert_eq!(script(&workspace, "heartbeat", &["building", "a target", "BUILD"]).expect_code(0).stdout, "");
    assert_eq!(coordination.heartbeats(id).pop().unwrap()["phase"], "BUILD");

    let claimed = script(&workspace, "claim", &["droplet", "church-guidance"]).expect_code(0);
    assert_eq!(claimed.stdout, "✅ Claimed: droplet/church-guidance\n");
    let refused = script(&workspace, "release", &["droplet", "unknown"]).expect_code(1);
    assert_eq!(refused.stdout, "⚠️  No claim found for droplet/unknown\n");

    let shown = script(&workspace, "status", &[]).expect_code(0).stdout;
    let (sessions, claims) = shown.split_once("\n\n").unwrap();
    assert!(sessions.starts_with(&format!("=== ACTIVE SESSIONS ===\n{id}: active - ")), "{shown}");
    assert_eq!(claims, format!("=== ACTIVE CLAIMS ===\ndroplet: church-guidance (claimed by {id})\n"));

    let sent = script(&workspace, "send-message", &["broadcast", "Subject", "Text"]).expect_code(0);
    assert_eq!(sent.stdout, "✅ Message sent to broadcast\n");
    coordination.write_session("session-001", json!({}));
    coordination.write_message("session-001", id, "Question", "Can I help?", json!({}));
    coordination.write_claim("session-001", "droplet", "dashboard", json!({}));
    // Two live sessions: `.current_session` would be a guess, so the variable says who is meant.
    let terminal = Terminal::on(&workspace).session(id);
    let told = terminal.run(["--original", "messages"]).expect_code(0).stdout;
    assert!(told.starts_with("=== BROADCAST MESSAGES ===\n\n=== DIRECT MESSAGES ===\nFrom: session-001\nSubject: Question\nMessage: Can I help?\n---\n"), "{told}");
    let refused = terminal.run(["--original", "claim", "droplet", "dashboard"]).expect_code(1);
    assert_eq!(
        refused.stdout,
        "⚠️  Already claimed by session-001\nCheck COORDINATION/claims/droplet-dashboard.claim\n"
    );
    let released = terminal.run(["--original", "release", "droplet", "church-guidance"]).expect_code(0);
    assert_eq!(released.stdout, "✅ Released: droplet/church-guidance\n");
}

#[test]
fn scripts_that_are_run_where_they_are_name_files_of_the_workspace() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    terminal.run(["init", "--scripts"]).expect_code(0);
    let id = terminal.run(["start"]).expect_code(0).stdout;
    let among_scripts = terminal.session(id.trim()).in_folder("COORDINATION/scripts");
    among_scripts.run(["--original", "claim", "file", "CONSCIOUSNESS.md"]).expect_code(0);
    assert_eq!(workspace.coordination().claim_files(), ["file-CONSCIOUSNESS.md.claim"]);
    among_scripts.run(["--original", "release", "file", "CONSCIOUSNESS.md"]).expect_code(0);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn times_can_be_read_by_the_tools_that_the_originals_users_have() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let claim = terminal.run(["claim", "file", "README.md", "--json"]).expect_code(0).json();
    let coordination = workspace.coordination();
    let session = coordination.session(&id).unwrap();
    for time in [&claim["claim"]["expires_at"], &session["started_at"], &coordination.heartbeats(&id)[0]["timestamp"]] {
        // What jq's `fromdate` and the `date -f` of macOS take.
        let time = time.as_str().unwrap();
        assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%SZ").is_ok(), "{time}");
    }
}

#[cfg(unix)]
#[test]
fn the_scripts_are_added_once_and_may_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let states = |terminal: &Terminal| {
        let document = terminal.run(["init", "--scripts", "--json"]).expect_code(0).json();
        let scripts = document["scripts"].as_array().unwrap().clone();
        scripts.into_iter().map(|script| script["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&terminal), ["added"; 7]);
    assert_eq!(states(&terminal), ["there"; 7]);
    for entry in std::fs::read_dir(workspace.path("COORDINATION/scripts")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o100, 0o100, "{}", path.display());
        assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{}", path.display());
    }
}

/// The original's own scripts, as the document prints them, with GNU date in place of BSD's.
fn as_the_original_claims(coordination: &Coordination, session: &str, name: &str) {
    coordination.write_claim(session, "file", name, json!({"expires_at": ""}));
}

#[cfg(unix)]
#[test]
fn a_current_session_that_is_no_file_names_nobody() {
    let workspace = Workspace::small();
    let (_, id) = Terminal::with_new_session(&workspace);
    let current = workspace.coordination().directory().join(".current_session");
    assert!(Command::new("mkfifo").arg(&current).status().unwrap().success());
    let told = Terminal::on(&workspace).run(["messages", "--json"]).expect_code(2);
    assert_eq!(told.json()["reason"], "no-session", "{told:?}");
    Terminal::on(&workspace).session(&id).run(["messages"]).expect_code(0);
}

#[test]
fn a_holder_without_a_session_is_not_written_to() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    coordination.write_claim("session-001", "file", "README.md", json!({}));
    let refused = terminal.run(["claim", "file", "README.md"]).expect_code(1);
    assert!(refused.stderr.contains("session-001") && !refused.stderr.contains("deconflict send"), "{refused:?}");
}

#[test]
fn a_script_that_takes_no_lock_is_noticed() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    as_the_original_claims(&coordination, "session-001", "README.md");
    let refused = terminal.run(["release", "file", "README.md"]).expect_code(1);
    assert!(refused.stderr.contains("session-001"), "what is reported was read again: {refused:?}");
    coordination.remove_claim("file", "README.md");
    terminal.run(["release", "file", "README.md"]).expect_code(2);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
}

/// Nothing stops a script from writing over a claim; both sides are told at once, whichever is in an editor.
#[test]
fn a_script_that_writes_over_an_editors_claim_is_told_and_so_is_the_editor() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("README.md");
    hers.type_text("x");
    coordination.wait_for_claim("README.md");
    as_the_original_claims(&coordination, "session-001", "README.md");
    let lost = hers.wait_for_diagnostic("claim-lost");
    assert!(lost["message"].as_str().unwrap().contains("session-001"), "{lost}");
    let told = coordination.wait_for("the script's session to be told", |here| here.messages_to("session-001").pop());
    assert_eq!(told["from"], alice.session_id().as_str());
    assert_eq!(told["resource"], "file/README.md");
    assert!(told["message"].as_str().unwrap().contains("was written over mine"), "{told}");
    alice.settle(&workspace);
    assert_eq!(coordination.messages_to("session-001").len(), 1, "once");
    assert_eq!(coordination.holder("README.md").as_deref(), Some("session-001"), "nobody takes it back by force");
}
