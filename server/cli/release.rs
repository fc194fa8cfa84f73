//! `deconflict release [TYPE] NAME…`

use std::path::PathBuf;

use deconflict_protocol::Resource;
use deconflict_protocol::text::one_line;
use deconflict_registry::{
    Activity, Claim, CompletedWork, Message, RELEASED, Recipient, Registry, ReleaseOutcome, Session,
};
use deconflict_words::documents;
use deconflict_workspace::{Declared, Scope};
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::kept_in::KeptIn;
use super::output::Output;
use super::scope::ScopeWord;
use super::style::GOOD;
use super::wanted::Wanted;
use super::{asked, candidates, held, identity, losses, machine, scope, team_session, upkeep, wanted, words};

/// Release what you hold
///
/// With --completed, --next-phase, --files or --tests-passing, all sessions are told that the work is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task` [default: the names are paths]
    #[arg(id = "type", value_name = "TYPE", add = candidates::to_release())]
    first: Option<String>,
    /// The names; for files and directories, their paths
    #[arg(id = "name", value_name = "NAME")]
    rest: Vec<String>,
    /// Everything you hold
    #[arg(long, conflicts_with_all = ["type", "name"])]
    all: bool,
    /// The phase that you completed [default: the claim's]
    #[arg(long, value_name = "PHASE", num_args = 0..=1, default_missing_value = "")]
    completed: Option<String>,
    /// The phase that comes next
    #[arg(long, value_name = "PHASE")]
    next_phase: Option<String>,
    /// Files that you modified, several or separated by commas
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Whether the tests pass
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    tests_passing: Option<bool>,
    /// Who shares it, instead of what deconflict.toml says
    #[arg(long, value_name = "SCOPE")]
    scope: Option<ScopeWord>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    context.check_joined()?;
    let known = context.existing_registry()?;
    let wanted = match &arguments.first {
        Some(first) => wanted::wanted("release", first, &arguments.rest, context, known.as_ref())?,
        None if arguments.all => Vec::new(),
        None => {
            let failure = Failure::usage("Release what? Name a path, or a type and a name.");
            return Err(failure.advise("Everything that you hold: deconflict release --all"));
        }
    };
    let declared = asked::declared(context)?;
    match scope::of(&wanted, arguments.scope, &declared, context)? {
        Scope::Clone => {
            let (registry, session) = identity::enter(context)?;
            release_in(&registry, &session, &wanted, &declared, arguments, context)
        }
        Scope::Machine => {
            let (registry, session) = machine::enter(context)?;
            release_in(&registry, &session, &wanted, &declared, arguments, context)
        }
        Scope::Team => {
            let (registry, session) = team_session::enter(context)?;
            release_in(&registry, &session, &wanted, &declared, arguments, context)
        }
    }
}

/// Releases what is in one registry, or everything.
fn release_in<S: KeptIn>(
    registry: &Registry<S>,
    session: &Session,
    wanted: &[Wanted],
    declared: &Declared,
    arguments: &Arguments,
    context: &Context,
) -> Result<Exit, Failure> {
    let released = if arguments.all {
        let mut released = registry.release_all(&session.id)?;
        if arguments.scope.is_none() {
            if let Some(machine) = context.existing_machine_registry()?
                && machine.session(&session.id)?.is_some()
            {
                released.extend(machine.release_all(&session.id)?);
            }
            released.extend(team_session::release_all(context, session));
        }
        words::in_order(released)
    } else {
        let mut held = Vec::with_capacity(wanted.len());
        // All of them are known to be there before the first is given up.
        for wanted in wanted {
            match held_as(context, registry, session, wanted, declared)? {
                Found::Own(resource) => held.push((wanted, resource)),
                Found::Others(claim) => return refuse_others(context, registry, &claim),
                Found::Nothing => return refuse_unknown(context, wanted),
            }
        }
        let mut released = Vec::with_capacity(held.len());
        for (wanted, resource) in held {
            match registry.release(&session.id, &resource)? {
                ReleaseOutcome::Released(claim) => released.push(claim),
                ReleaseOutcome::NotHolder(claim) => return refuse_others(context, registry, &claim),
                ReleaseOutcome::NotFound => return refuse_unknown(context, wanted),
            }
        }
        released
    };
    let sent = match &released[..] {
        [] => None,
        claims if arguments.says_that_work_is_done() => Some(tell_all(arguments, context, registry, session, claims)?),
        _ => None,
    };
    context.output.answer(
        || {
            json!({
                "released": released.iter().map(|claim| documents::claim(claim, Some(session))).collect::<Vec<_>>(),
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
    let resources: Vec<Resource> = released.iter().map(|claim| claim.resource.clone()).collect();
    if let Some(registry) = S::in_directory(registry) {
        losses::look_at_own(context, registry, &[], &resources);
    }
    upkeep::sign_of_life(registry, session, &activity);
    Ok(Exit::Done)
}

enum Found {
    Own(Resource),
    Others(Claim),
    Nothing,
}

/// What a name means of what is claimed: a claimed file may be gone, and a word alone may be a task's name.
fn held_as<S: KeptIn>(
    context: &Context,
    registry: &Registry<S>,
    session: &Session,
    wanted: &Wanted,
    declared: &Declared,
) -> Result<Found, Failure> {
    let mut others = None;
    for resource in context.claimed_resources(&wanted.resource_type, &wanted.name)? {
        match registry.claim_of(&resource)? {
            Some(claim) if claim.held_by(&session.id) => return Ok(Found::Own(resource)),
            Some(claim) => others = others.or(Some(claim)),
            None => {}
        }
    }
    // Of several places, whichever the session got.
    if let Some(known) = wanted.declared(declared) {
        for place in asked::want_of(known, 1)?.candidates() {
            if registry.claim_of(&place)?.is_some_and(|claim| claim.held_by(&session.id)) {
                return Ok(Found::Own(place));
            }
        }
    }
    if let Some(claim) = others {
        return Ok(Found::Others(claim));
    }
    if !wanted.is_path {
        return Ok(Found::Nothing);
    }
    let named = registry.claimed_names()?.into_iter().filter(|claimed| claimed.name() == wanted.name);
    let mut own = Vec::new();
    for resource in named {
        if registry.claim_of(&resource)?.is_some_and(|claim| claim.held_by(&session.id)) {
            own.push(resource);
        }
    }
    match own.pop() {
        Some(only) if own.is_empty() => Ok(Found::Own(only)),
        _ => Ok(Found::Nothing),
    }
}

fn refuse_others<S: KeptIn>(context: &Context, registry: &Registry<S>, claim: &Claim) -> Result<Exit, Failure> {
    let failure = held::not_holder(context, registry, claim, "release it");
    let original = failure.message.clone();
    refuse(context, failure, &original)
}

fn refuse_unknown(context: &Context, Wanted { resource_type, name, .. }: &Wanted) -> Result<Exit, Failure> {
    let original = format!("No claim found for {resource_type}/{}", one_line(name, 200));
    refuse(context, held::not_found(resource_type, name), &original)
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

fn tell_all<S: KeptIn>(
    arguments: &Arguments,
    context: &Context,
    registry: &Registry<S>,
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
