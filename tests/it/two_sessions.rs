//! Two people in one repository, each with an editor of their own: what one does, the other is told.

use std::fs;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Coordination, Editor, Terminal, Workspace, hint_label, wait_for};

const FILE: &str = "services/api/src/order/model.rs";
const OTHER: &str = "services/domain/src/billing/mod.rs";

/// The main line, from the first keystroke to the last release.
#[test]
fn each_is_told_at_once_what_the_other_holds() {
    let workspace = Workspace::realistic();
    assert!(count_files(workspace.root()) >= 200, "the repository is not realistic");
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open(FILE);
    let his = bob.open(FILE);

    // The first edit claims.
    hers.type_text("// mine\n");
    let claim = coordination.wait_for_claim(FILE);
    let (alice_id, bob_id) = (alice.wait_for_session(), bob.wait_for_session());
    assert_eq!(claim["claimed_by"], alice_id.as_str());
    assert_eq!(claim["resource_type"], "file");
    assert_eq!(claim["automatic"], true);
    assert_lease(&claim, TimeDelta::minutes(15));

    // The other sees it without touching a key.
    let told = his.wait_for_diagnostic("claimed");
    assert_eq!(told["source"], "deconflict");
    assert_eq!(told["severity"], 3, "his document is as on disk: {told}");
    assert_eq!(told["range"]["start"]["line"], 0);
    assert!(text(&told).contains("alice"), "{told}");
    his.wait_for_hints("who holds the file", |hints| hints.len() == 1 && hint_label(&hints[0]).contains("alice"));
    assert_eq!(hers.codes(), Vec::<String>::new(), "the holder has nothing to be told");

    // A save is a sign of life.
    hers.save();
    coordination.wait_for("a heartbeat about the save", |here| {
        here.heartbeats(&alice_id)
            .into_iter()
            .find(|heartbeat| heartbeat["files_touched"].as_array().is_some_and(|files| files.contains(&json!(FILE))))
    });

    // Undoing the only edit releases.
    let second = alice.open(OTHER);
    second.type_text("x");
    coordination.wait_for_holder(OTHER, &alice_id);
    second.undo_to_saved();
    coordination.wait_for_no_claim(OTHER);

    // A message arrives.
    bob.execute_ok(
        "deconflict.sendMessage",
        json!({ "to": alice_id, "subject": "Order model", "message": "How long will it take you?" }),
    );
    let shown = alice.wait_for_message("How long will it take you?");
    assert!(shown["message"].as_str().unwrap().contains("bob"), "who says so? {shown}");

    // A request for release arrives, and the release answers it.
    hers.type_text("// more\n");
    bob.execute_ok("deconflict.requestRelease", json!({ "uri": his.uri, "message": "I need it for the demo" }));
    let asked = alice.wait_for_message("I need it for the demo");
    assert!(asked["message"].as_str().unwrap().contains("bob"), "who asks? {asked}");
    assert_eq!(coordination.holder(FILE).as_deref(), Some(alice_id.as_str()), "it has unsaved changes");
    hers.save();
    alice.execute_ok("deconflict.release", json!({ "uri": hers.uri }));
    bob.wait_for_message("alice");
    his.wait_until_clear();
    his.wait_for_hints("nothing", <[Value]>::is_empty);
    coordination.wait_for_no_claim(FILE);

    // Closing releases too.
    his.reload();
    his.type_text("// his\n");
    coordination.wait_for_holder(FILE, &bob_id);
    hers.wait_for_diagnostic("claimed");
    his.close();
    hers.wait_until_clear();
    coordination.wait_for_no_claim(FILE);
}

#[test]
fn the_board_tells_it_all() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open(FILE);
    hers.type_text("x");
    coordination.wait_for_claim(FILE);
    let alice_id = alice.wait_for_session();
    bob.wait_for_session();
    bob.execute_ok("deconflict.sendMessage", json!({ "to": alice_id, "subject": "Lunch?", "message": "At noon" }));
    coordination.wait_for("the board to tell of both, the claim and the message", |here| {
        let board = here.board();
        ["alice", "bob", "model.rs", "Active Sessions", "Active Claims", "Recent Messages", "Coordination Needed"]
            .iter()
            .all(|part| board.contains(part))
            .then_some(())
    });
    let his = bob.open(FILE);
    his.type_text("y");
    coordination.wait_for("the board to tell that both edit one file", |here| {
        let board = here.board();
        let needed = board.split("Coordination Needed").nth(1)?;
        (needed.contains("model.rs") && needed.contains("bob")).then_some(())
    });
}

