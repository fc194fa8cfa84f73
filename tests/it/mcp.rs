//! The verbs as tools of the Model Context Protocol: the real server, spoken to line by line over its pipes.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Coordination, Terminal, Workspace, wait_for};

const LIMIT: Duration = Duration::from_secs(10);

/// An agent that runs the server. Both end with the value.
struct Agent {
    server: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    next_id: Cell<i64>,
}

impl Agent {
    fn start(workspace: &Workspace) -> Self {
        Self::run(Terminal::on(workspace).command(["mcp"]))
    }

    fn run(mut command: Command) -> Self {
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(server.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = server.stdin.take();
        Self { server, input, lines, next_id: Cell::new(1) }
    }

    /// The same, past the handshake.
    fn ready(workspace: &Workspace) -> Self {
        let mut agent = Self::start(workspace);
        agent.shake_hands();
        agent
    }

    fn shake_hands(&mut self) -> Value {
        let told = self.request(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": {"name": "some-agent", "version": "1.0"},
            }),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        told["result"].clone()
    }

    fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    fn send_line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n")).unwrap();
    }

    /// Asks for a claim of the test database, to be waited for, and leaves the answer for later.
    fn ask_for_database(&mut self) {
        let arguments = json!({"type": "resource", "name": "db", "wait_seconds": 600});
        let call = json!({"name": "claim", "arguments": arguments});
        self.send(&json!({"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call}));
    }

    #[track_caller]
    fn receive(&self) -> Value {
        let line = self.lines.recv_timeout(LIMIT).expect("the server says something");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
    }

    /// Sends a request and returns the whole response.
    #[track_caller]
    fn request(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.next_id.replace(self.next_id.get() + 1);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        loop {
            let told = self.receive();
            if told["id"] == id {
                return told;
            }
        }
    }

    /// Calls a tool and returns its document.
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let told = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let result = &told["result"];
        let document = result["structuredContent"].clone();
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, document, "both forms say the same: {told}");
        if document["ok"] == true {
            assert_eq!(result["isError"], false, "{told}");
        }
        document
    }

    /// Closes the server's input.
    fn hang_up(&mut self) {
        self.input = None;
    }

    #[track_caller]
    fn exit_code(&mut self) -> i32 {
        wait_for("the server to end", || self.server.try_wait().unwrap()).code().unwrap_or(-1)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[track_caller]
fn only_session(coordination: &Coordination) -> Value {
    let sessions = coordination.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions[0].clone()
}

#[test]
fn the_tools_are_told_with_their_parameters() {
    let workspace = Workspace::small();
    let mut agent = Agent::start(&workspace);
    let told = agent.shake_hands();
    assert_eq!(told["serverInfo"]["name"], "deconflict");
    assert!(told["capabilities"]["tools"].is_object() && told["instructions"].is_string(), "{told}");
    let listed = agent.request("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["claim", "release", "check", "status", "send_message", "messages", "hand_off", "heartbeat", "end_session"]
    );
    for tool in listed.as_array().unwrap() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["description"].as_str().unwrap().len() > 20, "{tool}");
    }
    assert_eq!(listed[0]["inputSchema"]["required"], json!(["name"]));
    assert!(!workspace.coordination().exists(), "nobody took part yet");
    agent.hang_up();
    assert_eq!(agent.exit_code(), 0);
    assert!(!workspace.coordination().exists());
}

