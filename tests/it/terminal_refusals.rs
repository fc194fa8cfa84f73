//! Every refusal and error has its own message and exit code, in words and as JSON.

use std::fs;

use serde_json::json;

use crate::support::{Outcome, Terminal, Workspace};

/// Runs a verb that must not succeed, in words and as JSON, and compares what it says.
#[track_caller]
fn check(terminal: &Terminal, words: &[&str], code: i32, reason: &str, message: &str) -> Outcome {
    let told = terminal.run(words.iter().copied()).expect_code(code);
    assert_eq!(told.stdout, "", "words about a failure go to standard error: {told:?}");
    assert!(told.stderr.contains(message), "{message:?} in {told:?}");
    let as_json = terminal.run(words.iter().copied().chain(["--json"])).expect_code(code);
    let document = as_json.json();
    assert_eq!(document["ok"], false, "{document}");
    assert_eq!(document["reason"], reason, "{document}");
    assert!(document["message"].is_string(), "{document}");
    told
}

#[test]
fn a_claim_of_another_is_refused_with_who_since_when_and_until_when() {
    let workspace = Workspace::small();
    let holder = Terminal::on(&workspace).run(["start", "--name", "Ada"]).expect_code(0).stdout;
    let holder = holder.trim();
    let ada = Terminal::on(&workspace).session(holder);
    ada.run(["claim", "file", "src/lib.rs", "--phase", "renaming"]).expect_code(0);
    let (terminal, _) = Terminal::with_new_session(&workspace);

    let told =
        check(&terminal, &["claim", "file", "src/lib.rs"], 1, "claimed", "\"src/lib.rs\" has been claimed by \"Ada\"");
    for part in [holder, "since ", "until ", "(in 4 hours)", "renaming", "deconflict send", "--wait", "--force"] {
        assert!(told.stderr.contains(part), "{part} in {told:?}");
    }
    assert!(told.stderr.contains("--type release_request --resource file src/lib.rs"), "{told:?}");
    check(
        &terminal,
        &["claim", "directory", "src"],
        1,
        "claimed",
        "\"src/lib.rs\", which is in the directory \"src\",",
    );
    check(&terminal, &["claim", "directory", "."], 1, "claimed", "\"src/lib.rs\", which is in");
    check(&terminal, &["check", "src/lib.rs"], 1, "claimed", "has been claimed by \"Ada\"");
    check(&terminal, &["release", "file", "src/lib.rs"], 1, "not-holder", "Only its holder can release it");
    check(&terminal, &["hand-off", "file", "src/lib.rs", holder], 1, "not-holder", "Only its holder can hand it off");
    let document = terminal.run(["claim", "file", "src/lib.rs", "--json"]).json();
    assert_eq!(document["claim"]["claimed_by"], holder, "{document}");
    assert_eq!(document["claim"]["phase"], "renaming");
    assert_eq!(document["holder"]["name"], "Ada");
    assert_eq!(workspace.coordination().holder("src/lib.rs").as_deref(), Some(holder));
}

/// A claim by an edit has an end too, though it moves as long as the holder goes on.
#[test]
fn a_claim_by_an_edit_is_refused_with_its_times_too() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-editor", json!({}));
    coordination.write_claim("session-editor", "file", "src/lib.rs", json!({"automatic": true}));
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let told = check(&terminal, &["claim", "file", "src/lib.rs"], 1, "claimed", "\"src/lib.rs\" has been claimed by");
    for part in ["session-editor", "since ", "until ", "while it is edited"] {
        assert!(told.stderr.contains(part), "{part} in {told:?}");
    }
}

#[test]
fn a_claim_on_a_folder_refuses_what_is_in_it() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_new_session(&workspace);
    holder.run(["claim", "directory", "src"]).expect_code(0);
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let message = "the directory \"src\", which \"src/new.rs\" is in,";
    let told = check(&terminal, &["claim", "file", "src/new.rs"], 1, "claimed", message);
    assert!(!told.stderr.contains(": directory src"), "what is claimed is no purpose: {told:?}");
}

#[test]
fn a_holder_who_wants_no_messages_gets_none() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_new_session(&workspace);
    holder.run(["claim", "file", "README.md", "--no-coordination"]).expect_code(0);
    assert_eq!(workspace.coordination().claim("README.md").unwrap()["allow_coordination"], false);
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let told = check(&terminal, &["claim", "file", "README.md"], 1, "claimed", "doesn't want messages");
    assert!(!told.stderr.contains("deconflict send"), "{told:?}");
}

#[test]
fn a_wait_that_is_in_vain_is_refused() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_new_session(&workspace);
    holder.run(["claim", "file", "README.md"]).expect_code(0);
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let words = ["claim", "file", "README.md", "--wait", "1s"];
    check(&terminal, &words, 1, "claimed", "It was not free within 1 second.");
}

