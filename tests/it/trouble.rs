//! A directory in trouble while a server works there: closed to writing, locked for long, with damaged records.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Coordination, Editor, Terminal, Workspace, wait_for};

#[cfg(unix)]
#[test]
fn a_directory_that_nobody_may_write_is_observed() {
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let set_mode = |mode: u32| {
        for folder in ["claims", "sessions", "heartbeats", "messages", "."] {
            let folder = coordination.directory().join(folder);
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let mut builder = Editor::builder(&workspace);
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere, so somebody else has to try.
        builder = builder.run_as(NOBODY, &belongs_to_nobody(&workspace));
    }
    set_mode(0o555);
    let alice = builder.start();
    alice.open("src/lib.rs").wait_for_diagnostic("claimed");
    alice.open("src/main.rs").type_text("x");
    let notices = wait_for("a notice", || Some(alice.messages()).filter(|messages| !messages.is_empty()));
    alice.status();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(coordination.claim("src/main.rs"), None);
    set_mode(0o755);
}

#[cfg(unix)]
#[test]
fn a_file_that_its_holder_may_not_read_any_more_is_told_of_and_comes_back() {
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::small();
    workspace.coordination().create();
    let mut builder = Editor::builder(&workspace);
    if rustix::process::geteuid().is_root() {
        // Root may read everything.
        builder = builder.run_as(NOBODY, &belongs_to_nobody(&workspace));
    }
    let alice = builder.start();
    let document = alice.open("src/lib.rs");
    document.type_text("// mine\n");
    workspace.coordination().wait_for_holder("src/lib.rs", &alice.wait_for_session());
    document.save();
    let before = workspace.read("src/lib.rs");
    wait_for("the save to be in the journal", || {
        let history = alice.execute_ok("deconflict.history", json!({ "uri": document.uri }));
        history["entries"][0]["label"].is_string().then_some(())
    });
    fs::set_permissions(workspace.path("src/lib.rs"), fs::Permissions::from_mode(0o000)).unwrap();
    document.wait_for_diagnostic("overwritten");
    alice.wait_for_message("changed src/lib.rs");
    alice.execute_ok("deconflict.restore", json!({ "uri": document.uri }));
    document.wait_until_gone("overwritten");
    assert_eq!(workspace.read("src/lib.rs"), before);
    let readable = fs::metadata(workspace.path("src/lib.rs")).unwrap().permissions().mode() & 0o400;
    assert_eq!(readable, 0o400);
}

#[cfg(unix)]
#[test]
fn advice_names_the_setting_in_an_editor_and_the_option_in_a_terminal() {
    let workspace = Workspace::small();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("claims")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), workspace.path("COORDINATION")).unwrap();
    let alice = Editor::start(&workspace, "alice");
    let shown = alice.wait_for_message("COORDINATION")["message"].as_str().unwrap().to_owned();
    assert!(shown.contains("your setting \"deconflict.directory\"") && !shown.contains("--dir"), "{shown}");
    let refused = Terminal::on(&workspace).run(["claim", "file", "src/lib.rs"]);
    assert!(refused.stderr.contains("`--dir` or `DECONFLICT_DIR`"), "{}", refused.stderr);
}

/// Whoever waits for the lock in vain tries again: nobody else gives up what it holds, or takes back what it said.
#[test]
fn what_could_not_be_written_while_the_directory_was_locked_is_written_after_it() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    let theirs = alice.open("src/lib.rs");
    theirs.type_text("x");
    coordination.wait_for_claim("src/main.rs");
    let session = alice.session_id();
    let editing = |here: &Coordination| here.session(&session).unwrap()["editing"].clone();
    coordination
        .wait_for("her record to tell what she edits", |here| (editing(here) == json!(["src/lib.rs"])).then_some(()));

    let lock = fs::File::options().write(true).open(coordination.directory().join(".lock")).unwrap();
    lock.lock().unwrap();
    hers.undo_to_saved();
    theirs.undo_to_saved();
    alice.wait_for_message("has been locked by another process");
    assert!(coordination.claim("src/main.rs").is_some());
    lock.unlock().unwrap();
    coordination.wait_for_no_claim("src/main.rs");
    lock.lock().unwrap();
    alice.open("src/parser.rs").type_text("x");
    // The next job waits in vain behind the claim, so that the claim has done so by then.
    let answer = alice.execute("deconflict.heartbeat", json!({}));
    assert_eq!(answer["reason"], "busy", "{answer}");
    lock.unlock().unwrap();
    coordination.wait_for_claim("src/parser.rs");
    coordination.wait_for("her record to tell that she edits nothing", |here| editing(here).is_null().then_some(()));
}

/// A script that pastes its JSON together may damage any record, that of a server as well.
#[test]
fn a_server_puts_its_own_record_right() {
    for damage in [Some("{\"session_id\": "), None] {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        let alice = Editor::start(&workspace, "alice");
        alice.open("src/main.rs").type_text("x");
        coordination.wait_for_claim("src/main.rs");
        let session = alice.session_id();
        let record = format!("sessions/{session}.json");
        let spoil = || match damage {
            Some(text) => coordination.write_text(&record, text),
            None => fs::remove_file(coordination.directory().join(&record)).unwrap(),
        };
        spoil();
        alice.open("src/lib.rs").type_text("x");
        coordination.wait_for_holder("src/lib.rs", &session);
        assert_eq!(coordination.session(&session).unwrap()["name"], "alice");
        assert_eq!(alice.messages(), Vec::<String>::new());
        spoil();
        assert_eq!(alice.quit(), 0);
        assert_eq!(coordination.claim_files(), Vec::<String>::new());
        assert_eq!(coordination.session(&session).unwrap()["status"], "completed");
    }
}

