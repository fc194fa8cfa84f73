//! `deconflict claim [TYPE] NAME…`

use chrono::TimeDelta;
use deconflict_changes::{TeamAnswer, TeamClaimant, TeamFiles, beside_in_words};
use deconflict_platform as platform;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{Resource, SessionId, Want, time};
use deconflict_registry::{
    Activity, Claim, ClaimAllOutcome, ClaimState, Granted, Locking, Obstacle, Queued, Registry, Session, Taken, Taker,
    Terms, named_process,
};
use deconflict_words::{COMMIT_OWN, documents, on_branch};
use deconflict_workspace::{Declared, Scope};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::in_line::{Kept, Line};
use super::interrupts::Interrupts;
use super::kept_in::KeptIn;
use super::output::Output;
use super::ownership::{self, OthersChanges};
use super::scope::ScopeWord;
use super::style::{GOOD, WARNING};
use super::team_files::TeamOfClone;
use super::wanted::Wanted;
use super::{asked, candidates, held, identity, losses, machine, scope, team_session, upkeep, values, wanted, words};

/// Claim files, directories or anything else that has a name
///
/// Several names are claimed together or not at all. Claiming what you already hold renews it. Another session's claim
/// is taken over if it has expired or was left behind.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task` [default: the names are paths]
    #[arg(id = "type", value_name = "TYPE", add = candidates::to_claim())]
    first: Option<String>,
    /// The names; for files and directories, their paths
    #[arg(id = "name", value_name = "NAME")]
    rest: Vec<String>,
    /// What you are doing
    #[arg(long, value_name = "TEXT")]
    phase: Option<String>,
    /// How long
    #[arg(id = "for", long = "for", value_name = "DURATION", default_value = values::DEFAULT_LEASE, value_parser = values::lease)]
    lease: TimeDelta,
    /// If another session holds it, wait up to this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<TimeDelta>,
    /// Take it over even if its holder is still at work; the holder is told
    #[arg(long)]
    force: bool,
    /// Don't let others ask you for it
    #[arg(long)]
    no_coordination: bool,
    /// Who shares it, instead of what deconflict.toml says
    #[arg(long, value_name = "SCOPE")]
    scope: Option<ScopeWord>,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    // In a program that goes on, signals are the program's.
    if arguments.wait.is_some() && !context.output.is_kept() {
        Interrupts::take()?.end_a_wait(&context.give_up)?;
    }
    context.check_joined()?;
    let known = context.existing_registry()?;
    let Some(first) = &arguments.first else {
        let failure = Failure::usage("Claim what? Name a path, or a type and a name.");
        return Err(failure.advise("For example: deconflict claim src/login.rs"));
    };
    let wanted = wanted::wanted("claim", first, &arguments.rest, context, known.as_ref())?;
    let declared = asked::declared(context)?;
    let asked = Asked { wanted, declared, arguments };
    match scope::of(&asked.wanted, asked.arguments.scope, &asked.declared, context)? {
        Scope::Clone => {
            let (registry, session) = identity::enter(context)?;
            let beside = if asked.arguments.wait.is_some() { context.existing_machine_registry()? } else { None };
            claim_in(&registry, beside.as_ref(), &session, asked, context)
        }
        Scope::Machine => {
            let (registry, session) = machine::enter(context)?;
            claim_in(&registry, known.as_ref(), &session, asked, context)
        }
        Scope::Team => {
            let (registry, session) = team_session::enter(context)?;
            claim_in(&registry, None, &session, asked, context)
        }
    }
}

/// What is to be claimed, and how.
struct Asked {
    wanted: Vec<Wanted>,
    declared: Declared,
    arguments: Arguments,
}

