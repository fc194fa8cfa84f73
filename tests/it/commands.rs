//! Every command of the server: what it does, each way in which it is refused, and arguments that make no sense.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Coordination, Editor, RpcError, Terminal, Workspace, bare_capabilities, timestamp};

/// A workspace where the ghost holds `src/lib.rs`, and Alice has `src/main.rs` open.
struct Scene {
    alice: Editor,
    coordination: Coordination,
    workspace: Workspace,
}

impl Scene {
    fn new() -> Self {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        coordination.write_session("ghost", json!({}));
        coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
        let alice = Editor::start(&workspace, "alice");
        alice.wait_for_session();
        alice.open("src/main.rs");
        Self { alice, coordination, workspace }
    }

    fn uri(&self, path: &str) -> String {
        self.workspace.uri(path)
    }

    fn ok(&self, command: &str, argument: Value) -> Value {
        self.alice.execute_ok(&format!("deconflict.{command}"), argument)
    }

    fn refused(&self, command: &str, argument: Value, reason: &str) -> Value {
        self.alice.execute_refused(&format!("deconflict.{command}"), argument, reason)
    }
}

#[test]
fn all_commands_are_advertised_unless_the_editor_has_its_own() {
    let workspace = Workspace::small();
    let commands =
        |builder: crate::support::EditorBuilder| builder.start().server_capability("/executeCommandProvider/commands");
    let mut advertised: Vec<String> = serde_json::from_value(commands(Editor::builder(&workspace))).unwrap();
    advertised.sort();
    let mut expected = [
        "claim",
        "handOff",
        "heartbeat",
        "markRead",
        "messages",
        "mute",
        "release",
        "releaseAll",
        "requestRelease",
        "sendMessage",
        "setWork",
        "showBoard",
        "status",
        "takeOver",
    ]
    .map(|name| format!("deconflict.{name}"))
    .to_vec();
    expected.sort();
    advertised.retain(|name| expected.contains(name));
    assert_eq!(advertised, expected);

    let none = commands(Editor::builder(&workspace).initialization_option("commands", json!(false)));
    assert!(none.as_array().is_none_or(Vec::is_empty), "{none}");
}

#[test]
fn claim_and_release() {
    let scene = Scene::new();
    let uri = scene.uri("src/main.rs");
    scene.ok("claim", json!({ "uri": uri }));
    let claim = scene.coordination.wait_for_claim("src/main.rs");
    assert_eq!(claim["claimed_by"], scene.alice.session_id());
    scene.ok("claim", json!({ "uri": uri }));
    assert_eq!(scene.coordination.claim("src/main.rs").unwrap()["id"], claim["id"], "it was held already");
    scene.ok("release", json!({ "uri": uri }));
    assert_eq!(scene.coordination.claim("src/main.rs"), None);

    scene.refused("release", json!({ "uri": uri }), "not-found");
    let theirs = scene.refused("release", json!({ "uri": scene.uri("src/lib.rs") }), "not-holder");
    assert!(theirs["message"].as_str().unwrap().contains("ghost"), "{theirs}");
    let theirs = scene.refused("claim", json!({ "uri": scene.uri("src/lib.rs") }), "claimed");
    assert_eq!(theirs["claim"]["claimed_by"], "ghost");
    assert!(theirs["message"].as_str().unwrap().contains("ghost"), "{theirs}");
    assert_eq!(scene.coordination.holder("src/lib.rs").as_deref(), Some("ghost"));

    let outside = crate::support::file_uri(&scene.workspace.beside("elsewhere.txt"));
    for command in ["claim", "release", "takeOver", "requestRelease"] {
        scene.refused(command, json!({ "uri": outside }), "outside-workspace");
    }
}

#[test]
fn release_all_is_about_ones_own() {
    let scene = Scene::new();
    for path in ["src/main.rs", "src/parser.rs", "README.md"] {
        scene.ok("claim", json!({ "uri": scene.uri(path) }));
    }
    assert_eq!(scene.coordination.claims().len(), 4);
    scene.ok("releaseAll", json!({}));
    assert_eq!(scene.coordination.claim_files(), ["file-src%2Flib.rs.claim"]);
    scene.ok("releaseAll", json!({}));
}

