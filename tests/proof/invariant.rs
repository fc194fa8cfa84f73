//! The one thing that all promises about claims come down to: at every instant, no two believed claims of two sessions
//! overlap.
//!
//! It is written from the protocol page alone. It uses nothing of the program and nothing of the sequential
//! specification, so that a mistake of theirs is not its own: it has its own idea of paths, reads records as plain JSON,
//! and knows of what happened only what sessions asked and were told.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What is claimed: a type and a name, such as `directory` and `src`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thing {
    kind: String,
    name: String,
}

impl Thing {
    pub(crate) fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned() }
    }

    /// True if nobody may have one while another has the other: they are the same, or one is a directory above the
    /// other.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self == other || self.is_above(other) || other.is_above(self)
    }

    fn is_above(&self, other: &Self) -> bool {
        let below = other.name.strip_prefix(self.name.as_str());
        // The whole is called `.`; what begins with `//` lies in another worktree.
        let is_below = below.is_some_and(|below| below.starts_with('/'))
            || (self.name == "." && other.name != "." && !other.name.starts_with("//"));
        self.kind == "directory" && (other.kind == "file" || other.kind == "directory") && is_below
    }
}

/// A claim that stands on disk and that its holder may believe in.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) session: String,
    pub(crate) thing: Thing,
}

/// The claims in a coordination directory that count at this time: their lease runs, and their session has not ended
/// and its process is there.
pub(crate) fn believed_on_disk(directory: &Path, now: DateTime<Utc>) -> Vec<Believed> {
    let mut believed = Vec::new();
    for entry in fs::read_dir(directory.join("claims")).into_iter().flatten().flatten() {
        let is_claim = entry.path().extension().is_some_and(|extension| extension == "claim");
        let Some(record) = json(&entry.path()).filter(|_| is_claim) else { continue };
        let text = |field: &str| record[field].as_str().map(str::to_owned);
        let (Some(session), Some(kind), Some(name)) =
            (text("claimed_by"), text("resource_type"), text("resource_name"))
        else {
            continue;
        };
        let expires = text("expires_at").and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
        let is_over = expires.is_some_and(|expires| expires <= now);
        if !is_over && may_believe(directory, &session) {
            believed.push(Believed { session, thing: Thing { kind, name } });
        }
    }
    believed
}

/// Two claims of two sessions that stand on disk, overlap, and may both be believed in, if there are any.
pub(crate) fn contradiction_on_disk(directory: &Path, now: DateTime<Utc>) -> Option<String> {
    let believed = believed_on_disk(directory, now);
    let pairs = |at: usize| believed[at + 1..].iter().map(move |other| (at, other));
    let mut pairs = (0..believed.len()).flat_map(pairs).map(|(at, other)| (&believed[at], other));
    let wrong = pairs.find(|(one, other)| one.session != other.session && one.thing.overlaps(&other.thing));
    wrong.map(|(one, other)| format!("two sessions hold what overlaps: {one:?} and {other:?}"))
}

fn may_believe(directory: &Path, session: &str) -> bool {
    let Some(record) = json(&directory.join(format!("sessions/{session}.json"))) else { return true };
    let is_completed = record["status"] == "completed";
    // A process on another machine is none that could be seen here.
    let is_here = record["pid_scope"].as_str().is_some_and(|scope| scope != "another-machine");
    let is_gone = is_here && record["pid"].as_u64().is_some_and(|pid| !is_running(pid));
    !is_completed && !is_gone
}

fn is_running(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// When something was asked and answered, by a clock that everybody shares; for what a process that was killed had asked
/// for, when it was seen dead. Whatever it did, it did in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) asked: i64,
    pub(crate) answered: i64,
}

/// What sessions were told that they hold, and all that may have ended it.
#[derive(Debug, Default)]
pub(crate) struct Beliefs {
    told: Vec<(Span, String, Thing, i64)>,
    /// By session: what it gave up itself, or everything.
    given_up: HashMap<String, Vec<(Span, Option<Thing>)>>,
    /// What was taken by force, and by whom.
    forced: Vec<(Span, String, Thing)>,
    /// When the time of day was set to what, in order.
    clock: Vec<(Span, i64)>,
}

/// How long before its lease ends a holder ceases to believe, where sessions of several machines take part.
const RESTRAINT: i64 = 60_000;

impl Beliefs {
    /// A session was told that it holds something until a time of day, in milliseconds.
    pub(crate) fn told(&mut self, when: Span, session: &str, thing: Thing, expires: i64) {
        self.told.push((when, session.to_owned(), thing, expires));
    }