#[test]
fn an_afternoon_by_tools() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (ada, ada_id) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    let mut agent = Agent::ready(&workspace);

    // Looking needs no session.
    let status = agent.call("status", json!({}));
    assert_eq!(status["claims"][0]["resource_name"], "README.md");
    assert_eq!(agent.call("check", json!({"paths": ["README.md"]}))["reason"], "claimed");
    assert_eq!(agent.call("check", json!({"paths": ["src/lib.rs"]}))["ok"], true);
    assert_eq!(coordination.sessions().len(), 1);

    let refused = agent.call("claim", json!({"name": "README.md"}));
    assert_eq!((&refused["ok"], &refused["reason"]), (&json!(false), &json!("claimed")));
    let told = agent.request("tools/call", json!({"name": "claim", "arguments": {"name": "README.md"}}));
    assert_eq!(told["result"]["isError"], false, "a refusal is an answer: {told}");
    assert_eq!(refused["claim"]["claimed_by"], ada_id.as_str());
    let granted = agent.call("claim", json!({"name": "src/lib.rs", "phase": "BUILD", "for": "2h"}));
    assert_eq!(granted["outcome"], "granted");
    let id = granted["claim"]["claimed_by"].as_str().unwrap().to_owned();
    let session = coordination.session(&id).unwrap();
    assert_eq!((&session["pid"], &session["capabilities"]), (&json!(agent.server.id()), &json!(["mcp"])));
    assert_eq!(agent.call("claim", json!({"name": "src/lib.rs"}))["outcome"], "renewed");

    agent.call("heartbeat", json!({"action": "building", "target": "the parser", "progress": "30%"}));
    assert_eq!(coordination.session(&id).unwrap()["progress"], "30%");
    let sent = agent.call("send_message", json!({"to": ada_id, "subject": "-s", "message": "May I?"}));
    assert_eq!(sent["sent"]["subject"], "-s");
    let sent = agent.call("send_message", json!({"to": ada_id, "message": "Soon?"}));
    assert_eq!((&sent["sent"]["subject"], &sent["sent"]["message"]), (&json!(""), &json!("Soon?")));
    ada.run(["send", &id, "Yes", "Take it."]).expect_code(0);
    assert_eq!(agent.call("messages", json!({"peek": true}))["unread"], 1);
    assert_eq!(agent.call("messages", json!({}))["messages"][0]["message"], "Take it.");
    assert_eq!(agent.call("messages", json!({}))["unread"], 0);

    ada.run(["release", "file", "README.md"]).expect_code(0);
    agent.call("claim", json!({"name": "README.md"}));
    let given = agent.call("hand_off", json!({"name": "README.md", "to": ada_id, "notes": "All yours."}));
    assert_eq!(given["to"], ada_id.as_str());
    let request = ["send", &id, "Please", "--type", "release_request", "--resource", "file", "src/lib.rs"];
    ada.run(request).expect_code(0);
    let released = agent.call("release", json!({"name": "src/lib.rs", "tests_passing": true}));
    assert_eq!(released["sent"]["details"]["tests_passing"], true);
    let answers = coordination.messages_to(&ada_id).into_iter().filter(|message| message["type"] == "released");
    assert_eq!(answers.count(), 1, "whoever asked is told");
    agent.call("claim", json!({"type": "task", "name": "more"}));
    assert_eq!(agent.call("release", json!({"all": true}))["released"].as_array().unwrap().len(), 1);
    assert_eq!(agent.call("release", json!({"type": "task", "name": "more"}))["reason"], "not-found");
}

#[test]
fn the_answers_are_those_of_the_terminal() {
    let workspace = Workspace::small();
    let (_, ada) = Terminal::with_named_session(&workspace, "Ada");
    workspace.coordination().write_claim(&ada, "file", "README.md", json!({}));
    let mut agent = Agent::ready(&workspace);
    let granted = agent.call("claim", json!({"name": "src/lib.rs"}));
    let id = granted["claim"]["claimed_by"].as_str().unwrap();
    let terminal = Terminal::on(&workspace).session(id);
    for (tool, arguments, words, code) in [
        ("check", json!({"paths": ["README.md"]}), vec!["check", "README.md"], 1),
        ("claim", json!({"name": "README.md"}), vec!["claim", "file", "README.md"], 1),
        ("messages", json!({"all": true}), vec!["messages", "--all"], 0),
        ("release", json!({"name": "README.md"}), vec!["release", "file", "README.md"], 1),
        ("claim", json!({"type": "No!", "name": "x"}), vec!["claim", "No!", "x"], 2),
        ("messages", json!({"id": "m9"}), vec!["messages", "--id", "m9"], 2),
        ("hand_off", json!({"name": "README.md", "to": id}), vec!["hand-off", "file", "README.md", id], 2),
        ("hand_off", json!({"name": "README.md", "to": ada}), vec!["hand-off", "file", "README.md", &ada], 1),
        ("send_message", json!({"to": "nobody", "subject": "s", "message": "m"}), vec!["send", "nobody", "s", "m"], 2),
    ] {
        let told = agent.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let printed = terminal.run([&words[..], &["--json"]].concat()).expect_code(code).json();
        let told = &told["result"]["structuredContent"];
        assert_eq!(without_what_passes(told), without_what_passes(&printed), "{tool}");
    }
}

