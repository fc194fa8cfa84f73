//! `deconflict lsp`

use tracing_subscriber::EnvFilter;

use super::context::Context;
use super::failure::{Exit, Failure};

/// Run the language server on standard input and output
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Accepted because many editors pass it; there is no other way to talk to the server.
    #[arg(long, hide = true)]
    stdio: bool,
    /// Accepted because some editors pass it; the server takes the editor's process from `initialize`.
    #[arg(long = "clientProcessId", hide = true, value_name = "PID")]
    client_process_id: Option<u32>,
    /// The editor's process, if a longer-lived program starts the server for it
    #[arg(long, value_name = "PID")]
    editor: Option<u32>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    log_to_standard_error("warn");
    let named = context.named_directory().map(|named| context.folder().join(named));
    let exit_code = deconflict_lsp::run(named, arguments.editor)
        .map_err(|error| Failure::could_not("start the language server", &error))?;
    // The thread that reads the editor's pipe may wait for ever.
    std::process::exit(exit_code.into())
}

/// Standard output is the protocol's.
pub(super) fn log_to_standard_error(default: &str) {
    let log = EnvFilter::try_from_env("DECONFLICT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).with_ansi(false).init();
}