    /// A session gives something up; `None` is everything, because it ends or dies.
    pub(crate) fn gives_up(&mut self, when: Span, session: &str, thing: Option<Thing>) {
        self.given_up.entry(session.to_owned()).or_default().push((when, thing));
    }

    /// A session takes something by force, whoever holds what overlaps it.
    pub(crate) fn forces(&mut self, when: Span, session: &str, thing: Thing) {
        self.forced.push((when, session.to_owned(), thing));
    }

    /// The time of day jumps.
    pub(crate) fn clock_is_set(&mut self, when: Span, now: i64) {
        self.clock.push((when, now));
    }

    /// How often a session was told that it holds something.
    pub(crate) fn count(&self) -> usize {
        self.told.len()
    }

    /// Two sessions that believed at one instant to hold what overlaps, if there ever were any. Each believes from
    /// when it was told until something was asked for that may have ended its claim.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let mut spans: Vec<(i64, i64, &str, &Thing)> = Vec::new();
        for (when, session, thing, expires) in &self.told {
            let until = self.ending_of(*when, session, thing, *expires);
            if until > when.answered {
                spans.push((when.answered, until, session, thing));
            }
        }
        spans.sort_unstable_by_key(|(from, until, ..)| (*from, *until));
        let mut going_on: Vec<(i64, i64, &str, &Thing)> = Vec::new();
        for span in spans {
            going_on.retain(|(_, until, ..)| *until > span.0);
            let other = going_on.iter().find(|other| other.2 != span.2 && other.3.overlaps(span.3));
            if let Some(other) = other {
                let course = self.course(span.0, [other.2, span.2], span.3);
                return Some(format!("at {} both believed: {other:?} and {span:?}; {course}", span.0));
            }
            going_on.push(span);
        }
        None
    }

    /// All that happened around a moment to what overlaps a thing, or that two sessions did.
    fn course(&self, moment: i64, sessions: [&str; 2], thing: &Thing) -> String {
        let near = |when: &Span| when.asked < moment + 1_000_000_000 && when.answered > moment - 2_000_000_000;
        let told = self.told.iter().filter(|(when, _, what, _)| near(when) && what.overlaps(thing));
        let told = told.map(|(when, session, what, _)| (when.asked, format!("{when:?} told {session} {what:?}")));
        let forced = self.forced.iter().filter(|(when, _, what)| near(when) && what.overlaps(thing));
        let forced = forced.map(|(when, session, what)| (when.asked, format!("{when:?} forced {session} {what:?}")));
        let given_up = sessions.into_iter().flat_map(|session| self.given_up.get(session).into_iter().flatten());
        let given_up = given_up.filter(|(when, _)| near(when));
        let given_up = given_up.map(|(when, what)| (when.asked, format!("{when:?} gave up {what:?}")));
        let mut course: Vec<_> = told.chain(forced).chain(given_up).collect();
        course.sort();
        course.into_iter().map(|(_, what)| what).collect::<Vec<_>>().join("\n")
    }

    /// The first moment from which a session may no longer hold what it was told it holds, or holds it until another
    /// time. What gave something up in one with that telling came before it.
    fn ending_of(&self, told: Span, session: &str, thing: &Thing, expires: i64) -> i64 {
        let given_up = self.given_up.get(session).into_iter().flatten();
        let given_up = given_up.filter(|(_, what)| what.as_ref().is_none_or(|what| what == thing));
        let forced = self.forced.iter().filter(|(_, by, what)| by != session && what.overlaps(thing));
        let clock = self.clock.iter().filter(|(_, now)| *now >= expires - RESTRAINT);
        // The time of day that it was told at is the last that was set before.
        let set_before = self.clock.iter().rposition(|(when, _)| when.answered < told.asked).unwrap_or(0);
        let lapsed = clock.filter(|(when, _)| when.answered >= self.clock[set_before].0.answered);
        let told_anew = self.told.iter().filter(|(_, by, what, _)| by == session && what == thing);
        let endings = given_up.map(|(when, _)| when).chain(forced.map(|(when, ..)| when));
        let endings = endings.chain(told_anew.map(|(when, ..)| when));
        let endings = endings.filter(|ending| ending.answered >= told.asked && **ending != told);
        endings.chain(lapsed.map(|(when, _)| when)).map(|ending| ending.asked).min().unwrap_or(i64::MAX)
    }
}
