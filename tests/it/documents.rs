//! When a document is claimed and released: only a person's unsaved text counts.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Document, Edit, Editor, Workspace, wait_for};

#[test]
fn a_reload_of_what_changed_outside_claims_nothing() {
    for by_reopening in [false, true] {
        let reload = |document: &Document<'_>| {
            if by_reopening {
                document.reload_by_reopening();
            } else {
                document.reload();
            }
        };
        let workspace = Workspace::small();
        let alice = Editor::start(&workspace, "alice");
        let hers = alice.open("src/main.rs");
        for text in ["fn main() {}\n", "another text\n", ""] {
            workspace.write("src/main.rs", text);
            reload(&hers);
        }
        workspace.git(&["checkout", "--quiet", "--", "src/main.rs"]);
        reload(&hers);
        alice.settle(&workspace);
        assert_eq!(claims_ever(&alice, &workspace), Vec::<String>::new(), "by reopening: {by_reopening}");
        assert_eq!(alice.messages(), Vec::<String>::new(), "by reopening: {by_reopening}");

        // The reloaded text is the saved one now: an edit and its undoing are seen as such.
        hers.type_text("x");
        workspace.coordination().wait_for_claim("src/main.rs");
        hers.undo_to_saved();
        workspace.coordination().wait_for_no_claim("src/main.rs");
    }
}

/// An editor that reloads while the writer is not done sees a text that the next reload takes back.
#[test]
fn a_claim_for_a_half_written_file_is_withdrawn_unseen() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    workspace.write("src/main.rs", "written by another\n");
    hers.reload();
    alice.settle(&workspace);
    coordination.wait_for_no_claim("src/main.rs");
    assert_eq!(alice.messages(), Vec::<String>::new());
}

#[test]
fn a_document_that_is_restored_with_unsaved_text_is_claimed() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open_unsaved("src/main.rs", "written before the restart\n");
    workspace.coordination().wait_for_claim("src/main.rs");
    hers.undo_to_saved();
    workspace.coordination().wait_for_no_claim("src/main.rs");
}

#[test]
fn a_new_file_is_claimed_with_its_first_text() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/brand_new.rs");
    alice.settle(&workspace);
    assert_eq!(coordination.holder("src/brand_new.rs"), None, "it is as empty as nothing");
    hers.type_text("//! New\n");
    let claim = coordination.wait_for_claim("src/brand_new.rs");
    hers.save();
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/brand_new.rs").unwrap()["id"], claim["id"]);
}

/// Editors restore line ends and byte-order marks in ways of their own; that is no edit.
#[test]
fn byte_order_marks_and_line_ends_make_no_document_unsaved() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let cases = [
        ("mark.txt", "\u{feff}one\ntwo\n", "one\ntwo\n"),
        ("windows.txt", "one\r\ntwo\r\n", "one\ntwo\n"),
        ("unix.txt", "one\ntwo\n", "one\r\ntwo\r\n"),
        ("both.txt", "\u{feff}one\r\ntwo\r\n", "one\ntwo\n"),
        ("old.txt", "one\ntwo\n", "one\rtwo\r"),
        // Some editors call an empty document one empty line.
        ("empty.txt", "", "\n"),
        ("only-a-mark.txt", "\u{feff}", "\r\n"),
    ];
    for (path, on_disk, in_editor) in cases {
        workspace.write(path, on_disk);
        let document = alice.open_unsaved(path, in_editor);
        document.type_text("x");
        workspace.coordination().wait_for_claim(path);
        document.replace_all(in_editor);
        workspace.coordination().wait_for_no_claim(path);
    }
    for (path, on_disk, in_editor) in cases {
        let path = format!("again-{path}");
        workspace.write(&path, on_disk);
        alice.open_unsaved(&path, in_editor);
    }
    alice.settle(&workspace);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