/// A document without what changes with time and with how a command is written.
fn without_what_passes(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            let stays = |name: &str| !matches!(name, "message" | "advice" | "last_sign" | "last_heartbeat");
            fields
                .iter()
                .filter(|(name, _)| stays(name))
                .map(|(name, value)| (name.clone(), without_what_passes(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(values) => values.iter().map(without_what_passes).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[test]
fn wrong_arguments_are_told_to_the_agent_and_wrong_requests_to_its_program() {
    let workspace = Workspace::small();
    let mut agent = Agent::ready(&workspace);
    for (tool, arguments, part) in [
        ("claim", json!({}), "needs \"name\""),
        ("claim", json!({"name": 7}), "\"name\" is a list of texts"),
        ("claim", json!({"name": "a", "force": "yes"}), "\"force\" is true or false"),
        ("claim", json!({"name": "a", "colour": "blue"}), "takes no \"colour\""),
        ("claim", json!({"name": "a", "for": "soon"}), "\"soon\" is not a duration"),
        ("claim", json!({"type": "A B", "name": "a"}), "A B"),
        ("claim", json!({"name": "src"}), "is a directory"),
        ("claim", json!({"name": "a", "wait_seconds": "ten"}), "\"wait_seconds\" is a whole number"),
        ("claim", json!({"name": "a", "wait_seconds": -1}), "\"wait_seconds\" is a whole number"),
        ("claim", json!({"name": "a", "wait_seconds": 5, "wait": "5s"}), "either"),
        ("check", json!({"paths": "a", "wait_seconds": 5}), "takes no \"wait_seconds\""),
        ("check", json!({"paths": {"a": 1}}), "\"paths\" is a list of texts"),
        ("status", json!({"watch": true}), "takes no \"watch\""),
    ] {
        let told = agent.request("tools/call", json!({"name": tool, "arguments": arguments}))["result"].clone();
        assert_eq!(told["isError"], true, "{told}");
        let told = &told["structuredContent"];
        assert_eq!(told["ok"], false);
        assert!(told["message"].as_str().unwrap().contains(part), "{told}");
    }
    let unknown = agent.request("tools/call", json!({"name": "format_disk", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    assert_eq!(agent.request("no/such/method", json!({}))["error"]["code"], -32601);
    assert_eq!(agent.request("ping", json!({}))["result"], json!({}));
}

#[test]
fn a_request_means_what_it_says_whatever_it_would_be_on_a_command_line() {
    let workspace = Workspace::small();
    let mut agent = Agent::ready(&workspace);
    let named = json!({"type": "task", "name": "--a b", "phase": "-x", "for": "2h", "no_coordination": true});
    let claim = agent.call("claim", named)["claim"].clone();
    assert_eq!((&claim["resource_name"], &claim["phase"]), (&json!("--a b"), &json!("-x")), "{claim}");
    assert_eq!((&claim["estimated_duration"], &claim["allow_coordination"]), (&json!("2 hours"), &json!(false)));
    let told = agent.call("heartbeat", json!({"action": "building", "phase": "-y", "files": "README.md"}));
    assert_eq!((&told["target"], &told["phase"]), (&Value::Null, &json!("-y")), "{told}");
    assert_eq!(told["files_touched"], json!(["README.md"]));
    let work = json!({"type": "task", "name": "--a b", "tests_passing": false, "files": ["a", "b"], "completed": "z"});
    let details = agent.call("release", work)["sent"]["details"].clone();
    assert_eq!((&details["tests_passing"], &details["phase_completed"]), (&json!(false), &json!("z")), "{details}");
    let claim = agent.call("claim", json!({"name": "README.md", "force": false}))["claim"].clone();
    assert_eq!(claim["resource_type"], "file");
    assert_eq!(agent.call("release", json!({"all": true}))["released"].as_array().unwrap().len(), 1);
}

#[test]
fn agents_wait_in_line_and_those_that_give_up_leave_it() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "resource", "db"]).expect_code(0);
    let [mut first, mut second, mut third, mut fourth] = [(); 4].map(|()| Agent::ready(&workspace));
    let wait_for_tickets = |number: usize| {
        let queue = workspace.path("COORDINATION/.queue");
        let tickets = || std::fs::read_dir(&queue).map_or(0, Iterator::count);
        wait_for("the tickets", || (tickets() == number).then_some(()));
    };
    for (number, agent) in [&mut first, &mut second, &mut third, &mut fourth].into_iter().enumerate() {
        agent.ask_for_database();
        wait_for_tickets(number + 1);
    }
    second.hang_up();
    assert_eq!(second.exit_code(), 0);
    wait_for_tickets(3);
    third.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}));
    wait_for_tickets(2);
    assert_eq!(third.call("messages", json!({}))["ok"], true, "it works on");

    holder.run(["release", "resource", "db"]).expect_code(0);
    assert_eq!(first.receive()["result"]["structuredContent"]["ok"], true);
    assert!(fourth.lines.try_recv().is_err(), "one at a time");
    assert_eq!(first.call("release", json!({"all": true}))["ok"], true);
    assert_eq!(fourth.receive()["result"]["structuredContent"]["ok"], true);
}

#[test]
fn garbage_disturbs_nobody() {
    let workspace = Workspace::small();
    let mut agent = Agent::start(&workspace);
    agent.send_line("garbage");
    agent.send_line("");
    agent.shake_hands();
    for line in ["{\"jsonrpc\":", "[1, 2", "\u{1}\u{2}", "{\"id\": 5}", "null", "\"text\""] {
        agent.send_line(line);
    }
    let input = agent.input.as_mut().unwrap();
    input.write_all(b"\xff\xfe\n").unwrap();
    assert_eq!(agent.call("claim", json!({"name": "README.md"}))["ok"], true);
    agent.hang_up();
    assert_eq!(agent.exit_code(), 0);
    assert_eq!(only_session(&workspace.coordination())["status"], "completed");
}

#[test]
fn nobody_asks_in_the_name_of_whoever_started_the_agent() {
    let workspace = Workspace::small();
    let (ada, id) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "README.md"]).expect_code(0);
    // The agent was started in a shell that names a session.
    let mut agent = Agent::run(ada.command(["mcp"]));
    agent.shake_hands();
    assert_eq!(agent.call("check", json!({"paths": ["README.md"]}))["reason"], "claimed");
    assert_eq!(agent.call("status", json!({}))["session"], Value::Null);
    assert_eq!(agent.call("claim", json!({"name": "README.md"}))["claim"]["claimed_by"], id.as_str());
    let own = agent.call("claim", json!({"name": "src/lib.rs"}))["claim"]["claimed_by"].clone();
    assert_eq!(agent.call("check", json!({"paths": ["src/lib.rs"]}))["ok"], true);
    assert_eq!(agent.call("status", json!({}))["session"]["session_id"], own);
}

