//! Which server keeps the status board, and what it writes from what it knows.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{
    BoardKeeper, Change, Draft, NewSession, Recipient, Refreshed, Registry, Terms, View, Watch, watch,
};

use crate::support::wait_for;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server as far as the board is concerned.
struct Server {
    session: SessionId,
    view: View,
    changes: Receiver<Vec<Change>>,
    board: BoardKeeper,
    _watch: Watch,
}

impl Server {
    fn start(registry: &Registry, id: &str) -> Self {
        let new = NewSession { id: Some(SessionId::new(id).unwrap()), ..NewSession::default() };
        let session = registry.register(new).unwrap().id;
        let (sender, changes) = channel();
        let watch = watch(registry, &session, move |batch| drop(sender.send(batch))).unwrap();
        let view = View::new(session.clone(), Arc::clone(registry.clock()));
        let board = BoardKeeper::new(registry.clone(), view.clone());
        Self { session, view, changes, board, _watch: watch }
    }

    fn until(&mut self, is_so: impl Fn(&View) -> bool) {
        while !is_so(&self.view) {
            for change in self.changes.recv_timeout(PATIENCE).expect("in vain until the view shows it") {
                self.view.apply(change);
            }
        }
    }

    fn refresh(&mut self) -> Refreshed {
        self.board.refresh().unwrap()
    }
}

struct Directory {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    registry: Registry,
}

impl Directory {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(chrono::Utc::now()));
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock.clone()).unwrap();
        Self { folder, clock, registry }
    }

    fn board(&self) -> String {
        fs::read_to_string(self.folder.path().join("COORDINATION/STATUS_BOARD.md")).unwrap()
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join("COORDINATION").join(name)).unwrap();
    }
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

#[test]
fn one_server_keeps_the_board_until_it_ends() {
    let directory = Directory::new();
    let mut first = Server::start(&directory.registry, "first");
    assert_eq!(first.refresh(), Refreshed::NotYet, "nothing is known yet");
    let mut second = Server::start(&directory.registry, "second");
    first.until(|view| view.is_complete() && view.sessions().count() == 2);
    second.until(|view| view.is_complete() && view.sessions().count() == 2);

    assert_eq!(first.refresh(), Refreshed::Written);
    assert!(directory.board().contains("second"));
    assert_eq!(first.refresh(), Refreshed::Unchanged);
    assert_eq!(second.refresh(), Refreshed::KeptByAnother);
    assert!(second.board.due_in().is_some(), "the keeper may be about to end");
    directory.clock.advance(Duration::from_secs(2));
    assert_eq!(second.refresh(), Refreshed::KeptByAnother);
    assert_eq!(second.board.due_in(), None, "it lives");

    directory.registry.claim(&first.session, &file("a.rs"), &Terms::default()).unwrap();
    second.until(|view| view.claim_of(&file("a.rs")).is_some());
    assert_eq!(second.refresh(), Refreshed::KeptByAnother);
    drop(first);
    directory.clock.advance(second.board.due_in().unwrap());
    assert_eq!(second.refresh(), Refreshed::Written);
    assert!(directory.board().contains("a.rs"));
}

#[test]
fn verbs_leave_the_board_to_the_server_that_keeps_it() {
    let directory = Directory::new();
    let mut server = Server::start(&directory.registry, "server");
    server.until(View::is_complete);
    assert_eq!(server.refresh(), Refreshed::Written);
    directory.clock.advance(Duration::from_secs(10));
    directory.registry.claim(&server.session, &file("a.rs"), &Terms::default()).unwrap();
    directory.registry.refresh_board().unwrap();
    assert!(!directory.board().contains("a.rs"));
    drop(server);
    directory.registry.refresh_board().unwrap();
    assert!(directory.board().contains("a.rs"));
}