/// If the server's copy differed from the editor's in one unit, undoing would not be seen as such.
/// Nobody can tell whether such a text differs from its file.
#[test]
fn a_file_that_is_no_text_is_not_taken_for_unsaved() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    workspace.write("a.bin", [0xff, 0xfe, 0x41, 0x00]);
    alice.open_unsaved("a.bin", "A");
    alice.settle(&workspace);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn edits_in_texts_of_every_kind_are_followed_exactly() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let cases = [
        ("surrogates", "a😀b\n😀😀\n", (1, 2)),
        ("combining", "e\u{301}te\u{301}\nz\n", (0, 3)),
        ("only carriage returns", "one\rtwo\rthree", (2, 1)),
        ("windows", "one\r\ntwo\r\n", (1, 3)),
        ("mixed", "one\rtwo\r\nthree\nfour", (3, 4)),
        ("separators that end no line", "one\u{2028}two\u{85}three\u{b}four\u{c}five\nsix\n", (1, 0)),
        ("no line end", "one", (0, 3)),
        ("empty", "", (0, 0)),
        ("beyond the end of a line", "one\ntwo\n", (0, 99)),
    ];
    for (name, text, (line, character)) in cases {
        let path = format!("texts/{name}.txt");
        workspace.write(&path, text);
        let document = alice.open(&path);
        document.change(&[Edit::insert(line, character, "é😀\nsecond\r\n")]);
        coordination.wait_for_claim(&path);
        document.undo_to_saved();
        coordination.wait_for_no_claim(&path);

        // Several edits in one change, each relative to the one before, and taken back one by one.
        document.change(&[Edit::insert(0, 0, "𝒳"), Edit::insert(0, 2, "y"), Edit::insert(0, 3, "\n")]);
        coordination.wait_for_claim(&path);
        let back = [((1, 0), (0, 3)), ((0, 3), (0, 2)), ((0, 2), (0, 0))];
        for (end, start) in back {
            document.change(&[Edit { start, end, text: String::new() }]);
        }
        assert_eq!(document.text(), text, "the editor's own copy, {name}");
        coordination.wait_for_no_claim(&path);

        document.send_whole_text("all new\n");
        coordination.wait_for_claim(&path);
        document.send_whole_text(text);
        coordination.wait_for_no_claim(&path);
        document.close();
    }
}

#[test]
fn undoing_after_a_save_keeps_the_claim() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x").save();
    let claim = coordination.wait_for_claim("src/main.rs");
    hers.type_text("y").undo_to_saved();
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/main.rs").map(|now| now["id"].clone()), Some(claim["id"].clone()));
}

#[test]
fn saving_again_and_again_is_one_claim_and_few_heartbeats() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x").save();
    let claim = coordination.wait_for_claim("src/main.rs");
    for _ in 0..50 {
        hers.type_text("x").save();
    }
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/main.rs").unwrap()["id"], claim["id"]);
    let session = alice.session_id();
    let saves = coordination
        .heartbeats(&session)
        .iter()
        .filter(|heartbeat| heartbeat["files_touched"].to_string().contains("src/main.rs"))
        .filter(|heartbeat| heartbeat["action"].as_str().is_some_and(|action| action.contains("sav")))
        .count();
    assert!(saves <= 2, "{saves} heartbeats about saves within seconds: {:#?}", coordination.heartbeats(&session));
    assert_eq!(alice.messages(), Vec::<String>::new());
}

#[test]
fn a_document_that_is_opened_again_at_once_keeps_its_claim() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    for path in ["src/main.rs", "src/lib.rs"] {
        alice.open(path).type_text("x").save();
    }
    let claim = coordination.wait_for_claim("src/main.rs");
    coordination.wait_for_claim("src/lib.rs");
    // A claim is on disk a moment before the loop knows that it holds it.
    alice.settle(&workspace);
    alice.document("src/main.rs").close();
    alice.document("src/lib.rs").close();
    let closed = Instant::now();
    alice.open("src/main.rs");
    // The one that stays closed is released only after a while; then the other one would have been too.
    coordination.wait_for_no_claim("src/lib.rs");
    assert!(closed.elapsed() > Duration::from_millis(1_500), "it was released at once");
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/main.rs").map(|now| now["id"].clone()), Some(claim["id"].clone()));
}