#[test]
fn the_session_ends_with_the_input() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let mut agent = Agent::ready(&workspace);
    agent.call("claim", json!({"name": "README.md"}));
    agent.hang_up();
    assert_eq!(agent.exit_code(), 0);
    assert_eq!(coordination.claim_files(), Vec::<String>::new());
    let session = only_session(&coordination);
    assert_eq!((&session["status"], &session["client"]), (&json!("completed"), &json!("some-agent")));
    assert!(session["ended_at"].is_string(), "{session}");
}

#[cfg(unix)]
#[test]
fn the_session_ends_with_a_signal() {
    let workspace = Workspace::small();
    let mut agent = Agent::ready(&workspace);
    agent.call("claim", json!({"name": "README.md"}));
    let id = i32::try_from(agent.server.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(agent.exit_code(), 143);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    assert_eq!(only_session(&workspace.coordination())["status"], "completed");
}

#[test]
fn what_a_killed_server_held_is_left_behind() {
    let workspace = Workspace::small();
    let mut agent = Agent::ready(&workspace);
    agent.call("claim", json!({"name": "README.md"}));
    agent.server.kill().unwrap();
    agent.exit_code();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let taken = terminal.run(["claim", "file", "README.md", "--json"]).expect_code(0).json();
    assert_eq!(taken["took_over"]["standing"], "abandoned");
}

#[test]
fn a_session_that_was_ended_or_lost_begins_again() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let mut agent = Agent::ready(&workspace);
    let first = agent.call("claim", json!({"name": "README.md"}))["claim"]["claimed_by"].clone();
    let ended = agent.call("end_session", json!({"notes": "The parser is next.", "completed": ["README"]}));
    assert_eq!(ended["session"]["session_id"], first);
    assert_eq!(coordination.handoffs()[0]["notes"], "The parser is next.");
    let second = agent.call("claim", json!({"name": "README.md"}))["claim"]["claimed_by"].clone();
    assert_ne!(second, first);
    coordination.delete();
    let third = agent.call("claim", json!({"name": "README.md"}))["claim"]["claimed_by"].clone();
    assert_eq!(third, second, "it goes on under its own name");
}

