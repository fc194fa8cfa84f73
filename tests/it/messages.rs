//! Messages between sessions: each arrives, once, in words that harm nobody.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::{CodingAgent, Editor, Terminal, Workspace, timestamp, wait_for};

#[test]
fn what_is_shown_is_the_users_choice() {
    let cases: [(Option<&str>, &[&str]); 4] = [
        (None, &["to her"]),
        (Some("direct"), &["to her"]),
        (Some("all"), &["to everyone", "to her"]),
        (Some("none"), &[]),
    ];
    for (choice, expected) in cases {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        coordination.write_session("ghost", json!({ "name": "The Ghost" }));
        let mut builder = Editor::builder(&workspace);
        if let Some(choice) = choice {
            builder = builder.setting("messages.show", json!(choice));
        }
        let alice = builder.start();
        let session = alice.wait_for_session();
        coordination.write_message("ghost", "broadcast", "Hello", "to everyone", json!({}));
        wait_for("the broadcast to arrive", || {
            (alice.status()["messages"]["unread"] == 1 || !alice.messages().is_empty()).then_some(())
        });
        coordination.write_message("ghost", &session, "Hello", "to her", json!({}));
        for text in expected {
            let shown = alice.wait_for_message(text);
            assert!(shown["message"].as_str().unwrap().contains("Ghost"), "who says so? {shown}");
        }
        alice.settle(&workspace);
        assert_eq!(alice.messages().len(), expected.len(), "{choice:?}: {:?}", alice.messages());
    }
}

/// The server learns of both in one look, and of the new folder before what is in the known one.
#[cfg(unix)]
#[test]
fn messages_of_one_look_are_shown_oldest_first() {
    use rustix::process::Signal;
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({ "name": "The Ghost" }));
    let alice = Editor::builder(&workspace).setting("messages.show", json!("all")).start();
    let session = alice.wait_for_session();
    alice.settle(&workspace);
    alice.signal_server(Signal::STOP);
    // While it reads these, the rest comes together.
    for number in 0..100 {
        coordination.write_claim("ghost", "task", &number.to_string(), json!({}));
    }
    // Within one millisecond they would be of one time, and none would be older.
    let sent = |seconds_ago| json!({ "timestamp": timestamp(Utc::now() - TimeDelta::seconds(seconds_ago)) });
    coordination.write_message("ghost", "broadcast", "Hello", "the first", sent(3));
    coordination.write_message("ghost", &session, "Hello", "the second", sent(2));
    coordination.write_message("ghost", "broadcast", "Hello", "the third", sent(1));
    alice.signal_server(Signal::CONT);
    for text in ["the first", "the second", "the third"] {
        alice.wait_for_message(text);
    }
}

#[test]
fn a_muted_session_is_heard_of_only_where_one_looks() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({ "name": "The Ghost" }));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    alice.settle(&workspace);

    let muted = alice.execute_ok("deconflict.mute", json!({ "session": "ghost" }));
    let until = chrono::DateTime::parse_from_rfc3339(muted["until"].as_str().unwrap()).unwrap();
    let left = until.with_timezone(&chrono::Utc) - chrono::Utc::now();
    assert!((59..=60).contains(&left.num_minutes()), "an hour: {muted}");
    coordination.write_message("ghost", &session, "Hello", "in silence", json!({}));
    wait_for("the message to wait unread", || (alice.status()["messages"]["unread"] == 1).then_some(()));
    let theirs = alice.open("src/lib.rs");
    theirs.type_text("x");
    theirs.wait_for_diagnostic("claimed");
    alice.settle(&workspace);
    assert_eq!(alice.messages(), Vec::<String>::new());

    let (terminal, _) = Terminal::with_named_session(&workspace, "Carol");
    terminal.run(["send", &session, "Hello", "from another"]).expect_code(0);
    alice.wait_for_message("from another");
    alice.execute_ok("deconflict.mute", json!({ "session": "ghost", "minutes": 0 }));
    coordination.write_message("ghost", &session, "Hello", "unmuted", json!({}));
    alice.wait_for_message("unmuted");
    assert!(alice.messages().iter().all(|shown| !shown.contains("in silence")), "{:?}", alice.messages());

    let refused = alice.execute_refused("deconflict.mute", json!({ "session": "nobody" }), "not-found");
    let words = refused["message"].as_str().unwrap();
    assert!(words.contains("nobody") && words.contains("\"The Ghost\" (ghost)"), "a name before an id: {words}");
}

