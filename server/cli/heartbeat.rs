//! `deconflict heartbeat ACTION TARGET PHASE`

use std::path::PathBuf;

use deconflict_protocol::text::one_line;
use deconflict_registry::Activity;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{identity, upkeep, values, words};

/// Tell others what you are doing
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What you are doing, such as `building`
    action: String,
    /// What you are working on
    target: Option<String>,
    /// Which phase the work is in
    phase: Option<String>,
    /// How far along you are, such as `30%`
    #[arg(long, value_name = "TEXT")]
    progress: Option<String>,
    /// What you will do next
    #[arg(long, value_name = "TEXT")]
    next: Option<String>,
    /// Files that you touched, several or separated by commas
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// When you expect to be done: a time, or how long from now, such as `2h`
    #[arg(long, value_name = "WHEN")]
    eta: Option<String>,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let activity = Activity {
        action: arguments.action,
        is_said: true,
        target: given(arguments.target),
        phase: given(arguments.phase),
        files_touched: context.names_of_files(&arguments.files)?,
        progress: given(arguments.progress),
        next_action: given(arguments.next),
        estimated_completion: given(arguments.eta).map(|eta| values::expected_at(&eta, context.now())),
    };
    registry.heartbeat(&session.id, &activity)?;
    context.output.answer(
        || {
            json!({
                "session_id": session.id,
                "action": activity.action,
                "target": activity.target,
                "phase": activity.phase,
                "files_touched": activity.files_touched,
                "progress": activity.progress,
                "next_action": activity.next_action,
                "estimated_completion": activity.estimated_completion,
            })
        },
        || {
            if context.shared.original {
                return String::new();
            }
            let told = [Some(&activity.action), activity.target.as_ref()].into_iter().flatten();
            let told: Vec<String> = told.map(|text| one_line(text, words::PHRASE)).collect();
            format!("Told the others: {}.", told.join(" "))
        },
    )?;
    upkeep::tidy_up(context, &registry);
    Ok(Exit::Done)
}

/// Scripts pass empty words for what they don't know.
fn given(word: Option<String>) -> Option<String> {
    word.filter(|word| !word.trim().is_empty())
}
