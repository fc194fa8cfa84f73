//! `deconflict status`

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deconflict::protocol::SessionId;
use deconflict::protocol::text::one_line;
use deconflict::registry::{
    Claim, DamagedRecord, Finding, Message, Overview, Recipient, Registry, Session, SessionState, Standing,
};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::{Output, Printed};
use super::style::{FAINT, GOOD, HEADING, NAME, WARNING};
use super::table::{Cell, aligned};
use super::{facts, identity, words};

/// Show sessions, claims, messages and what needs coordinating
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Stay and show each change, until Ctrl-C
    #[arg(long, conflicts_with = "oneline")]
    watch: bool,
    /// One short line, for a prompt
    #[arg(long)]
    oneline: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.watch {
        return watch(context);
    }
    let picture = Picture::look(context)?;
    context.output.answer(
        || picture.document(),
        || {
            if arguments.oneline {
                picture.one_line()
            } else if context.shared.original {
                picture.as_the_original()
            } else {
                picture.in_words()
            }
        },
    )?;
    if !arguments.oneline && !context.location()?.may_be_joined() {
        Output::remark("You only look at this directory: git tracks it. To join it: deconflict init --adopt");
    }
    Ok(Exit::Done)
}

/// Everything that is shown, as it was at one moment.
struct Picture {
    directory: String,
    now: DateTime<Utc>,
    /// The caller's own session, if it has one.
    own: Option<Session>,
    unread: usize,
    /// `None` while there is no directory.
    overview: Option<Overview>,
}

impl Picture {
    fn look(context: &Context) -> Result<Self, Failure> {
        let directory = context.location()?.directory.display().to_string();
        let registry = context.registry_to_look_at()?;
        let now = context.now();
        let Some(registry) = registry else {
            return Ok(Self { directory, now, own: None, unread: 0, overview: None });
        };
        // Whoever names a session that is not there still wants to see those that are.
        let own = identity::find(context, &registry).unwrap_or_default();
        let unread = own.as_ref().map_or(Ok(0), |own| unread(&registry, &own.id))?;
        Ok(Self { directory, now, own, unread, overview: Some(registry.overview()?) })
    }

    fn document(&self) -> Value {
        let Some(overview) = &self.overview else {
            return json!({
                "directory": self.directory, "exists": false, "session": null, "sessions": [], "claims": [],
                "messages": [], "unread": 0, "coordination_needed": [], "damaged": [],
            });
        };
        let holders = holders(&overview.sessions);
        let claim = |claim: &Claim| facts::claim(claim, claim.holder().and_then(|id| holders.get(id).copied()));
        json!({
            "directory": self.directory,
            "exists": true,
            "session": self.own.as_ref().map(facts::session),
            "sessions": overview.sessions.iter().map(facts::session).collect::<Vec<_>>(),
            "claims": overview.claims.iter().map(claim).collect::<Vec<_>>(),
            "messages": overview.recent_messages.iter().map(facts::message).collect::<Vec<_>>(),
            "unread": self.unread,
            "coordination_needed": overview.coordination_needed.iter().map(facts::finding).collect::<Vec<_>>(),
            "damaged": damaged(overview).map(facts::damaged).collect::<Vec<_>>(),
        })
    }

    /// What fits a prompt; nothing where nobody coordinates.
    fn one_line(&self) -> String {
        let Some(overview) = &self.overview else { return String::new() };
        let active = || overview.claims.iter().filter(|claim| claim.is_active());
        let own = active().filter(|claim| self.is_own_claim(claim)).count();
        let others = active().count() - own;
        if self.own.is_some() {
            return format!("{own} held, {others} by others, {} unread", self.unread);
        }
        let live = overview.sessions.iter().filter(|session| overview.is_alive(session)).count();
        format!("{}, {}", words::count(live, "session"), words::count(others, "claim"))
    }