#[test]
fn take_over_by_force_displaces() {
    let scene = Scene::new();
    let uri = scene.uri("src/lib.rs");
    scene.refused("takeOver", json!({ "uri": uri }), "claimed");
    scene.refused("takeOver", json!({ "uri": uri, "force": false }), "claimed");
    scene.ok("takeOver", json!({ "uri": uri, "force": true }));
    let claim = scene.coordination.wait_for_holder("src/lib.rs", &scene.alice.session_id());
    assert!(claim["generation"].as_u64().is_some(), "{claim}");
    scene.coordination.wait_for("the message to who was displaced", |here| {
        here.messages_to("ghost").into_iter().find(|message| message["type"] == "taken_over")
    });
}

#[test]
fn requests_and_messages() {
    let scene = Scene::new();
    let session = scene.alice.session_id();
    scene.ok("requestRelease", json!({ "uri": scene.uri("src/lib.rs"), "message": "Please" }));
    let request = &scene.coordination.messages_to("ghost")[0];
    assert_eq!(request["type"], "release_request", "{request}");
    assert_eq!(request["from"], session.as_str());
    assert!(request["message"].as_str().unwrap().contains("Please"), "{request}");
    assert!(request["resource"].to_string().contains("src/lib.rs"), "{request}");
    scene.refused("requestRelease", json!({ "uri": scene.uri("src/parser.rs") }), "not-found");

    let message =
        json!({ "to": "broadcast", "subject": "Hello", "message": "All of you", "uri": scene.uri("src/main.rs") });
    scene.ok("sendMessage", message);
    let sent = &scene.coordination.messages_to("broadcast")[0];
    assert_eq!((&sent["subject"], &sent["message"]), (&json!("Hello"), &json!("All of you")));
    assert!(sent["id"].is_string() && sent["timestamp"].is_string(), "{sent}");

    scene.coordination.write_session("gone", json!({ "status": "completed", "ended_at": "2025-11-15T12:00:00Z" }));
    for to in ["nobody", "gone"] {
        let message = json!({ "to": to, "subject": "Hello", "message": "Anyone?" });
        let refused = scene.alice.execute("deconflict.sendMessage", message);
        assert_eq!(refused["ok"], false, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(to), "{refused}");
        assert_eq!(scene.coordination.messages_to(to), Vec::<Value>::new());
    }
}

#[test]
fn who_does_not_want_to_be_asked_is_not_asked() {
    let scene = Scene::new();
    scene.coordination.write_claim("ghost", "file", "src/parser.rs", json!({ "allow_coordination": false }));
    let hers = scene.alice.open("src/parser.rs");
    hers.wait_for_diagnostic("claimed");
    let refused = scene.alice.execute("deconflict.requestRelease", json!({ "uri": hers.uri }));
    assert_eq!(refused["ok"], false, "{refused}");
    assert_eq!(scene.coordination.messages_to("ghost"), Vec::<Value>::new());
}

#[test]
fn messages_are_listed_and_marked_as_read() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let alice = Editor::builder(&workspace).setting("messages.show", json!("none")).start();
    let session = alice.wait_for_session();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for text in ["one", "two"] {
        terminal.run(["send", &session, "Subject", text]).expect_code(0);
    }
    let unread = || -> Vec<Value> {
        let answer = alice.execute_ok("deconflict.messages", json!({ "unreadOnly": true }));
        answer["messages"].as_array().unwrap().clone()
    };
    crate::support::wait_for("both messages", || (unread().len() == 2).then_some(()));
    assert_eq!(alice.status()["messages"]["unread"], 2);
    let first = unread().into_iter().find(|message| message["message"] == "one").unwrap();
    alice.execute_ok("deconflict.markRead", json!({ "ids": [first["id"]] }));
    assert_eq!(unread().len(), 1);
    assert_eq!(alice.status()["messages"]["unread"], 1);
    let all = alice.execute_ok("deconflict.messages", json!({}));
    assert_eq!(all["messages"].as_array().unwrap().len(), 2, "{all}");
    assert_eq!(alice.messages(), Vec::<String>::new());
}

