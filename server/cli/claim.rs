//! `deconflict claim TYPE NAME`

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use deconflict_changes::beside_in_words;
use deconflict_protocol::text::one_line;
use deconflict_protocol::{Resource, ResourceType, SessionId, time};
use deconflict_registry::{Activity, Claim, ClaimOutcome, ClaimState, Locking, Registry, Session, Terms};
use deconflict_words::{COMMIT_OWN, documents};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::ownership::{self, OthersChanges};
use super::style::GOOD;
use super::{identity, upkeep, values, words};

/// Claim a file, a directory or anything else that has a name
///
/// Claiming again what you hold renews it. Another session's claim that ran out or was left behind is taken over.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task`
    #[arg(id = "type", value_name = "TYPE", value_parser = values::resource_type)]
    resource_type: ResourceType,
    /// Its name; for a file or directory its path
    name: String,
    /// What you are doing with it
    #[arg(long, value_name = "TEXT")]
    phase: Option<String>,
    /// For how long
    #[arg(id = "for", long = "for", value_name = "DURATION", default_value = values::DEFAULT_LEASE, value_parser = values::lease)]
    lease: TimeDelta,
    /// Wait so long for it to come free, if another session holds it
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<TimeDelta>,
    /// Take it over even from a session that is at work; its user is told
    #[arg(long)]
    force: bool,
    /// Others are not invited to write to you about it
    #[arg(long)]
    no_coordination: bool,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let resource = context.resource(&arguments.resource_type, &arguments.name)?;
    let terms = Terms {
        lease: arguments.lease,
        automatic: false,
        phase: arguments.phase,
        allow_coordination: !arguments.no_coordination,
        force: arguments.force,
        branch: context.branch()?,
        worktree: context.worktree()?,
    };
    let mut outcome = deconflict_changes::claim(&registry, &session.id, &resource, &terms)?;
    if let (ClaimOutcome::Refused { by }, Some(limit)) = (&outcome, arguments.wait) {
        outcome = wait(context, &registry, &session.id, &resource, &terms, by.clone(), limit)?;
    }
    let (claim, took_over) = match outcome {
        ClaimOutcome::Granted { claim, took_over } => (claim, Some(took_over)),
        ClaimOutcome::AlreadyHeld { claim } => (claim, None),
        ClaimOutcome::Refused { by } => return refuse(context, &registry, &resource, &by, arguments.wait),
    };
    let before = took_over.as_ref().and_then(Option::as_ref).filter(|before| !before.held_by(&session.id));
    let elsewhere = claims_elsewhere(context, &registry, &session, &resource);
    let OthersChanges { taken_over, beside } = OthersChanges::taking_over(context, &registry, &session, &resource);
    let is_only_advice = registry.locking() == Locking::Unsupported;
    context.output.answer(
        || {
            json!({
                "outcome": if took_over.is_some() { "granted" } else { "renewed" },
                "claim": documents::claim(&claim, Some(&session)),
                "took_over": before.map(|before| documents::claim(before, None)),
                "claimed_elsewhere": elsewhere.iter().map(|claim| documents::claim(claim, None)).collect::<Vec<_>>(),
                "only_advice": is_only_advice,
                "others_changes": beside.iter().map(|owner| owner.session.as_str()).collect::<Vec<_>>(),
                "changes_of": taken_over.iter().map(|owner| owner.session.as_str()).collect::<Vec<_>>(),
            })
        },
        || {
            if context.shared.original {
                return format!("✅ Claimed: {}/{}", arguments.resource_type, arguments.name);
            }
            let mut words = granted_in_words(context, &registry, &claim, took_over.is_some(), before, &elsewhere);
            if !taken_over.is_empty() {
                let whose = ownership::named(&taken_over);
                words.push_str(&format!("\nThe uncommitted changes of {whose} in it are yours now."));
            }
            if !beside.is_empty() {
                words.push_str(&format!("\n{} {COMMIT_OWN}", beside_in_words(&resource, &beside)));
            }
            words
        },
    )?;
    if is_only_advice && !context.output.is_json() {
        Output::remark(&words::only_advice(registry.path()));
    }
    let activity = Activity {
        action: "claimed".to_owned(),
        target: Some(resource.to_string()),
        phase: terms.phase,
        ..Activity::default()
    };
    upkeep::sign_of_life(&registry, &session, &activity);
    Ok(Exit::Done)
}

fn granted_in_words(
    context: &Context,
    registry: &Registry,
    claim: &Claim,
    is_new: bool,
    before: Option<&Claim>,
    elsewhere: &[Claim],
) -> String {
    let what = claim.resource.in_a_sentence();
    let until = words::moment(claim.expires_at, context.now());
    let mut lines = if is_new {
        format!("{GOOD}Claimed{GOOD:#} {what} until {until}.")
    } else {
        format!("You hold {what} already; it is yours until {until} now.")
    };
    if claim.standing == ClaimState::Expired {
        lines.push_str(
            "\nSessions of another machine take part, whose clock may be ahead of yours: don't rely on the last minute \
             of a claim, and claim for longer.",
        );
    }
    if let Some(before) = before {
        let holder = holder_of(registry, before);
        lines.push_str(&format!("\nIt was taken over from {}.", words::taken_over_from(before, holder.as_ref())));
    }
    for other in elsewhere {
        let by = holder_in_words(registry, other);
        let place =
            other.resource.worktree().map_or_else(|| "main worktree".to_owned(), |name| format!("worktree {name}"));
        lines.push_str(&format!("\n{by} has claimed the same path in the {place}, so a merge may conflict."));
    }
    lines
}

