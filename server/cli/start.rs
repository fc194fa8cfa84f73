//! `deconflict start`

use deconflict_protocol::SessionId;
use deconflict_registry::{NewSession, Registry, Session};
use deconflict_words::documents;
use deconflict_workspace::git_hooks::{self, GuardState};
use deconflict_workspace::{DIRECTORY_VARIABLE, start_team_helper};
use serde_json::json;

use super::context::{Context, SESSION_VARIABLE};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{identity, keeper, upkeep, words};

/// Begin a session and print its id
///
/// In a shell: `eval "$(deconflict start --export)"`, so that later verbs know whose they are. Elsewhere, keep the
/// printed id and pass it with --session or in `DECONFLICT_SESSION`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print shell lines for `eval`
    #[arg(long)]
    export: bool,
    /// A name for this session
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is working on
    #[arg(long, value_name = "TEXT")]
    work: Option<String>,
    /// What kind of program it is, such as an agent's name [default: the agent that runs this, or terminal]
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Something it can do; may be given several times
    #[arg(long = "capability", value_name = "WORD", value_delimiter = ',')]
    capabilities: Vec<String>,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    // A name that cannot be used must not leave a directory behind.
    let wanted = context.shared.session.as_ref().map(|id| SessionId::new(id.as_str())).transpose()?;
    let registry = context.registry_or_create()?;
    let keeper = keeper::find();
    let agent = keeper.as_ref().and_then(|keeper| keeper.agent);
    let client = arguments.client.unwrap_or_else(|| agent.unwrap_or("terminal").to_owned());
    let new = NewSession {
        id: wanted,
        agent: Some(client.clone()).filter(|client| deconflict_agents::is_agent_name(client)),
        client: Some(client),
        name: arguments.name,
        current_work: arguments.work,
        capabilities: arguments.capabilities,
        keeper: keeper.map(|keeper| keeper.process),
        ..context.new_session()?
    };
    let session = identity::register(&registry, new, |failure, id| {
        failure
            .advise(format!("If it is yours, continue it: export {SESSION_VARIABLE}={id}"))
            .advise("Otherwise choose another name, or none: deconflict start")
    })?;
    start_team_helper(context.location()?);
    if context.shared.original {
        registry.set_current_session(&session.id)?;
    }
    context.output.answer(
        || {
            json!({
                "session_id": session.id,
                "directory": registry.path(),
                "session": documents::session(&session),
            })
        },
        || {
            if context.shared.original {
                format!("✅ Session {} registered", session.id)
            } else if arguments.export {
                shell_lines(&session, context)
            } else {
                session.id.to_string()
            }
        },
    )?;
    if !context.output.is_json() {
        for remark in remarks(&registry, &session, arguments.export)? {
            Output::remark(&remark);
        }
        if let Some(lost) = lost_guard(context) {
            Output::remark(&lost);
        }
    }
    upkeep::tidy_up(context, &registry);
    Ok(Exit::Done)
}

/// What `eval` gets. These lines mean the same to the POSIX shells, zsh and fish.
fn shell_lines(session: &Session, context: &Context) -> String {
    let mut lines = format!("export {}={}\n", SESSION_VARIABLE, words::shell_word(session.id.as_str()));
    // Whoever names the directory here means it for the verbs that follow, wherever they run.
    if let Some(directory) = context.named_directory() {
        let directory = context.folder().join(directory);
        lines.push_str(&format!("export {DIRECTORY_VARIABLE}={}\n", words::shell_word(&directory.to_string_lossy())));
    }
    lines
}

/// Who else is here, and where the verbs that follow could take the session for another.
fn remarks(registry: &Registry, session: &Session, is_exported: bool) -> Result<Vec<String>, Failure> {
    let mut others = registry.live_sessions()?;
    others.retain(|other| other.id != session.id);
    let mut remarks = Vec::new();
    let named: Vec<String> = others.iter().take(3).map(Session::label).collect();
    match others.len() {
        0 => {}
        1..=3 => remarks.push(format!("Also here: {}; `deconflict status` tells more.", named.join(", "))),
        more => remarks.push(format!("{more} other sessions are here; `deconflict status` lists them.")),
    }
    let by_variable = std::env::var(SESSION_VARIABLE).unwrap_or_default();
    if !is_exported && others.iter().any(|other| other.id.as_str() == by_variable) {
        remarks.push(format!("{SESSION_VARIABLE} still names {by_variable}, so the verbs here act as that one."));
    }
    if !is_exported && by_variable.is_empty() && others.iter().any(|other| other.shares_keeper_with(session)) {
        remarks.push("The program that runs this now has several sessions: name yours with --session.".to_owned());
    }
    Ok(remarks)
}

/// What is to be said where hooks were written anew without the guard.
fn lost_guard(context: &Context) -> Option<String> {
    git_hooks::wanted(context.folder())?;
    let folder = git_hooks::hooks_folder(context.folder()).ok()?;
    let state = git_hooks::state(context.folder(), &folder);
    let missing = state.missing(&folder).filter(|_| state != GuardState::Absent)?;
    Some(format!("{missing} To put it back: {}", GuardState::REMEDY))
}