/// Claims in one registry; `beside` is another in which some of those who hold it may wait.
fn claim_in<S: KeptIn>(
    registry: &Registry<S>,
    beside: Option<&Registry<S>>,
    session: &Session,
    Asked { wanted, declared, arguments }: Asked,
    context: &Context,
) -> Result<Exit, Failure> {
    let resources: Vec<Resource> =
        wanted.iter().map(|wanted| context.resource(&wanted.resource_type, &wanted.name)).collect::<Result<_, _>>()?;
    let wants = wanted.iter().zip(&resources).map(|(wanted, resource)| match wanted.declared(&declared) {
        Some(known) => asked::want_of(known, 1),
        None => Ok(Want::one(resource)),
    });
    let wants: Vec<Want> = wants.collect::<Result<_, _>>()?;
    let terms = Terms {
        lease: arguments.lease,
        automatic: false,
        phase: arguments.phase,
        allow_coordination: !arguments.no_coordination,
        force: arguments.force,
        branch: context.branch()?,
        worktree: context.worktree()?,
        in_clone: None,
        process: None,
    };
    let claimer = Claimer { context, registry, beside, session, resources: &resources, wants, terms: &terms };
    let line = claimer.line();
    let granted = match claimer.claim(&line, arguments.wait)? {
        Ok(granted) => granted,
        Err(Kept::Interrupted(_)) if context.output.is_kept() => {
            return Err(Failure::refused("cancelled", format!("You are no longer waiting for {}.", line.what)));
        }
        Err(Kept::Interrupted(number)) => Interrupts::end(number),
        Err(Kept::Circle(circle)) => return Err(line.circle(&circle)),
        Err(Kept::GivenUp) => return Err(line.given_up()),
        Err(Kept::Queued(queued)) => {
            let Some(Obstacle { wanted, by }) = queued.obstacles.first() else { return Err(line.refusal(&queued)) };
            return refuse(context, registry, wanted, by, arguments.wait);
        }
    };
    if let Some(registry) = S::in_directory(registry) {
        ask_team(context, registry, session, &granted, &terms)?;
        losses::look_at_own(context, registry, &resources, &[]);
    }
    let is_only_advice = registry.locking() == Locking::Unsupported;
    let news: Vec<Claimed> = granted.into_iter().map(|one| claimer.claimed_by_it(one)).collect();
    context.output.answer(
        || {
            let mut documents: Vec<Value> = news.iter().map(|one| one.document(session, is_only_advice)).collect();
            if documents.len() == 1 { documents.remove(0) } else { json!({ "claims": documents }) }
        },
        || {
            if context.shared.original {
                let line = |wanted: &Wanted| format!("✅ Claimed: {}/{}", wanted.resource_type, wanted.name);
                return wanted.iter().map(line).collect::<Vec<_>>().join("\n");
            }
            news.iter().map(|one| one.in_words(context, registry)).collect::<Vec<_>>().join("\n")
        },
    )?;
    if is_only_advice
        && !context.output.is_json()
        && let Some(registry) = S::in_directory(registry)
    {
        Output::remark(&words::only_advice(registry.path()));
    }
    let activity = Activity {
        action: "claimed".to_owned(),
        target: resources.first().map(ToString::to_string),
        phase: terms.phase.clone(),
        ..Activity::default()
    };
    upkeep::sign_of_life(registry, session, &activity);
    Ok(Exit::Done)
}

/// Asks the team about those of these files that cannot be merged. What somebody else there has is released again.
fn ask_team(
    context: &Context,
    registry: &Registry,
    session: &Session,
    granted: &[Granted],
    terms: &Terms,
) -> Result<(), Failure> {
    let is_asked_for = |one: &&Granted| one.is_new || one.claim.record.unconfirmed == Some(true);
    let files: Vec<Resource> = granted.iter().filter(is_asked_for).map(|one| one.claim.resource.clone()).collect();
    let claimant = TeamClaimant { location: context.location()?, session, predecessor: None, terms };
    match TeamOfClone.claim(claimant, &files) {
        TeamAnswer::Free => Ok(()),
        TeamAnswer::Unknown(reason) => {
            Output::remark(&format!(
                "{WARNING}!{WARNING:#} It cannot be merged, and the team has not confirmed your claim: {reason} It is claimed in this clone only, and its push waits."
            ));
            Ok(())
        }
        TeamAnswer::Refused(reason) => {
            for holding in granted.iter().filter(|one| one.is_new).filter_map(|one| one.claim.holding()) {
                registry.release_holding(&holding)?;
            }
            Err(Failure::refused("claimed", reason))
        }
    }
}

/// Who claims what.
struct Claimer<'a, S: KeptIn> {
    context: &'a Context,
    registry: &'a Registry<S>,
    /// That of the other scope.
    beside: Option<&'a Registry<S>>,
    session: &'a Session,
    resources: &'a [Resource],
    /// The same with all that would do.
    wants: Vec<Want>,
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