#[test]
fn damaged_records_harm_nothing_but_themselves() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    coordination.write_text("claims/file-torn.claim", "{\"claimed_by\": \"gho");
    coordination.write_text("claims/file-list.claim", "[1, 2, 3]");
    coordination
        .write_text("claims/file-escape.claim", "{\"claimed_by\": \"../../evil\", \"resource_name\": \"/etc/passwd\"}");
    coordination.write_text("claims/no-hyphen", "");
    coordination.write_text("sessions/empty.json", "");
    coordination.write_text("sessions/deep.json", &"[".repeat(100_000));
    coordination.write("sessions/liar.json", &json!({ "session_id": "../liar", "status": 7, "pid": "many" }));
    coordination.write_text("messages/broadcast/2026-01-01_00-00-00-ghost.json", "nonsense");
    coordination.write_text("heartbeats/garbage.json", "\u{0}\u{1}");
    let alice = Editor::start(&workspace, "alice");
    alice.open("src/main.rs").type_text("x");
    coordination.wait_for_claim("src/main.rs");
    let status = alice.status();
    assert_eq!(status["ok"], true);
    assert!(status["coordinationNeeded"].as_array().is_some_and(|found| !found.is_empty()), "{status}");
    assert!(coordination.directory().join("claims/file-torn.claim").exists(), "nothing damaged is deleted");
    let damaged: Vec<Value> = coordination.claims();
    assert!(damaged.iter().any(Value::is_array), "nothing damaged is rewritten");

    // Each is told of once, in the log, when it cannot be one that is still being written.
    coordination.write_text("claims/file-late.claim", "{");
    coordination.write_text(&format!("messages/direct/{}/2026-01-01_00-00-00-ghost.json", alice.session_id()), "{");
    let files = ["torn", "list", "escape", "late"].map(|name| format!("claims/file-{name}.claim"));
    let others = ["sessions/empty.json", "sessions/deep.json", "broadcast/2026-01-01_00-00-00-ghost.json"];
    let direct = format!("{}/2026-01-01_00-00-00-ghost.json", alice.session_id());
    let expected: Vec<&str> = files.iter().map(String::as_str).chain(others).chain([direct.as_str()]).collect();
    let times = |log: &[String], file: &str| log.iter().filter(|line| line.contains(file)).count();
    alice.wait_until("the log to tell of all damage", |view| {
        expected.iter().all(|file| times(&view.log, file) == 1).then_some(())
    });
    coordination.write_text("claims/file-torn.claim", "{\"claimed_by\": \"gh");
    coordination.write_text("claims/file-later.claim", "{");
    alice.wait_until("the log to tell of new damage", |view| (times(&view.log, "file-later.claim") == 1).then_some(()));
    alice.look(|view| assert_eq!(times(&view.log, "file-torn.claim"), 1, "{:?}", view.log));
    assert_eq!(alice.messages(), Vec::<String>::new());
}

#[cfg(unix)]
const NOBODY: u32 = 65_534;

/// Gives the whole workspace to nobody, and returns a copy of the program that nobody can run.
#[cfg(unix)]
fn belongs_to_nobody(workspace: &Workspace) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let program = workspace.beside("deconflict");
    fs::copy(env!("CARGO_BIN_EXE_deconflict"), &program).unwrap();
    let scratch = workspace.beside("");
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o755)).unwrap();
    let changed = std::process::Command::new("chown").arg("-R").arg(NOBODY.to_string()).arg(&scratch).status();
    assert!(changed.unwrap().success());
    program
}

/// A team that shares a directory by its group shares all that is made in it, whatever each one's own defaults are.
#[cfg(unix)]
#[test]
fn new_records_take_the_group_and_the_mode_of_the_directory() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let workspace = Workspace::small();
    let directory = workspace.path("COORDINATION");
    fs::create_dir(&directory).unwrap();
    // Only root may give it to a group of its own, and not in every container.
    let _ = std::os::unix::fs::chown(&directory, None, Some(54_321));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o2770)).unwrap();
    let group = directory.metadata().unwrap().gid();

    let alice = Editor::start(&workspace, "alice");
    alice.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    let session = alice.session_id();
    alice.execute_ok("deconflict.sendMessage", json!({ "to": session, "subject": "Note", "message": "to myself" }));
    alice.wait_for_message("to myself");
    alice.execute_ok("deconflict.showBoard", json!({}));
    assert_eq!(alice.quit(), 0);

    let mut folders = vec![directory];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            let expected = if found.is_dir() { 0o2770 } else { 0o660 };
            assert_eq!((found.mode() & 0o7777, found.gid()), (expected, group), "{}", entry.path().display());
            if found.is_dir() { folders.push(entry.path()) } else { files += 1 }
        }
    }
    assert!(files >= 6, "a lock, a session, heartbeats, a message, a read mark and the board: {files}");
}
