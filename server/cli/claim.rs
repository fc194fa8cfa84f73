//! `deconflict claim [TYPE] NAME…`

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use deconflict_changes::beside_in_words;
use deconflict_protocol::text::one_line;
use deconflict_protocol::{Resource, ResourceType, SessionId, time};
use deconflict_registry::{
    Activity, Claim, ClaimAllOutcome, ClaimState, Granted, Locking, Obstacle, Registry, Session, Terms,
};
use deconflict_words::{COMMIT_OWN, documents};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::ownership::{self, OthersChanges};
use super::style::GOOD;
use super::wanted::Wanted;
use super::{candidates, identity, losses, upkeep, values, wanted, words};

/// Claim files, directories or anything else that has a name
///
/// Of several you get all or none. Claiming again what you hold renews it. Another session's claim that ran out or was
/// left behind is taken over.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task`; without one, the names are paths
    #[arg(id = "type", value_name = "TYPE", required = true, add = candidates::to_claim())]
    first: String,
    /// The names; of files and directories their paths
    #[arg(id = "name", value_name = "NAME", add = candidates::names())]
    rest: Vec<String>,
    /// What you are doing with it
    #[arg(long, value_name = "TEXT")]
    phase: Option<String>,
    /// For how long
    #[arg(id = "for", long = "for", value_name = "DURATION", default_value = values::DEFAULT_LEASE, value_parser = values::lease)]
    lease: TimeDelta,
    /// Wait up to this long for it to come free, if another session holds it
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
    context.check_joined()?;
    let known = context.existing_registry()?;
    let wanted = wanted::wanted("claim", &arguments.first, &arguments.rest, context, known.as_ref())?;
    let (registry, session) = identity::enter(context)?;
    let resources: Vec<Resource> =
        wanted.iter().map(|wanted| context.resource(&wanted.resource_type, &wanted.name)).collect::<Result<_, _>>()?;
    let terms = Terms {
        lease: arguments.lease,
        automatic: false,
        phase: arguments.phase,
        allow_coordination: !arguments.no_coordination,
        force: arguments.force,
        branch: context.branch()?,
        worktree: context.worktree()?,
    };
    let claimer = Claimer { context, registry: &registry, session: &session, resources: &resources, terms: &terms };
    let mut outcome = claimer.try_once()?;
    if let (Err(obstacle), Some(limit)) = (&outcome, arguments.wait) {
        outcome = claimer.wait(obstacle.clone(), limit)?;
    }
    let granted = match outcome {
        Ok(granted) => granted,
        Err(Obstacle { wanted, by }) => return refuse(context, &registry, &wanted, &by, arguments.wait),
    };
    losses::look_with(context, &resources);
    let is_only_advice = registry.locking() == Locking::Unsupported;
    let news: Vec<Claimed> = granted.into_iter().map(|one| claimer.claimed_by_it(one)).collect();
    context.output.answer(
        || {
            let mut documents: Vec<Value> = news.iter().map(|one| one.document(&session, is_only_advice)).collect();
            if documents.len() == 1 { documents.remove(0) } else { json!({ "claims": documents }) }
        },
        || {
            if context.shared.original {
                let line = |wanted: &Wanted| format!("✅ Claimed: {}/{}", wanted.resource_type, wanted.name);
                return wanted.iter().map(line).collect::<Vec<_>>().join("\n");
            }
            news.iter().map(|one| one.in_words(context, &registry)).collect::<Vec<_>>().join("\n")
        },
    )?;
    if is_only_advice && !context.output.is_json() {
        Output::remark(&words::only_advice(registry.path()));
    }
    let activity = Activity {
        action: "claimed".to_owned(),
        target: resources.first().map(ToString::to_string),
        phase: terms.phase.clone(),
        ..Activity::default()
    };
    upkeep::sign_of_life(&registry, &session, &activity);
    Ok(Exit::Done)
}

/// Who claims what.
struct Claimer<'a> {
    context: &'a Context,
    registry: &'a Registry,
    session: &'a Session,
    resources: &'a [Resource],
    terms: &'a Terms,
}

/// What is told of one claim.
struct Claimed {
    granted: Granted,
    elsewhere: Vec<Claim>,
    others: OthersChanges,
    /// A file or a directory of that name isn't there yet.
    is_missing: bool,
}

