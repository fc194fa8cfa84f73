//! What an editor with a view of its own gets: lists that can be shown and acted upon without asking further, a word when
//! they are out of date, and notices that it can put buttons to.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Coordination, Editor, Terminal, Workspace};

struct Scene {
    alice: Editor,
    coordination: Coordination,
    workspace: Workspace,
}

/// The ghost, who is called "The Ghost", holds `src/lib.rs`, and Alice's editor has a view of its own.
fn scene() -> Scene {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({ "name": "The Ghost" }));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let alice = Editor::builder(&workspace)
        .initialization_option("commands", json!(false))
        .initialization_option("statusNotifications", json!(true))
        .initialization_option("changeNotifications", json!(true))
        .initialization_option("notices", json!(true))
        .start();
    alice.wait_for_session();
    Scene { alice, coordination, workspace }
}

impl Scene {
    fn ok(&self, command: &str, argument: Value) -> Value {
        self.alice.execute_ok(&format!("deconflict.{command}"), argument)
    }

    fn listed_claim(&self, name: &str) -> Value {
        let status = self.ok("status", json!({}));
        let claims = status["claims"].as_array().unwrap();
        claims.iter().find(|claim| claim["resource_name"] == name).expect("the claim is listed").clone()
    }
}

#[test]
fn lists_say_whose_and_where() {
    let scene = scene();
    scene.ok("claim", json!({ "uri": scene.workspace.uri("src/main.rs") }));
    scene.coordination.write_claim("ghost", "task", "deploy", json!({}));

    let theirs = scene.listed_claim("src/lib.rs");
    assert_eq!(theirs["holder_label"], "The Ghost");
    assert_eq!(theirs["display_name"], "src/lib.rs");
    assert_eq!(theirs["path"], scene.workspace.path("src/lib.rs").to_str().unwrap());
    assert_eq!(theirs["own"], false);
    assert!(theirs["active_until"].is_string(), "{theirs}");
    assert_eq!(scene.listed_claim("src/main.rs")["own"], true);
    assert_eq!(scene.listed_claim("deploy")["path"], Value::Null);

    let status = scene.ok("status", json!({}));
    let own: Vec<&Value> =
        status["sessions"].as_array().unwrap().iter().filter(|session| session["own"] == true).collect();
    assert_eq!(own.len(), 1, "{status}");
    assert_eq!(own[0]["session_id"], scene.alice.session_id().as_str());
}

/// What MCP answers is the terminal's document (`mcp::the_answers_are_those_of_the_terminal`).
#[test]
fn claims_and_sessions_have_the_form_that_the_terminal_prints() {
    let scene = scene();
    let editors = scene.ok("status", json!({}));
    let terminals = Terminal::on(&scene.workspace).run(["status", "--json"]).expect_code(0).json();
    let find = |document: &Value, list: &str, id: &str| {
        let items = document[list].as_array().unwrap();
        items.iter().find(|item| item["session_id"] == id || item["resource_name"] == id).expect("it is listed").clone()
    };
    let claim =
        ["resource_type", "claimed_at", "expires_at", "standing", "automatic", "file", "holder", "display_name"];
    let session = ["session_id", "state", "label", "last_sign"];
    for (list, id, promised) in [("claims", "src/lib.rs", &claim[..]), ("sessions", "ghost", &session[..])] {
        let (ours, theirs) = (find(&terminals, list, id), find(&editors, list, id));
        for (name, value) in ours.as_object().unwrap() {
            assert_eq!(theirs[name], *value, "{name} in {theirs}");
        }
        for name in promised {
            assert!(!ours[*name].is_null(), "{name} in {ours}");
        }
    }
}

#[test]
fn what_is_listed_can_be_acted_upon() {
    let scene = scene();
    scene.coordination.write_claim("ghost", "task", "deploy", json!({}));
    let listed = scene.listed_claim("deploy");
    let deploy = json!({ "resource": "task/deploy", "expected": listed["expected"] });
    scene.alice.execute_refused("deconflict.takeOver", deploy.clone(), "claimed");
    scene.ok("requestRelease", deploy.clone());
    assert_eq!(scene.coordination.messages_to("ghost")[0]["resource"], "task/deploy");
    scene.ok("takeOver", json!({ "resource": "task/deploy", "force": true }));
    scene.coordination.wait_for_holder("deploy", &scene.alice.session_id());
    scene.alice.execute_refused("deconflict.requestRelease", deploy, "not-found");
    scene.ok("release", json!({ "resource": "task/deploy" }));
    assert_eq!(scene.coordination.claim("deploy"), None);

    for (argument, complaint) in [(json!({}), "uri"), (json!({ "resource": "deploy" }), "not a resource")] {
        let error = scene.alice.try_execute("deconflict.release", &[argument]).unwrap_err();
        assert!(error.message.contains(complaint), "{}", error.message);
    }
}

#[test]
fn folders_are_claimed_like_files() {
    let scene = scene();
    scene.workspace.write("docs/guide.md", "# Guide\n");
    let docs = scene.workspace.uri("docs");
    scene.ok("claim", json!({ "uri": docs }));
    assert_eq!(scene.coordination.wait_for_claim("docs")["resource_type"], "directory");
    scene.ok("release", json!({ "uri": docs }));
    assert_eq!(scene.coordination.claim("docs"), None);
    scene.alice.execute_refused("deconflict.claim", json!({ "uri": scene.workspace.uri("src") }), "claimed");
}

#[test]
fn a_closed_file_can_be_waited_for() {
    let scene = scene();
    scene.ok("tellWhenFree", json!({ "uri": scene.workspace.uri("src/lib.rs") }));
    scene.coordination.remove_claim("file", "src/lib.rs");
    scene.alice.wait_for_message("src/lib.rs is free now");
}