#[test]
fn a_session_is_muted_alike_in_its_editor_and_in_its_terminals() {
    let workspace = Workspace::small();
    let (carol, carols) = Terminal::with_named_session(&workspace, "Carol");
    let (dave, _) = Terminal::with_named_session(&workspace, "Dave");
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    let own = Terminal::on(&workspace).session(&session);
    alice.settle(&workspace);

    let muted = own.run(["mute", "carol", "--for", "2h"]).expect_code(0).stdout;
    assert!(muted.starts_with("Muted \"Carol\" until "), "{muted}");
    carol.run(["send", &session, "", "in silence"]).expect_code(0);
    dave.run(["send", &session, "", "aloud"]).expect_code(0);
    alice.wait_for_message("aloud");
    assert!(alice.messages().iter().all(|shown| !shown.contains("in silence")), "{:?}", alice.messages());
    let oneline = own.run(["status", "--oneline"]).expect_code(0).stdout;
    assert!(oneline.contains("1 unread"), "what waits in silence is not counted: {oneline}");
    let shown = own.run(["messages"]).expect_code(0).stdout;
    assert!(shown.contains("aloud") && !shown.contains("in silence"), "{shown}");
    assert!(shown.contains("1 message of sessions that you muted: deconflict messages --all"), "{shown}");

    alice.execute_ok("deconflict.mute", json!({ "session": carols, "minutes": 0 }));
    let shown = own.run(["messages"]).expect_code(0).stdout;
    assert!(shown.contains("in silence"), "{shown}");

    alice.execute_ok("deconflict.mute", json!({ "session": carols }));
    carol.run(["send", &session, "", "in silence again"]).expect_code(0);
    let shown = own.run(["messages"]).expect_code(0).stdout;
    assert!(shown.starts_with("No new messages."), "{shown}");
    assert_eq!(own.run(["unmute"]).expect_code(0).stdout, "Unmuted everyone.\n");
    assert_eq!(own.run(["unmute", "Carol"]).expect_code(0).stdout, "\"Carol\" was not muted.\n");
    wait_for("the editor to hear Carol again", || {
        carol.run(["send", &session, "", "heard in the editor"]).expect_code(0);
        alice.messages().iter().any(|shown| shown.contains("heard in the editor")).then_some(())
    });

    own.run(["mute", "nobody"]).expect_code(2);
    own.run(["mute", &session]).expect_code(2);
    own.run(["mute", "Carol", "--for", "2w"]).expect_code(2);
}

#[test]
fn the_original_scripts_and_our_terminal_are_heard_alike() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    coordination.write(
        &format!("messages/direct/{session}/2030-01-01_00-00-session-001.json"),
        &json!({
            "from": "session-001", "to": session, "timestamp": crate::support::timestamp(chrono::Utc::now()),
            "subject": "Named to the minute", "details": { "resource": "the chapel" }, "type": "anything",
        }),
    );
    alice.wait_for_message("Named to the minute");
    let (terminal, _) = Terminal::with_named_session(&workspace, "Carol");
    terminal.run(["send", &session, "Named by us", "Words"]).expect_code(0);
    let shown = alice.wait_for_message("Words");
    assert!(shown["message"].as_str().unwrap().contains("Carol"), "{shown}");
}

#[test]
fn many_messages_become_one_summary() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for number in 0..12 {
        terminal.run(["send", &session, "Flood", &format!("message {number}")]).expect_code(0);
    }
    let messages = || alice.execute_ok("deconflict.messages", json!({}))["messages"].as_array().unwrap().len();
    wait_for("all messages to have arrived", || (messages() == 12).then_some(()));
    alice.settle(&workspace);
    let shown = alice.messages();
    assert!((1..=5).contains(&shown.len()), "12 messages were shown as {shown:?}");
}

#[test]
fn a_message_that_was_only_shown_is_unread_after_a_restart_and_one_that_was_read_is_not() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    coordination.write_message("ghost", &session, "First", "before the crash", json!({ "id": "one" }));
    alice.wait_for_message("before the crash");
    coordination.write_message("ghost", &session, "Second", "read before it", json!({ "id": "two" }));
    alice.wait_for_message("read before it");
    alice.execute_ok("deconflict.markRead", json!({ "ids": ["two"] }));
    wait_for("one to count as read", || (alice.status()["messages"]["unread"] == 1).then_some(()));
    alice.kill_server();

    coordination.write_message("ghost", &session, "Third", "during the crash", json!({ "id": "three" }));
    let again = Editor::start(&workspace, "alice");
    again.wait_for_message("before the crash");
    again.wait_for_message("during the crash");
    again.settle(&workspace);
    assert_eq!(again.messages().len(), 2, "{:?}", again.messages());
}