#[test]
fn an_expired_claim_can_be_taken_over_and_an_active_one_cannot() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    let long_ago = (Utc::now() - TimeDelta::hours(1)).to_rfc3339();
    coordination.write_claim("ghost", "file", FILE, json!({ "expires_at": long_ago }));
    coordination.write_claim("ghost", "file", OTHER, json!({}));
    let bob = Editor::start(&workspace, "bob");

    let stale = bob.open(FILE);
    let told = stale.wait_for_diagnostic("claim-stale");
    assert_eq!(told["severity"], 3, "{told}");
    assert!(text(&told).contains("ghost"), "{told}");
    bob.execute_ok("deconflict.takeOver", json!({ "uri": stale.uri }));
    stale.wait_until_clear();
    coordination.wait_for_holder(FILE, &bob.session_id());

    let active = bob.open(OTHER);
    active.wait_for_diagnostic("claimed");
    let refused = bob.execute_refused("deconflict.takeOver", json!({ "uri": active.uri }), "claimed");
    assert_eq!(refused["claim"]["claimed_by"], "ghost", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("ghost"), "{refused}");
    assert_eq!(coordination.holder(OTHER).as_deref(), Some("ghost"));
}

#[test]
fn who_is_displaced_by_force_is_told_and_keeps_the_text() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open("src/main.rs");
    let his = bob.open("src/main.rs");
    hers.type_text("x");
    his.wait_for_diagnostic("claimed");

    bob.execute_ok("deconflict.takeOver", json!({ "uri": his.uri, "force": true }));
    coordination.wait_for_holder("src/main.rs", &bob.session_id());
    let lost = hers.wait_for_diagnostic("claim-lost");
    assert_eq!(lost["severity"], 1, "{lost}");
    assert!(text(&lost).contains("bob"), "{lost}");
    alice.wait_for_message("bob");
    his.wait_until_gone("claimed");

    hers.close();
    coordination.wait_for("the message about the take-over", |here| {
        here.messages_to(&alice.session_id()).into_iter().find(|message| message["type"] == "taken_over")
    });

    // Where everything is saved, nothing can be lost.
    let saved = alice.open("src/lib.rs");
    saved.type_text("x").save();
    coordination.wait_for_holder("src/lib.rs", &alice.session_id());
    bob.execute_ok("deconflict.takeOver", json!({ "uri": saved.uri, "force": true }));
    saved.wait_for_diagnostic("claimed");
    assert_eq!(saved.codes(), ["claimed"]);
}

#[test]
fn editing_what_another_holds_claims_nothing_until_it_comes_free() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open("src/main.rs");
    let his = bob.open("src/main.rs");
    hers.type_text("x");
    his.wait_for_diagnostic("claimed");

    his.type_text("y");
    let contended = hers.wait_for_diagnostic("contended");
    assert_eq!(contended["severity"], 2, "{contended}");
    assert!(text(&contended).contains("bob"), "{contended}");
    bob.wait_for_message("alice");
    let (alice_id, bob_id) = (alice.session_id(), bob.session_id());
    coordination.wait_for("bob's record to tell what he edits", |here| {
        let editing = here.session(&bob_id)?["editing"].to_string();
        editing.contains("src/main.rs").then_some(())
    });

    // More keys bring no more messages.
    for _ in 0..5 {
        his.type_text("y");
    }
    bob.settle(&workspace);
    assert_eq!(bob.messages().len(), 1, "one message for a document and a holding: {:?}", bob.messages());
    assert_eq!(coordination.holder("src/main.rs").as_deref(), Some(alice_id.as_str()));

    // He reverts, and she is told; he edits again.
    his.undo_to_saved();
    hers.wait_until_gone("contended");
    his.type_text("z");
    hers.wait_for_diagnostic("contended");

    // It comes free without a change on disk: his edit claims it now.
    hers.undo_to_saved();
    coordination.wait_for_holder("src/main.rs", &bob_id);
    his.wait_until_clear();
    hers.wait_for_diagnostic("claimed");
}

#[test]
fn what_comes_free_changed_on_disk_is_not_claimed_but_told() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open("src/main.rs");
    let his = bob.open("src/main.rs");
    hers.type_text("x");
    his.wait_for_diagnostic("claimed");
    his.type_text("y");
    bob.wait_for_message("alice");

    hers.save();
    alice.execute_ok("deconflict.release", json!({ "uri": hers.uri }));
    bob.wait_for_message("main.rs");
    bob.settle(&workspace);
    assert_eq!(coordination.holder("src/main.rs"), None);
}