#[test]
fn what_nobody_claimed_cannot_be_given_up() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let (_, other) = Terminal::with_new_session(&workspace);
    check(&terminal, &["release", "file", "README.md"], 2, "not-found", "Nobody holds the file README.md");
    check(&terminal, &["release", "task", "deploy"], 2, "not-found", "Nobody holds the task deploy");
    check(&terminal, &["hand-off", "task", "deploy", &other], 2, "not-found", "Nobody holds the task deploy");
}

#[test]
fn nobody_hands_off_to_oneself() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "task", "deploy"]).expect_code(0);
    check(&terminal, &["hand-off", "task", "deploy", &id], 2, "usage", "You can't hand off to yourself.");
    assert_eq!(workspace.coordination().handoffs(), Vec::<serde_json::Value>::new());
}

#[test]
fn nothing_goes_to_sessions_that_are_unknown_or_over() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-over", json!({"status": "completed"}));
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    let told =
        check(&terminal, &["send", "session-x", "a", "b"], 2, "unknown-session", "No session is called \"session-x\"");
    assert!(told.stderr.contains("broadcast"), "{told:?}");
    check(&terminal, &["send", "session-over", "a", "b"], 2, "ended-session", "\"session-over\" has ended");
    let words = ["hand-off", "file", "README.md", "session-x"];
    check(&terminal, &words, 2, "unknown-session", "No session is called \"session-x\"");
    let words = ["hand-off", "file", "README.md", "session-over"];
    check(&terminal, &words, 2, "not-live", "\"session-over\" is completed");
    check(&terminal, &["send", "../../evil", "a", "b"], 2, "unknown-session", "No session is called \"../../evil\"");
    assert!(!workspace.path("evil").exists());
}

#[test]
fn a_message_that_nobody_could_read_again_is_not_sent() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let told = terminal.run_with_input(["send", "broadcast", "all of it", "-", "--json"], &"x".repeat(1 << 20));
    let told = told.expect_code(2);
    assert_eq!(told.json()["reason"], "too-large");
    assert!(told.stderr.contains("1 MiB"), "{told:?}");
    assert_eq!(workspace.coordination().messages_to("broadcast"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_live_sessions_name_is_taken() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    terminal.run(["start", "--session", "build"]).expect_code(0);
    let words = ["start", "--session", "build"];
    let told = check(&terminal, &words, 1, "session-taken", "A live session is already called build");
    assert!(told.stderr.contains("export DECONFLICT_SESSION=build"), "{told:?}");
}

#[test]
fn paths_that_cannot_be_claimed_are_wrong_usage() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let told = check(&terminal, &["claim", "file", "src"], 2, "is-directory", "is a directory, not a file");
    assert!(told.stderr.contains("deconflict claim directory src"), "{told:?}");
    check(&terminal, &["claim", "directory", "README.md"], 2, "is-file", "is a file, not a directory");
    check(&terminal, &["claim", "file", "../beside"], 2, "outside-workspace", "is outside");
    check(&terminal, &["claim", "file", "/etc/passwd"], 2, "outside-workspace", "is outside");
    check(&terminal, &["claim", "task", ""], 2, "name", "cannot name a resource");
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn links_to_nowhere_and_names_that_are_no_text_cannot_be_claimed() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let workspace = Workspace::small();
    symlink("nowhere", workspace.path("dangling")).unwrap();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    check(&terminal, &["claim", "file", "dangling"], 2, "dangling-link", "is a symlink that leads nowhere");
    check(&terminal, &["check", "dangling"], 3, "could-not-tell", "is a symlink that leads nowhere");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    let word = std::ffi::OsStr::new;
    let told = terminal.run([word("check"), name]).expect_code(3);
    assert!(told.stderr.contains("is not valid UTF-8"), "{told:?}");
    std::fs::write(workspace.path(name), "not committed\n").unwrap();
    workspace.write("held.txt", "");
    terminal.run(["claim", "held.txt"]).expect_code(0);
    let verbs: [&[&str]; 11] = [
        &["claim"],
        &["claim", "file"],
        &["claim", "directory"],
        &["claim", "free.txt"],
        &["release"],
        &["release", "held.txt"],
        &["history"],
        &["history", "--forget"],
        &["restore"],
        &["blame"],
        &["commit", "-m", "All", "--"],
    ];
    for verb in verbs {
        let told = terminal.run(verb.iter().map(|it| word(it)).chain([name])).expect_code(2);
        assert!(told.stderr.contains("is not valid UTF-8: it can be neither claimed nor kept"), "{verb:?}: {told:?}");
        assert!(told.stderr.contains("Give it a name in UTF-8"), "{verb:?}: {told:?}");
        let json = [word("--json")].into_iter().chain(verb.iter().map(|it| word(it))).chain([name]);
        assert_eq!(terminal.run(json).expect_code(2).json()["reason"], "not-utf8", "{verb:?}");
    }
    // Nothing of what was asked for together with it was done, and nothing of it is lost.
    assert_eq!(workspace.coordination().claim_files().len(), 1);
    assert_eq!(std::fs::read(workspace.path(name)).unwrap(), b"not committed\n");
}

