//! What a keystroke costs in a large document, and how soon an editor that has just started shows the first diagnostic.

use std::time::Duration;

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::floors::{self, Helper};
use crate::pipe::Server;
use crate::populate::{CLAIMED, Size, populate};
use crate::support::Workspace;

const KEYSTROKES: usize = 1_000;
const STARTS: usize = 10;

const LINE: &str = "This is a line of plain text as it may stand in a file.\n";

/// The time from a keystroke until the server is ready for the next.
pub(crate) fn measure_keystroke(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), size);
    let mut figures = Vec::new();
    for (megabytes, typing, worst, overtyping) in [
        (1, "keystroke in 1 MB, p50", "keystroke in 1 MB, p99", "keystroke in 1 MB that keeps the length, p99"),
        (10, "keystroke in 10 MB, p50", "keystroke in 10 MB, p99", "keystroke in 10 MB that keeps the length, p99"),
    ] {
        let goal = if megabytes == 1 { Goal::AtMost(0.2) } else { Goal::None };
        let lines = megabytes * 1024 * 1024 / LINE.len();
        let name = format!("large-{megabytes}.txt");
        let text = LINE.repeat(lines);
        workspace.write(&name, &text);
        let uri = workspace.uri(&name);
        let mut server = Server::start(&workspace, "anna");
        server.open(&uri, &text);
        server.edit(&uri, 0, 0, 1, "t");
        workspace.coordination().wait_for_claim(&name);
        server.catch_up(&uri);
        let mut floor = bare_round_trips(&workspace, &uri);
        let mut keystrokes = |replaced, typed: &str| -> Vec<f64> {
            (0..KEYSTROKES)
                .map(|round| {
                    milliseconds(|| {
                        server.edit(&uri, round * 7919 % lines, 10, replaced, typed);
                        server.catch_up(&uri);
                    })
                })
                .collect()
        };
        // While the length stays that of the file, the text has to be compared with it.
        let mut same_length = keystrokes(1, "x");
        let mut typed = keystrokes(0, "x");
        let floor = quantile(&mut floor, 0.5);
        let row = |name, value, goal| Figure { name, size, unit: "ms", value, floor: Some(floor), goal };
        figures.push(row(typing, quantile(&mut typed, 0.5), Goal::None));
        figures.push(row(worst, quantile(&mut typed, 0.99), goal));
        figures.push(row(overtyping, quantile(&mut same_length, 0.99), goal));
    }
    figures
}

/// The same bytes through the pipes of a process that only answers.
fn bare_round_trips(workspace: &Workspace, uri: &str) -> Vec<f64> {
    let mut echo = Helper::echo(workspace.root());
    let mut message = Server::edit_message(uri, 9_000, 10, 0, "x");
    message.extend([b' '; 160]);
    message.push(b'\n');
    (0..KEYSTROKES)
        .map(|_| {
            milliseconds(|| {
                echo.send(&message);
                echo.wait();
            })
        })
        .collect()
}

/// From the start of the server to the diagnostic of a document that was opened at once.
pub(crate) fn measure_start(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    let registry = populate(&workspace.path("COORDINATION"), size);
    workspace.write(CLAIMED, "");
    let uri = workspace.uri(CLAIMED);
    let (mut starts, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        floor.push(milliseconds(|| {
            let mut process = Helper::echo(workspace.root());
            floors::read_all(registry.path());
            process.send(b"\n");
            process.wait();
        }));
        let mut server = None;
        starts.push(milliseconds(|| {
            let server = server.insert(Server::start(&workspace, "anna"));
            server.open(&uri, "");
            server.wait_for_diagnostics(&uri, true);
        }));
        drop(server);
        // The killed server's session lies there; the next one would begin with what it left.
        std::thread::sleep(Duration::from_millis(50));
    }
    vec![Figure {
        name: "start to the first diagnostic, p50",
        size,
        unit: "ms",
        value: quantile(&mut starts, 0.5),
        floor: Some(quantile(&mut floor, 0.5)),
        goal: Goal::AtMost(200.0),
    }]
}
