//! Messages that are not quite as the protocol has them, requests that the end or a cancellation overtakes.

use serde_json::{Value, json};

use crate::support::{Editor, Terminal, Workspace};

/// A workspace with a directory, in which a server registers at once.
fn coordinated() -> Workspace {
    let workspace = Workspace::small();
    workspace.coordination().create();
    workspace
}

#[test]
fn a_shutdown_with_parameters_is_one() {
    for parameters in [json!({}), json!([])] {
        let workspace = coordinated();
        let alice = Editor::start(&workspace, "alice");
        alice.wait_for_session();
        alice.request("shutdown", parameters);
        alice.exit();
        assert_eq!(alice.exit_code(), 0);
    }
}

#[test]
fn what_was_asked_for_before_the_end_is_done_and_answered() {
    let workspace = coordinated();
    let alice = Editor::start(&workspace, "alice");
    alice.wait_for_session();
    let (_, bob) = Terminal::with_named_session(&workspace, "bob");
    let document = alice.open("src/main.rs");
    let ask = |command: &str, argument: Value| {
        alice.send_request("workspace/executeCommand", json!({ "command": command, "arguments": [argument] }))
    };
    let message = json!({ "to": "bob", "subject": "Before I go", "message": "All is saved" });
    let asked = [
        ask("deconflict.claim", json!({ "uri": document.uri })),
        ask("deconflict.sendMessage", message),
        ask("deconflict.status", json!({})),
        ask("deconflict.release", json!({ "uri": document.uri })),
    ];
    let position = json!({ "line": 0, "character": 0 });
    let hover = alice
        .send_request("textDocument/hover", json!({ "textDocument": { "uri": document.uri }, "position": position }));
    let shutdown = alice.send_request("shutdown", Value::Null);
    for (number, id) in asked.into_iter().enumerate() {
        let answer = alice.wait_for_response(id, "a command").unwrap_or_else(|error| panic!("{number}: {error:?}"));
        assert_eq!(answer["ok"], true, "{number}: {answer}");
    }
    // Whatever it is answered with.
    let _ = alice.wait_for_response(hover, "textDocument/hover");
    assert_eq!(alice.wait_for_response(shutdown, "shutdown").unwrap(), Value::Null);
    let messages = workspace.coordination().messages_to(&bob);
    assert_eq!(messages[0]["subject"], "Before I go", "{messages:?}");
    alice.exit();
    assert_eq!(alice.exit_code(), 0);
}

#[test]
fn an_unknown_request_of_an_extension_is_answered() {
    let workspace = coordinated();
    let alice = Editor::start(&workspace, "alice");
    let refused = alice.try_request("$/somethingOfTomorrow", json!({})).unwrap_err();
    assert_eq!(refused.code, -32_601, "{refused:?}");
    // A notification of the kind is passed over.
    alice.notify("$/somethingElse", json!({}));
    alice.wait_for_session();
}

#[test]
fn documents_without_a_number_or_a_language_are_documents() {
    for (number, (version, language)) in [
        (json!(null), json!(null)),
        (json!(2.0), json!("rust")),
        (json!("two"), json!(7)),
        (json!(99_999_999_999_u64), json!("")),
    ]
    .into_iter()
    .enumerate()
    {
        let workspace = coordinated();
        let alice = Editor::start(&workspace, "alice");
        let session = alice.wait_for_session();
        let uri = workspace.uri("src/main.rs");
        let text = workspace.read("src/main.rs");
        let mut document = json!({ "uri": uri, "version": version, "languageId": language, "text": text });
        if number == 0 {
            document.as_object_mut().unwrap().remove("version");
            document.as_object_mut().unwrap().remove("languageId");
        }
        alice.notify("textDocument/didOpen", json!({ "textDocument": document }));
        alice.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": uri, "version": version },
                "contentChanges": [{ "text": format!("// edited\n{text}") }],
            }),
        );
        workspace.coordination().wait_for_holder("src/main.rs", &session);
    }
}

#[test]
fn a_folder_is_removed_under_whatever_spelling() {
    let workspace = coordinated();
    let other = coordinated();
    let alice = Editor::builder(&workspace).folders(&[workspace.root(), other.root()]).start();
    let is_over = || {
        let sessions = other.coordination().sessions();
        sessions.first().is_some_and(|session| session["status"] == "completed").then_some(())
    };
    other.coordination().wait_for("a session there", |it| (!it.sessions().is_empty()).then_some(()));
    // A letter may be encoded, and a slash may end it.
    let uri = other.uri("").trim_end_matches('/').replace("project", "%70roject") + "/";
    let removed = json!([{ "uri": uri, "name": "other" }]);
    alice.notify("workspace/didChangeWorkspaceFolders", json!({ "event": { "added": [], "removed": removed } }));
    other.coordination().wait_for("the end of the session there", |_| is_over());
}

#[test]
fn a_command_without_arguments_is_one() {
    let workspace = coordinated();
    let alice = Editor::start(&workspace, "alice");
    alice.wait_for_session();
    for arguments in [Value::Null, json!([])] {
        let parameters = json!({ "command": "deconflict.status", "arguments": arguments });
        assert_eq!(alice.request("workspace/executeCommand", parameters)["ok"], true);
    }
    let wrong = alice.try_request("workspace/executeCommand", json!({ "command": 7 })).unwrap_err();
    assert_eq!(wrong.code, -32_602, "{wrong:?}");
}

#[test]
fn a_cancelled_command_says_what_it_did() {
    let workspace = coordinated();
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    let document = alice.open("src/main.rs");
    let parameters = json!({ "command": "deconflict.claim", "arguments": [{ "uri": document.uri }] });
    let id = alice.send_request("workspace/executeCommand", parameters);
    alice.notify("$/cancelRequest", json!({ "id": id }));
    let answer = alice.wait_for_response(id, "the cancelled command").unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(workspace.coordination().holder("src/main.rs"), Some(session));
}

#[test]
fn what_a_holder_works_on_is_not_repeated_in_each_file() {
    let workspace = coordinated();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "src/main.rs"]).expect_code(0);
    ada.run(["heartbeat", "building", "the login form", "BUILD"]).expect_code(0);
    let editor = Editor::start(&workspace, "Grace");
    editor.wait_for_session();
    let document = editor.open("src/main.rs");
    let told = document.wait_for_diagnostic("claimed");
    assert!(!told["message"].as_str().unwrap().contains("login form"), "{told}");
    assert!(document.hover(0, 1).to_string().contains("login form"), "the hover tells");
    let published = || editor.look(|view| view.publications.get(&document.uri).copied());
    let before = published();
    ada.run(["heartbeat", "building", "the log out form", "BUILD"]).expect_code(0);
    editor.settle(&workspace);
    assert_eq!(published(), before, "nothing is published anew");
}
