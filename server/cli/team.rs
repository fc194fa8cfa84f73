//! `deconflict team [set URL | status | unset]`

use std::time::Instant;

use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::time;
use deconflict_registry::Session;
use deconflict_words::documents;
use deconflict_workspace::{Repository, TEAM_VARIABLE, TeamSettings, start_team_helper};
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::{FAINT, GOOD, NAME, WARNING};
use super::table::{Cell, aligned};
use super::team_access::{self, Named};
use super::{team_keeper, words};

/// Share what exists once with a team on other machines, by an etcd cluster
///
/// Files stay this clone's own. Tasks, deploys, droplets and what deconflict.toml gives to the team are claimed for
/// everyone. Without a verb it shows who is there.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Option<TeamVerb>,
}

#[derive(Debug, clap::Subcommand)]
enum TeamVerb {
    /// Name the team of this clone
    Set(Box<Named>),
    /// Show which team this clone has, and who is there
    Status,
    /// This clone has no team any more
    Unset,
    /// Share what is done here with the team, and show what is done there, as long as somebody works here
    #[command(hide = true)]
    Keep,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.verb {
        Some(TeamVerb::Set(named)) => set(named, context),
        Some(TeamVerb::Unset) => unset(context),
        Some(TeamVerb::Keep) => team_keeper::run(context),
        Some(TeamVerb::Status) | None => status(context),
    }
}

fn set(named: &Named, context: &Context) -> Result<Exit, Failure> {
    let mut settings = named.settings(context.folder());
    let repository = repository(context)?;
    if settings.repository.is_none() {
        settings.repository = Some(team_access::name_of(Some(repository))?);
    }
    // What cannot be used is not kept.
    let registry = team_access::open(&settings, context.location()?, context.clock())?;
    settings.write(repository).map_err(|error| Failure::could_not("keep which team this clone has", &error))?;
    start_team_helper(context.location()?);
    let start = Instant::now();
    let found = registry.sessions();
    let answered_in = start.elapsed().as_millis();
    context.output.answer(
        || {
            json!({
                "team": document(&settings),
                "reachable": found.is_ok(),
                "answered_in_ms": found.is_ok().then_some(u64::try_from(answered_in).unwrap_or_default()),
            })
        },
        || {
            let others = found.as_ref().map_or(0, Vec::len);
            let reached = found
                .is_ok()
                .then(|| format!(" It answered in {answered_in} ms; {} there.", words::count(others, "session")));
            format!("{GOOD}Set{GOOD:#} the team of this clone: {}.{}", settings.address, reached.unwrap_or_default())
        },
    )?;
    if let Err(error) = found {
        Output::remark(&format!(
            "{WARNING}!{WARNING:#} It is kept, but {error}. To see what is wrong: deconflict doctor"
        ));
    }
    if std::env::var_os(TEAM_VARIABLE).is_some_and(|words| !words.is_empty()) {
        Output::remark(&format!("{TEAM_VARIABLE} is set here, and counts instead."));
    }
    Ok(Exit::Done)
}

fn unset(context: &Context) -> Result<Exit, Failure> {
    let removed = TeamSettings::remove(repository(context)?);
    let removed = removed.map_err(|error| Failure::could_not("forget which team this clone has", &error))?;
    context.output.answer(
        || json!({ "removed": removed }),
        || if removed { "This clone has no team any more.".to_owned() } else { "This clone had no team.".to_owned() },
    )?;
    Ok(Exit::Done)
}

fn status(context: &Context) -> Result<Exit, Failure> {
    let Some(settings) = context.team_settings()? else {
        context.output.answer(
            || json!({ "team": null, "sessions": [] }),
            || "This clone has no team. To name one: deconflict team set etcds://HOST:PORT/PREFIX".to_owned(),
        )?;
        return Ok(Exit::Done);
    };
    let registry = context.team_registry()?;
    let start = Instant::now();
    let mut sessions = registry.sessions().map_err(|error| with_age(error.into(), context))?;
    let answered_in = start.elapsed().as_millis();
    sessions.retain(Session::is_live);
    context.output.answer(
        || {
            json!({
                "team": document(&settings),
                "reachable": true,
                "answered_in_ms": u64::try_from(answered_in).unwrap_or_default(),
                "sessions": sessions.iter().map(documents::session).collect::<Vec<_>>(),
            })
        },
        || {
            let mut text = format!("{}  {FAINT}answered in {answered_in} ms{FAINT:#}\n", settings.address);
            if sessions.is_empty() {
                text.push_str("Nobody has shared anything with the team yet.");
            }
            let rows: Vec<Vec<Cell>> = sessions.iter().map(|session| row(session, context)).collect();
            text + &aligned(&rows, "  ")
        },
    )?;
    Ok(Exit::Done)
}

/// Why the team cannot be shown, with how old is what is known of it here.
fn with_age(failure: Failure, context: &Context) -> Failure {
    let Some(at) = context.location().ok().and_then(team_keeper::known_at) else { return failure };
    let age = format!("What is known of the other clones is from {}.", words::moment(at, context.now()));
    let mut failure = failure.advise("See what that is: deconflict status");
    failure.message = format!("{} {age}", failure.message);
    failure.facts.insert("known_at".to_owned(), time::format(at).into());
    failure
}

fn row(session: &Session, context: &Context) -> Vec<Cell> {
    let record = &session.record;
    let clone = record.stands_for.as_ref().and_then(|it| it.directory.parent());
    vec![
        Cell::new(quoted(&session.label(), 100), NAME),
        Cell::plain(one_line(record.host.as_deref().unwrap_or_default(), 40)),
        Cell::plain(clone.map_or_else(String::new, |clone| quoted(&clone.display().to_string(), 80))),
        Cell::plain(record.branch.as_deref().map_or_else(String::new, |branch| quoted(branch, 40))),
        Cell::new(words::short_distance(session.last_sign, context.now()), FAINT),
    ]
}

fn document(settings: &TeamSettings) -> serde_json::Value {
    json!({ "address": settings.address, "repository": settings.repository, "user": settings.user })
}

fn repository(context: &Context) -> Result<&Repository, Failure> {
    context
        .location()?
        .repository
        .as_ref()
        .ok_or_else(|| Failure::usage("A team shares git repositories, and this is none.").reason("no-repository"))
}