#[test]
fn a_claim_made_by_hand_outlives_its_document() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let by_hand = alice.open("src/main.rs");
    alice.execute_ok("deconflict.claim", json!({ "uri": by_hand.uri }));
    let claim = coordination.wait_for_claim("src/main.rs");
    assert_ne!(claim["automatic"], true, "{claim}");
    by_hand.type_text("x").undo_to_saved();
    by_hand.close();
    let by_edit = alice.open("src/lib.rs");
    by_edit.type_text("x");
    coordination.wait_for_claim("src/lib.rs");
    by_edit.close();
    coordination.wait_for_no_claim("src/lib.rs");
    assert_eq!(coordination.claim("src/main.rs").unwrap()["id"], claim["id"]);
}

#[test]
fn what_nobody_works_on_is_never_claimed_by_itself() {
    let workspace = Workspace::small();
    workspace.write("target/debug/notes.txt", "built\n");
    workspace.write("run.log", "started\n");
    workspace.write(".git/info/notes", "git's own\n");
    let outside = workspace.beside("outside.txt");
    fs::write(&outside, "elsewhere\n").unwrap();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let alice = Editor::start(&workspace, "alice");
    alice.wait_for_session();
    for path in ["target/debug/notes.txt", "run.log", ".git/info/notes", "Cargo.lock", "COORDINATION/STATUS_BOARD.md"] {
        alice.open(path).type_text("x");
    }
    alice.open(&outside).type_text("x");
    alice.settle(&workspace);
    assert_eq!(coordination.claim_files(), Vec::<String>::new());
    assert_eq!(alice.messages(), Vec::<String>::new());
}

#[test]
fn documents_that_are_no_files_are_nothing_to_the_server() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let path = workspace.path("src/main.rs");
    let plain = path.to_str().unwrap();
    for uri in [
        "untitled:Untitled-1".to_owned(),
        format!("git:{plain}?ref=HEAD"),
        format!("vscode-remote://host{plain}"),
        "fugitive:///somewhere".to_owned(),
        "not even a uri".to_owned(),
        // Some editors show the saved text of a file under its own path.
        format!("file://{plain}?ref=HEAD"),
        "file:///a%FF.rs".to_owned(),
    ] {
        let document = alice.open_as(&uri, &path);
        document.type_text("x");
        assert!(document.hover(0, 0).is_null(), "{uri}");
        assert_eq!(document.inlay_hints(), Vec::<serde_json::Value>::new(), "{uri}");
        assert!(alice.diagnostics(&uri).is_empty(), "{uri}");
        document.close();
    }
    alice.settle(&workspace);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn many_files_at_once_are_claimed_with_one_message_about_those_of_others() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({ "name": "ghost" }));
    let chapter = |number: usize| format!("docs/guide/chapter-{number:02}.md");
    for number in 1..=5 {
        coordination.write_claim("ghost", "file", &chapter(number), json!({}));
    }
    let alice = Editor::start(&workspace, "alice");
    let session = alice.wait_for_session();
    for number in 1..=28 {
        alice.open(chapter(number));
    }
    for number in 1..=28 {
        alice.document(chapter(number)).type_text("replaced ");
    }
    for number in 6..=28 {
        coordination.wait_for_holder(&chapter(number), &session);
    }
    alice.wait_for_message("5");
    for number in 1..=5 {
        assert_eq!(coordination.holder(&chapter(number)).as_deref(), Some("ghost"));
    }
    alice.settle(&workspace);
    assert_eq!(alice.messages().len(), 1, "one summary: {:?}", alice.messages());
}

#[test]
fn a_file_that_is_deleted_and_made_again_stays_claimed() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    let claim = coordination.wait_for_claim("src/main.rs");
    let his = bob.open("src/main.rs");
    his.wait_for_diagnostic("claimed");
    workspace.remove("src/main.rs");
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/main.rs").unwrap()["id"], claim["id"]);
    hers.save();
    alice.settle(&workspace);
    assert_eq!(coordination.claim("src/main.rs").unwrap()["id"], claim["id"]);
    hers.close();
    coordination.wait_for_no_claim("src/main.rs");
    his.wait_until_clear();
}

