//! What the product does by itself only after a minute. All of it is one test, so that the minute passes once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Editor, Workspace, wait_within};

const MINUTE: Duration = Duration::from_mins(1);
/// A minute, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(80);

#[test]
fn a_minute_changes_what_is_held() {
    let asked = RestingDocument::begin();
    let bulk = BulkEdit::begin();
    let idle = IdleEditor::begin();
    idle.check();
    asked.check();
    bulk.check();
}

/// A request for a document that is saved and untouched for a minute is granted without asking the person: at once if
/// that is so already, else as soon as it is.
struct RestingDocument {
    bob: Editor,
    saved: Instant,
    workspace: Workspace,
    alice: Editor,
}

impl RestingDocument {
    fn begin() -> Self {
        let workspace = Workspace::small();
        let alice = Editor::start(&workspace, "alice");
        let bob = Editor::start(&workspace, "bob");
        alice.open("src/main.rs").type_text("x").save();
        alice.open("src/lib.rs").type_text("x").save();
        let saved = Instant::now();
        let his = bob.open("src/main.rs");
        his.wait_for_diagnostic("claimed");
        bob.execute_ok("deconflict.requestRelease", json!({ "uri": his.uri }));
        alice.wait_for_message("bob");
        assert!(workspace.coordination().claim("src/main.rs").is_some(), "she saved it just now");
        Self { bob, saved, workspace, alice }
    }

    fn check(&self) {
        let coordination = self.workspace.coordination();
        let his = self.bob.document("src/main.rs");
        wait_within(LIMIT, "the request to be granted", || his.diagnostics().is_empty().then_some(()));
        coordination.wait_for_no_claim("src/main.rs");
        assert!(self.saved.elapsed() >= MINUTE, "granted after {:?}", self.saved.elapsed());
        self.alice.wait_for_message("who asked for it");

        assert!(coordination.claim("src/lib.rs").is_some(), "nobody asked for it");
        self.bob.execute_ok("deconflict.requestRelease", json!({ "uri": self.workspace.uri("src/lib.rs") }));
        coordination.wait_for_no_claim("src/lib.rs");
    }
}

/// A server in whose editor nothing happens keeps its promise to refresh its record, and leaves no other trace.
struct IdleEditor {
    board: String,
    editor: Editor,
    workspace: Workspace,
}

impl IdleEditor {
    fn begin() -> Self {
        let workspace = Workspace::small();
        workspace.coordination().create();
        let editor = Editor::start(&workspace, "alice");
        editor.wait_for_session();
        let board = workspace.coordination().wait_for("the board to tell of her", |here| {
            here.board().contains("**Active Sessions:** 1").then(|| here.board())
        });
        Self { board, editor, workspace }
    }

    fn check(&self) {
        let coordination = self.workspace.coordination();
        let session = || coordination.session(&self.editor.session_id()).unwrap();
        let started = session()["started_at"].clone();
        assert_eq!(session()["keepalive"], 60);
        wait_within(LIMIT, "her record to be refreshed", || (session()["last_heartbeat"] != started).then_some(()));
        let heartbeats = coordination.heartbeats(&self.editor.session_id());
        assert_eq!(heartbeats.len(), 1, "only that of the start: {heartbeats:?}");
        assert_eq!(coordination.board(), self.board);
    }
}

/// What a search and replace touched is released a minute after it was saved.
struct BulkEdit {
    editor: Editor,
    workspace: Workspace,
}

impl BulkEdit {
    const FILES: usize = 25;

    fn path(number: usize) -> String {
        format!("docs/guide/chapter-{number:02}.md")
    }

    fn begin() -> Self {
        let workspace = Workspace::realistic();
        let editor = Editor::start(&workspace, "alice");
        for number in 1..=Self::FILES {
            editor.open(Self::path(number)).type_text("replaced ");
        }
        for number in 1..=Self::FILES {
            workspace.coordination().wait_for_claim(&Self::path(number));
        }
        for number in 2..=Self::FILES {
            editor.document(Self::path(number)).save();
        }
        Self { editor, workspace }
    }

    fn check(&self) {
        let coordination = self.workspace.coordination();
        wait_within(LIMIT, "all but the unsaved one to be released", || {
            (coordination.claim_files().len() == 1).then_some(())
        });
        assert!(coordination.claim(&Self::path(1)).is_some(), "it is unsaved");
        assert_eq!(self.editor.messages(), Vec::<String>::new());
    }
}