#[test]
fn whoever_is_given_what_they_asked_for_is_told_so_once() {
    let workspace = Workspace::small();
    let (alice, bob) = (Editor::start(&workspace, "alice"), Editor::start(&workspace, "bob"));
    let (hers, his) = (alice.open("src/main.rs"), bob.open("src/main.rs"));
    hers.type_text("x");
    his.wait_for_diagnostic("claimed");
    his.type_text("y");
    bob.wait_for_message("has been editing src/main.rs");
    bob.execute_ok("deconflict.requestRelease", json!({ "uri": his.uri }));
    alice.wait_for_message("asks you to release src/main.rs");
    hers.save();
    alice.execute_ok("deconflict.release", json!({ "uri": hers.uri }));
    bob.wait_for_message("src/main.rs is free now, but it changed on disk");
    bob.settle(&workspace);
    assert_eq!(bob.messages().len(), 2, "{:?}", bob.messages());
    crate::support::wait_for("nothing to be left unread", || (bob.status()["messages"]["unread"] == 0).then_some(()));
}

#[test]
fn a_person_in_two_editors_is_told_so_and_not_warned() {
    let workspace = Workspace::small();
    let first = Editor::builder(&workspace).client("Neovim").start();
    let second = Editor::builder(&workspace).client("Helix").start();
    let there = first.open("src/main.rs");
    let here = second.open("src/main.rs");
    there.type_text("x");
    // The claim may be seen a moment before the record of its session.
    here.wait_for_diagnostic_where("told that it is the same person", |told| {
        text(told).contains("Your Neovim has been editing")
    });
    here.type_text("y");
    there.wait_for_diagnostic("contended");
    let told = here.wait_for_diagnostic("claimed");
    assert_eq!(told["severity"], 3, "{told}");
}

#[test]
fn another_persons_editor_is_a_warning() {
    let workspace = Workspace::small();
    let first = Editor::builder(&workspace).client("Neovim").env("USER", "ada").start();
    let second = Editor::builder(&workspace).client("Neovim").env("USER", "bob").start();
    first.open("src/main.rs").type_text("x");
    let here = second.open("src/main.rs");
    let told = here.wait_for_diagnostic("claimed");
    assert_eq!(told["severity"], 3, "{told}");
    here.type_text("y");
    here.wait_for_diagnostic_where("`claimed` as a warning", |diagnostic| diagnostic["severity"] == 2);
}

#[test]
fn an_edit_of_what_another_holds_is_a_warning() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_named_session(&workspace, "Carol");
    terminal.run(["claim", "file", "src/main.rs"]).expect_code(0);
    let bob = Editor::start(&workspace, "bob");
    let his = bob.open("src/main.rs");
    let told = his.wait_for_diagnostic("claimed");
    assert_eq!(told["severity"], 3, "{told}");
    his.type_text("x");
    let told = his.wait_for_diagnostic_where("`claimed` as a warning", |diagnostic| diagnostic["severity"] == 2);
    assert_eq!(told["code"], "claimed");
    assert!(text(&told).contains("Carol"), "{told}");
    his.undo_to_saved();
    his.wait_for_diagnostic_where("`claimed` as information", |diagnostic| diagnostic["severity"] == 3);
    terminal.run(["release", "file", "src/main.rs"]).expect_code(0);
    his.wait_until_clear();
}

/// An agent that works through an editor changes what the editor shows. Only a person's own text clashes with it.
#[test]
fn an_agent_in_the_same_editor_clashes_only_with_unsaved_text() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    alice.settle(&workspace);
    let own = coordination.session(&alice.session_id()).unwrap();
    let mut agent = json!({ "client": "claude-code", "name": "Claude" });
    for field in ["client_pid", "host", "pid_scope", "user"] {
        agent[field] = own[field].clone();
    }
    coordination.write_session("agent", agent);
    coordination.write_claim("agent", "file", "src/main.rs", json!({ "automatic": true }));
    workspace.write("src/main.rs", "written by the agent\n");
    hers.reload();
    alice.settle(&workspace);
    assert!(hers.diagnostics().iter().all(|told| told["severity"].as_i64() > Some(2)), "{:?}", hers.diagnostics());
    assert_eq!(alice.messages(), Vec::<String>::new());
    assert_eq!(coordination.holder("src/main.rs").as_deref(), Some("agent"));

    hers.type_text("her own ");
    hers.wait_for_diagnostic_where("`claimed` as a warning", |told| told["severity"] == 2);
}

#[test]
fn the_terminal_respects_what_an_editor_holds() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    alice.open("src/main.rs").type_text("x");
    coordination.wait_for_claim("src/main.rs");
    let (terminal, carol) = Terminal::with_new_session(&workspace);
    let refused = terminal.run(["claim", "file", "src/main.rs"]).expect_code(1);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("alice"), "{refused:?}");
    terminal.run(["check", "src/main.rs"]).expect_code(1);
    terminal.run(["check", "src/lib.rs"]).expect_code(0);
    terminal.run(["release", "file", "src/main.rs"]).expect_code(1);

    terminal.run(["send", &alice.session_id(), "Hello", "From the terminal"]).expect_code(0);
    alice.wait_for_message("From the terminal");
    alice
        .execute_ok("deconflict.sendMessage", json!({ "to": carol, "subject": "Hello", "message": "From the editor" }));
    let messages = terminal.run(["messages"]).expect_code(0);
    assert!(messages.stdout.contains("From the editor"), "{messages:?}");
}