#[test]
fn the_board_goes_out_of_date_by_time_alone() {
    let directory = Directory::new();
    let mut server = Server::start(&directory.registry, "server");
    directory.registry.claim(&server.session, &file("a.rs"), &Terms::default()).unwrap();
    let draft = Draft { subject: "hello".to_owned(), ..Draft::new(MessageKind::Note) };
    directory.registry.send(&server.session, &Recipient::Everyone, &draft).unwrap();
    server.until(|view| view.is_complete() && view.claims().count() == 1);
    assert_eq!(server.refresh(), Refreshed::Written);

    assert_eq!(server.board.due_in().unwrap().as_secs().div_ceil(60), 60, "the message is no longer recent");
    directory.clock.advance(Duration::from_secs(3601));
    assert_eq!(server.refresh(), Refreshed::Written);
    assert!(!directory.board().contains("hello") && directory.board().contains("a.rs"));

    let lease_ends = server.view.claim_of(&file("a.rs")).unwrap().expires_at;
    let due_in = server.board.due_in().unwrap();
    assert!((directory.clock.now() + due_in - lease_ends).num_seconds().abs() < 2, "the lease ends");
    directory.clock.advance(due_in + Duration::from_secs(1));
    assert_eq!(server.refresh(), Refreshed::Written);
}

#[test]
fn a_deleted_lock_file_costs_nobody_the_board() {
    let directory = Directory::new();
    let mut first = Server::start(&directory.registry, "first");
    let mut second = Server::start(&directory.registry, "second");
    for server in [&mut first, &mut second] {
        server.until(|view| view.is_complete() && view.sessions().count() == 2);
    }
    assert_eq!(first.refresh(), Refreshed::Written);
    directory.remove(".board-keeper");
    assert_eq!(second.refresh(), Refreshed::Unchanged, "it is the keeper now");
    assert_eq!(first.refresh(), Refreshed::KeptByAnother);
}

#[test]
fn a_deleted_directory_is_not_made_again_for_its_board() {
    let directory = Directory::new();
    let mut server = Server::start(&directory.registry, "server");
    server.until(View::is_complete);
    assert_eq!(server.refresh(), Refreshed::Written);
    fs::remove_dir_all(directory.registry.path()).unwrap();
    assert_eq!(server.refresh(), Refreshed::NotYet);
    assert!(!directory.registry.path().exists());
}

#[test]
fn a_board_of_thousands_lists_what_people_can_read_and_counts_the_rest() {
    let directory = Directory::new();
    let mut server = Server::start(&directory.registry, "server");
    let asking = directory.registry.register(NewSession::default()).unwrap().id;
    let other = directory.registry.register(NewSession::default()).unwrap().id;
    for number in 0..300 {
        let holder = if number == 0 { &server.session } else { &other };
        directory.registry.claim(holder, &file(&format!("{number:03}.rs")), &Terms::default()).unwrap();
        directory.clock.advance(Duration::from_secs(1));
    }
    let wanted = file("000.rs");
    let request = Draft { resource: Some(wanted.clone()), ..Draft::new(MessageKind::ReleaseRequest) };
    directory.registry.send(&asking, &Recipient::Session(server.session.clone()), &request).unwrap();
    directory.registry.set_editing(&asking, &[file("001.rs")]).unwrap();
    let asks = |view: &View| view.editors_of(&file("001.rs")).len() == 1;
    server.until(|view| view.is_complete() && view.claims().count() == 300 && asks(view));
    assert_eq!(server.refresh(), Refreshed::Written);

    let board = directory.board();
    let (claims, findings) = board.split_once("Coordination Needed").unwrap();
    assert!(
        claims.contains("299.rs") && claims.contains("200.rs") && !claims.contains("199.rs"),
        "the newest: {claims}"
    );
    assert!(claims.contains("200 more"), "{claims}");
    assert!(findings.contains("000.rs") && findings.contains("001.rs"), "{findings}");

    // A verb that reads everything from disk writes the same.
    drop(server);
    fs::remove_file(directory.registry.path().join("STATUS_BOARD.md")).unwrap();
    // Other tests start processes, and until such a one runs its own program it holds our locks, too.
    wait_for("the board to be free", || {
        directory.registry.refresh_board().unwrap();
        directory.registry.path().join("STATUS_BOARD.md").exists().then_some(())
    });
    let lines = |board: &str| {
        board.lines().filter(|line| !line.starts_with("**Last Updated")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&directory.board()), lines(&board));
}