fn refuse(
    context: &Context,
    registry: &Registry,
    resource: &Resource,
    by: &Claim,
    patience: Option<TimeDelta>,
) -> Result<Exit, Failure> {
    if context.shared.original {
        let holder = by.holder().map_or("", SessionId::as_str);
        Output::text(&format!(
            "⚠️  Already claimed by {}\nCheck {}/{}",
            one_line(holder, words::PHRASE),
            deconflict_protocol::DIRECTORY_NAME,
            by.record_path()
        ))?;
        return Ok(Exit::Refused);
    }
    let failure = refusal(context, registry, resource, by);
    if by.standing == ClaimState::Pending {
        return Err(failure.advise("Try again in a few seconds."));
    }
    Err(match patience {
        Some(limit) => failure.advise(format!("It did not come free within {}.", time::duration_in_words(limit))),
        None => failure.advise("Wait until it comes free: the same command with --wait 10m"),
    }
    .advise(if by.holder().is_some() {
        "Or take it over although it is in use, and its user is told: the same command with --force"
    } else {
        "Or take it over: the same command with --force. To look at the record: deconflict doctor"
    }))
}

/// A claim that another session's claim stands against, told to whoever wanted it.
pub(super) fn refusal(context: &Context, registry: &Registry, wanted: &Resource, by: &Claim) -> Failure {
    let holder = holder_of(registry, by);
    let failure = Failure::refused("claimed", words::held(by, holder.as_ref(), wanted, context.now()))
        .fact("claim", documents::claim(by, holder.as_ref()))
        .fact("holder", holder.as_ref().map_or(Value::Null, documents::session));
    // A claim may outlive the record of its session; then nobody would read the message.
    if by.holder().is_none() || holder.is_none() {
        return failure;
    }
    failure.advise(match words::ask_command(by, holder.as_ref()) {
        Some(command) => format!("Ask for it: {command}"),
        None => "Its holder wants no messages about it.".to_owned(),
    })
}

/// What is meant is claimed by another session, so that only that one can do something with it.
pub(super) fn not_holder(context: &Context, registry: &Registry, claim: &Claim, what: &str) -> Failure {
    let holder = holder_of(registry, claim);
    let message = words::held(claim, holder.as_ref(), &claim.resource, context.now());
    Failure::refused("not-holder", format!("{message} Only its holder can {what}."))
        .fact("claim", documents::claim(claim, holder.as_ref()))
}

pub(super) fn not_found(resource_type: &ResourceType, name: &str) -> Failure {
    let message = format!("There is no claim on the {resource_type} {}.", one_line(name, 200));
    Failure::refused("not-found", message).advise("What is claimed: deconflict status")
}

fn holder_in_words(registry: &Registry, claim: &Claim) -> String {
    let holder = holder_of(registry, claim);
    claim.holder().map_or_else(|| "somebody".to_owned(), |id| words::who(holder.as_ref(), id))
}

pub(super) fn holder_of(registry: &Registry, claim: &Claim) -> Option<Session> {
    registry.session(claim.holder()?).ok().flatten()
}

/// Others' claims of the same path in other worktrees: a hint that a merge may conflict, as far as it can be read.
fn claims_elsewhere(context: &Context, registry: &Registry, session: &Session, resource: &Resource) -> Vec<Claim> {
    let Ok(location) = context.location() else { return Vec::new() };
    let (Some(repository), Ok(namer)) = (&location.repository, context.namer()) else { return Vec::new() };
    let same_path = namer.same_path_elsewhere(repository, resource).into_iter();
    let claims = same_path.filter_map(|other| registry.claim_of(&other).ok().flatten());
    claims.filter(|claim| claim.is_active() && !claim.held_by(&session.id)).collect()
}

/// Claims as soon as it is free what somebody else holds, or gives up after `limit`.
fn wait(
    context: &Context,
    registry: &Registry,
    session: &SessionId,
    resource: &Resource,
    terms: &Terms,
    by: Claim,
    limit: TimeDelta,
) -> Result<ClaimOutcome, Failure> {
    /// Long enough to be no burden, short enough that nobody notices.
    const PAUSE: Duration = Duration::from_millis(200);
    /// After so long, people wonder whether anything happens.
    const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
    let start = Instant::now();
    let limit = limit.to_std().unwrap_or_default();
    let mut in_the_way = by;
    let mut has_told = false;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(ClaimOutcome::Refused { by: in_the_way });
        }
        if !has_told && start.elapsed() >= SIGN_OF_LIFE {
            let left = time::duration_in_words(TimeDelta::from_std(left).unwrap_or_default());
            let (who, what) = (holder_in_words(registry, &in_the_way), resource.in_a_sentence());
            let term = words::term(&in_the_way, context.now());
            Output::remark(&format!(
                "Waiting up to {left} more for {who} to release {what}, held {term}. Ctrl-C gives up."
            ));
            has_told = true;
        }
        std::thread::sleep(PAUSE.min(left));
        // Looking needs no lock, so that many who wait don't keep the holder from releasing.
        let obstacles = registry.obstacles(session, resource)?;
        if let Some(still) = obstacles.into_iter().find(|claim| claim.stands_against(Some(session))) {
            has_told &= still.holder() == in_the_way.holder();
            in_the_way = still;
            continue;
        }
        match registry.claim(session, resource, terms)? {
            ClaimOutcome::Refused { by } => in_the_way = by,
            granted => return Ok(granted),
        }
    }
}
