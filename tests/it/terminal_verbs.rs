//! What each verb does when nothing stands against it, seen in its words, its JSON and the records it leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Coordination, Outcome, Terminal, Workspace, timestamp};

fn time_of(record: &Value, field: &str) -> DateTime<Utc> {
    let text = record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record}"));
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

/// Runs a verb twice where it may be: in words, and as JSON.
#[track_caller]
fn json_of(terminal: &Terminal, words: &[&str]) -> Value {
    let outcome = terminal.run(words.iter().copied().chain(["--json"])).expect_code(0);
    let document = outcome.json();
    assert_eq!(document["ok"], true, "{document}");
    assert_eq!(outcome.stderr, "", "nothing is said beside the document");
    document
}

#[test]
fn start_registers_a_session_and_prints_its_id_alone() {
    let workspace = Workspace::small();
    let started = Terminal::on(&workspace)
        .run(["start", "--name", "Ada", "--work", "the parser", "--client", "kakoune", "--capability", "build,debug"])
        .expect_code(0);
    let id = started.stdout.trim_end();
    assert!(id.starts_with("session-") && !id.contains(char::is_whitespace), "{started:?}");
    let record = workspace.coordination().session(id).unwrap();
    for (field, expected) in [
        ("session_id", json!(id)),
        ("status", json!("active")),
        ("current_work", json!("the parser")),
        ("capabilities", json!(["build", "debug"])),
        ("name", json!("Ada")),
        ("client", json!("kakoune")),
        ("user", json!("tester")),
        ("branch", json!("main")),
    ] {
        assert_eq!(record[field], expected, "{field} of {record}");
    }
    assert_eq!(record["started_at"], record["last_heartbeat"]);
    assert_eq!(workspace.coordination().heartbeats(id).len(), 1, "a start is a significant action");
}

#[test]
fn a_one_shot_verb_never_records_its_own_process() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let running = terminal.spawn(["start"]);
    let own = running.id();
    let id = running.wait().expect_code(0).stdout.trim().to_owned();
    let record = workspace.coordination().session(&id).unwrap();
    assert_ne!(record["pid"], own, "{record}");
    assert_ne!(record["client_pid"], own, "{record}");
}

#[test]
fn start_makes_the_directory_and_keeps_it_out_of_git() {
    let workspace = Workspace::small();
    assert!(!workspace.coordination().exists());
    Terminal::on(&workspace).run(["start"]).expect_code(0);
    assert!(workspace.coordination().exists());
    assert_eq!(workspace.git(&["status", "--porcelain"]), "");
}

#[test]
fn start_exports_what_a_shell_evaluates() {
    let workspace = Workspace::small();
    let exported = Terminal::on(&workspace).run(["start", "--export"]).expect_code(0).stdout;
    let id = workspace.coordination().sessions()[0]["session_id"].as_str().unwrap().to_owned();
    assert_eq!(exported, format!("export DECONFLICT_SESSION={id}\n"));

    let directory = workspace.path("COORDINATION");
    let named =
        Terminal::on(&workspace).in_folder("src").run(["start", "--export", "--dir", directory.to_str().unwrap()]);
    let named = named.expect_code(0).stdout;
    assert!(named.contains(&format!("export DECONFLICT_DIR={}\n", directory.display())), "{named}");
}

#[test]
fn start_takes_a_name_of_the_users_own() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    assert_eq!(terminal.run(["start", "--session", "build-1"]).expect_code(0).stdout, "build-1\n");
    let document = json_of(&terminal, &["start", "--session", "build-2", "--name", "Second"]);
    assert_eq!(document["session_id"], "build-2");
    assert_eq!(document["session"]["name"], "Second");
    assert_eq!(document["directory"], workspace.path("COORDINATION").to_str().unwrap());
}

#[test]
fn start_goes_on_with_a_session_that_ended() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    terminal.run(["start", "--session", "build"]).expect_code(0);
    terminal.run(["end", "--session", "build"]).expect_code(0);
    terminal.run(["start", "--session", "build"]).expect_code(0);
    assert_eq!(workspace.coordination().session("build").unwrap()["status"], "active");
    terminal.run(["claim", "file", "README.md", "--session", "build"]).expect_code(0);
}