/// An editor that only runs commands shows nothing of what they return.
#[test]
fn an_editor_without_a_list_of_messages_shows_what_is_unread() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let quiet = || Editor::builder(&workspace).setting("messages.show", json!("none"));
    let alice = quiet().capabilities(bare_capabilities()).start();
    let other = quiet().initialization_option("commands", json!(false)).start();
    let (terminal, _) = Terminal::with_named_session(&workspace, "Carol");
    for session in [alice.wait_for_session(), other.wait_for_session()] {
        for number in 1..=7 {
            terminal.run(["send", &session, "Subject", &format!("text {number}")]).expect_code(0);
        }
    }
    let read = |editor: &Editor, expected: usize| {
        let before = editor.messages().len();
        let unread = || editor.status()["messages"]["unread"].as_u64().unwrap();
        let left = unread();
        editor.try_execute("deconflict.messages", &[]).unwrap();
        crate::support::wait_for("what was shown to be read", || (unread() + 5 <= left || unread() == 0).then_some(()));
        assert_eq!(editor.messages().len() - before, expected, "{:?}", editor.messages());
        editor.messages().split_off(before).join("\n")
    };
    let shown = read(&alice, 6);
    assert!(shown.contains("Carol writes: Subject: text 1") && shown.contains("2 more messages"), "{shown}");
    let shown = read(&alice, 2);
    assert!(shown.contains("text 6") && shown.contains("text 7"), "{shown}");
    assert!(read(&alice, 1).contains("no new messages"));

    let listed = other.try_execute("deconflict.messages", &[json!({ "interactive": true })]).unwrap();
    assert_eq!(listed["messages"].as_array().unwrap().len(), 7, "{listed}");
    assert_eq!(other.status()["messages"]["unread"], 7);
    assert_eq!(other.messages(), Vec::<String>::new(), "it has a list of its own");
}

#[test]
fn hand_off_goes_to_the_living() {
    let scene = Scene::new();
    let (terminal, carol) = Terminal::with_new_session(&scene.workspace);
    let uri = scene.uri("src/main.rs");
    scene.alice.document("src/main.rs").type_text("x").save();
    scene.coordination.wait_for_holder("src/main.rs", &scene.alice.session_id());
    scene.ok("handOff", json!({ "uri": uri, "to": carol, "notes": "Tests are missing" }));
    let claim = scene.coordination.wait_for_holder("src/main.rs", &carol);
    assert_ne!(claim["automatic"], true, "{claim}");
    let told = terminal.run(["messages"]).expect_code(0);
    assert!(told.stdout.contains("Tests are missing"), "{told:?}");

    scene.refused("handOff", json!({ "uri": uri, "to": carol }), "not-holder");
    scene.refused("handOff", json!({ "uri": scene.uri("src/lib.rs"), "to": carol }), "not-holder");
    scene.ok("claim", json!({ "uri": scene.uri("README.md") }));
    for to in ["nobody", "../escape"] {
        let refused = scene.alice.execute("deconflict.handOff", json!({ "uri": scene.uri("README.md"), "to": to }));
        assert_eq!(refused["ok"], false, "{refused}");
    }
    let ago = |minutes| timestamp(Utc::now() - TimeDelta::minutes(minutes));
    scene.coordination.write_session("over", json!({ "status": "completed" }));
    scene.coordination.write_session("silent", json!({ "last_heartbeat": ago(60 * 25), "started_at": ago(60 * 25) }));
    for (to, words) in [("over", "\"over\" has ended"), ("silent", "\"silent\" has been silent")] {
        let to = json!({ "uri": scene.uri("README.md"), "to": to });
        let refused = scene.alice.execute_refused("deconflict.handOff", to, "not-live");
        assert!(refused["message"].as_str().unwrap().contains(words), "{refused}");
    }
    let own = json!({ "uri": scene.uri("README.md") });
    let refused = scene.alice.execute_refused("deconflict.requestRelease", own, "not-found");
    assert!(refused["message"].as_str().unwrap().contains("You hold README.md yourself"), "{refused}");
    let herself = scene.alice.session_id();
    let before = scene.coordination.claim("README.md");
    let to_herself = json!({ "uri": scene.uri("README.md"), "to": herself });
    let refused = scene.alice.execute_refused("deconflict.handOff", to_herself, "ambiguous");
    assert!(refused["message"].as_str().unwrap().contains(&carol), "the choices: {refused}");
    assert_eq!(scene.coordination.claim("README.md"), before);
    assert_eq!(scene.coordination.messages_to(&herself), Vec::<Value>::new());
    scene.refused("claim", json!({ "uri": "untitled:Untitled-1" }), "outside-workspace");
}