#[test]
fn every_change_is_told_without_its_content() {
    let scene = scene();
    let before = scene.alice.look(|view| view.changes);
    // As many claims as before, so that the status reads as before.
    scene.coordination.remove_claim("file", "src/lib.rs");
    scene.coordination.write_claim("ghost", "file", "src/parser.rs", json!({}));
    scene.alice.wait_until("the word that something changed", |view| (view.changes > before).then_some(()));
}

#[test]
fn reading_the_lists_changes_nothing() {
    let scene = scene();
    scene.coordination.write_message("ghost", "broadcast", "Hello", "to all of you", json!({}));
    scene.alice.settle(&scene.workspace);
    let read = || {
        assert_eq!(scene.ok("messages", json!({}))["messages"].as_array().map(Vec::len), Some(1));
        scene.ok("status", json!({}));
    };
    read();
    // A word that something changed comes a moment after its cause, so it is read for longer than that.
    let start = Instant::now();
    let mut before = None;
    while start.elapsed() < Duration::from_secs(1) {
        read();
        if before.is_none() && start.elapsed() > Duration::from_millis(400) {
            before = Some(scene.alice.look(|view| view.changes));
        }
    }
    assert_eq!(before, Some(scene.alice.look(|view| view.changes)));
}

#[test]
fn an_edit_of_what_another_holds_is_a_notice_about_the_claim() {
    let scene = scene();
    scene.alice.open("src/lib.rs").type_text("x");
    let notice = scene.alice.wait_until("the notice", |view| view.notices.first().cloned());
    assert!(notice["text"].as_str().unwrap().contains("The Ghost"), "{notice}");
    let about = &notice["about"];
    assert_eq!((&about["kind"], &about["uri"]), (&json!("held"), &json!(scene.workspace.uri("src/lib.rs"))));
    assert_eq!(about["claim"]["holder_label"], "The Ghost");
    scene.alice.settle(&scene.workspace);
    assert_eq!(scene.alice.messages(), Vec::<String>::new(), "it is not told twice");
    let needed = &scene.ok("status", json!({}))["coordinationNeeded"];
    assert_eq!(needed[0]["message"], "you are editing src/lib.rs, which The Ghost holds", "{needed:#}");
}

#[test]
fn a_message_is_a_notice_that_can_be_answered() {
    let scene = scene();
    let session = scene.alice.session_id();
    scene.coordination.write_message("ghost", &session, "Hello", "Are you there?", json!({ "id": "m-1" }));
    let notice = scene.alice.wait_until("the notice", |view| view.notices.first().cloned());
    let message = &notice["about"]["message"];
    assert_eq!((&message["id"], &message["sender_label"]), (&json!("m-1"), &json!("The Ghost")));
    // A notice may go by unseen: it is read when the user opened or answered it.
    scene.alice.wait_until("a status with the unread message", |view| {
        view.statuses.last().filter(|status| status["messages"]["unread"] == 1).map(|_| ())
    });
    scene.ok("markRead", json!({ "ids": ["m-1"] }));
    scene.alice.wait_until("a status without unread messages", |view| {
        view.statuses.last().filter(|status| status["messages"]["unread"] == 0).map(|_| ())
    });
    let reply = json!({ "to": "ghost", "subject": "Re: Hello", "message": "Yes", "inReplyTo": "m-1" });
    scene.ok("sendMessage", reply);
    assert_eq!(scene.coordination.messages_to("ghost")[0]["in_reply_to"], "m-1");
    let listed = scene.ok("messages", json!({}));
    assert_eq!(listed["messages"][0]["sender_label"], "The Ghost", "{listed}");
}

#[test]
fn a_conversation_has_both_sides_and_nobody_elses() {
    let scene = scene();
    let session = scene.alice.session_id();
    let (other, _) = Terminal::with_named_session(&scene.workspace, "Carol");
    scene.coordination.write_message("ghost", &session, "Hello", "Are you there?", json!({ "id": "m-1" }));
    other.run(["send", &session, "Aside", "Not about that"]).expect_code(0);
    let reply = json!({ "to": "ghost", "subject": "Re: Hello", "message": "Yes", "inReplyTo": "m-1" });
    scene.ok("sendMessage", reply);
    let exchanged = scene.ok("messages", json!({ "with": "ghost" }));
    let texts: Vec<&str> =
        exchanged["messages"].as_array().unwrap().iter().map(|it| it["message"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Are you there?", "Yes"], "{exchanged}");
    assert_eq!(exchanged["messages"][1]["from"], session.as_str());
}

#[test]
fn a_window_that_is_loaded_again_goes_on_with_its_session() {
    let scene = scene();
    let session = scene.alice.session_id();
    scene.ok("sendMessage", json!({ "to": "broadcast", "subject": "Hello", "message": "mine" }));
    let Scene { alice, coordination, workspace } = scene;
    assert_eq!(alice.quit(), 0);
    let again =
        Editor::builder(&workspace).initialization_option("earlierSessions", json!(["unknown", session])).start();
    assert_eq!(again.wait_for_session(), session);
    let own = coordination.sessions().into_iter().filter(|it| it["session_id"] == session.as_str()).count();
    assert_eq!(own, 1);
    assert_eq!(again.execute_ok("deconflict.messages", json!({}))["messages"], json!([]), "not one's own broadcast");
    // What another window still has is left to it.
    let other = Editor::builder(&workspace).initialization_option("earlierSessions", json!([session])).start();
    assert_ne!(other.wait_for_session(), session);
}