#[test]
fn heartbeat_tells_what_is_being_done() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal
        .in_folder("src")
        .run([
            "heartbeat",
            "building",
            "the parser",
            "BUILD",
            "--progress",
            "30%",
            "--next",
            "tests",
            "--files",
            "lib.rs",
            "parser.rs,../README.md",
            "--eta",
            "2h",
        ])
        .expect_code(0);
    let coordination = workspace.coordination();
    let heartbeat = coordination.heartbeats(&id).pop().unwrap();
    for (field, expected) in [
        ("action", json!("building")),
        ("target", json!("the parser")),
        ("phase", json!("BUILD")),
        ("progress", json!("30%")),
        ("next_action", json!("tests")),
        ("files_touched", json!(["src/lib.rs", "src/parser.rs", "README.md"])),
    ] {
        assert_eq!(heartbeat[field], expected, "{field} of {heartbeat}");
    }
    let left = time_of(&heartbeat, "estimated_completion") - time_of(&heartbeat, "timestamp");
    assert!((left - TimeDelta::hours(2)).abs() < TimeDelta::seconds(5), "{heartbeat}");
    let session = coordination.session(&id).unwrap();
    assert_eq!((&session["current_work"], &session["phase"]), (&json!("the parser"), &json!("BUILD")));
}

#[test]
fn heartbeat_takes_the_originals_empty_words() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let document = json_of(&terminal, &["heartbeat", "thinking", "", ""]);
    assert_eq!((&document["action"], &document["target"]), (&json!("thinking"), &Value::Null));
    assert_eq!(document["session_id"], id.as_str());
}

#[test]
fn durations_are_numbers_with_units() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for (given, lease) in [
        ("90s", "1 minute"),
        ("90m", "1 hour 30 minutes"),
        ("2h30m", "2 hours 30 minutes"),
        ("4 hours", "4 hours"),
        ("7d", "7 days"),
        ("1w", "7 days"),
    ] {
        let told = terminal.run(["claim", "task", "x", "--for", given, "--json"]).expect_code(0).json();
        assert_eq!(told["claim"]["estimated_duration"], lease, "{given}");
    }
    for words in ["tonight", "2025-11-15T12:00:00Z"] {
        let told = terminal.run(["heartbeat", "building", "--eta", words, "--json"]).expect_code(0).json();
        assert_eq!(told["estimated_completion"], words);
    }
}

#[test]
fn claim_writes_the_originals_record_and_tells_until_when() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let told = terminal.run(["claim", "file", "src/parser.rs", "--phase", "BUILD", "--for", "2h30m"]).expect_code(0);
    assert!(told.stdout.starts_with("Claimed \"src/parser.rs\" until "), "{told:?}");
    assert!(told.stdout.contains("(in 2 hours 30 minutes)"), "{told:?}");
    let coordination = workspace.coordination();
    let claim = coordination.claim("src/parser.rs").unwrap();
    for (field, expected) in [
        ("claimed_by", json!(id)),
        ("resource_type", json!("file")),
        ("resource_name", json!("src/parser.rs")),
        ("phase", json!("BUILD")),
        ("allow_coordination", json!(true)),
        ("branch", json!("main")),
    ] {
        assert_eq!(claim[field], expected, "{field} of {claim}");
    }
    let lease = time_of(&claim, "expires_at") - time_of(&claim, "claimed_at");
    assert_eq!(lease, TimeDelta::minutes(150));
    assert_eq!(coordination.heartbeats(&id).pop().unwrap()["action"], "claimed");
}

#[test]
fn claim_takes_paths_from_where_the_caller_stands_and_names_as_they_are() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let coordination = workspace.coordination();
    let absolute = workspace.path("README.md");
    for (folder, words, file) in [
        (".", ["claim", "file", absolute.to_str().unwrap()], "file-README.md.claim"),
        ("src", ["claim", "file", "../src/./lib.rs"], "file-src%2Flib.rs.claim"),
        ("src", ["claim", "file", "new.rs"], "file-src%2Fnew.rs.claim"),
        (".", ["claim", "directory", "docs/"], "directory-docs.claim"),
        ("src", ["claim", "droplet", "church-guidance"], "droplet-church-guidance.claim"),
        ("src", ["claim", "task", "../deploy: now?"], "task-%2E.%2Fdeploy%3A now%3F.claim"),
    ] {
        terminal.clone().in_folder(folder).run(words).expect_code(0);
        assert!(coordination.claim_files().contains(&file.to_owned()), "{words:?}: {:?}", coordination.claim_files());
    }
}

