//! Editors of few means: what is not declared is not used, and everything is there in another way. That nothing
//! undeclared is used is watched by the harness with every message.

use serde_json::{Value, json};

use crate::support::{Editor, Workspace, bare_capabilities, full_capabilities};

/// Walks through everything that a server shows of itself.
fn walk_through(workspace: &Workspace, capabilities: Value) -> Editor {
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let editor = Editor::builder(workspace).capabilities(capabilities).start();
    let session = editor.wait_for_session();
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    document.type_text("x");
    editor.wait_for_message("ghost");
    document.inlay_hints();
    document.hover(0, 0);
    document.invoke_code_actions(0, None);
    document.invoke_code_actions(0, Some("source.deconflict"));
    coordination.write_message("ghost", &session, "Hello", "a word", json!({}));
    editor.wait_for_message("a word");
    editor.execute_ok("deconflict.showBoard", json!({}));
    editor.execute_ok("deconflict.messages", json!({}));
    editor.execute_ok("deconflict.takeOver", json!({ "uri": document.uri, "force": true }));
    document.wait_until_clear();
    editor.change_setting("claims.leaseMinutes", json!(20));
    document.save();
    // The save is known before the claim goes, so that nothing unsaved loses it.
    editor.status();
    coordination.remove_claim("file", "src/lib.rs");
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    document.wait_for_diagnostic("claimed");
    editor.settle(workspace);
    editor
}

#[test]
fn a_bare_client_is_told_everything() {
    let workspace = Workspace::small();
    let editor = walk_through(&workspace, bare_capabilities());
    editor.look(|view| assert_eq!(view.requests, Vec::<String>::new(), "it can answer nothing"));
    assert_eq!(editor.quit(), 0);
}

/// Each capability by itself, because editors lack them one at a time.
#[test]
fn an_editor_that_lacks_one_thing_misses_nothing_else() {
    let lacking = [
        ("/workspace/configuration", json!(false)),
        ("/workspace/workspaceFolders", json!(false)),
        ("/workspace/didChangeConfiguration", Value::Null),
        ("/workspace/didChangeWatchedFiles", Value::Null),
        ("/workspace/inlayHint", Value::Null),
        ("/workspace/fileOperations", Value::Null),
        ("/textDocument/publishDiagnostics", Value::Null),
        ("/textDocument/inlayHint", Value::Null),
        ("/textDocument/hover", Value::Null),
        ("/textDocument/codeAction", Value::Null),
        ("/textDocument/synchronization", Value::Null),
        ("/window", Value::Null),
        ("/general", Value::Null),
    ];
    for (pointer, value) in lacking {
        let mut capabilities = full_capabilities();
        *capabilities.pointer_mut(pointer).unwrap() = value;
        let workspace = Workspace::small();
        let editor = walk_through(&workspace, capabilities);
        assert_eq!(editor.quit(), 0, "without {pointer}");
    }
}

#[test]
fn code_actions_are_commands_for_who_knows_no_literals() {
    let workspace = Workspace::small();
    let editor = walk_through(&workspace, bare_capabilities());
    let actions = editor.document("src/lib.rs").invoke_code_actions(0, None);
    assert!(!actions.is_empty());
    for action in actions {
        assert!(action["command"].is_string(), "not a command: {action}");
        assert!(action["kind"].is_null(), "a literal: {action}");
    }
}

#[test]
fn hover_is_plain_for_who_reads_no_markdown() {
    let workspace = Workspace::small();
    for (formats, expected) in [(json!(["plaintext"]), "plaintext"), (json!(["markdown"]), "markdown")] {
        let mut capabilities = full_capabilities();
        capabilities["textDocument"]["hover"]["contentFormat"] = formats;
        let editor = walk_through(&workspace, capabilities);
        let hover = editor.document("src/lib.rs").hover(0, 0);
        assert_eq!(hover["contents"]["kind"], expected, "{hover}");
    }
}

/// Helix and Emacs would go on showing a holder that has released: there the diagnostic says it alone.
#[test]
fn hints_are_offered_only_to_editors_that_ask_again_when_told() {
    let workspace = Workspace::small();
    for (support, offered) in [(json!({ "refreshSupport": true }), true), (json!({}), false), (Value::Null, false)] {
        let mut capabilities = full_capabilities();
        capabilities["workspace"]["inlayHint"] = support;
        let editor = Editor::builder(&workspace).capabilities(capabilities).start();
        assert_eq!(editor.server_capability("/inlayHintProvider") == json!(true), offered);
    }
}

/// Whoever asks all the same gets the truth.
#[test]
fn hints_are_right_whenever_they_are_asked_for() {
    let workspace = Workspace::small();
    let mut capabilities = full_capabilities();
    capabilities["workspace"]["inlayHint"] = Value::Null;
    let editor = walk_through(&workspace, capabilities);
    let document = editor.document("src/lib.rs");
    assert_eq!(document.inlay_hints().len(), 1);
    workspace.coordination().remove_claim("file", "src/lib.rs");
    document.wait_until_clear();
    assert_eq!(document.inlay_hints(), Vec::<Value>::new());
}
