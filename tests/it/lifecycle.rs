//! How a server begins and ends: whatever the end, its claims are released and its session is completed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Editor, Workspace, bare_capabilities};

/// Ends a server that holds a claim, and checks what it leaves and how it exits.
#[track_caller]
fn check_end(exit_code: i32, end: impl FnOnce(&Editor)) {
    check_end_of(exit_code, |workspace| Editor::start(workspace, "alice"), end);
}

#[track_caller]
fn check_end_of(exit_code: i32, start: impl FnOnce(&Workspace) -> Editor, end: impl FnOnce(&Editor)) {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = start(&workspace);
    alice.open("src/main.rs").type_text("x");
    alice.open("src/lib.rs").type_text("x").save();
    coordination.wait_for_claim("src/main.rs");
    coordination.wait_for_claim("src/lib.rs");
    let claim = coordination.claim("src/main.rs").unwrap();
    let session_id = claim["claimed_by"].as_str().unwrap();

    let start = Instant::now();
    end(&alice);
    assert_eq!(alice.exit_code(), exit_code, "the exit code");
    let took = start.elapsed();
    assert_eq!(coordination.claim_files(), Vec::<String>::new(), "claims that were left");
    let session = coordination.session(session_id).unwrap();
    assert_eq!(session["status"], "completed", "{session}");
    assert!(session["ended_at"].is_string(), "{session}");
    assert!(session["total_duration"].is_string(), "{session}");
    assert!(took < Duration::from_millis(1_500), "the end took {took:?}");
}

#[test]
fn shutdown_and_exit() {
    check_end(0, |alice| {
        alice.request("shutdown", Value::Null);
        alice.exit();
    });
}

#[test]
fn exit_alone_is_an_error() {
    check_end(1, Editor::exit);
}

#[test]
fn shutdown_and_the_end_of_input() {
    check_end(0, |alice| {
        alice.request("shutdown", Value::Null);
        alice.close_input();
    });
}

#[test]
fn the_end_of_input() {
    check_end(1, Editor::close_input);
}

#[test]
fn the_end_of_input_while_the_editor_owes_answers() {
    check_end_of(1, |workspace| Editor::builder(workspace).that_never_answers().start(), Editor::close_input);
}

#[test]
fn the_editors_process_is_gone() {
    check_end(1, Editor::kill_process);
}

#[cfg(unix)]
#[test]
fn signals() {
    use rustix::process::Signal;
    for (signal, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        check_end(exit_code, |alice| alice.signal_server(signal));
    }
}

/// In a container the editor's process may be invisible: its number says nothing then.
#[test]
fn an_editor_process_that_cannot_be_seen_is_not_taken_for_dead() {
    let workspace = Workspace::small();
    let alice = Editor::builder(&workspace).process_id(u32::from(u16::MAX) * 64).start();
    alice.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    alice.settle(&workspace);
    assert_eq!(alice.quit(), 0);
}

#[test]
fn an_editor_that_says_nothing_of_itself_is_served() {
    check_end_of(
        1,
        |workspace| Editor::builder(workspace).without_process_id().without_client_info().start(),
        Editor::close_input,
    );
}

#[test]
fn a_malformed_body_loses_no_claim() {
    for malformed in [
        &b"Content-Length: 9\r\n\r\n{\"method\""[..],
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 4\r\n\r\nnull",
        b"hello\r\n\r\nContent-Length: x\r\n\r\nX: 1\r\n\r\n\r\n",
    ] {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        let alice = Editor::start(&workspace, "alice");
        let hers = alice.open("src/main.rs");
        hers.type_text("x");
        let claim = coordination.wait_for_claim("src/main.rs");
        alice.send_malformed(malformed);
        hers.type_text("y");
        alice.settle(&workspace);
        assert_eq!(coordination.claim("src/main.rs").unwrap()["id"], claim["id"]);
        assert_eq!(alice.quit(), 0);
    }
}

#[test]
fn a_server_that_is_started_again_resumes_what_it_held() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::builder(&workspace).client("Neovim").start();
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    let claim = coordination.wait_for_claim("src/main.rs");
    let session_id = alice.session_id();
    let unsaved = hers.text();
    alice.kill_server();

    let again = Editor::builder(&workspace).client("Neovim").process_id(alice.process_id().unwrap()).start();
    let hers = again.open_unsaved("src/main.rs", &unsaved);
    again.settle(&workspace);
    assert_eq!(again.session_id(), session_id);
    assert_eq!(coordination.holder("src/main.rs"), Some(session_id));
    assert!(coordination.claim("src/main.rs").unwrap()["generation"].as_u64() >= claim["generation"].as_u64());
    assert_eq!(hers.codes(), Vec::<String>::new());
    hers.undo_to_saved();
    coordination.wait_for_no_claim("src/main.rs");
}

#[test]
fn requests_out_of_season_are_refused_in_the_words_of_the_protocol() {
    const NOT_INITIALIZED: i64 = -32002;
    const INVALID_REQUEST: i64 = -32600;
    const METHOD_NOT_FOUND: i64 = -32601;

    let workspace = Workspace::small();
    let alice = Editor::builder(&workspace).start_without_handshake();
    let hover = json!({
        "textDocument": { "uri": workspace.uri("src/main.rs") },
        "position": { "line": 0, "character": 0 },
    });
    assert_eq!(alice.try_request("textDocument/hover", hover.clone()).unwrap_err().code, NOT_INITIALIZED);
    alice.initialize();
    assert_eq!(alice.try_request("deconflict/unheardOf", json!({})).unwrap_err().code, METHOD_NOT_FOUND);
    alice.request("textDocument/hover", hover.clone());
    alice.request("shutdown", Value::Null);
    assert_eq!(alice.try_request("textDocument/hover", hover).unwrap_err().code, INVALID_REQUEST);
    alice.exit();
    assert_eq!(alice.exit_code(), 0);
}