#[test]
fn claiming_again_renews() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let first = json_of(&terminal, &["claim", "file", "README.md", "--for", "1h"]);
    let again = json_of(&terminal, &["claim", "file", "README.md", "--for", "3h"]);
    assert_eq!((&first["outcome"], &again["outcome"]), (&json!("granted"), &json!("renewed")));
    assert!(time_of(&again["claim"], "expires_at") > time_of(&first["claim"], "expires_at"));
    assert_eq!(first["claim"]["id"], again["claim"]["id"], "it is the same holding");
    assert_eq!(workspace.coordination().holder("README.md"), Some(id));
}

#[test]
fn claim_takes_over_what_ran_out_or_was_left_behind_and_says_so() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let earlier = crate::support::timestamp(Utc::now() - TimeDelta::hours(5));
    coordination.write_session("session-late", json!({}));
    coordination.write_claim("session-late", "file", "a", json!({"claimed_at": earlier, "expires_at": earlier}));
    coordination.write_session("session-over", json!({"status": "completed"}));
    coordination.write_claim("session-over", "file", "b", json!({}));
    let (terminal, id) = Terminal::with_new_session(&workspace);

    for (name, before, how) in [("a", "session-late", "had expired"), ("b", "session-over", "is gone")] {
        let told = terminal.run(["claim", "file", name]).expect_code(0);
        assert!(told.stdout.contains(before) && told.stdout.contains(how), "{told:?}");
        assert_eq!(coordination.holder(name).as_ref(), Some(&id));
    }
    let told = coordination.messages_to("session-late");
    assert_eq!(told[0]["type"], "taken_over", "{told:?}");
}

#[test]
fn force_displaces_a_holder_who_is_told() {
    let workspace = Workspace::small();
    let (holder, holder_id) = Terminal::with_new_session(&workspace);
    holder.run(["claim", "file", "README.md"]).expect_code(0);
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let document = json_of(&terminal, &["claim", "file", "README.md", "--force"]);
    assert_eq!(document["claim"]["claimed_by"], id.as_str());
    assert_eq!(document["took_over"]["claimed_by"], holder_id.as_str());
    let told = holder.run(["messages", "--json"]).expect_code(0).json();
    assert_eq!(told["messages"][0]["type"], "taken_over", "{told}");
    holder.run(["release", "file", "README.md"]).expect_code(1);
}

#[test]
fn a_claim_that_is_waited_for_comes_when_it_is_released() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_new_session(&workspace);
    holder.run(["claim", "file", "README.md"]).expect_code(0);
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let mut waiting = terminal
        .command(["claim", "file", "README.md", "--wait", "1m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("Waiting up to"), "it shows that it lives: {told:?}");
    assert!(waiting.try_wait().unwrap().is_none());
    holder.run(["release", "file", "README.md"]).expect_code(0);
    let released = Instant::now();
    assert!(waiting.wait().unwrap().success());
    assert!(released.elapsed() < Duration::from_secs(2), "{:?}", released.elapsed());
    assert_eq!(workspace.coordination().holder("README.md"), Some(id));
}

#[test]
fn a_claim_of_the_same_path_in_another_worktree_is_told_and_excludes_nobody() {
    let workspace = Workspace::small();
    let other = workspace.add_worktree("feature");
    let (holder, _) = Terminal::with_new_session(&workspace);
    holder.clone().in_folder(&other).run(["claim", "file", "README.md"]).expect_code(0);
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let document = json_of(&terminal, &["claim", "file", "README.md"]);
    assert_eq!(document["claimed_elsewhere"][0]["resource_name"], "//feature/README.md", "{document}");
    let told = terminal.run(["claim", "file", "README.md"]).expect_code(0);
    assert!(told.stdout.contains("worktree feature") && told.stdout.contains("merge"), "{told:?}");
    let back = holder.in_folder(&other).run(["claim", "file", "README.md"]).expect_code(0);
    assert!(back.stdout.contains("main worktree"), "{back:?}");
}

#[test]
fn release_gives_up_one_or_all() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    for name in ["README.md", "src/lib.rs", "src/main.rs"] {
        terminal.run(["claim", "file", name]).expect_code(0);
    }
    let told = terminal.run(["release", "file", "src/lib.rs"]).expect_code(0);
    assert_eq!(told.stdout, "Released \"src/lib.rs\".\n");
    assert_eq!(workspace.coordination().heartbeats(&id).pop().unwrap()["action"], "released");
    let document = json_of(&terminal, &["release", "--all"]);
    let names: Vec<_> = document["released"].as_array().unwrap().iter().map(|claim| &claim["resource_name"]).collect();
    assert_eq!(names, ["README.md", "src/main.rs"]);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    assert_eq!(terminal.run(["release", "--all"]).expect_code(0).stdout, "You hold nothing.\n");
    let session = workspace.coordination().session(&id).unwrap();
    assert_eq!(session["current_work"], Value::Null, "who holds nothing works on nothing: {session}");
}