#[test]
fn work_and_heartbeats_are_told_to_others() {
    let scene = Scene::new();
    let session = scene.alice.session_id();
    scene.ok(
        "setWork",
        json!({
            "target": "the parser", "phase": "BUILD", "progress": "30%",
            "nextAction": "tests", "estimatedCompletion": "2030-01-01T12:00:00Z",
        }),
    );
    let record = scene.coordination.session(&session).unwrap();
    assert!(record["current_work"].to_string().contains("the parser"), "{record}");
    let heartbeat = scene.coordination.heartbeats(&session).pop().unwrap();
    assert_eq!(heartbeat["target"], "the parser", "{heartbeat}");
    assert_eq!(heartbeat["phase"], "BUILD", "{heartbeat}");
    assert_eq!(heartbeat["progress"], "30%", "{heartbeat}");
    assert_eq!(heartbeat["next_action"], "tests", "{heartbeat}");
    assert_eq!(heartbeat["estimated_completion"], "2030-01-01T12:00:00Z", "{heartbeat}");

    scene.ok("heartbeat", json!({ "action": "thinking" }));
    let heartbeat = scene.coordination.heartbeats(&session).pop().unwrap();
    assert_eq!(heartbeat["action"], "thinking", "{heartbeat}");
    scene.ok("heartbeat", json!({}));
    scene.coordination.wait_for("the board to tell", |here| here.board().contains("the parser").then_some(()));
}