#[test]
fn all_that_is_sent_at_once_is_answered_before_the_end() {
    let workspace = Workspace::small();
    let mut lines = vec![
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "pipe", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ];
    lines.extend((1..=5).map(|id| {
        let arguments = json!({"type": "task", "name": id.to_string()});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "claim", "arguments": arguments}})
    }));
    let input = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let told = Terminal::on(&workspace).run_with_input(["mcp"], &input).expect_code(0);
    let answers: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut answered: Vec<i64> = answers.iter().map(|answer| answer["id"].as_i64().unwrap()).collect();
    answered.sort_unstable();
    assert_eq!(answered, [0, 1, 2, 3, 4, 5], "{told:?}");
    assert_eq!(only_session(&workspace.coordination())["status"], "completed", "all were one session");
}

#[test]
fn a_program_that_starts_it_elsewhere_names_the_folder() {
    let workspace = Workspace::small();
    let elsewhere = Terminal::on(&workspace).in_folder(workspace.home());
    let mut lost = Agent::run(elsewhere.command(["mcp"]));
    lost.shake_hands();
    let told = lost.call("claim", json!({"name": "README.md"}));
    assert_eq!(told["reason"], "inactive");
    assert!(told["advice"].to_string().contains("--workspace"), "{told}");
    assert!(!workspace.home().join("COORDINATION").exists(), "nothing is made where nobody asked for it");
    let mut agent = Agent::run(elsewhere.command(["mcp", "--workspace", workspace.root().to_str().unwrap()]));
    agent.shake_hands();
    agent.call("claim", json!({"name": "src/lib.rs"}));
    assert_eq!(workspace.coordination().claim_files(), ["file-src%2Flib.rs.claim"]);
    elsewhere.run(["mcp", "--workspace", "not-there"]).expect_code(3);
}