#[test]
fn release_finds_what_was_claimed_before_the_file_went() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "directory", "src"]).expect_code(0);
    workspace.git(&["rm", "-r", "--quiet", "src"]);
    workspace.write("src", "a file now");
    terminal.run(["release", "directory", "src"]).expect_code(0);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn release_of_completed_work_tells_everyone_in_the_originals_fields() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "droplet", "church-guidance", "--phase", "BUILD"]).expect_code(0);
    terminal
        .run([
            "release",
            "droplet",
            "church-guidance",
            "--completed",
            "--next-phase",
            "PRODUCTION",
            "--files",
            "src/lib.rs,src/main.rs",
            "--tests-passing",
        ])
        .expect_code(0);
    let message = workspace.coordination().messages_to("broadcast").pop().unwrap();
    assert_eq!(message["from"], id.as_str());
    assert_eq!(message["type"], "work_completed");
    assert_eq!(message["subject"], "church-guidance BUILD phase complete");
    assert_eq!(
        message["details"],
        json!({
            "resource": "church-guidance", "phase_completed": "BUILD", "next_phase": "PRODUCTION",
            "files_modified": ["src/lib.rs", "src/main.rs"], "tests_passing": true,
        })
    );
    assert!(!message["message"].as_str().unwrap().is_empty(), "the text is always in message too");

    terminal.run(["claim", "droplet", "church-guidance"]).expect_code(0);
    let words = ["release", "droplet", "church-guidance", "--completed", "TEST", "--tests-passing", "false"];
    let document = json_of(&terminal, &words);
    assert_eq!(document["sent"]["details"]["phase_completed"], "TEST");
    assert_eq!(document["sent"]["details"]["tests_passing"], false);
}

#[test]
fn a_plain_release_tells_nobody() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    terminal.run(["release", "file", "README.md"]).expect_code(0);
    assert_eq!(workspace.coordination().messages_to("broadcast"), Vec::<Value>::new());
}

#[test]
fn messages_are_shown_once_unread_ones_first() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, bob_id) = Terminal::with_new_session(&workspace);
    bob.run(["send", &ada_id, "First", "one\ntwo"]).expect_code(0);
    assert!(ada.run(["messages"]).expect_code(0).stdout.contains("First"));
    bob.run(["send", "broadcast", "Second", "to all"]).expect_code(0);

    let peeked = json_of(&ada, &["messages", "--peek"]);
    assert_eq!(peeked["unread"], 1, "{peeked}");
    assert_eq!(peeked["messages"][0]["from"], bob_id.as_str());
    let all = json_of(&ada, &["messages", "--all"]);
    let subjects: Vec<_> = all["messages"].as_array().unwrap().iter().map(|message| &message["subject"]).collect();
    assert_eq!(subjects, ["Second", "First"], "a peek left it unread, and unread ones come first");
    let none = ada.run(["messages"]).expect_code(0);
    assert!(none.stdout.starts_with("No new messages."), "{none:?}");
    assert!(none.stdout.contains("2 messages that you have read"), "{none:?}");
    assert_eq!(json_of(&bob, &["messages"])["messages"], json!([]), "nobody gets a message of their own");
}

#[test]
fn a_message_needs_no_subject() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    bob.run(["send", &ada_id, "Lunch at noon?"]).expect_code(0);
    bob.run_with_input(["send", "broadcast", "-"], "Back in an hour.").expect_code(0);
    let shown = ada.run(["messages"]).expect_code(0).stdout;
    assert!(shown.contains("Lunch at noon?") && shown.contains("Back in an hour."), "{shown}");
    assert!(ada.run(["status"]).expect_code(0).stdout.contains("Lunch at noon?"), "the status tells its text");
    assert!(workspace.coordination().board().contains("Lunch at noon?"));
}

#[test]
fn of_a_recipients_name_the_first_word_will_do() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada Lovelace");
    let (grace, _) = Terminal::with_named_session(&workspace, "Grace Hopper");
    grace.run(["send", "ada", "Lunch at noon?"]).expect_code(0);
    assert!(ada.run(["messages"]).expect_code(0).stdout.contains("Lunch at noon?"));
    let (_other, _) = Terminal::with_named_session(&workspace, "Ada Byron");
    let refused = grace.run(["send", "ada", "Which of you?"]).expect_code(2).stderr;
    assert!(refused.contains("Ada Lovelace") && refused.contains("Ada Byron"), "{refused}");
}