#[test]
fn wrong_words_are_wrong_usage() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    for (words, message) in [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["claim"], "Claim what?"),
        (&["claim", "file"], "Name it"),
        (&["claim", "File", "x"], "as a resource type"),
        (&["claim", "file", "x", "--for", "soon"], "is not a duration"),
        (&["claim", "file", "x", "--for", ""], "is not a duration"),
        (&["claim", "file", "x", "--for", "4"], "is not a duration"),
        (&["claim", "file", "x", "--for", "4x"], "is not a duration"),
        (&["claim", "file", "x", "--for=-1h"], "is not a duration"),
        (&["claim", "file", "x", "--for", "1.5h"], "is not a duration"),
        (&["claim", "file", "x", "--for", "h4"], "is not a duration"),
        (&["claim", "file", "x", "--for", "99999999999999999999d"], "is not a duration"),
        (&["claim", "file", "x", "--for", "9223372036854775807w"], "is not a duration"),
        (&["claim", "file", "x", "--for", "8d"], "7 days"),
        (&["claim", "file", "x", "--for", "0s"], "at least a minute"),
        (&["claim", "file", "x", "--for", "59s"], "at least a minute"),
        (&["release"], "deconflict release --all"),
        (&["release", "file"], "Name it"),
        (&["release", "file", "x", "--all"], "cannot be used with"),
        (&["heartbeat"], "<ACTION>"),
        (&["send", "broadcast"], "<SUBJECT>"),
        (&["check"], "<PATH>"),
        (&["hand-off", "file", "x"], "<TO>"),
        (&["status", "--watch", "--oneline"], "cannot be used with"),
        (&["status", "--session", "../x"], "could lead out of the directory"),
        (&["completions", "tcsh-2"], "invalid value"),
    ] {
        check(&terminal, words, 2, "usage", message);
    }
    check(&terminal, &["start", "--session", "a b"], 2, "name", "is not a session id");
    assert!(!workspace.coordination().exists(), "nothing was made on the way");
}

#[test]
fn a_named_directory_must_contain_the_workspace() {
    let workspace = Workspace::small();
    let other = Workspace::small();
    let directory = other.path("COORDINATION");
    let words = ["start", "--dir", directory.to_str().unwrap()];
    let told = check(&Terminal::on(&workspace), &words, 2, "outside-workspace", "does not cover");
    for path in [directory.as_path(), workspace.root()] {
        assert!(told.stderr.contains(path.to_str().unwrap()), "both are named: {told:?}");
    }
    let named = Terminal::on(&workspace).env("DECONFLICT_DIR", directory.as_os_str());
    check(&named, &["status"], 2, "outside-workspace", "does not cover");
    let terminal = Terminal::on(&workspace);
    check(&terminal, &["status", "--dir", "README.md"], 2, "no-directory", "is not a coordination directory");
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_a_link_is_used_only_when_named() {
    let workspace = Workspace::small();
    let elsewhere = workspace.beside("elsewhere");
    fs::create_dir_all(elsewhere.join("sessions")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, workspace.path("COORDINATION")).unwrap();
    let terminal = Terminal::on(&workspace);
    let told = check(&terminal, &["start"], 3, "unsuitable", "it is a symlink");
    assert!(told.stderr.contains("--dir"), "{told:?}");
    terminal.run(["start", "--dir", "COORDINATION"]).expect_code(0);
}

#[test]
fn a_lock_that_somebody_keeps_is_could_not_do_it() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let lock = fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(workspace.path("COORDINATION/.lock"))
        .unwrap();
    lock.lock().unwrap();
    check(&terminal, &["claim", "file", "README.md"], 3, "busy", "locked by another process");
    lock.unlock().unwrap();
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
}

#[test]
fn a_directory_that_is_damaged_is_could_not_do_it() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    fs::remove_dir_all(workspace.path("COORDINATION/claims")).unwrap();
    fs::write(workspace.path("COORDINATION/claims"), "no folder").unwrap();
    let told = terminal.run(["claim", "file", "README.md"]).expect_code(3);
    assert!(told.stderr.contains("COORDINATION/claims"), "it says where: {told:?}");
}

#[test]
fn an_answer_that_cannot_be_printed_is_could_not_do_it() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let workspace = Workspace::small();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = Terminal::on(&workspace).command(["status"]).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("Could not print the answer"), "{ended:?}");
}

#[test]
fn scripts_of_somebodys_own_are_left_alone() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create().write_text("scripts/session-claim.sh", "#!/bin/sh\necho mine\n");
    let terminal = Terminal::on(&workspace);
    let told = check(&terminal, &["init", "--scripts"], 1, "own-scripts", "session-claim.sh");
    assert!(told.stderr.contains("move them away"), "{told:?}");
    assert_eq!(workspace.read("COORDINATION/scripts/session-claim.sh"), "#!/bin/sh\necho mine\n");
    assert!(workspace.path("COORDINATION/scripts/session-start.sh").exists(), "the others were added");
}