#[test]
fn status_tells_everything() {
    let scene = Scene::new();
    scene.ok("claim", json!({ "uri": scene.uri("src/main.rs") }));
    let status = scene.ok("status", json!({}));
    assert!(status["session"]["session_id"].is_string(), "{status}");
    let ids = |list: &str, field: &str| -> Vec<String> {
        let mut ids: Vec<String> =
            status[list].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert!(ids("sessions", "session_id").contains(&"ghost".to_owned()), "{status}");
    assert_eq!(ids("claims", "resource_name"), ["src/lib.rs", "src/main.rs"]);
    assert_eq!(status["messages"]["unread"], 0);
    assert!(status["coordinationNeeded"].is_array(), "{status}");
}

#[test]
fn the_board_is_shown_or_returned() {
    let scene = Scene::new();
    scene.ok("showBoard", json!({}));
    let shown = scene.alice.wait_until("the board to be shown", |view| view.shown_documents.first().cloned());
    assert!(shown["uri"].as_str().unwrap().ends_with("STATUS_BOARD.md"), "{shown}");

    let bare = Editor::builder(&scene.workspace).capabilities(bare_capabilities()).start();
    bare.wait_for_session();
    let answer = bare.execute_ok("deconflict.showBoard", json!({}));
    assert!(answer.to_string().contains("Active Claims"), "{answer}");
}

#[test]
fn arguments_that_make_no_sense_are_invalid() {
    let scene = Scene::new();
    let uri = scene.uri("src/main.rs");
    let cases = [
        ("claim", vec![json!({}), json!({ "uri": 7 }), json!("text"), json!([uri]), json!({ "uri": null })]),
        ("release", vec![json!({}), json!({ "uri": ["a"] }), json!(7)]),
        ("releaseAll", vec![json!("all"), json!(1)]),
        ("takeOver", vec![json!({}), json!({ "uri": uri, "force": "yes" }), json!({ "force": true })]),
        ("requestRelease", vec![json!({}), json!({ "uri": uri, "message": 5 })]),
        (
            "sendMessage",
            vec![
                json!({}),
                json!({ "to": "ghost" }),
                json!({ "to": "ghost", "subject": "s" }),
                json!({ "to": "ghost", "message": "m" }),
                json!({ "to": 1, "subject": "s", "message": "m" }),
                json!({ "to": "ghost", "subject": "s", "message": ["m"] }),
                json!({ "to": "ghost", "subject": "s", "message": "m", "uri": 4 }),
            ],
        ),
        ("messages", vec![json!({ "unreadOnly": "yes" }), json!(3)]),
        ("markRead", vec![json!({}), json!({ "ids": "one" }), json!({ "ids": [1] })]),
        (
            "handOff",
            vec![
                json!({ "uri": uri }),
                json!({ "to": "ghost" }),
                json!({ "uri": uri, "to": 1 }),
                json!({ "uri": uri, "to": "ghost", "notes": {} }),
            ],
        ),
        ("setWork", vec![json!({}), json!({ "target": 1 }), json!({ "target": "t", "phase": [] })]),
        ("heartbeat", vec![json!({ "action": 1 }), json!("building")]),
        ("status", vec![json!("please")]),
        ("showBoard", vec![json!(1)]),
        (
            "mute",
            vec![
                json!({}),
                json!({ "session": 1 }),
                json!({ "session": "ghost", "minutes": "long" }),
                json!({ "session": "ghost", "minutes": -1 }),
                json!({ "session": "ghost", "minutes": 10_081 }),
            ],
        ),
    ];
    // What is no URI is wrong; one of something else than a file is refused.
    let about_documents = ["claim", "release", "takeOver", "requestRelease", "handOff", "sendMessage"];
    let no_uris = ["", "src/main.rs", "not a uri", "/etc/passwd"]
        .map(|uri| json!({ "uri": uri, "to": "ghost", "subject": "s", "message": "m" }));
    let cases = cases.into_iter().chain(about_documents.map(|command| (command, no_uris.to_vec())));
    for (command, arguments) in cases {
        for argument in arguments {
            let answer = scene.alice.try_execute(&format!("deconflict.{command}"), std::slice::from_ref(&argument));
            match answer {
                Err(error) => {
                    assert_eq!(error.code, RpcError::INVALID_PARAMS, "{command} {argument}: {error:?}");
                    assert!(!error.message.is_empty(), "{command} {argument} without words");
                }
                Ok(answer) => panic!("{command} {argument} was answered: {answer}"),
            }
        }
    }
    for command in ["deconflict.unheardOf", "somebody.else", ""] {
        assert!(scene.alice.try_execute(command, &[json!({})]).is_err(), "{command:?} is no command");
    }
    assert_eq!(scene.coordination.claims().len(), 1, "nothing happened");
    assert_eq!(scene.coordination.messages_to("ghost"), Vec::<Value>::new());
}

#[test]
fn a_bare_palette_means_the_only_open_document() {
    let scene = Scene::new();
    let claimed = scene.alice.try_execute("deconflict.claim", &[]).unwrap();
    assert_eq!(claimed["ok"], true, "{claimed}");
    assert_eq!(scene.coordination.holder("src/main.rs"), Some(scene.alice.session_id()));

    scene.alice.open("src/parser.rs");
    let refused = scene.alice.try_execute("deconflict.release", &[]).unwrap();
    assert_eq!(refused["ok"], false, "{refused}");
    for path in ["main.rs", "parser.rs"] {
        assert!(refused["message"].as_str().unwrap().contains(path), "{refused}");
    }
    assert_eq!(scene.coordination.holder("src/main.rs"), Some(scene.alice.session_id()));
    let message = scene.alice.try_execute("deconflict.sendMessage", &[]).unwrap();
    assert_eq!(message["ok"], false, "{message}");
    assert!(message["message"].as_str().unwrap().contains("ghost"), "the choices: {message}");
    assert!(message["message"].as_str().unwrap().contains("broadcast"), "the choices: {message}");
    let hand_off = scene.alice.try_execute("deconflict.handOff", &[]).unwrap();
    assert!(hand_off["message"].as_str().unwrap().contains("ghost"), "the choices: {hand_off}");
    assert!(!hand_off["message"].as_str().unwrap().contains("broadcast"), "nothing is handed to all: {hand_off}");
}

#[test]
fn a_refusal_of_a_menu_is_shown() {
    let scene = Scene::new();
    let uri = scene.uri("src/lib.rs");
    scene.refused("claim", json!({ "uri": uri }), "claimed");
    scene.refused("claim", json!({ "uri": uri, "interactive": true }), "claimed");
    scene.alice.wait_for_message("ghost");
    assert_eq!(scene.alice.messages().len(), 1, "only the menu's refusal is shown: {:?}", scene.alice.messages());
}

#[test]
fn commands_are_refused_where_the_server_is_not_active() {
    let workspace = Workspace::small();
    let alice = Editor::builder(&workspace).setting("activation", json!("never")).start();
    let uri = alice.open("src/main.rs").uri;
    for (command, argument) in [
        ("claim", json!({ "uri": uri })),
        ("release", json!({ "uri": uri })),
        ("takeOver", json!({ "uri": uri })),
        ("requestRelease", json!({ "uri": uri })),
        ("handOff", json!({ "uri": uri, "to": "ghost" })),
        ("sendMessage", json!({ "to": "broadcast", "subject": "s", "message": "m" })),
        ("setWork", json!({ "target": "t" })),
        ("mute", json!({ "session": "ghost" })),
    ] {
        alice.execute_refused(&format!("deconflict.{command}"), argument, "inactive");
    }
    assert!(!workspace.coordination().exists());
}