#[test]
fn a_killed_editor_frees_its_claims_within_a_second() {
    let scene = Scene::with_a_claim();
    let took = scene.time_until_free(Editor::kill);
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    assert_eq!(scene.coordination.claim_files(), Vec::<String>::new());
}

#[test]
fn a_killed_editor_whose_pipe_stays_open_frees_its_claims_within_a_second() {
    let scene = Scene::with_a_claim();
    let took = scene.time_until_free(Editor::kill_process);
    assert!(took < Duration::from_millis(1_500), "it took {took:?}");
    assert_eq!(scene.coordination.claim_files(), Vec::<String>::new());
}

#[test]
fn a_killed_server_leaves_a_claim_that_is_free_within_five_seconds() {
    let scene = Scene::with_a_claim();
    let his = scene.bob.document(FILE);
    let start = Instant::now();
    scene.alice.kill_server();
    his.wait_for_diagnostic("claim-stale");
    his.wait_until_gone("claimed");
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    his.type_text("y");
    scene.coordination.wait_for_holder(FILE, &scene.bob.session_id());
    his.wait_until_clear();
}

#[test]
fn who_asked_to_be_told_is_told_when_it_is_free() {
    let scene = Scene::with_a_claim();
    let his = scene.bob.document(FILE);
    let actions = his.invoke_code_actions(0, Some("quickfix"));
    let action = actions
        .iter()
        .find(|action| action["title"].as_str().unwrap().to_lowercase().contains("when"))
        .unwrap_or_else(|| panic!("no action to be told when it is free: {actions:#?}"));
    assert_eq!(scene.bob.run_command(&action["command"])["ok"], true);
    scene.alice.document(FILE).undo_to_saved();
    scene.bob.wait_for_message("model.rs");
}

/// Alice holds the file, and Bob sees it.
struct Scene {
    alice: Editor,
    bob: Editor,
    coordination: Coordination,
    _workspace: Workspace,
}

impl Scene {
    fn with_a_claim() -> Self {
        let workspace = Workspace::realistic();
        let alice = Editor::start(&workspace, "alice");
        let bob = Editor::start(&workspace, "bob");
        alice.open(FILE).type_text("x");
        bob.open(FILE).wait_for_diagnostic("claimed");
        Self { alice, bob, coordination: workspace.coordination(), _workspace: workspace }
    }

    /// How long it takes after `end` until Bob sees that the file is free and Alice's session is over.
    fn time_until_free(&self, end: impl Fn(&Editor)) -> Duration {
        let alice_id = self.alice.session_id();
        let start = Instant::now();
        end(&self.alice);
        self.bob.document(FILE).wait_until_clear();
        let took = start.elapsed();
        wait_for("her session to be completed", || {
            (self.coordination.session(&alice_id)?["status"] == "completed").then_some(())
        });
        self.alice.exit_code();
        took
    }
}

fn count_files(folder: &std::path::Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name() != ".git")
        .map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => count_files(&entry.path()),
            kind => usize::from(kind.is_file()),
        })
        .sum()
}

fn assert_lease(claim: &Value, length: TimeDelta) {
    let time = |field: &str| DateTime::parse_from_rfc3339(claim[field].as_str().unwrap()).unwrap();
    let lease = time("expires_at") - time("claimed_at");
    assert!((lease - length).abs() < TimeDelta::seconds(5), "{claim}");
}

fn text(diagnostic: &Value) -> &str {
    diagnostic["message"].as_str().unwrap()
}

/// Some start two clients for one buffer.
#[test]
fn two_clients_of_one_editor_do_not_clash() {
    let workspace = Workspace::small();
    let first = Editor::builder(&workspace).client("Neovim").process_id(std::process::id()).start();
    let second = Editor::builder(&workspace).client("Neovim").process_id(std::process::id()).start();
    let (here, there) = (first.open("src/main.rs"), second.open("src/main.rs"));
    here.type_text("x");
    workspace.coordination().wait_for_holder("src/main.rs", &first.session_id());
    there.type_text("x");
    // An agent in the editor's own process would be told of by then.
    let age = || workspace.coordination().age_of_claim("src/main.rs");
    crate::support::wait_for("what lasts to be told", || {
        (age() > std::time::Duration::from_millis(2_500)).then_some(())
    });
    first.settle(&workspace);
    second.settle(&workspace);
    assert_eq!((here.codes(), there.codes()), (Vec::<String>::new(), Vec::<String>::new()));
    assert_eq!((first.messages(), second.messages()), (Vec::<String>::new(), Vec::<String>::new()));
}
