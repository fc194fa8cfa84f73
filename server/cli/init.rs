//! `deconflict init`

use deconflict_registry::ScriptState;
use deconflict_workspace::{self as workspace, DirectoryState};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::words;

/// Create the coordination directory
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Join a directory that git tracks and that may have come with the clone
    #[arg(long)]
    adopt: bool,
    /// Add scripts/session-*.sh, for those used to the original scripts
    #[arg(long)]
    scripts: bool,
}

/// The original's seven scripts, as thin wrappers on the verbs.
pub(super) const SCRIPTS: [(&str, &str); 7] = [
    ("session-start.sh", include_str!("scripts/session-start.sh")),
    ("session-heartbeat.sh", include_str!("scripts/session-heartbeat.sh")),
    ("session-claim.sh", include_str!("scripts/session-claim.sh")),
    ("session-release.sh", include_str!("scripts/session-release.sh")),
    ("session-status.sh", include_str!("scripts/session-status.sh")),
    ("session-send-message.sh", include_str!("scripts/session-send-message.sh")),
    ("session-check-messages.sh", include_str!("scripts/session-check-messages.sh")),
];

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let location = context.location()?;
    let adopts = arguments.adopt && !location.may_be_joined();
    if adopts {
        workspace::adopt(location)
            .map_err(|error| Failure::could_not("remember that you joined the directory", &error))?;
    } else {
        context.check_joined()?;
    }
    let registry = context.registry_or_create()?;
    let scripts = SCRIPTS.iter().filter(|_| arguments.scripts);
    let scripts: Vec<(&str, ScriptState)> =
        scripts.map(|(name, text)| Ok((*name, registry.add_script(name, text)?))).collect::<Result<_, Failure>>()?;
    let kept: Vec<&str> =
        scripts.iter().filter(|(_, found)| *found == ScriptState::Different).map(|(name, _)| *name).collect();
    let directory = registry.path().display().to_string();
    let facts = || {
        json!({
            "directory": directory,
            "created": !location.exists(),
            "adopted": location.state == DirectoryState::Adopted || adopts,
            "tracked": location.is_tracked(),
            "scripts": scripts.iter().map(|(name, found)| script_facts(name, *found)).collect::<Vec<_>>(),
        })
    };
    if !kept.is_empty() {
        let message = format!(
            "{directory}/scripts has {} by someone else under the same names, left as they are: {}.",
            words::count(kept.len(), "script"),
            kept.join(", ")
        );
        let failure = Failure::refused("own-scripts", message)
            .advise("To use deconflict's, move them away and run this again. Everything else was done.");
        let Value::Object(facts) = facts() else { return Err(failure) };
        return Err(facts.into_iter().fold(failure, |failure, (name, value)| failure.fact(&name, value)));
    }
    context.output.answer(facts, || {
        let mut lines = match (location.exists(), adopts) {
            (_, true) => format!("{GOOD}Joined{GOOD:#} {directory}."),
            (true, false) => format!("{directory} already exists."),
            (false, false) => format!("{GOOD}Made{GOOD:#} {directory}."),
        };
        if !scripts.is_empty() {
            lines.push_str(&format!("\nThe {} original scripts are in {directory}/scripts.", scripts.len()));
        }
        lines.push_str("\nNext: eval \"$(deconflict start --export)\"");
        lines
    })?;
    Ok(Exit::Done)
}

fn script_facts(name: &str, found: ScriptState) -> Value {
    let state = match found {
        ScriptState::Missing => "added",
        ScriptState::Ours => "there",
        ScriptState::Different => "kept",
    };
    json!({"name": name, "state": state})
}