#[test]
fn what_waits_for_a_person_is_said_by_the_next_verb() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    let remarks = || ada.run(["check", "README.md"]).expect_code(0).stderr;
    assert_eq!(remarks(), "");
    bob.run(["send", &ada_id, "Lunch at noon?"]).expect_code(0);
    for _ in 0..2 {
        assert_eq!(remarks(), "1 unread message: deconflict messages\n", "it waits until it is read");
    }
    assert_eq!(ada.run(["check", "README.md", "--json"]).expect_code(0).stderr, "");
    ada.run(["messages"]).expect_code(0);
    assert_eq!(remarks(), "");
    ada.run(["claim", "src/main.rs"]).expect_code(0);
    bob.run(["claim", "src/main.rs", "--force"]).expect_code(0);
    assert!(remarks().contains("Your claim of src/main.rs was taken over"));
    assert_eq!(remarks(), "", "a loss is told once");
}

#[test]
fn messages_stay_unread_when_their_reader_closes_the_pipe() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    bob.run_with_input(["send", &ada_id, "Long", "-"], &"much text\n".repeat(40_000)).expect_code(0);
    bob.run(["send", &ada_id, "Short", "text"]).expect_code(0);
    let mut child = ada.command(["messages", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "a closed pipe is no error");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "and no panic");
    assert_eq!(json_of(&ada, &["messages", "--peek"])["unread"], 2);
}

#[test]
fn send_takes_any_text_and_reads_standard_input() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    let odd = "-5 °C \"quoted\" $HOME \u{1b}[31m\nnext";
    bob.run(["send", &ada_id, "- weather", odd, "--type", "release_request", "--reply-to", "abc"]).expect_code(0);
    bob.run_with_input(["send", &ada_id, "piped", "-"], "from a pipe\n").expect_code(0);
    let messages = json_of(&ada, &["messages"]);
    assert_eq!(messages["messages"][0]["message"], odd);
    assert_eq!(messages["messages"][0]["type"], "release_request");
    assert_eq!(messages["messages"][0]["in_reply_to"], "abc");
    assert_eq!(messages["messages"][1]["message"], "from a pipe\n");
    let shown = ada.run(["messages", "--all"]).expect_code(0).stdout;
    assert!(!shown.contains('\u{1b}'), "nothing in it steers the terminal: {shown:?}");
}

#[test]
fn check_says_whether_all_may_be_edited() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    ada.run(["claim", "directory", "src"]).expect_code(0);
    ada.run(["check", "src/lib.rs", "README.md", "new.txt", "/etc/passwd"]).expect_code(0);
    let nobody = Terminal::on(&workspace).session("session-of-another-workspace");
    assert_eq!(nobody.run(["check", "README.md"]).expect_code(0).stdout, "You may edit README.md.\n");
    let held = nobody.run(["check", "README.md", "src/lib.rs", "--json"]).expect_code(1);
    let document = held.json();
    assert_eq!((&document["ok"], &document["reason"]), (&json!(false), &json!("claimed")));
    assert_eq!(document["paths"][0]["may_edit"], true);
    assert_eq!(document["paths"][1]["may_edit"], false);
    assert_eq!(document["paths"][1]["claim"]["claimed_by"], ada_id.as_str());
    assert!(held.stderr.contains("\"Tester\"") && held.stderr.contains("since"), "{held:?}");
}

#[test]
fn check_allows_what_was_left_behind() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-over", json!({"status": "completed"}));
    coordination.write_claim("session-over", "file", "README.md", json!({}));
    Terminal::on(&workspace).run(["check", "README.md"]).expect_code(0);
}

#[test]
fn check_asks_for_nobody_in_particular_where_the_variable_names_nobody() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_new_session(&workspace);
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    let stranger = Terminal::on(&workspace).session("session-of-another-workspace");
    stranger.run(["check", "README.md"]).expect_code(1);
    stranger.run(["check", "src/lib.rs"]).expect_code(0);
    stranger.run(["check", "src/lib.rs", "--session", "session-x"]).expect_code(2);
}

#[test]
fn check_needs_no_directory_and_makes_none() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["check", "README.md"]).expect_code(0);
    assert!(!workspace.coordination().exists());
}