#[test]
fn nothing_is_said_to_nobody() {
    let workspace = Workspace::small();
    let told = Terminal::on(&workspace).run_with_input(["mcp"], "").expect_code(0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", ""));
}

/// Agents with hooks have a session before their tools are used, and the two are one.
#[cfg(target_os = "linux")]
#[test]
fn the_session_of_the_agents_hooks_is_used_and_not_ended() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::small();
    let program = workspace.beside("claude");
    let binary = env!("CARGO_BIN_EXE_deconflict");
    std::fs::write(&program, format!("#!/bin/sh\n'{binary}' start --session hooks >&2\n'{binary}' mcp\nread end\n"))
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let prompt = Terminal::on(&workspace);
    let prompt = prompt.command::<&str>([]);
    let mut command = Command::new(&program);
    command.env_clear().envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(workspace.root());
    let mut agent = Agent::run(command);
    agent.shake_hands();
    assert_eq!(agent.call("status", json!({}))["session"]["session_id"], "hooks");
    assert_eq!(agent.call("claim", json!({"name": "README.md"}))["claim"]["claimed_by"], "hooks");
    let claims = workspace.coordination().claim_files();
    agent.hang_up();
    agent.exit_code();
    assert_eq!(workspace.coordination().claim_files(), claims, "its hooks end it");
    assert_eq!(only_session(&workspace.coordination())["status"], "active");
}

/// Sixty messages, some of 900 KB, and 2,000 claims: more than any model can read.
#[test]
fn no_answer_fills_a_models_context() {
    const LIMIT: usize = 100_000;
    let workspace = Workspace::small();
    let mut agent = Agent::ready(&workspace);
    agent.call("claim", json!({"name": "README.md"}));
    let coordination = workspace.coordination();
    let own = only_session(&coordination)["session_id"].as_str().unwrap().to_owned();
    coordination.write_session("other", json!({"name": "Other"}));
    let long = "word ".repeat(180_000);
    for number in 0..60 {
        let long = if number % 6 == 0 { &long } else { &long[..5_000] };
        coordination.write_message(
            "other",
            &own,
            &format!("Message {number}"),
            long,
            json!({"id": format!("m{number}")}),
        );
    }
    for number in 0..2_000 {
        let name = format!("deep/folder/file number {number}");
        coordination.write_claim("other", "file", &name, json!({"phase": "writing it all anew"}));
    }
    let told = agent.request("tools/call", json!({"name": "status", "arguments": {}}));
    assert!(told.to_string().len() < LIMIT, "{}", told.to_string().len());
    let status = &told["result"]["structuredContent"];
    let left_out = status["left_out"]["claims"].as_u64().unwrap();
    assert_eq!(left_out + status["claims"].as_array().unwrap().len() as u64, 2_001);

    // Each message comes once, cut, and none is lost; the whole comes when it is asked for.
    let mut subjects = Vec::new();
    for _ in 0..60 {
        let told = agent.request("tools/call", json!({"name": "messages", "arguments": {}}));
        assert!(told.to_string().len() < LIMIT, "{}", told.to_string().len());
        let document = &told["result"]["structuredContent"];
        let messages = document["messages"].as_array().unwrap();
        subjects.extend(messages.iter().map(|message| message["subject"].as_str().unwrap().to_owned()));
        assert_eq!(subjects.len() as u64 + document["waiting"].as_u64().unwrap(), 60, "{document}");
        if document["waiting"] == 0 {
            break;
        }
    }
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 60);
    let whole = agent.call("messages", json!({"id": "m6"}));
    let text = whole["messages"][0]["message"].as_str().unwrap();
    assert!(text.len() > 30_000 && text.len() < LIMIT, "{}", text.len());
    // A terminal's page is shorter still, and its JSON whole.
    let page = Terminal::on(&workspace).run(["status"]).expect_code(0).stdout;
    assert!(page.len() <= 30_000 && page.contains(" more: deconflict status --json"), "{}", page.len());
    let all = Terminal::on(&workspace).run(["status", "--json"]).expect_code(0).json();
    assert_eq!(all["claims"].as_array().unwrap().len(), 2_001);
}
