//! `deconflict release TYPE NAME`

use std::path::PathBuf;

use deconflict_protocol::ResourceType;
use deconflict_protocol::text::one_line;
use deconflict_registry::{
    Activity, Claim, CompletedWork, Message, RELEASED, Recipient, Registry, ReleaseOutcome, Session,
};
use deconflict_words::documents;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::GOOD;
use super::{claim, identity, upkeep, values, words};

/// Release what you hold
///
/// With --completed, --next-phase, --files or --tests-passing every session is told that the work is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task`
    #[arg(id = "type", value_name = "TYPE", value_parser = values::any_resource_type, required_unless_present = "all", requires = "name")]
    resource_type: Option<ResourceType>,
    /// Its name; for a file or directory its path
    #[arg(required_unless_present = "all")]
    name: Option<String>,
    /// All that you hold
    #[arg(long, conflicts_with_all = ["type", "name"])]
    all: bool,
    /// The phase that is completed [default: the claim's]
    #[arg(long, value_name = "PHASE", num_args = 0..=1, default_missing_value = "")]
    completed: Option<String>,
    /// The phase that comes next
    #[arg(long, value_name = "PHASE")]
    next_phase: Option<String>,
    /// Files that were modified, several or separated by commas
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Whether the tests pass
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    tests_passing: Option<bool>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let released = match (&arguments.name, arguments.all) {
        (Some(name), false) => {
            let resource_type = &arguments.resource_type.clone().unwrap_or_else(ResourceType::file);
            match release_one(context, &registry, &session, resource_type, name)? {
                ReleaseOutcome::Released(claim) => vec![claim],
                ReleaseOutcome::NotHolder(claim) => {
                    let failure = claim::not_holder(context, &registry, &claim, "release it");
                    let original = failure.message.clone();
                    return refuse(context, failure, &original);
                }
                ReleaseOutcome::NotFound => {
                    let original = format!("No claim found for {resource_type}/{}", one_line(name, 200));
                    return refuse(context, claim::not_found(resource_type, name), &original);
                }
            }
        }
        (None, true) => words::in_order(registry.release_all(&session.id)?),
        _ => return Err(Failure::usage("Say what to release: either its name or all.")),
    };
    let sent = match &released[..] {
        [] => None,
        claims if arguments.says_that_work_is_done() => {
            Some(tell_all(arguments, context, &registry, &session, claims)?)
        }
        _ => None,
    };
    context.output.answer(
        || {
            json!({
                "released": released.iter().map(|claim| documents::claim(claim, Some(&session))).collect::<Vec<_>>(),
                "sent": sent.as_ref().map(documents::message),
            })
        },
        || in_words(context, &released, sent.as_ref()),
    )?;
    let names: Vec<String> = released.iter().map(|claim| claim.resource.to_string()).collect();
    let work = session.work();
    let activity = Activity {
        action: RELEASED.to_owned(),
        target: names.iter().find(|name| Some(name.as_str()) == work).or(names.first()).cloned(),
        files_touched: released.iter().map(|claim| claim.resource.name().to_owned()).collect(),
        ..Activity::default()
    };
    upkeep::sign_of_life(&registry, &session, &activity);
    Ok(Exit::Done)
}

fn release_one(
    context: &Context,
    registry: &Registry,
    session: &Session,
    resource_type: &ResourceType,
    name: &str,
) -> Result<ReleaseOutcome, Failure> {
    let mut first = None;
    for resource in context.claimed_resources(resource_type, name)? {
        match registry.release(&session.id, &resource)? {
            ReleaseOutcome::NotFound => {}
            ReleaseOutcome::NotHolder(claim) => first = first.or(Some(claim)),
            released @ ReleaseOutcome::Released(_) => return Ok(released),
        }
    }
    Ok(first.map_or(ReleaseOutcome::NotFound, ReleaseOutcome::NotHolder))
}

fn refuse(context: &Context, failure: Failure, original: &str) -> Result<Exit, Failure> {
    if context.shared.original {
        Output::text(&format!("⚠️  {original}"))?;
        return Ok(Exit::Refused);
    }
    Err(failure)
}

fn in_words(context: &Context, released: &[Claim], sent: Option<&Message>) -> String {
    if context.shared.original {
        let line = |claim: &Claim| {
            format!("✅ Released: {}/{}", claim.resource.resource_type(), one_line(claim.resource.name(), 200))
        };
        return released.iter().map(line).collect::<Vec<_>>().join("\n");
    }
    let mut lines = match released {
        [] => "You hold nothing.".to_owned(),
        claims => format!("{GOOD}Released{GOOD:#} {}.", words::list_of_resources(claims)),
    };
    if sent.is_some() {
        lines.push_str("\nTold everyone that the work is done.");
    }
    lines
}

impl Arguments {
    fn says_that_work_is_done(&self) -> bool {
        self.completed.is_some() || self.next_phase.is_some() || self.tests_passing.is_some() || !self.files.is_empty()
    }
}

fn tell_all(
    arguments: &Arguments,
    context: &Context,
    registry: &Registry,
    session: &Session,
    released: &[Claim],
) -> Result<Message, Failure> {
    let of_claims = || released.iter().find_map(Claim::phase).map(str::to_owned);
    let work = CompletedWork {
        resources: released.iter().map(|claim| claim.resource.clone()).collect(),
        phase: arguments.completed.clone().filter(|phase| !phase.is_empty()).or_else(of_claims),
        next_phase: arguments.next_phase.clone(),
        files: context.names_of_files(&arguments.files)?,
        tests_passing: arguments.tests_passing,
    };
    Ok(registry.send(&session.id, &Recipient::Everyone, &work.draft())?)
}
