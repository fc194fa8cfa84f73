//! Order on the wire: whatever comes in one burst has its effect in the order in which it came.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Coordination, Document, Edit, Editor, Workspace};

/// A small generator of numbers, so that a burst looks random and is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Where a document stands when the burst is over, and what must have come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Unsaved,
    Undone,
    Saved,
    Closed,
}

/// If one change were lost, doubled or applied out of order, a document that is undone edit by edit would not be
/// equal to its file again, and its claim would stay.
#[test]
fn a_burst_of_a_thousand_changes_ends_in_the_right_state() {
    const DOCUMENTS: usize = 16;
    const CHANGES: usize = 1_000;

    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let paths: Vec<String> = (1..=DOCUMENTS).map(|number| format!("docs/guide/chapter-{number:02}.md")).collect();
    let ends = |index: usize| [End::Unsaved, End::Undone, End::Saved, End::Closed][index % 4];
    let mut undo: Vec<Vec<Edit>> = vec![Vec::new(); DOCUMENTS];
    let mut asked = Vec::new();
    let mut dice = Dice(20_251_115);

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| disturb(&coordination, &done));
        for path in &paths {
            alice.open(path);
        }
        for change in 0..CHANGES {
            let index = change % DOCUMENTS;
            let document = alice.document(&paths[index]);
            undo[index].push(insert_somewhere(&document, &mut dice));
            match dice.below(10) {
                0 => asked.push(ask_for_hover(&alice, &document)),
                1 => asked.push(ask_for_status(&alice)),
                2 if ends(index) != End::Undone => {
                    document.save();
                }
                3 if ends(index) == End::Closed => {
                    document.save();
                    document.close();
                    alice.open(&paths[index]);
                }
                _ => {}
            }
        }
        for (index, path) in paths.iter().enumerate() {
            let document = alice.document(path);
            match ends(index) {
                End::Unsaved => {
                    document.type_text("unsaved");
                }
                End::Undone => {
                    for edit in undo[index].iter().rev() {
                        document.change(std::slice::from_ref(edit));
                    }
                }
                End::Saved => {
                    document.save();
                }
                End::Closed => document.close(),
            }
        }
        for (id, method) in asked {
            alice.wait_for_response(id, method).unwrap();
        }
        alice.settle(&workspace);
        done.store(true, Ordering::Relaxed);
    });

    let session = alice.session_id();
    for (index, path) in paths.iter().enumerate() {
        match ends(index) {
            End::Unsaved | End::Saved => {
                coordination.wait_for_holder(path, &session);
            }
            End::Undone | End::Closed => coordination.wait_for_no_claim(path),
        }
    }
    for (index, path) in paths.iter().enumerate() {
        assert_eq!(
            coordination.holder(path).is_some(),
            matches!(ends(index), End::Unsaved | End::Saved),
            "{path} {:?}",
            ends(index)
        );
    }
    assert_eq!(alice.quit(), 0);
}

/// A request is answered from the state that all messages before it made.
#[test]
fn an_answer_knows_all_that_was_sent_before_the_question() {
    let workspace = Workspace::small();
    workspace.coordination().write_session("ghost", json!({}));
    workspace.coordination().write_claim("ghost", "file", "src/main.rs", json!({}));
    let alice = Editor::start(&workspace, "alice");
    alice.open("src/main.rs").wait_for_diagnostic("claimed");
    let rounds: Vec<(i64, i64)> = (0..50)
        .map(|_| {
            alice.document("src/main.rs").close();
            let uri = workspace.uri("src/main.rs");
            let closed = alice.send_request("textDocument/hover", hover_parameters(&uri));
            alice.open("src/main.rs");
            (closed, alice.send_request("textDocument/hover", hover_parameters(&uri)))
        })
        .collect();
    for (closed, open) in rounds {
        assert!(alice.wait_for_response(closed, "hover").unwrap().is_null(), "it was closed");
        assert!(alice.wait_for_response(open, "hover").unwrap().is_object(), "it was open");
    }
}

#[test]
fn a_message_may_come_in_pieces() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    alice.send_in_pieces(&json!({
        "jsonrpc": "2.0",
        "method": "textDocument/didChange",
        "params": {
            "textDocument": { "uri": hers.uri, "version": 2 },
            "contentChanges": [{ "text": "größer 😀\n" }],
        },
    }));
    workspace.coordination().wait_for_claim("src/main.rs");
}

/// A server that waits for an answer before it goes on would wait for ever here.
#[test]
fn an_editor_that_owes_every_answer_is_served_all_the_same() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let alice = Editor::builder(&workspace).that_never_answers().start();
    let hers = alice.open("src/main.rs");
    let theirs = alice.open("src/lib.rs");
    for _ in 0..200 {
        hers.type_text("x");
        theirs.type_text("y");
    }
    theirs.wait_for_diagnostic("claimed");
    coordination.wait_for_claim("src/main.rs");
    assert_eq!(alice.quit(), 0);
}

/// Inserts a short text at a place in the document, and returns the edit that takes it out again.
fn insert_somewhere(document: &Document<'_>, dice: &mut Dice) -> Edit {
    const TEXTS: [&str; 5] = ["a", "é", "😀", "two words", "𝒳y"];
    let text = TEXTS[dice.below(TEXTS.len())];
    let lines: Vec<usize> = document.text().split('\n').map(|line| line.encode_utf16().count()).collect();
    let line = dice.below(lines.len());
    // At the start or the end of a line, never inside a character of two units.
    let character = if dice.below(2) == 0 { 0 } else { lines[line] };
    document.change(&[Edit::insert(line, character, text)]);
    Edit { start: (line, character), end: (line, character + text.encode_utf16().count()), text: String::new() }
}

fn ask_for_hover(alice: &Editor, document: &Document<'_>) -> (i64, &'static str) {
    let id = alice.send_request("textDocument/hover", hover_parameters(&document.uri));
    (id, "textDocument/hover")
}

fn ask_for_status(alice: &Editor) -> (i64, &'static str) {
    let parameters = json!({ "command": "deconflict.status", "arguments": [{}] });
    (alice.send_request("workspace/executeCommand", parameters), "deconflict.status")
}

fn hover_parameters(uri: &str) -> serde_json::Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": 0, "character": 0 } })
}

/// Writes and deletes records in the directory, as busy others do.
fn disturb(coordination: &Coordination, done: &AtomicBool) {
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        let other = format!("other-{}", round % 5);
        coordination.write_session(&other, json!({ "round": round }));
        coordination.write_claim(&other, "task", &format!("task {}", round % 7), json!({}));
        if round % 20 == 0 {
            coordination.write_message(&other, "broadcast", "Busy", "Don't mind me", json!({ "type": "chatter" }));
        }
        if round % 3 == 0 {
            coordination.remove_claim("task", &format!("task {}", round % 7));
        }
        // At the pace of a script, not of a machine that does nothing else.
        thread::sleep(Duration::from_millis(1));
    }
}
