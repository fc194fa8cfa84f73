//! The picture in sections of lines that fit a terminal.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deconflict_protocol::SessionId;
use deconflict_protocol::text::{id_or_quoted, one_line, quoted};
use deconflict_registry::{Claim, ClaimState, Message, Overview, PlaceInLine, Recipient, Session, SessionState};
use deconflict_words::documents;

use super::picture::{HadOnce, Picture, holders};
use super::work::INDENT;
use crate::cli::style::{FAINT, GOOD, HEADING, NAME, WARNING};
use crate::cli::table::{Cell, Column, table, wrapped};
use crate::cli::words;

pub(super) struct Section {
    title: &'static str,
    lines: Vec<String>,
    /// What is below the lines, whatever is left out of them.
    foot: Option<String>,
    /// Nothing is missing where it is left out.
    is_empty: bool,
}

impl Section {
    fn new(title: &'static str, lines: Vec<String>) -> Self {
        let is_empty = lines.is_empty();
        Self { title, lines, foot: None, is_empty }
    }

    /// True if there is nothing in it and nobody misses it.
    pub(super) fn is_optional(&self) -> bool {
        self.is_empty && self.foot.is_none() && !matches!(self.title, "Sessions" | "Claims")
    }

    /// How many lines it has, its title and the empty one below it included.
    pub(super) fn height(&self, most: usize) -> usize {
        let shown = self.lines.len().max(1);
        shown.min(most.max(1)) + usize::from(shown > most) + usize::from(self.foot.is_some()) + 2
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn cut_to(&self, most: usize) -> Vec<String> {
        let mut shown = vec![format!("{HEADING}{}{HEADING:#}", self.title)];
        if self.lines.is_empty() && self.foot.is_none() {
            shown.push(format!("{INDENT}{FAINT}none{FAINT:#}"));
        }
        shown.extend(self.lines.iter().take(most).cloned());
        if self.lines.len() > most {
            shown.push(format!("{INDENT}{FAINT}… {} more: deconflict status --json{FAINT:#}", self.lines.len() - most));
        }
        shown.extend(self.foot.clone());
        shown
    }
}

pub(super) fn nobody_here(picture: &Picture) -> [String; 2] {
    [
        format!("Nobody coordinates here yet: there is no {}.", picture.directory),
        "To begin: eval \"$(deconflict start --export)\"".to_owned(),
    ]
}

/// Everything, in the order in which people look at it.
pub(super) fn sections(picture: &Picture, overview: &Overview, width: usize) -> Vec<Section> {
    vec![
        sessions(picture, overview, width),
        claims(picture, overview, width),
        waiting(picture, width),
        had_once("This machine", &picture.machine, picture.now, width),
        had_once("The team", &picture.team, picture.now, width),
        messages(picture, overview, width),
        uncommitted(picture, overview, width),
        coordination_needed(picture, overview, width),
    ]
}

fn sessions(picture: &Picture, overview: &Overview, width: usize) -> Section {
    const COLUMNS: [Column; 7] = [
        Column::WHOLE,
        Column::WHOLE.least(20),
        Column::WHOLE,
        Column::WHOLE.least(12).rank(1),
        Column::WHOLE.rank(3),
        Column::WHOLE.rank(2),
        Column::WHOLE.rank(4),
    ];
    let (live, over): (Vec<&Session>, Vec<&Session>) =
        overview.sessions.iter().partition(|session| overview.is_alive(session));
    let active = overview.claims.iter().filter(|claim| claim.is_active());
    let holding: HashSet<&SessionId> = active.filter_map(Claim::holder).collect();
    let rows: Vec<Vec<Cell>> = live.iter().map(|session| session_row(picture, session, &holding)).collect();
    let mut section = Section::new("Sessions", table(&rows, &COLUMNS, INDENT, width));
    if !over.is_empty() {
        let number = |state| over.iter().filter(|session| session.state == state).count();
        let (gone, ended) = (number(SessionState::Gone), number(SessionState::Completed));
        let silent = over.len() - gone - ended;
        let told = [(ended, "ended"), (gone, "gone"), (silent, "silent for over a day")];
        let told: Vec<String> =
            told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        section.foot = Some(format!("{INDENT}{FAINT}{}{FAINT:#}", told.join(", ")));
    }
    section
}

fn session_row(picture: &Picture, session: &Session, holding: &HashSet<&SessionId>) -> Vec<Cell> {
    let told = documents::session(session);
    let is_own = picture.own.as_ref().is_some_and(|own| own.id == session.id);
    let place = ["branch", "worktree"].into_iter().filter_map(|name| told[name].as_str());
    let mut place: Vec<String> = place.map(|text| quoted(text, 30)).collect();
    place.splice(0..0, clone_of(session));
    let work = ["current_work", "phase", "progress"].into_iter().filter_map(|name| told[name].as_str());
    let work: Vec<String> = work.map(|text| one_line(text, 40)).filter(|text| !text.is_empty()).collect();
    let (mark, state, style) = match session.state {
        SessionState::Silent => ("○", "silent", WARNING),
        _ if is_own => ("●", "you", GOOD),
        _ => ("●", "", GOOD),
    };
    let name = session.label();
    let id = id_or_quoted(session.id.as_str(), 64);
    vec![
        Cell::new(mark, style),
        Cell::new(words::who(Some(session), &session.id), NAME),
        Cell::new(state, style),
        match work.is_empty() {
            // What it holds is listed below.
            true if holding.contains(&session.id) => Cell::plain(""),
            true => Cell::new("idle", FAINT),
            false => Cell::plain(quoted(&work.join(": "), 120)),
        },
        Cell::plain(place.join(", ")),
        Cell::new(words::short_distance(session.last_sign, picture.now), FAINT),
        Cell::new(if name == id { String::new() } else { id }, FAINT),
    ]
}

/// Where it is that a session works for which this one stands, and on which machine if not on this one.
fn clone_of(session: &Session) -> Option<String> {
    let clone = session.record.stands_for.as_ref()?.directory.parent()?.display().to_string();
    let host = session.record.host.as_ref().filter(|_| session.is_elsewhere());
    Some(host.map_or(quoted(&clone, 60), |host| quoted(&format!("{host}:{clone}"), 80)))
}

fn claims(picture: &Picture, overview: &Overview, width: usize) -> Section {
    const COLUMNS: [Column; 6] = [
        Column::WHOLE.least(24).keep_end(),
        Column::WHOLE.least(18),
        Column::WHOLE,
        Column::WHOLE.rank(2),
        Column::WHOLE.rank(1),
        Column::WHOLE.least(12).rank(3),
    ];
    let holders = holders(&overview.sessions);
    let row = |claim: &Claim| {
        let is_own = picture.is_own_claim(claim);
        let by = match claim.holder() {
            Some(_) if is_own => Cell::new("you", GOOD),
            Some(id) => Cell::plain(
                claim.uncommitted_of().map_or_else(|| called(&holders, id), |whose| quoted(whose, words::PHRASE)),
            ),
            None => Cell::new("unknown", WARNING),
        };
        let standing = match claim.standing {
            ClaimState::Active if claim.record.unconfirmed == Some(true) => {
                Cell::new("not confirmed by the team", WARNING)
            }
            ClaimState::Active if claim.is_automatic() => Cell::new("while edited", FAINT),
            ClaimState::Active => Cell::plain(words::left(claim.expires_at, picture.now)),
            other => Cell::new(other.as_str(), WARNING),
        };
        vec![
            Cell::new(resource(claim), NAME),
            by,
            standing,
            Cell::new(
                match claim.standing {
                    ClaimState::Uncommitted => format!("changed {}", words::local_clock(claim.claimed_at, picture.now)),
                    _ => format!("since {}", words::local_clock(claim.claimed_at, picture.now)),
                },
                FAINT,
            ),
            match claim.standing {
                ClaimState::Uncommitted => Cell::plain(""),
                _ => Cell::new(format!("until {}", words::local_clock(claim.expires_at, picture.now)), FAINT),
            },
            Cell::plain(claim.phase().map_or_else(String::new, |phase| quoted(phase, 40))),
        ]
    };
    let mut claims: Vec<&Claim> = overview.claims.iter().collect();
    claims.sort_by_key(|claim| !picture.is_own_claim(claim));
    let rows: Vec<Vec<Cell>> = claims.into_iter().map(row).collect();
    Section::new("Claims", table(&rows, &COLUMNS, INDENT, width))
}

/// Who waits for what is held, the first of each line first.
fn waiting(picture: &Picture, width: usize) -> Section {
    const COLUMNS: [Column; 4] =
        [Column::WHOLE.least(24), Column::WHOLE, Column::WHOLE.least(18), Column::WHOLE.rank(1)];
    let row = |place: &PlaceInLine| {
        let is_own = |id: &SessionId| picture.own.as_ref().is_some_and(|own| own.id == *id);
        let who = match (&place.session, place.id()) {
            (_, Some(id)) if is_own(id) => Cell::new("you", GOOD),
            (Some(session), _) => Cell::plain(words::who(Some(session), &session.id)),
            (None, id) => Cell::plain(id.map_or_else(|| "somebody".to_owned(), |id| quoted(id.as_str(), 64))),
        };
        vec![
            Cell::new(quoted(&place.what, 200), NAME),
            Cell::plain(format!("number {} in line", place.number)),
            who,
            Cell::new(format!("since {}", words::local_clock(place.since(picture.now), picture.now)), FAINT),
        ]
    };
    let rows: Vec<Vec<Cell>> = picture.waiting.iter().map(row).collect();
    Section::new("Waiting", table(&rows, &COLUMNS, INDENT, width))
}

/// What of the machine or the team somebody has, and who waits for it.
fn had_once(title: &'static str, shared: &HadOnce, now: DateTime<Utc>, width: usize) -> Section {
    const COLUMNS: [Column; 4] =
        [Column::WHOLE.least(24), Column::WHOLE.least(18), Column::WHOLE, Column::WHOLE.rank(1)];
    let name = |session: Option<&Session>, id: Option<&SessionId>| match (session, id) {
        (Some(session), _) => words::who(Some(session), &session.id),
        (None, id) => id.map_or_else(|| "somebody".to_owned(), |id| quoted(id.as_str(), 64)),
    };
    let held = shared.held.iter().map(|(claim, holder)| {
        vec![
            Cell::new(resource(claim), NAME),
            Cell::plain(name(holder.as_ref(), claim.holder())),
            Cell::plain(words::left(claim.expires_at, now)),
            Cell::new(format!("since {}", words::local_clock(claim.claimed_at, now)), FAINT),
        ]
    });
    let waiting = shared.waiting.iter().map(|place| {
        vec![
            Cell::new(quoted(&place.what, 200), NAME),
            Cell::plain(name(place.session.as_ref(), place.id())),
            Cell::plain(format!("number {} in line", place.number)),
            Cell::new(format!("since {}", words::local_clock(place.since(now), now)), FAINT),
        ]
    });
    let rows: Vec<Vec<Cell>> = held.chain(waiting).collect();
    let mut section = Section::new(title, table(&rows, &COLUMNS, INDENT, width));
    section.foot = shared.trouble.as_ref().map(|trouble| {
        let age =
            shared.known_at.map(|at| format!(" What is known of the other clones is from {}.", words::moment(at, now)));
        format!("{INDENT}{WARNING}!{WARNING:#} {}{}", one_line(trouble, 300), age.unwrap_or_default())
    });
    section
}

fn called(sessions: &HashMap<&SessionId, &Session>, id: &SessionId) -> String {
    words::who(sessions.get(id).copied(), id)
}

/// What is claimed, in few characters: a directory by its last slash.
fn resource(claim: &Claim) -> String {
    match claim.resource.resource_type().as_str() {
        "directory" => quoted(&format!("{}/", claim.resource.display_name()), 200),
        _ => claim.resource.in_a_sentence(),
    }
}

fn messages(picture: &Picture, overview: &Overview, width: usize) -> Section {
    const COLUMNS: [Column; 3] = [Column::WHOLE, Column::WHOLE.least(20), Column::WHOLE.least(16)];
    let sessions = holders(&overview.sessions);
    let name = |id: &SessionId| {
        let is_own = picture.own.as_ref().is_some_and(|own| own.id == *id);
        if is_own { "you".to_owned() } else { called(&sessions, id) }
    };
    let row = |message: &Message| {
        let from = message.from.as_ref().map_or_else(|| "somebody".to_owned(), name);
        let to = match &message.to {
            Recipient::Everyone => "everyone".to_owned(),
            Recipient::Session(id) => name(id),
        };
        vec![
            Cell::new(words::local_clock(message.sent_at, picture.now), FAINT),
            Cell::plain(format!("{from} → {to}")),
            Cell::plain(quoted(&message.headline(words::PHRASE), words::PHRASE)),
        ]
    };
    let rows: Vec<Vec<Cell>> = overview.recent_messages.iter().map(row).collect();
    let mut section = Section::new("Messages of the last hour", table(&rows, &COLUMNS, INDENT, width));
    if picture.unread > 0 {
        let unread = picture.unread;
        section.foot = Some(format!("{INDENT}{WARNING}{unread} unread for you{WARNING:#}: deconflict messages"));
    }
    section
}

fn uncommitted(picture: &Picture, overview: &Overview, width: usize) -> Section {
    let lines = picture.work.uncommitted_lines(overview, picture.own.as_ref(), width);
    let mut section = Section::new("Uncommitted", lines);
    let more = picture.work.not_looked_into();
    if more > 0 {
        section.foot = Some(format!("{INDENT}{FAINT}and perhaps in {} more{FAINT:#}", words::count(more, "file")));
    }
    section
}

fn coordination_needed(picture: &Picture, overview: &Overview, width: usize) -> Section {
    let clock = |at| words::local_clock(at, picture.now);
    let found = overview.coordination_needed.iter().map(|finding| one_line(&finding.told(&clock), 300));
    let lost = picture.work.sentences(picture.now).map(|sentence| one_line(&sentence, 500));
    let lines = found.chain(lost).flat_map(|sentence| {
        let text = wrapped(&sentence, width.saturating_sub(INDENT.len() + 2));
        text.into_iter().enumerate().map(|(number, line)| {
            if number == 0 { format!("{INDENT}{WARNING}!{WARNING:#} {line}") } else { format!("{INDENT}  {line}") }
        })
    });
    Section::new("Needs coordinating", lines.collect())
}
