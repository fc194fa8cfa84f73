//! The editor's side: the only code that knows the language server protocol.
//!
//! What the editor sends becomes an event ([`handlers`]), one loop owns the [`state`] and says what is to be done about
//! it, and the [`effect_runner`] has it done: by a [`worker`] for each coordination directory, or by the editor. What
//! changes in a directory comes back as an event too. What the editor shows is put into words by [`present`].

mod capabilities;
mod command;
mod convert;
mod diagnostic_code;
mod effect;
mod effect_runner;
mod event;
mod event_loop;
mod frame;
mod handlers;
mod hearing;
mod input;
mod job;
mod json;
mod lenient;
mod output;
mod parent;
mod present;
mod reply;
pub mod settings;
mod snapshot;
mod spelling;
mod state;
mod text;
mod worker;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tower_lsp::LspService;

use deconflict_platform::clock::SystemClock;
use deconflict_platform::{self as platform, InputGlance};
use deconflict_workspace::UserSettings;
use effect_runner::EffectRunner;
use event::{EndReason, Event};
use event_loop::Events;
use handlers::Handlers;
use hearing::Hearing;
use output::Outgoing;
use spelling::Spellings;
use state::ServerState;

/// Serves one editor on standard input and output until it ends, and returns the exit code: 0 after `shutdown`, 1
/// without, 128 and the signal's number after a signal. `directory` is the coordination directory that the caller names,
/// `editor` the editor's process where the caller knows better than the client.
///
/// # Errors
/// When the system gives no threads.
pub fn run(directory: Option<PathBuf>, editor: Option<u32>) -> io::Result<u8> {
    serve(io::stdin(), InputGlance::of_standard_input(), &Outgoing::to_standard_output()?, directory, editor)
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
    serve(input, None, &Outgoing::to_output(output)?, directory, None)
}

fn serve(
    input: impl Read + Send + 'static,
    pipe: Option<InputGlance>,
    outgoing: &Outgoing,
    directory: Option<PathBuf>,
    editor: Option<u32>,
) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Arc::new(SystemClock::new());
    let spellings = Spellings::default();
    let events = Events::new();
    let hearing = Hearing::new(pipe, events.clone());
    let (service, _) = LspService::new(|_| Handlers::new(events.clone()));
    let ended = {
        let events = events.clone();
        move || events.send(Event::End(EndReason::Editor))
    };
    let loop_side = (events.clone(), hearing.clone());
    input::serve(input, service, loop_side, outgoing.clone(), spellings.clone(), runtime.handle().clone(), ended)?;
    let signals = {
        let events = events.clone();
        async move {
            let number = platform::ending_signal().await;
            events.send(Event::End(EndReason::Signal(number)));
        }
    };
    runtime.spawn(signals);
    let user_settings = UserSettings::read();
    for problem in &user_settings.problems {
        tracing::warn!("in the user's settings.toml: {problem}");
    }
    let state = ServerState::new(clock.clone(), directory, user_settings).serving(editor);
    let runner = {
        let (events, outgoing) = (events.clone(), outgoing.clone());
        EffectRunner::new(state, (events, hearing), outgoing, spellings, runtime.handle().clone(), clock.clone())
    };
    let exit_code = runtime.block_on(async {
        let exit_code = events.run(Box::new(runner), &*clock).await;
        outgoing.flush().await;
        exit_code
    });
    // Nothing that still waits may delay the end.
    runtime.shutdown_background();
    Ok(exit_code)
}
