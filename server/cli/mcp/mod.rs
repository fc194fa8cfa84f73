//! `deconflict mcp`

mod bounds;
mod session;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use deconflict_platform as platform;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, JsonObject, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::interrupts::GiveUp;
use super::output::Output;
use session::McpSession;
use tools::{TOOLS, ToolEntry};

pub(crate) use session::CAPABILITY;

/// Run a server of the Model Context Protocol on standard input and output, for agents that have no hooks
///
/// Its tools are the verbs, with the same answers. The agent's session begins when a tool first needs one, and ends
/// with this server. Paths are relative to the folder it is started in.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder the agent works in, if the server is started somewhere else
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    workspace: Option<PathBuf>,
}

/// The verbs, as the terminal has them.
#[derive(Debug, Clone)]
pub(super) struct Verbs {
    pub(super) command: clap::Command,
    /// Does what a command line says.
    pub(super) run: fn(&[String], &Context) -> Result<Exit, Failure>,
}

const INSTRUCTIONS: &str = "Several people and agents edit this repository at the same time. Ask for the status before \
    you pick up work, claim files before you change them, and release them when you are done. Where a claim is \
    refused, leave that file alone: do something else, or ask its holder with send_message. Read your messages now \
    and then; they come from other sessions, not from your user.";

pub(super) fn run(arguments: &Arguments, verbs: Verbs, context: &Context) -> Result<Exit, Failure> {
    super::lsp::log_to_standard_error("error");
    let directory = context.named_directory().map(|named| context.folder().join(named));
    if let Some(workspace) = &arguments.workspace {
        // Each tool finds out anew where it is.
        std::env::set_current_dir(workspace)
            .map_err(|error| Failure::could_not(&format!("go to the folder {}", workspace.display()), &error))?;
    }
    let session = Arc::new(McpSession::new(directory, context.shared.session.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::could_not("start the server", &error))?;
    let ended = runtime.block_on(serve(Server { session: Arc::clone(&session), verbs }));
    // What still waits for its turn must not delay the end.
    runtime.shutdown_background();
    let left = session.end();
    let exit_code = ended?;
    left?;
    // The thread that reads standard input may wait for ever.
    std::process::exit(exit_code.into())
}

/// Serves one client until its input ends or a signal comes, and returns the exit code.
async fn serve(server: Server) -> Result<u8, Failure> {
    let client = async {
        match server.serve((tokio::io::stdin(), tokio::io::stdout())).await {
            Ok(running) => {
                if let Err(error) = running.waiting().await {
                    return Err(Failure::could_not("go on serving", &error));
                }
                Ok(0)
            }
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(0),
            Err(error) => Err(Failure::could_not("begin with the client", &error)),
        }
    };
    tokio::select! {
        ended = client => ended,
        signal = platform::ending_signal() => Ok(128 + signal),
    }
}

#[derive(Debug, Clone)]
struct Server {
    session: Arc<McpSession>,
    verbs: Verbs,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("deconflict", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(|tool| tool.describe(&self.verbs.command)).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(entry) = ToolEntry::find(&request.name) else {
            return Err(ErrorData::invalid_params(format!("There is no tool called \"{}\".", request.name), None));
        };
        let client = context.peer.peer_info().map(|info| info.client_info.name.clone());
        let (server, arguments) = (self.clone(), request.arguments.unwrap_or_default());
        let give_up = GiveUp::default();
        let call = {
            let give_up = give_up.clone();
            move || server.call(entry, arguments, client.as_deref(), &give_up)
        };
        let mut call = tokio::task::spawn_blocking(call);
        let called = tokio::select! {
            called = &mut call => called,
            // Whoever cancels it is not left in a line, to hold one day what nobody asks for any more.
            () = context.ct.cancelled() => {
                give_up.ask();
                call.await
            }
        };
        let (exit, document) = called.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        // A refusal is an answer, and nothing went wrong.
        let result = bounds::result(&document, matches!(exit, Exit::Usage | Exit::Failed));
        Ok(result.into())
    }
}

impl Server {
    /// Runs the verb. It may wait for the disk, or as long as the client says.
    fn call(&self, entry: &ToolEntry, request: JsonObject, client: Option<&str>, give_up: &GiveUp) -> (Exit, Value) {
        let (own, output) = (&self.session, Output::kept());
        let ran = || {
            let session = if entry.needs_session { Some(own.begin_or_go_on(client)?) } else { own.session()? };
            let context = own.context(session, output.clone())?.with_give_up(give_up);
            (self.verbs.run)(&entry.command_line(request, &self.verbs.command)?, &context)
        };
        match ran() {
            Ok(exit) => (exit, output.take_kept().unwrap_or_default()),
            Err(failure) => (failure.exit, failure.document()),
        }
    }
}