#[test]
fn a_document_that_is_saved_and_rests_is_released() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let idle = Duration::from_secs(3);
    let editor = Editor::builder(&workspace).setting("claims.idleMinutes", json!(idle.as_secs_f64() / 60.0)).start();
    let rests = editor.open("src/main.rs");
    let busy = editor.open("src/parser.rs");
    editor.open("src/lib.rs").type_text("never saved");
    rests.type_text("x").save();
    busy.type_text("x").save();
    let saved = Instant::now();
    coordination.wait_for_claim("src/main.rs");
    coordination.wait_for_claim("src/lib.rs");
    let mut edited_again = false;
    wait_for("the saved document to be released, and not the one that is being worked on", || {
        if saved.elapsed() > idle / 2 && !edited_again {
            edited_again = true;
            busy.type_text("y").save();
        }
        coordination.claim("src/main.rs").is_none().then_some(())
    });
    assert!(saved.elapsed() > idle / 2, "it was released after {:?}", saved.elapsed());
    assert!(coordination.claim("src/parser.rs").is_some(), "it was edited until just now");
    coordination.wait_for_no_claim("src/parser.rs");
    assert!(coordination.claim("src/lib.rs").is_some(), "it is unsaved");
}

#[test]
fn a_short_lease_is_renewed_while_there_is_unsaved_text() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let editor = Editor::builder(&workspace).setting("claims.leaseMinutes", json!(0.05)).start();
    let document = editor.open("src/main.rs");
    document.type_text("x");
    let first = coordination.wait_for_claim("src/main.rs");
    let renewed = wait_for("the lease to be renewed", || {
        coordination.claim("src/main.rs").filter(|claim| claim["expires_at"] != first["expires_at"])
    });
    assert_eq!(renewed["id"], first["id"], "it is the same holding");
    assert!(renewed["expires_at"].as_str() > first["expires_at"].as_str());
    document.undo_to_saved();
    coordination.wait_for_no_claim("src/main.rs");
}

#[test]
fn a_notebook_is_claimed_as_its_file() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    workspace.write("analysis.ipynb", "{\"cells\": []}\n");
    let editor = Editor::start(&workspace, "alice");
    assert!(!editor.server_capability("/notebookDocumentSync").is_null());
    let uri = workspace.uri("analysis.ipynb");
    let cell = "vscode-notebook-cell:/analysis.ipynb#1";
    editor.notify(
        "notebookDocument/didOpen",
        json!({
            "notebookDocument": {
                "uri": uri, "notebookType": "jupyter-notebook", "version": 1,
                "cells": [{ "kind": 2, "document": cell }],
            },
            "cellTextDocuments": [{ "uri": cell, "languageId": "python", "version": 1, "text": "1 + 1" }],
        }),
    );
    editor.settle(&workspace);
    assert_eq!(coordination.claim_files(), Vec::<String>::new(), "nothing was changed");
    let change = json!({ "cells": { "textContent": [{
        "document": { "uri": cell, "version": 2 }, "changes": [{ "text": "1 + 2" }],
    }] } });
    let version = json!({ "uri": uri, "version": 2 });
    editor.notify("notebookDocument/didChange", json!({ "notebookDocument": version, "change": change }));
    coordination.wait_for_claim("analysis.ipynb");
    editor.notify("notebookDocument/didSave", json!({ "notebookDocument": { "uri": uri } }));
    editor.notify(
        "notebookDocument/didClose",
        json!({ "notebookDocument": { "uri": uri }, "cellTextDocuments": [{ "uri": cell }] }),
    );
    coordination.wait_for_no_claim("analysis.ipynb");
}