    fn in_words(&self) -> String {
        let Some(overview) = &self.overview else {
            return format!(
                "Nobody coordinates here yet: there is no {}.\nTo begin: eval \"$(deconflict start --export)\"\n",
                self.directory
            );
        };
        let sections =
            [self.sessions(overview), self.claims(overview), self.messages(overview), coordination_needed(overview)];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn sessions(&self, overview: &Overview) -> String {
        let (live, over): (Vec<&Session>, Vec<&Session>) =
            overview.sessions.iter().partition(|session| overview.is_alive(session));
        let mut section = format!("{HEADING}Sessions{HEADING:#}\n");
        if live.is_empty() {
            section.push_str("  none\n");
        }
        let rows: Vec<Vec<Cell>> = live.iter().map(|session| self.session_row(session)).collect();
        section.push_str(&aligned(&rows, "  "));
        if !over.is_empty() {
            let number = |state| over.iter().filter(|session| session.state == state).count();
            let (gone, ended) = (number(SessionState::Gone), number(SessionState::Completed));
            let silent = match over.len() - gone - ended {
                0 => String::new(),
                silent => format!(", {silent} silent for over a day"),
            };
            section.push_str(&format!("  {FAINT}and {gone} gone, {ended} completed{silent}{FAINT:#}\n"));
        }
        section
    }

    fn session_row(&self, session: &Session) -> Vec<Cell> {
        let record = &session.record;
        let is_own = self.own.as_ref().is_some_and(|own| own.id == session.id);
        let place = [record.branch.as_deref(), record.worktree.as_deref()];
        let place: Vec<String> = place.into_iter().flatten().map(|text| one_line(text, 30)).collect();
        let work = [&record.current_work, &record.phase, &record.progress].into_iter().flatten();
        let work: Vec<String> = work.map(|text| one_line(text, 40)).filter(|text| !text.is_empty()).collect();
        let (state, style) = match session.state {
            SessionState::Silent => ("silent", WARNING),
            _ if is_own => ("you", GOOD),
            _ => ("", GOOD),
        };
        vec![
            Cell::new(one_line(session.id.as_str(), 40), NAME),
            Cell::plain(words::calling(session)),
            Cell::new(state, style),
            Cell::plain(place.join(", ")),
            Cell::new(format!("seen {}", words::distance(session.last_sign, self.now)), FAINT),
            Cell::plain(if work.is_empty() { "idle".to_owned() } else { work.join(": ") }),
        ]
    }

    fn claims(&self, overview: &Overview) -> String {
        if overview.claims.is_empty() {
            return format!("{HEADING}Claims{HEADING:#}\n  none\n");
        }
        let holders = holders(&overview.sessions);
        let row = |claim: &Claim| {
            let by = match claim.holder() {
                Some(_) if self.is_own_claim(claim) => "you".to_owned(),
                Some(id) => holders.get(id).map_or_else(|| one_line(id.as_str(), 40), |holder| words::calling(holder)),
                None => "unknown".to_owned(),
            };
            let standing = match claim.standing {
                Standing::Active if claim.is_automatic() => Cell::new("while edited", FAINT),
                Standing::Active => Cell::new("", FAINT),
                other => Cell::new(words::standing(other), WARNING),
            };
            let since = format!("since {}", words::clock(claim.claimed_at, self.now));
            vec![
                Cell::plain(one_line(claim.resource.resource_type().as_str(), 20)),
                Cell::new(one_line(&claim.resource.display_name(), 80), NAME),
                Cell::plain(by),
                Cell::plain(since),
                Cell::plain(format!("until {}", words::moment(claim.expires_at, self.now))),
                standing,
                Cell::plain(claim.record.phase.as_deref().map_or_else(String::new, |phase| one_line(phase, 40))),
            ]
        };
        let rows: Vec<Vec<Cell>> = overview.claims.iter().map(row).collect();
        format!("{HEADING}Claims{HEADING:#}\n{}", aligned(&rows, "  "))
    }

    fn messages(&self, overview: &Overview) -> String {
        if overview.recent_messages.is_empty() && self.unread == 0 {
            return String::new();
        }
        let sessions = holders(&overview.sessions);
        let name = |id: &SessionId| {
            sessions.get(id).map_or_else(|| one_line(id.as_str(), 40), |session| words::calling(session))
        };
        let row = |message: &Message| {
            let from = message.from.as_ref().map_or_else(|| "somebody".to_owned(), name);
            let to = match &message.to {
                Recipient::Everyone => "everyone".to_owned(),
                Recipient::Session(id) if self.own.as_ref().is_some_and(|own| own.id == *id) => "you".to_owned(),
                Recipient::Session(id) => name(id),
            };
            vec![
                Cell::plain(words::clock(message.sent_at, self.now)),
                Cell::plain(format!("{from} → {to}")),
                Cell::plain(one_line(message.record.subject.as_deref().unwrap_or_default(), words::PHRASE)),
            ]
        };
        let rows: Vec<Vec<Cell>> = overview.recent_messages.iter().map(row).collect();
        let unread = match self.unread {
            0 => String::new(),
            unread => format!("  {WARNING}{unread} unread for you{WARNING:#}: deconflict messages\n"),
        };
        format!("{HEADING}Messages of the last hour{HEADING:#}\n{}{unread}", aligned(&rows, "  "))
    }

    /// What the original's session-status.sh prints.
    fn as_the_original(&self) -> String {
        let mut text = "=== ACTIVE SESSIONS ===\n".to_owned();
        let overview = self.overview.as_ref();
        for session in overview.into_iter().flat_map(|overview| &overview.sessions) {
            let record = &session.record;
            let field = |field: &Option<String>, default: &str| {
                field.as_deref().map_or_else(|| default.to_owned(), |text| one_line(text, words::PHRASE))
            };
            text.push_str(&format!(
                "{}: {} - {} (last: {})\n",
                one_line(session.id.as_str(), words::PHRASE),
                field(&record.status, "unknown"),
                field(&record.current_work, "idle"),
                field(&record.last_heartbeat, "unknown"),
            ));
        }
        text.push_str("\n=== ACTIVE CLAIMS ===\n");
        for claim in overview.into_iter().flat_map(|overview| &overview.claims) {
            text.push_str(&format!(
                "{}: {} (claimed by {})\n",
                one_line(claim.resource.resource_type().as_str(), 40),
                one_line(claim.resource.name(), 200),
                claim.holder().map_or_else(|| "unknown".to_owned(), |id| one_line(id.as_str(), words::PHRASE)),
            ));
        }
        text
    }

    fn is_own_claim(&self, claim: &Claim) -> bool {
        self.own.as_ref().is_some_and(|own| claim.held_by(&own.id))
    }
}

fn coordination_needed(overview: &Overview) -> String {
    let findings = &overview.coordination_needed;
    if findings.is_empty() {
        return String::new();
    }
    let line = |finding: &Finding| format!("  {WARNING}!{WARNING:#} {}\n", one_line(&finding.to_string(), 300));
    let lines: String = findings.iter().map(line).collect();
    format!("{HEADING}Needs coordinating{HEADING:#}\n{lines}")
}

/// The records that cannot be understood.
pub(super) fn damaged(overview: &Overview) -> impl Iterator<Item = &DamagedRecord> {
    overview.coordination_needed.iter().filter_map(|finding| match finding {
        Finding::Damaged(record) => Some(record),
        _ => None,
    })
}

fn holders(sessions: &[Session]) -> HashMap<&SessionId, &Session> {
    sessions.iter().map(|session| (&session.id, session)).collect()
}

fn unread(registry: &Registry, own: &SessionId) -> Result<usize, Failure> {
    Ok(registry.unread_messages(own)?.len())
}

/// Stays and shows each change. For a program or a pipe, each change is a document or a picture of its own.
fn watch(context: &Context) -> Result<Exit, Failure> {
    let on_terminal = !context.output.is_json() && std::io::stdout().is_terminal();
    let mut screen = Screen::default();
    let mut shown = String::new();
    loop {
        let start = Instant::now();
        let picture = Picture::look(context)?;
        let now = if context.output.is_json() { picture.document().to_string() } else { picture.in_words() };
        if now != shown || screen.was_resized() {
            let printed = if on_terminal {
                screen.show(&now)
            } else if context.output.is_json() {
                Output::text(&now)?
            } else {
                Output::text(&format!("{now}\n"))?
            };
            if printed == Printed::Cut {
                return Ok(Exit::Done);
            }
            shown = now;
        }
        std::thread::sleep(pause_after(start.elapsed()));
    }
}

/// Looking takes longer the more there is; looking must stay a small part of the time.
fn pause_after(look: Duration) -> Duration {
    (look * 20).clamp(Duration::from_millis(500), Duration::from_secs(5))
}

/// A picture that is redrawn in place. Nothing of the terminal's state is changed, so whatever ends the program leaves
/// the terminal clean, with the last picture on it.
#[derive(Default)]
struct Screen {
    lines: usize,
    size: Option<(u16, u16)>,
}

impl Screen {
    fn was_resized(&self) -> bool {
        self.lines > 0 && self.size != size()
    }