/// The harness fails on a second answer.
#[test]
fn every_request_about_a_document_is_answered_though_it_is_closed_at_once() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let ask = |uri: &str| {
        let start = json!({ "line": 0, "character": 0 });
        let asked = json!({
            "textDocument": { "uri": uri }, "position": start, "range": { "start": start, "end": start },
            "context": { "diagnostics": [] },
        });
        ["hover", "inlayHint", "codeAction"].map(|method| {
            let method = format!("textDocument/{method}");
            (alice.send_request(&method, asked.clone()), method)
        })
    };
    let unknown = ask(&workspace.uri("src/lib.rs"));
    let document = alice.open("src/main.rs");
    let waiting = ask(&document.uri);
    document.close();
    for (id, method) in unknown.into_iter().chain(waiting) {
        alice.wait_for_response(id, &method).unwrap();
    }
}

/// The protocol wants clients to wait for the answer and to say that they have it; simple ones do neither.
#[test]
fn a_client_in_a_hurry_is_served() {
    for says_initialized in [true, false] {
        let workspace = Workspace::small();
        let alice = Editor::builder(&workspace).start_without_handshake();
        let handshake = alice.send_request("initialize", alice.initialize_parameters());
        if says_initialized {
            alice.notify("initialized", json!({}));
        }
        alice.open("src/main.rs").type_text("x");
        alice.wait_for_response(handshake, "initialize").unwrap();
        workspace.coordination().wait_for_claim("src/main.rs");
        assert_eq!(alice.quit(), 0);
    }
}

#[test]
fn exit_before_the_handshake_ends_the_server() {
    let workspace = Workspace::small();
    let alice = Editor::builder(&workspace).start_without_handshake();
    alice.exit();
    assert_eq!(alice.exit_code(), 1);
    assert!(!workspace.coordination().exists());
}

#[test]
fn the_server_says_who_it_is_and_what_it_can() {
    let workspace = Workspace::small();
    for (capabilities, has_hints) in [(crate::support::full_capabilities(), true), (bare_capabilities(), false)] {
        let alice = Editor::builder(&workspace).capabilities(capabilities).start_without_handshake();
        let answer = alice.initialize();
        assert_eq!(answer["serverInfo"]["name"], "deconflict");
        let server = &answer["capabilities"];
        assert_eq!(server["textDocumentSync"]["openClose"], true, "{server}");
        assert_eq!(server["textDocumentSync"]["change"], 2, "incremental: {server}");
        assert!(!server["textDocumentSync"]["save"].is_null(), "{server}");
        assert!(matches!(server["positionEncoding"].as_str(), None | Some("utf-16")), "{server}");
        assert!(!server["hoverProvider"].is_null(), "{server}");
        assert_eq!(!server["inlayHintProvider"].is_null(), has_hints, "{server}");
        assert!(!server["codeActionProvider"].is_null(), "{server}");
        assert_eq!(alice.quit(), 0);
    }
    assert!(!workspace.coordination().exists(), "opening a folder makes no directory");
}

/// Whoever makes the directory writes its parent to the disk before the folders in it are made, which takes a while.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_being_made_while_the_server_starts_is_joined_at_once() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    std::fs::create_dir(coordination.directory()).unwrap();
    let alice = Editor::start(&workspace, "alice");
    let document = alice.open("src/lib.rs");
    assert_eq!(alice.status()["session"], Value::Null);
    let threads = || std::fs::read_dir(format!("/proc/{}/task", alice.server_id())).unwrap();
    let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    crate::support::wait_for("the server to watch", || {
        threads().any(|thread| name(thread.unwrap()).starts_with("notify")).then_some(())
    });
    // Until the thread that asked for that waits.
    (0..20).for_each(|_| drop(alice.status()));
    let start = Instant::now();
    coordination.create();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    document.wait_for_diagnostic("claimed");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Everybody's reading would wake every server, and the server's own reading itself.
#[cfg(target_os = "linux")]
#[test]
fn a_server_is_not_woken_by_what_is_only_read() {
    const READ_OR_OPENED: u32 = 0x1 | 0x20;
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let document = alice.open("src/lib.rs");
    // What the system is asked for, as it tells itself: `inotify wd:1 ino:… mask:fce …`.
    let masks = |at_least: usize| {
        crate::support::wait_for("the server to watch", || {
            let files = std::fs::read_dir(format!("/proc/{}/fdinfo", alice.server_id())).unwrap();
            let told = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default());
            let words = told.collect::<String>();
            let masks = words.split_whitespace().filter_map(|word| word.strip_prefix("mask:"));
            let masks: Vec<u32> = masks.filter_map(|mask| u32::from_str_radix(mask, 16).ok()).collect();
            (masks.len() >= at_least).then_some(masks)
        })
    };
    let awaiting = masks(1);
    assert!(awaiting.iter().all(|mask| mask & READ_OR_OPENED == 0), "{awaiting:x?}");
    let coordination = workspace.coordination();
    coordination.create();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    document.wait_for_diagnostic("claimed");
    let watching = masks(4);
    assert!(watching.iter().all(|mask| mask & READ_OR_OPENED == 0), "{watching:x?}");
}