#[test]
fn texts_of_others_are_only_texts() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    coordination.write_session("ghost", json!({ "name": "Gh\u{1b}[31most\nSession: root" }));
    let session = alice.wait_for_session();
    let long = "long ".repeat(20_000);
    coordination.write_message("ghost", &session, "Bell\u{7}", &format!("start \u{1b}[2J\u{202e} {long}"), json!({}));
    let shown = alice.wait_for_message("start");
    let text = shown["message"].as_str().unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.chars().count() < 2_000, "{} characters are shown", text.chars().count());
}

#[test]
fn broadcasts_from_before_are_not_news() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let old = crate::support::timestamp(chrono::Utc::now() - chrono::TimeDelta::hours(2));
    coordination.write_message("ghost", "broadcast", "Old", "two hours ago", json!({ "timestamp": old }));
    coordination.write_message("ghost", "broadcast", "New", "just now", json!({}));
    let alice = Editor::builder(&workspace).setting("messages.show", json!("all")).start();
    alice.wait_for_message("just now");
    assert_eq!(alice.messages().len(), 1, "{:?}", alice.messages());
    let all = alice.execute_ok("deconflict.messages", json!({}));
    assert!(all.to_string().contains("two hours ago"), "it can still be listed: {all}");
}

/// What is asked for at a terminal counts as what is asked for in an editor: the holder is told what it is about, the
/// board tells that the request is open, and the release answers it.
#[test]
fn a_terminal_asks_an_editor_for_release() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    coordination.wait_for_claim("src/main.rs");
    let (terminal, id) = Terminal::with_named_session(&workspace, "Carol");
    let terminal = terminal.in_folder(workspace.path("src"));

    let request = ["send", &alice.session_id(), "Please", "For the demo", "--type", "release_request"];
    let about = ["--resource", "file", "main.rs", "--json"];
    let sent = terminal.run(request.into_iter().chain(about)).expect_code(0).json();
    assert_eq!(sent["sent"]["resource"], "file/src/main.rs", "{sent}");
    let shown = alice.wait_for_message("For the demo");
    let shown = shown["message"].as_str().unwrap();
    assert!(shown.contains("Carol asks you to release src/main.rs"), "{shown}");
    coordination.wait_for("the board to tell of the open request", |here| {
        let board = here.board();
        board.lines().any(|line| line.contains(" asked ") && line.contains("src/main.rs")).then_some(())
    });

    hers.undo_to_saved();
    coordination.wait_for("the answer", |here| {
        here.messages_to(&id)
            .into_iter()
            .find(|message| message["type"] == "released" && message["resource"] == "file/src/main.rs")
    });
}

/// Whoever asked for something is told once that it is free, whatever released it: a verb, the end of a shell's session, or an
/// agent's turn or session.
#[test]
fn a_request_is_answered_however_it_is_released() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let file = "src/lib.rs";
    let mut told = 0;
    let mut ask = |holder: &str, release: &dyn Fn()| {
        wait_for("the claim to be known", || alice.status()["claims"].to_string().contains(holder).then_some(()));
        alice.execute_ok("deconflict.requestRelease", json!({ "uri": workspace.uri(file), "message": "Please" }));
        release();
        told += 1;
        let answers = coordination.wait_for("the answer", |here| {
            let answers = here.messages_to(&alice.session_id()).into_iter();
            let answers: Vec<_> = answers.filter(|message| message["type"] == "released").collect();
            (answers.len() >= told).then_some(answers)
        });
        assert_eq!(answers.len(), told, "each is told once: {answers:?}");
        assert!(answers.iter().any(|answer| answer["from"] == holder && answer["resource"] == "file/src/lib.rs"));
        coordination.wait_for_no_claim(file);
    };
    alice.open("README.md").type_text("x");
    coordination.wait_for_claim("README.md");

    let (carol, id) = Terminal::with_named_session(&workspace, "Carol");
    let verbs: [&[&str]; 3] = [&["release", file], &["release", "--all"], &["end"]];
    for verb in verbs {
        carol.run(["claim", file]).expect_code(0);
        ask(&id, &|| drop(carol.run(verb.iter().copied()).expect_code(0)));
    }

    let claude = CodingAgent::on(&workspace, "5f0c9a52-71e4-4b6e-9d1f-6f0d3b0c8a21");
    claude.start();
    let text = workspace.read(file);
    let ways: [&dyn Fn(); 2] = [&|| drop(claude.stop()), &|| drop(claude.end())];
    for way in ways {
        claude.prompt();
        // What is as it was committed is released with the turn.
        claude.edit(file, &text).expect_no_denial();
        ask(&claude.id(), way);
    }
    alice.wait_for_message("Carol released src/lib.rs");
}
