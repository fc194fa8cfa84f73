//! How fast a claim reaches the editors of others, beside the bare way of it: a claim's file, `inotify`, a pipe. Servers
//! and floors are timed while nothing else of the same run works: a document is open for a moment before it is edited.

use deconflict_protocol::Resource;
use deconflict_registry::{NewSession, Terms};

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::floors::{self, Helper};
use crate::pipe::Server;
use crate::populate::{CLAIMED, Size, populate};
use crate::support::Workspace;

const ROUNDS: usize = 400;

pub(crate) fn measure(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    let registry = populate(&workspace.path("COORDINATION"), size);
    workspace.write(CLAIMED, "");
    let session = registry.register(NewSession::default()).unwrap().id;
    let mut bare = Bare::new();
    let [mut claims, mut edits, mut bare_claims, mut bare_edits] = [(); 4].map(|()| Vec::new());

    let mut berta = start(&workspace, "berta");
    for round in 0..ROUNDS {
        berta.rest();
        bare_claims.push(bare.claim(round));
        let name = format!("notes/{round}.txt");
        workspace.write(&name, "one line\n");
        let (uri, resource) = (workspace.uri(&name), Resource::file(&name).unwrap());
        berta.open(&uri, "one line\n");
        berta.catch_up(&uri);
        berta.rest();
        claims.push(milliseconds(|| {
            registry.claim(&session, &resource, &Terms::default()).unwrap();
            berta.wait_for_diagnostics(&uri, true);
        }));
        registry.release(&session, &resource).unwrap();
        berta.wait_for_diagnostics(&uri, false);
        berta.close(&uri);
    }

    let mut anna = start(&workspace, "anna");
    for round in 0..ROUNDS {
        anna.rest();
        berta.rest();
        bare_edits.push(bare.edit());
        let uri = workspace.uri(format!("notes/{round}.txt"));
        for server in [&mut anna, &mut berta] {
            server.open(&uri, "one line\n");
            server.catch_up(&uri);
        }
        anna.rest();
        berta.rest();
        edits.push(milliseconds(|| {
            anna.edit(&uri, 0, 0, 0, "x");
            berta.wait_for_diagnostics(&uri, true);
        }));
        anna.edit(&uri, 0, 0, 1, "");
        berta.wait_for_diagnostics(&uri, false);
        anna.close(&uri);
        berta.close(&uri);
    }
    let bare_claim = quantile(&mut bare_claims, 0.5);
    let bare_edit = quantile(&mut bare_edits, 0.5);
    let row = |name, value, floor, goal| Figure { name, size, unit: "ms", value, floor: Some(floor), goal };
    vec![
        row("claim to the other's diagnostic, p50", quantile(&mut claims, 0.5), bare_claim, Goal::TimesFloor(3.0)),
        row("claim to the other's diagnostic, p99", quantile(&mut claims, 0.99), bare_claim, Goal::AtMost(10.0)),
        row("edit to the other's diagnostic, p50", quantile(&mut edits, 0.5), bare_edit, Goal::TimesFloor(3.0)),
        row("edit to the other's diagnostic, p99", quantile(&mut edits, 0.99), bare_edit, Goal::AtMost(10.0)),
    ]
}

/// A server that knows all that is there.
fn start(workspace: &Workspace, name: &str) -> Server {
    let mut server = Server::start(workspace, name);
    let uri = workspace.uri(CLAIMED);
    server.open(&uri, "");
    server.wait_for_diagnostics(&uri, true);
    server.close(&uri);
    server
}

/// The same ways with nothing but files, notifications and pipes between processes that do nothing else.
struct Bare {
    folder: tempfile::TempDir,
    claimer: Helper,
    listener: Helper,
    edits: usize,
}

impl Bare {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("claims")).unwrap();
        let [claimer, listener] = [Helper::claimer(folder.path()), Helper::listener(folder.path())];
        Self { folder, claimer, listener, edits: 0 }
    }

    /// A claim, heard of through a pipe.
    fn claim(&mut self, round: usize) -> f64 {
        let name = ROUNDS + round;
        let sample = milliseconds(|| {
            floors::claim(self.folder.path(), name);
            self.listener.wait();
        });
        floors::release(self.folder.path(), name);
        sample
    }

    /// The same by another process that is told through a pipe.
    fn edit(&mut self) -> f64 {
        let sample = milliseconds(|| {
            self.claimer.tell();
            self.listener.wait();
        });
        floors::release(self.folder.path(), self.edits);
        self.edits += 1;
        sample
    }
}