#[test]
fn hand_off_gives_a_claim_with_notes() {
    let workspace = Workspace::small();
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, bob_id) = Terminal::with_new_session(&workspace);
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    let document = json_of(&ada, &["hand-off", "file", "README.md", &bob_id, "--notes", "half done"]);
    assert_eq!(document["claim"]["claimed_by"], bob_id.as_str());
    let coordination = workspace.coordination();
    assert_eq!(coordination.holder("README.md"), Some(bob_id.clone()));
    let note = coordination.handoffs().pop().unwrap();
    assert_eq!((&note["from"], &note["to"]), (&json!(ada_id), &json!(bob_id)));
    assert_eq!(note["notes"], "half done");
    assert_eq!(json_of(&bob, &["messages"])["messages"][0]["type"], "handoff");
    bob.run(["release", "file", "README.md"]).expect_code(0);
}

#[test]
fn end_completes_the_session_and_releases_all() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    let document = json_of(&terminal, &["end", "--notes", "go on with the parser", "--completed", "the lexer"]);
    assert_eq!(document["released"][0]["resource_name"], "README.md");
    let coordination = workspace.coordination();
    let record = coordination.session(&id).unwrap();
    assert_eq!(record["status"], "completed");
    assert_eq!(record["work_completed"], json!(["the lexer"]));
    assert_eq!(record["handoff_notes"], "go on with the parser");
    assert!(record["ended_at"].is_string() && record["total_duration"].is_string(), "{record}");
    assert_eq!(coordination.claim_files(), Vec::<String>::new());
    assert_eq!(coordination.handoffs()[0]["notes"], "go on with the parser");
}

#[test]
fn init_makes_the_directory_once() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let first = json_of(&terminal, &["init"]);
    let again = json_of(&terminal, &["init"]);
    assert_eq!((&first["created"], &again["created"]), (&json!(true), &json!(false)));
    for folder in ["sessions", "heartbeats", "claims", "messages/broadcast", "messages/direct", "handoffs"] {
        assert!(workspace.path("COORDINATION").join(folder).is_dir(), "{folder}");
    }
    assert_eq!(workspace.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_directory_that_git_tracks_is_joined_only_when_told() {
    let workspace = Workspace::small();
    workspace.coordination().write_session("session-001", json!({}));
    workspace.commit_all("Track the coordination directory");
    let terminal = Terminal::on(&workspace);
    for verb in [&["start"][..], &["claim", "file", "README.md"], &["check", "README.md"], &["init"]] {
        let refused = terminal.run(verb.iter().copied().chain(["--json"])).expect_code(3);
        assert_eq!(refused.json()["reason"], "not-adopted", "{verb:?}");
        assert!(refused.stderr.contains("deconflict init --adopt"), "{refused:?}");
    }
    let shown = terminal.run(["status"]).expect_code(0);
    assert!(shown.stdout.contains("session-001") && shown.stderr.contains("init --adopt"), "{shown:?}");
    assert_eq!(json_of(&terminal, &["init", "--adopt"])["adopted"], true);
    terminal.run(["start"]).expect_code(0);
}

#[test]
fn status_shows_everything_and_needs_no_session() {
    let workspace = Workspace::small();
    let empty = json_of(&Terminal::on(&workspace), &["status"]);
    assert_eq!((&empty["exists"], &empty["sessions"]), (&json!(false), &json!([])));
    assert!(!workspace.coordination().exists(), "looking makes nothing");

    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    ada.run(["claim", "file", "README.md", "--phase", "BUILD"]).expect_code(0);
    ada.run(["send", "broadcast", "Tests are red", "since noon"]).expect_code(0);
    let status = json_of(&Terminal::on(&workspace), &["status"]);
    assert_eq!(status["sessions"][0]["session_id"], ada_id.as_str());
    assert_eq!(status["sessions"][0]["state"], "live");
    assert_eq!(status["claims"][0]["resource_name"], "README.md");
    assert_eq!(status["claims"][0]["standing"], "active");
    assert_eq!(status["messages"][0]["subject"], "Tests are red");
    let words = ada.run(["status"]).expect_code(0).stdout;
    for part in [ada_id.as_str(), "README.md", "BUILD", "you", "Tests are red", "4h left"] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[test]
fn status_shows_damaged_records_and_what_needs_coordinating() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-over", json!({"status": "completed"}));
    coordination.write_claim("session-over", "file", "README.md", json!({}));
    coordination.write_text("claims/file-broken.claim", "{\"claimed_by\": ");
    coordination.age("claims/file-broken.claim", Duration::from_mins(1));
    let status = json_of(&Terminal::on(&workspace), &["status"]);
    assert!(!status["damaged"].as_array().unwrap().is_empty(), "{status}");
    let needed = status["coordination_needed"].as_array().unwrap();
    assert!(needed.iter().any(|finding| finding["message"].as_str().unwrap().contains("README.md")), "{status}");
    let words = Terminal::on(&workspace).run(["status"]).expect_code(0).stdout;
    assert!(words.contains("file-broken.claim") && words.contains("abandoned"), "{words}");
}

/// The original has no way to end a session, so that some are never ended.
#[test]
fn a_session_that_gave_no_sign_for_a_day_is_not_shown_as_one_that_is_here() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let long_ago = timestamp(Utc::now() - TimeDelta::days(2));
    let left = json!({"started_at": long_ago, "last_heartbeat": long_ago});
    coordination.write_session("session-left", left.clone());
    let status = || Terminal::on(&workspace).run(["status"]).expect_code(0).stdout;
    assert!(status().contains("  1 silent for over a day"), "{}", status());
    let oneline = || Terminal::on(&workspace).run(["status", "--oneline"]).expect_code(0).stdout;
    assert_eq!(oneline(), "0 sessions, 0 claims\n");
    // Its name can be had again.
    Terminal::on(&workspace).run(["start", "--session", "session-left"]).expect_code(0);
    assert_eq!(oneline(), "1 session, 0 claims\n");

    coordination.write_session("session-holds", left);
    let until = timestamp(Utc::now() + TimeDelta::days(1));
    coordination.write_claim("session-holds", "task", "x", json!({"claimed_at": long_ago, "expires_at": until}));
    assert_eq!(oneline(), "2 sessions, 1 claim\n");
    Terminal::on(&workspace).run(["start", "--session", "session-holds"]).expect_code(1);
}

