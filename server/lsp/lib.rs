//! The editor's side: the only code that knows the language server protocol.
//!
//! What the editor sends becomes an event ([`handlers`]), one loop owns the [`state`] and says what is to be done about
//! it, and the [`performer`] has it done: by a [`worker`] for each coordination directory, or by the editor. What
//! changes in a directory comes back as an event too. What the editor shows is put into words by [`present`].

mod arguments;
mod capabilities;
pub mod command_names;
mod convert;
mod effect;
mod event;
mod frame;
mod handlers;
mod parent;
mod performer;
pub mod present;
mod settings;
pub mod situation;
mod spelling;
mod state;
mod text;
mod transport;
mod worker;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tower_lsp::LspService;

use deconflict_platform as platform;
use deconflict_platform::clock::SystemClock;
use event::{Ending, Event};
use handlers::Handlers;
use performer::Performer;
use spelling::Spellings;
use state::State;
use transport::{Incoming, Outgoing};

/// Serves one editor on standard input and output until it ends, and returns the exit code: 0 after `shutdown`, 1
/// without, 128 and the signal's number after a signal. `directory` is the coordination directory that the caller names.
///
/// # Errors
/// When the system gives no threads.
pub fn run(directory: Option<PathBuf>) -> io::Result<u8> {
    let spellings = Spellings::default();
    let incoming = transport::read_messages(io::stdin(), &spellings)?;
    run_until_the_end(incoming, Outgoing::to_standard_output()?, spellings, directory)
}

/// The same for an editor at the other end of any two pipes.
///
/// # Errors
/// When the system gives no threads.
pub fn run_on(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    directory: Option<PathBuf>,
) -> io::Result<u8> {
    let spellings = Spellings::default();
    let incoming = transport::read_messages(input, &spellings)?;
    run_until_the_end(incoming, Outgoing::to_output(output)?, spellings, directory)
}

fn run_until_the_end(
    incoming: mpsc::Receiver<Incoming>,
    outgoing: Outgoing,
    spellings: Spellings,
    directory: Option<PathBuf>,
) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit_code = runtime.block_on(serve(incoming, outgoing, spellings, directory));
    // Nothing that still waits may delay the end.
    runtime.shutdown_background();
    Ok(exit_code)
}

async fn serve(
    incoming: mpsc::Receiver<Incoming>,
    outgoing: Outgoing,
    spellings: Spellings,
    directory: Option<PathBuf>,
) -> u8 {
    let clock = Arc::new(SystemClock::new());
    let (events, queue) = mpsc::unbounded_channel();
    let (service, _) = LspService::new(|_| Handlers::new(events.clone()));
    let input = {
        let (events, outgoing) = (events.clone(), outgoing.clone());
        async move {
            transport::serve(service, incoming, &outgoing).await;
            let _ = events.send(Event::End(Ending::Editor));
        }
    };
    tokio::spawn(input);
    let signals = {
        let events = events.clone();
        async move {
            let number = platform::ending_signal().await;
            let _ = events.send(Event::End(Ending::Signal(number)));
        }
    };
    tokio::spawn(signals);
    let state = State::new(clock.clone(), directory);
    Performer::new(clock, events, outgoing, spellings).run(state, queue).await
}
