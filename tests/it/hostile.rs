//! A coordination directory full of traps: nothing outside is read or written, nothing hangs, and whoever works here
//! goes on as if they were not there.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{CodingAgent, Coordination, Editor, Outcome, Terminal, Workspace, wait_for};

/// Stands in every file outside that a trap leads to.
const SECRET: &str = "the secret outside";

/// What a hostile writer puts wherever text can stand.
const NASTY: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J**b** [a](http://e.x) <b>x</b> `c`\n# title\u{202e}\r\nSession: root \u{9b}31m \
     [run](command:workbench.action.terminal.new) ![i](http://e.x/i.png) www.e.x";

struct Trapped {
    workspace: Workspace,
    outside: PathBuf,
    before: Vec<(PathBuf, Vec<u8>)>,
}

impl Trapped {
    /// A repository whose directory another program has laid out with traps in every folder.
    fn new() -> Self {
        let workspace = Workspace::small();
        let outside = workspace.beside("outside");
        fs::create_dir(&outside).unwrap();
        let believable = json!({
            "session_id": "outsider", "claimed_by": "outsider", "from": "outsider", "status": "active",
            "message": SECRET, "subject": SECRET, "current_work": SECRET, "phase": SECRET, "name": SECRET,
            "timestamp": "2020-01-01T00:00:00Z", "expires_at": "2020-01-01T00:00:00Z", "id": "x",
        });
        for name in ["record.json", "2020-01-01_00-00-00.000-outsider.json", "file-a.claim", ".unfinished-1", "0"] {
            fs::write(outside.join(name), believable.to_string()).unwrap();
        }
        let coordination = workspace.coordination();
        coordination.create();
        let directory = coordination.directory();
        for (folder, ending) in FOLDERS {
            fs::create_dir_all(directory.join(folder)).unwrap();
            let at = |name: &str| format!("{folder}/2020-01-01_00-00-00.000-{name}.{ending}");
            symlink(outside.join("record.json"), directory.join(at("link"))).unwrap();
            symlink("/dev/zero", directory.join(at("device"))).unwrap();
            symlink(directory.join(at("loop")), directory.join(at("loop"))).unwrap();
            symlink(outside.join("made-by-a-dangling-link"), directory.join(at("dangling"))).unwrap();
            make_pipe(&directory.join(at("pipe")));
            fs::create_dir(directory.join(at("folder"))).unwrap();
            drop(UnixListener::bind(directory.join(at("socket"))).unwrap());
            make_device(&directory.join(at("zeroes")));
            coordination.write_text(&at("deep"), &format!("{{\"claimed_by\":{}", "[".repeat(200_000)));
            coordination.write_text(&at("huge"), &format!("{{\"message\":\"{}\"}}", "x".repeat(2 << 20)));
            coordination.write_text(&at("torn"), "{\"session_id\": \"torn");
            coordination.write_text(&at("empty"), "");
            fs::write(directory.join(at("bytes")), [0xff, 0xfe, 0, 1]).unwrap();
            coordination.write_text(
                &at("wrong"),
                &json!({
                    "session_id": ["../../x"], "claimed_by": {"a": 1}, "from": "../../../x", "to": 7, "timestamp": {},
                    "message": [[[]]], "details": "x", "pid": -1, "keepalive": 1e300, "editing": [{}, "../../../../x"],
                    "resource_type": "..", "resource_name": "../../../x", "generation": -3, "displaced": "../x",
                })
                .to_string(),
            );
        }
        for verb in ["start", "heartbeat", "claim", "release", "status", "send-message", "check-messages"] {
            let script = directory.join(format!("scripts/session-{verb}.sh"));
            fs::write(&script, format!("#!/bin/sh\ntouch '{}'\n", outside.join("ran").display())).unwrap();
            fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (file, target) in [("STATUS_BOARD.md", "record.json"), (".current_session", "record.json")] {
            symlink(outside.join(target), directory.join(file)).unwrap();
        }
        symlink(&outside, directory.join(".read")).unwrap();
        symlink(&outside, directory.join(".damaged")).unwrap();
        symlink(&outside, directory.join("messages/direct/outsider")).unwrap();
        coordination.write_session(
            "ghost",
            json!({
                "name": NASTY, "current_work": NASTY, "phase": NASTY, "editing": [NASTY, "../../x"], "client": NASTY,
            }),
        );
        coordination.write_claim("ghost", "file", "src/parser.rs", json!({ "phase": NASTY, "branch": NASTY }));
        coordination.write_message("ghost", "broadcast", NASTY, NASTY, json!({ "type": NASTY, "id": NASTY }));
        let before = contents(&outside);
        Self { workspace, outside, before }
    }

    fn coordination(&self) -> Coordination {
        self.workspace.coordination()
    }

    #[track_caller]
    fn expect_nothing_outside_touched(&self) {
        assert_eq!(contents(&self.outside), self.before);
        assert!(!self.workspace.path("x").exists() && !self.workspace.beside("x").exists());
    }
}

const FOLDERS: [(&str, &str); 7] = [
    ("sessions", "json"),
    ("heartbeats", "json"),
    ("claims", "claim"),
    ("messages/broadcast", "json"),
    ("messages/direct/ghost", "json"),
    ("handoffs", "json"),
    ("scripts", "sh"),
];

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A device that never ends. Only root may make one; for others the links to one have to do.
fn make_device(path: &Path) {
    let made = Command::new("mknod").arg(path).args(["c", "1", "5"]).stderr(std::process::Stdio::null()).status();
    assert!(made.unwrap().success() || !rustix::process::getuid().is_root() || !path.exists());
}

/// Every file of a folder, with its content.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[track_caller]
fn expect_harmless(outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        expect_harmless_text(text);
    }
}

#[track_caller]
fn expect_harmless_text(text: &str) {
    assert!(!text.contains(SECRET), "something outside was read: {text}");
    let steers = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{202e}';
    assert!(!text.contains(steers), "it could steer a terminal: {text:?}");
    assert!(!text.contains("\n# title") && !text.contains("\nSession: root"), "it breaks out of its line: {text}");
}

#[test]
fn every_verb_works_among_traps() {
    let trapped = Trapped::new();
    let terminal = Terminal::on(&trapped.workspace);
    let run = |terminal: &Terminal, words: &[&str], code: i32| {
        let outcome = terminal.spawn(words.iter().copied()).wait_for_at_most(Duration::from_secs(20)).expect_code(code);
        expect_harmless(&outcome);
        outcome
    };
    let session = |name: &str| {
        let id = run(&terminal, &["start", "--name", name], 0).stdout.trim().to_owned();
        (terminal.clone().session(&id), id)
    };
    let ((alice, _), (bob, bob_id)) = (session("alice"), session("bob"));
    run(&alice, &["claim", "file", "src/main.rs", "--phase", "BUILD"], 0);
    run(&bob, &["claim", "file", "src/main.rs"], 1);
    run(&bob, &["claim", "file", "src/parser.rs"], 1);
    run(&alice, &["send", &bob_id, "Lunch?", "At noon"], 0);
    run(&alice, &["send", "broadcast", "Done", "All of it"], 0);
    run(&alice, &["heartbeat", "building", "parser", "BUILD"], 0);
    run(&bob, &["check", "src/lib.rs"], 0);
    run(&bob, &["check", "src/main.rs"], 1);
    let messages = run(&bob, &["messages", "--peek"], 0);
    assert!(messages.stdout.contains("At noon") && messages.stdout.contains("All of it"), "{messages:?}");
    run(&bob, &["messages", "--peek", "--all", "--json"], 0);
    run(&bob, &["status", "--oneline"], 0);
    let status = run(&bob, &["status"], 0);
    assert!(status.stdout.contains("alice") && status.stdout.contains("src/main.rs"), "{status:?}");
    let all = run(&bob, &["status", "--json"], 0).json();
    let told = all["coordination_needed"].to_string();
    for file in ["sessions/2020-01-01_00-00-00.000-link.json", "sessions/2020-01-01_00-00-00.000-torn.json"] {
        assert!(told.contains(file), "{file} is not told of in {told}");
    }
    let examined = run(&bob, &["doctor"], 1);
    assert!(examined.stdout.contains("-torn.json"), "{examined:?}");
    run(&bob, &["doctor", "--json"], 1);
    run(&alice, &["hand-off", "file", "src/main.rs", &bob_id], 0);
    run(&bob, &["release", "--all"], 0);
    run(&alice, &["end", "--notes", "Go on with the parser"], 0);
    run(&bob, &["end"], 0);
    let board = fs::symlink_metadata(trapped.coordination().directory().join("STATUS_BOARD.md")).unwrap();
    assert!(board.is_file(), "the link was replaced by the board");
    let board = trapped.coordination().board();
    assert!(board.contains("ghost") && !board.contains(SECRET) && !board.contains('\u{1b}'), "{board}");
    assert!(!board.contains("<b>") && !board.contains("\n# title") && !board.contains("[a](http"), "{board}");
    trapped.expect_nothing_outside_touched();
}

#[test]
fn a_coding_agent_works_among_traps() {
    let trapped = Trapped::new();
    fs::remove_file(trapped.coordination().directory().join(".read")).unwrap();
    let agent = CodingAgent::on(&trapped.workspace, "one");
    let told = agent.start();
    assert!(told.context().contains("src/parser.rs"), "who is here is told: {told:?}");
    let denied = agent.before_edit("src/parser.rs");
    let denied_command = agent.before_command("rm src/parser.rs");
    let texts = [told.context(), told.notice(), denied.expect_denial(), denied_command.expect_denial()];
    texts.into_iter().for_each(expect_harmless_text);
    agent.edit("src/main.rs", "fn main() { }\n").expect_no_denial();
    for told in [agent.prompt(), agent.stop(), agent.end()] {
        expect_harmless_text(told.context());
    }
    trapped.expect_nothing_outside_touched();
}

#[test]
fn read_marks_that_would_lead_outside_are_not_written() {
    let trapped = Trapped::new();
    let (terminal, _) = Terminal::with_new_session(&trapped.workspace);
    let outcome = terminal.run(["messages"]).expect_code(3);
    assert!(outcome.stderr.contains(".read"), "it says what is in the way: {outcome:?}");
    trapped.expect_nothing_outside_touched();
    fs::remove_file(trapped.coordination().directory().join(".read")).unwrap();
    terminal.run(["messages"]).expect_code(0);
    let again = terminal.run(["messages", "--json"]).expect_code(0).json();
    assert_eq!(again["unread"], 0, "{again}");
}

#[test]
fn editors_work_among_traps() {
    let trapped = Trapped::new();
    let coordination = trapped.coordination();
    fs::remove_file(coordination.directory().join(".read")).unwrap();
    let alice = Editor::start(&trapped.workspace, "alice");
    let bob = Editor::start(&trapped.workspace, "bob");
    let (alice_id, bob_id) = (alice.wait_for_session(), bob.wait_for_session());
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    coordination.wait_for_claim("src/main.rs");
    bob.open("src/main.rs").wait_for_diagnostic("claimed");
    let told = bob.open("src/parser.rs").wait_for_diagnostic("claimed");
    let words = told["message"].as_str().unwrap();
    assert!(!words.contains('\u{1b}') && !words.contains('\n') && !words.contains('\u{202e}'), "{words:?}");
    let traps = bob.open("src/parser.rs");
    for shown in [traps.hover(0, 0), json!(traps.inlay_hints()), json!(traps.code_actions(0))] {
        expect_nothing_rendered(&shown);
    }
    coordination.write_message("ghost", &bob_id, NASTY, "a plain word", json!({}));
    let shown = bob.wait_for_message("a plain word");
    assert!(!shown.to_string().contains("\\u001b"), "{shown}");
    coordination.wait_for("the board to tell of both", |here| {
        let board = here.board();
        (board.contains(&alice_id) && board.contains(&bob_id) && board.contains("src/main.rs")).then_some(())
    });
    assert!(!coordination.board().contains(SECRET));
    hers.save();
    assert_eq!(alice.quit(), 0);
    wait_for("her claims to be released", || coordination.claim("src/main.rs").is_none().then_some(()));
    trapped.expect_nothing_outside_touched();
}

/// What an editor shows as Markdown stays letters: no link, no command, no image, no markup. Nothing at all steers.
#[track_caller]
fn expect_nothing_rendered(shown: &Value) {
    match shown {
        Value::String(text) => {
            assert!(
                !text.contains(|c: char| c == '\u{202e}' || (c.is_control() && !matches!(c, '\n' | '\t'))),
                "{text:?}"
            );
        }
        Value::Array(parts) => parts.iter().for_each(|part| expect_nothing_rendered(part)),
        Value::Object(fields) => {
            if fields.get("kind") == Some(&json!("markdown")) {
                let text = fields["value"].as_str().unwrap();
                for alive in ["](command:", "](http://e.x", "<b>", "**b**", "`c`", "\n# title", " www.e.x"] {
                    assert!(!text.contains(alive), "{alive} is alive in {text}");
                }
            }
            // What goes back to the server with a command is for programs.
            let shown = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "arguments" | "data"));
            shown.for_each(|(_, field)| expect_nothing_rendered(field));
        }
        _ => {}
    }
}

#[test]
fn folders_that_lead_outside_are_followed_by_nobody() {
    for folder in ["sessions", "claims", "heartbeats", "messages", "messages/direct", "handoffs"] {
        let trapped = Trapped::new();
        let directory = trapped.coordination().directory().to_owned();
        // What names the directory as one of ours must stay.
        fs::remove_dir_all(directory.join(folder)).unwrap();
        symlink(&trapped.outside, directory.join(folder)).unwrap();
        let terminal = Terminal::on(&trapped.workspace);
        for words in [
            &["start"][..],
            &["status"],
            &["status", "--json"],
            &["--session", "ghost", "claim", "file", "src/lib.rs"],
            &["--session", "ghost", "heartbeat", "a", "b", "c"],
            &["--session", "ghost", "send", "broadcast", "s", "m"],
            &["--session", "ghost", "messages"],
            &["--session", "ghost", "end", "--notes", "n"],
        ] {
            let outcome = terminal.run(words.iter().copied());
            assert!(matches!(outcome.exit_code, 0 | 1 | 3), "{folder}: {words:?}: {outcome:?}");
            expect_harmless(&outcome);
        }
        trapped.expect_nothing_outside_touched();
    }
}