#[test]
fn status_on_one_line_fits_a_prompt() {
    let workspace = Workspace::small();
    assert_eq!(Terminal::on(&workspace).run(["status", "--oneline"]).expect_code(0).stdout, "");
    let (ada, ada_id) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    bob.run(["send", &ada_id, "Hello", "there"]).expect_code(0);
    assert_eq!(ada.run(["status", "--oneline"]).expect_code(0).stdout, "1 held, 0 by others, 1 unread\n");
    assert_eq!(bob.run(["status", "--oneline"]).expect_code(0).stdout, "0 held, 1 by others, 0 unread\n");
    assert_eq!(Terminal::on(&workspace).run(["status", "--oneline"]).expect_code(0).stdout, "2 sessions, 1 claim\n");
}

#[test]
fn what_changes_something_refreshes_the_board() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let coordination = workspace.coordination();
    assert!(coordination.board().contains(&id), "{}", coordination.board());
    let is_on_board = |coordination: &Coordination| coordination.board().contains("README.md").then_some(());
    // A board that is under a second old is left as it is, so that a burst of verbs doesn't write it each time.
    coordination.wait_for("a verb to refresh the board", |coordination| {
        terminal.run(["claim", "file", "README.md"]).expect_code(0);
        is_on_board(coordination)
    });
}

#[test]
fn sessions_that_come_and_go_remove_what_nobody_needs() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write("heartbeats/2020-01-01_10-00-session-001.json", &json!({"session_id": "session-001"}));
    coordination.age("heartbeats/2020-01-01_10-00-session-001.json", Duration::from_hours(48));
    let (terminal, id) = Terminal::with_new_session(&workspace);
    assert_eq!(coordination.heartbeats("session-001"), Vec::<Value>::new());
    assert_eq!(coordination.heartbeats(&id).len(), 1);
    terminal.run(["end"]).expect_code(0);
    assert_eq!(coordination.heartbeats(&id).len(), 2, "what is new stays");
}

#[test]
fn completions_and_man_page_tell_every_verb() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let run = |words: &[&str]| -> Outcome { Terminal::on(&workspace).run(words.iter().copied()).expect_code(0) };
    let verbs = ["start", "heartbeat", "claim", "release", "status", "send", "messages", "check", "hand-off", "end"];
    let asking = terminal.env("DECONFLICT_COMPLETE", "fish");
    let offered = |words: &[&str]| asking.run([&["--", "deconflict"], words].concat()).expect_code(0).stdout;
    let told = offered(&[""]);
    for verb in verbs.iter().chain(&["init", "doctor", "lsp", "help"]) {
        assert!(told.lines().any(|line| line.starts_with(verb)), "{verb} in the completions: {told}");
    }
    assert!(offered(&["claim", "--"]).contains("--no-coordination"), "flags of verbs, too");
    let page = run(&["man"]).stdout;
    for verb in verbs {
        assert!(page.contains(&format!(".SS \"{verb}\"")), "{verb} in the man page");
    }
    assert!(page.contains("\\-\\-no\\-coordination"), "{page}");
    assert!(run(&["--help"]).stdout.contains("Exit codes: 0 done"));
    assert!(run(&["--version"]).stdout.starts_with("deconflict "));
}