/// Another session, or a checkout, writes just what stands in the editor, long after it was typed.
#[test]
fn a_text_that_comes_to_be_on_disk_is_saved_whoever_saved_it() {
    const AGREED: &str = "fn main() { agreed() }\n";
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (alice, bob) = (Editor::start(&workspace, "alice"), Editor::start(&workspace, "bob"));
    let hers = alice.open("src/main.rs");
    hers.replace_all(AGREED);
    coordination.wait_for_holder("src/main.rs", &alice.session_id());
    // By then it has been looked at for the last time that is due to her typing.
    wait_for("a second to pass", || (coordination.age_of_claim("src/main.rs") > Duration::from_secs(1)).then_some(()));
    let his = bob.open("src/main.rs");
    his.replace_all(AGREED);
    hers.wait_for_diagnostic("contended");
    his.save();
    // It is hers as if she had saved it herself, and nothing of hers is unsaved any more.
    coordination.wait_for("her save to be told", |it| {
        it.heartbeats(&alice.session_id()).iter().any(|heartbeat| heartbeat["action"] == "saved").then_some(())
    });
    hers.wait_until_gone("contended");
    coordination.wait_for_holder("src/main.rs", &alice.session_id());
}

/// The claims that the session has made by its own heartbeats, those of [`Editor::settle`] aside.
fn claims_ever(alice: &Editor, workspace: &Workspace) -> Vec<String> {
    let heartbeats = workspace.coordination().heartbeats(&alice.session_id());
    let targets = heartbeats.iter().filter_map(|heartbeat| heartbeat["target"].as_str());
    targets.filter(|target| target.contains("main.rs")).map(str::to_owned).collect()
}

/// The editor read the file just before somebody else wrote it, so that its text looked like a person's when the
/// server compared the two.
#[test]
fn a_text_that_was_only_out_of_date_is_not_kept_claimed() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    for reopens in [false, true] {
        let document = alice.open_unsaved("src/main.rs", "fn main() {} // as it was before\n");
        coordination.wait_for_claim("src/main.rs");
        if reopens {
            document.reload_by_reopening();
        } else {
            document.reload();
        }
        coordination.wait_for_no_claim("src/main.rs");
        document.close();
    }
}

/// An auto save by a plain autocommand fires no event that an editor's client hears.
#[test]
fn what_was_unsaved_here_and_is_on_disk_now_was_saved_here() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let document = alice.open("src/main.rs");
    document.type_text("// mine\n");
    let session = alice.session_id();
    coordination.wait_for_holder("src/main.rs", &session);
    workspace.write("src/main.rs", document.text());
    coordination.wait_for("the save to be told", |it| {
        it.heartbeats(&session).iter().any(|heartbeat| heartbeat["action"] == "saved").then_some(())
    });
    assert_eq!(coordination.holder("src/main.rs"), Some(session));
    // Once it has been held for a while, the last change may be told after the write.
    std::thread::sleep(std::time::Duration::from_millis(600));
    workspace.write("src/main.rs", format!("// and more\n{}", document.text()));
    document.type_text("// and more\n");
    alice.settle(&workspace);
    assert!(coordination.claim("src/main.rs").is_some(), "it stays claimed");
}

/// What is not UTF-8 cannot be compared, and its stamp tells a reload from an edit.
#[test]
fn a_reload_of_a_file_in_another_encoding_is_no_edit() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    for (name, encode) in [
        ("latin.txt", (|text: &str| text.chars().map(|c| u8::try_from(c).unwrap()).collect()) as fn(&str) -> Vec<u8>),
        ("utf-16.txt", |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        workspace.write(name, encode("größe\n\u{e9}\n"));
        let alice = Editor::start(&workspace, "alice");
        let document = alice.open_unsaved(name, "größe\n\u{e9}\n");
        alice.settle(&workspace);
        assert_eq!(coordination.claim(name), None, "{name}: opening");
        for number in 0..3 {
            let text = format!("größer {number}\n");
            workspace.write(name, encode(&text));
            document.replace_all(&text);
            alice.settle(&workspace);
            assert_eq!(coordination.claim(name), None, "{name}: a reload");
        }
        document.type_text("mine");
        coordination.wait_for_claim(name);
        alice.quit();
    }
}