impl<'a, S: KeptIn> Claimer<'a, S> {
    fn line(&self) -> Line<'a, S> {
        let what = match self.resources {
            [only] => only.in_a_sentence(),
            [first, ..] => format!("{} and {} more", first.in_a_sentence(), self.resources.len() - 1),
            [] => String::new(),
        };
        Line { context: self.context, registry: self.registry, beside: self.beside, what, mark: "", register: None }
    }

    /// Claims all of it or nothing, in turn, except by force. An agent whose turn has ended gives way to its own user.
    fn claim(&self, line: &Line<'_, S>, patience: Option<TimeDelta>) -> Result<Result<Vec<Granted>, Kept>, Failure> {
        if self.terms.force {
            let outcome = deconflict_changes::claim_all(self.registry, &self.session.id, self.resources, self.terms)?;
            return Ok(match outcome {
                ClaimAllOutcome::Granted(granted) => Ok(granted),
                ClaimAllOutcome::Refused(obstacles) => Err(Kept::Queued(Queued { obstacles, ..Queued::default() })),
            });
        }
        let mut wants: Vec<Want> = Vec::new();
        for want in &self.wants {
            if !wants.contains(want) {
                wants.push(want.clone());
            }
        }
        // What is meant by its own name is claimed even if a program of the claimant's own uses it already.
        let is_choice = wants.iter().any(|want| want.candidates().nth(1).is_some());
        let process = named_process(&platform::current_process(), None);
        let taker = Taker {
            session: &self.session.id,
            arriving: None,
            predecessor: None,
            wants: &wants,
            terms: self.terms,
            held: &[],
            process: &process,
            is_usable: &|resource| !is_choice || asked::is_usable(resource),
        };
        let mut outcome = line.take(taker, None)?;
        if matches!(outcome, Err(Kept::Queued(_))) && patience.is_some() {
            outcome = line.take(taker, patience)?;
        }
        let granted = |one| if let Taken::Granted(granted) = one { Some(granted) } else { None };
        Ok(outcome.map(|got| got.into_iter().flatten().filter_map(granted).collect()))
    }

    fn claimed_by_it(&self, granted: Granted) -> Claimed {
        let (context, session) = (self.context, self.session);
        let resource = granted.claim.resource.clone();
        let path = context.namer().ok().and_then(|namer| namer.path_of(&resource));
        let files = S::in_directory(self.registry);
        Claimed {
            elsewhere: files.map_or_else(Vec::new, |files| claims_elsewhere(context, files, session, &resource)),
            others: files.map_or_else(OthersChanges::default, |files| {
                OthersChanges::taking_over(context, files, session, &resource)
            }),
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

    fn in_words<S: KeptIn>(&self, context: &Context, registry: &Registry<S>) -> String {
        let claim = &self.granted.claim;
        let mut words = granted_in_words(context, registry, claim, self.granted.is_new, self.before(), &self.elsewhere);
        if self.is_missing && self.granted.is_new {
            let kind = claim.resource.resource_type();
            words.push_str(&format!("\nThere is no such {kind} yet; the claim is for when there is one."));
        }
        if !self.others.taken_over.is_empty() {
            let whose = ownership::named(&self.others.taken_over, context.person_who_looks().as_deref());
            words.push_str(&format!("\nThe uncommitted changes of {whose} in it are yours now."));
        }
        if !self.others.beside.is_empty() {
            words.push_str(&format!("\n{} {COMMIT_OWN}", beside_in_words(&claim.resource, &self.others.beside)));
        }
        words
    }
}

fn granted_in_words<S: KeptIn>(
    context: &Context,
    registry: &Registry<S>,
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
        format!("You already hold {what}; it is now yours until {until}.")
    };
    if claim.standing == ClaimState::Expired {
        lines.push_str(
            "\nSessions on another machine take part, whose clock may be ahead of yours: don't rely on the last minute of a claim, and claim for longer.",
        );
    }
    if let Some(before) = before {
        let holder = held::holder_of(registry, before);
        lines.push_str(&format!("\nIt was taken over from {}.", words::taken_over_from(before, holder.as_ref())));
    }
    for other in elsewhere {
        let place =
            other.resource.place().map_or_else(|| "main worktree".to_owned(), |(kind, name)| format!("{kind} {name}"));
        let branch = on_branch(other);
        let told = match other.uncommitted_of() {
            Some(whose) => {
                let at = words::moment(other.claimed_at, context.now());
                let whose = quoted(whose, words::PHRASE);
                format!("The same path has uncommitted changes of {whose} in the {place}{branch}, last changed {at}")
            }
            None => {
                format!("{} has claimed the same path in the {place}{branch}", held::holder_in_words(registry, other))
            }
        };
        lines.push_str(&format!("\n{told}, so a merge may conflict."));
    }
    lines
}

fn refuse<S: KeptIn>(
    context: &Context,
    registry: &Registry<S>,
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
    let failure = held::refusal(context, registry, resource, by);
    if by.standing == ClaimState::Pending {
        return Err(failure.advise("Try again in a few seconds."));
    }
    let typed = words::typed(context, resource);
    let by_default = scope::by_default(resource.resource_type(), context).as_str();
    let typed = match S::scope(registry).filter(|word| *word != by_default) {
        Some(word) => format!("--scope {word} {typed}"),
        None => typed,
    };
    Err(match patience {
        Some(limit) => failure.advise(format!("It was not free within {}.", time::duration_in_words(limit))),
        None => failure.advise(format!("Wait until it is free: deconflict claim --wait 10m {typed}")),
    }
    .advise(if by.holder().is_some() {
        format!("Or take it over while it is in use, and its holder is told: deconflict claim --force {typed}")
    } else {
        format!("Or take it over: deconflict claim --force {typed}")
    }))
}

/// Others' claims of the same path in other worktrees: a hint that a merge may conflict, as far as it can be read.
fn claims_elsewhere(context: &Context, registry: &Registry, session: &Session, resource: &Resource) -> Vec<Claim> {
    let Ok(location) = context.location() else { return Vec::new() };
    let (Some(repository), Ok(namer)) = (&location.repository, context.namer()) else { return Vec::new() };
    let same_path = namer.same_path_elsewhere(repository, resource).into_iter();
    let claims = same_path.filter_map(|other| registry.claim_of(&other).ok().flatten());
    let counts = |claim: &Claim| claim.is_active() || claim.uncommitted_of().is_some();
    claims.filter(|claim| counts(claim) && !claim.held_by(&session.id)).collect()
}