#[test]
fn the_readme_has_a_row_for_every_verb() {
    let workspace = Workspace::small();
    let help = Terminal::on(&workspace).run(["--help"]).expect_code(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Verbs:").skip(1).take_while(|line| !line.is_empty());
    // Further lines of a description are indented deeper.
    let verbs: Vec<&str> =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.contains(&"claim") && verbs.len() > 20, "{verbs:?}");
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        assert!(rows.iter().any(|row| row.contains(&format!("`{verb}`"))), "{verb} in the README");
    }
}

#[test]
fn completions_know_what_is_claimed_who_is_here_and_what_is_unread() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, ben_id) = Terminal::with_named_session(&workspace, "Ben");
    ben.run(["claim", "droplet", "login form"]).expect_code(0);
    ben.run(["claim", "src/main.rs"]).expect_code(0);
    ada.run(["send", "Ben", "The parser", "Mind it"]).expect_code(0);
    let ben = Terminal::on(&workspace).session(&ben_id).env("DECONFLICT_COMPLETE", "fish");
    let offered = |words: &[&str]| {
        let told = ben.run([&["--", "deconflict"], words].concat()).expect_code(0).stdout;
        told.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let has = |words: &[&str], wanted: &[&str]| {
        let told = offered(words);
        for wanted in wanted {
            assert!(told.iter().any(|it| it == wanted), "{wanted} of {words:?}: {told:?}");
        }
    };
    has(&["claim", ""], &["file", "directory", "droplet", "README.md", "src/"]);
    has(&["claim", "file", "RE"], &["README.md"]);
    workspace.write("deconflict.toml", "[resources.db]\n[resources.gpu]\ntype = \"device\"\n");
    has(&["run", "--with", ""], &["db", "gpu", "port:any"]);
    has(&["claim", ""], &["resource", "device"]);
    let ben_at_work = Terminal::on(&workspace).session(&ben_id);
    ben_at_work.run(["claim", "port", "8080"]).expect_code(0);
    for (words, names) in [
        (["claim", "resource", ""], &["db"][..]),
        (["claim", "device", "g"], &["gpu"]),
        (["claim", "droplet", ""], &["login form"]),
        (["claim", "port", ""], &["8080"]),
        (["release", "droplet", ""], &["login form"]),
        (["release", "port", ""], &["8080"]),
        (["hand-off", "file", ""], &["src/main.rs"]),
    ] {
        let mut told = offered(&words);
        told.retain(|word| !word.starts_with("--"));
        assert_eq!(told, names, "{words:?}");
    }
    has(&["claim", "--for", "2h", "resource", ""], &["db"]);
    let folders = offered(&["claim", "directory", ""]);
    assert!(folders.contains(&"src/".to_owned()) && !folders.contains(&"README.md".to_owned()), "{folders:?}");
    has(&["claim", "README.md", ""], &["src/"]);
    has(&["release", ""], &["droplet", "file", "login form", "src/main.rs"]);
    has(&["hand-off", "file", "src/main.rs", ""], &["Ada"]);
    has(&["send", ""], &["Ada", "broadcast"]);
    has(&["status", "--session", ""], &["Ada", "Ben"]);
    let unread = offered(&["messages", "--id", ""]);
    assert_eq!(unread.len(), 1, "{unread:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Terminal::on(&workspace).run(["completions", shell]).expect_code(0).stdout;
        assert!(script.contains("DECONFLICT_COMPLETE"), "{script}");
    }
}

#[test]
fn what_the_readme_shows_works_as_it_stands_in_a_fresh_clone() {
    let readme = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("## From a terminal").nth(1).unwrap();
    let block = section.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("$ ").unwrap()).collect();
    assert!(lines.len() >= 4, "{block}");
    let workspace = Workspace::small();
    let place = std::path::Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", place.display());
    let script = format!("set -e\n{}\n", lines.join("\n"));
    let mut shell = std::process::Command::new("bash");
    crate::support::clean_environment(&mut shell, workspace.home());
    let ran = shell.args(["-c", &script]).current_dir(workspace.root()).env("PATH", path).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("Released"), "{ran:?}");
}