impl Claimer<'_> {
    fn try_once(&self) -> Result<Result<Vec<Granted>, Obstacle>, Failure> {
        let outcome = deconflict_changes::claim_all(self.registry, &self.session.id, self.resources, self.terms)?;
        Ok(match outcome {
            ClaimAllOutcome::Granted(granted) => Ok(granted),
            ClaimAllOutcome::Refused(mut obstacles) if !obstacles.is_empty() => Err(obstacles.swap_remove(0)),
            ClaimAllOutcome::Refused(_) => Ok(Vec::new()),
        })
    }

    fn claimed_by_it(&self, granted: Granted) -> Claimed {
        let (context, session) = (self.context, self.session);
        let resource = granted.claim.resource.clone();
        let path = context.namer().ok().and_then(|namer| namer.path_of(&resource));
        Claimed {
            elsewhere: claims_elsewhere(context, self.registry, session, &resource),
            others: OthersChanges::taking_over(context, self.registry, session, &resource),
            is_missing: path.is_some_and(|path| !path.exists()),
            granted,
        }
    }
}

impl Claimed {
    /// From whom it was taken over.
    fn before(&self) -> Option<&Claim> {
        self.granted.took_over.as_ref().filter(|before| before.holder() != self.granted.claim.holder())
    }

    fn document(&self, session: &Session, is_only_advice: bool) -> Value {
        json!({
            "outcome": if self.granted.is_new { "granted" } else { "renewed" },
            "claim": documents::claim(&self.granted.claim, Some(session)),
            "exists": !self.is_missing,
            "took_over": self.before().map(|before| documents::claim(before, None)),
            "claimed_elsewhere": self.elsewhere.iter().map(|claim| documents::claim(claim, None)).collect::<Vec<_>>(),
            "only_advice": is_only_advice,
            "others_changes": self.others.beside.iter().map(|owner| owner.session.as_str()).collect::<Vec<_>>(),
            "changes_of": self.others.taken_over.iter().map(|owner| owner.session.as_str()).collect::<Vec<_>>(),
        })
    }

    fn in_words(&self, context: &Context, registry: &Registry) -> String {
        let claim = &self.granted.claim;
        let mut words = granted_in_words(context, registry, claim, self.granted.is_new, self.before(), &self.elsewhere);
        if self.is_missing && self.granted.is_new {
            let kind = claim.resource.resource_type();
            words.push_str(&format!("\nThere is no such {kind} yet; the claim counts for when there is."));
        }
        if !self.others.taken_over.is_empty() {
            let whose = ownership::named(&self.others.taken_over);
            words.push_str(&format!("\nThe uncommitted changes of {whose} in it are yours now."));
        }
        if !self.others.beside.is_empty() {
            words.push_str(&format!("\n{} {COMMIT_OWN}", beside_in_words(&claim.resource, &self.others.beside)));
        }
        words
    }
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
    let typed = words::typed(context, resource);
    Err(match patience {
        Some(limit) => failure.advise(format!("It did not come free within {}.", time::duration_in_words(limit))),
        None => failure.advise(format!("Wait until it comes free: deconflict claim --wait 10m {typed}")),
    }
    .advise(if by.holder().is_some() {
        format!("Or take it over although it is in use, and its user is told: deconflict claim --force {typed}")
    } else {
        format!("Or take it over: deconflict claim --force {typed}")
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
    Failure::usage(message).reason("not-found").advise("What is claimed: deconflict status")
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

impl Claimer<'_> {
    /// Claims as soon as all is free what somebody else holds, or gives up after `limit`.
    fn wait(&self, obstacle: Obstacle, limit: TimeDelta) -> Result<Result<Vec<Granted>, Obstacle>, Failure> {
        /// Long enough to be no burden, short enough that nobody notices.
        const PAUSE: Duration = Duration::from_millis(200);
        /// After so long, people wonder whether anything happens.
        const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
        let start = Instant::now();
        let limit = limit.to_std().unwrap_or_default();
        let mut in_the_way = obstacle;
        let mut has_told = false;
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(Err(in_the_way));
            }
            if !has_told && start.elapsed() >= SIGN_OF_LIFE {
                let left = time::duration_in_words(TimeDelta::from_std(left).unwrap_or_default());
                let who = holder_in_words(self.registry, &in_the_way.by);
                let what = in_the_way.wanted.in_a_sentence();
                let term = words::term(&in_the_way.by, self.context.now());
                Output::remark(&format!(
                    "Waiting up to {left} more for {who} to release {what}, held {term}. Ctrl-C gives up."
                ));
                has_told = true;
            }
            std::thread::sleep(PAUSE.min(left));
            // Looking needs no lock, so that many who wait don't keep the holder from releasing.
            let session = &self.session.id;
            let obstacles = self.registry.obstacles(session, &in_the_way.wanted)?;
            if let Some(still) = obstacles.into_iter().find(|claim| claim.stands_against(Some(session))) {
                has_told &= still.holder() == in_the_way.by.holder();
                in_the_way.by = still;
                continue;
            }
            match self.try_once()? {
                Err(obstacle) => in_the_way = obstacle,
                granted => return Ok(granted),
            }
        }
    }
}