    fn show(&mut self, picture: &str) -> Printed {
        let size = size();
        let (columns, rows) = size.unwrap_or((80, 24));
        let mut lines: Vec<&str> = picture.lines().collect();
        // The cursor rests on the line below the picture.
        let most = usize::from(rows).saturating_sub(2).max(1);
        let hidden = lines.len().saturating_sub(most);
        lines.truncate(most);
        let mut frame = String::new();
        if self.lines > 0 {
            // After a change of size, nobody knows where the old lines went.
            let up = if self.size == size { format!("\x1b[{}A\r", self.lines) } else { "\x1b[2J\x1b[H".to_owned() };
            frame.push_str(&up);
        }
        for line in &lines {
            frame.push_str(&super::table::cut(line, usize::from(columns)));
            frame.push_str("\x1b[0m\x1b[K\n");
        }
        if hidden > 0 {
            frame.push_str(&format!("… {hidden} more lines\x1b[K\n"));
        }
        frame.push_str("\x1b[J");
        self.lines = lines.len() + usize::from(hidden > 0);
        self.size = size;
        // One write for the whole picture, so that it doesn't flicker.
        let mut stream = anstream::stdout().lock();
        match stream.write_all(frame.as_bytes()).and_then(|()| stream.flush()) {
            Ok(()) => Printed::Whole,
            Err(_) => Printed::Cut,
        }
    }
}

fn size() -> Option<(u16, u16)> {
    terminal_size::terminal_size().map(|(columns, rows)| (columns.0, rows.0))
}
