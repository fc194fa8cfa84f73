//! Taking things in turn, and telling people who wait where they stand.

use std::thread;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{CircleLink, Error, Queued, Registry, Session, Step, Taken, Taker, Turn, Waiter};

use super::context::Context;
use super::failure::Failure;
use super::interrupts::INTERRUPT;
use super::kept_in::KeptIn;
use super::output::Output;
use super::{held, words};

/// A directory is deleted within this time, so often.
const BEING_DELETED: Duration = Duration::from_millis(10);
const MOST_REGISTRATIONS: usize = 50;

/// Why somebody did not get what they waited for.
pub(super) enum Kept {
    /// It did not come free in time.
    Queued(Queued),
    /// It never would.
    Circle(Vec<CircleLink>),
    /// A signal asked to give up.
    Interrupted(i32),
    /// Its user ended the wait from elsewhere.
    GivenUp,
}

fn ended(turn: Turn) -> Result<Vec<Vec<Taken>>, Kept> {
    match turn {
        Turn::Taken(got) => Ok(got),
        Turn::Queued(queued) => Err(Kept::Queued(queued)),
        Turn::Circle(circle) => Err(Kept::Circle(circle)),
        Turn::GivenUp => Err(Kept::GivenUp),
    }
}

/// Does something that needs the lock, again and again as long as others keep that and the caller waits.
pub(super) fn within<T>(
    patience: Option<TimeDelta>,
    context: &Context,
    mut act: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let patience = patience.and_then(|patience| patience.to_std().ok()).unwrap_or_default();
    let start = Instant::now();
    loop {
        match act() {
            Err(failure) if failure.is_busy() && start.elapsed() < patience && context.give_up.asked().is_none() => {}
            done => return done,
        }
    }
}

/// True if it failed because the directory, or what one's session had in it, is gone.
fn is_deleted(error: &Error) -> bool {
    matches!(error, Error::UnknownSession { .. }) || error.is_not_found()
}

/// What all who wait in turn have in common.
pub(super) struct Line<'a, S: KeptIn> {
    pub(super) context: &'a Context,
    pub(super) registry: &'a Registry<S>,
    /// That of the other scope, where some of those who hold it may wait.
    pub(super) beside: Option<&'a Registry<S>>,
    /// What is waited for, as people call it.
    pub(super) what: String,
    /// Stands before what is said, where a command says something too.
    pub(super) mark: &'static str,
    /// Registers the session again, where the whole directory was deleted.
    pub(super) register: Option<&'a dyn Fn() -> Result<(), Failure>>,
}

impl<S: KeptIn> Line<'_, S> {
    /// Takes what is wanted, and waits for at most `patience` for it.
    pub(super) fn take(
        &self,
        taker: Taker<'_>,
        patience: Option<TimeDelta>,
    ) -> Result<Result<Vec<Vec<Taken>>, Kept>, Failure> {
        let Some(patience) = patience.and_then(|patience| patience.to_std().ok()) else {
            return Ok(ended(self.again(|| deconflict_changes::take_in_turn(self.registry, &taker))?));
        };
        let start = Instant::now();
        let mut waiter = Waiter::new(self.registry, taker).beside(self.beside);
        self.context.give_up.wake(&waiter.waker());
        let mut told = LastSaid::default();
        let mut step = self.unless_it_may_pass(patience, &mut told, || waiter.begin().map(Step::Turn))?;
        loop {
            match step {
                Some(Step::Interrupted) => {
                    waiter.leave()?;
                    return Ok(Err(Kept::Interrupted(self.context.give_up.asked().unwrap_or(INTERRUPT))));
                }
                Some(Step::Turn(Turn::Queued(_)) | Step::Waiting) | None => {}
                Some(Step::Turn(turn)) => return Ok(ended(turn)),
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(ended(self.again(|| waiter.try_once_more())?));
            }
            if start.elapsed() >= SIGN_OF_LIFE
                && let Some(queued) = waiter.place()?
            {
                self.tell(&queued, left, &mut told);
            }
            let until_first = SIGN_OF_LIFE.saturating_sub(start.elapsed());
            let pause = if until_first.is_zero() { LOOK + told.ahead / 4 } else { until_first };
            step = self.unless_it_may_pass(left, &mut told, || waiter.wait(left.min(pause)))?;
        }
    }

    /// Where many take the lock it may not be had in time, and a disk that is full may have room again. Whoever still has
    /// time to wait goes on waiting, in the same place.
    fn unless_it_may_pass<T>(
        &self,
        left: Duration,
        told: &mut LastSaid,
        mut act: impl FnMut() -> Result<T, Error>,
    ) -> Result<Option<T>, Failure> {
        let mut passing = None;
        let done = self.again(|| match act() {
            Err(error) if error.may_pass() && !left.is_zero() => {
                passing = Some(error);
                Ok(None)
            }
            done => done.map(Some),
        })?;
        // What is over in a moment is not worth a word.
        if let Some(error) = passing.filter(|error| !matches!(error, Error::Busy { .. } | Error::Io { .. })) {
            self.tell_trouble(&error, told);
        }
        Ok(done)
    }

    fn again<T>(&self, mut act: impl FnMut() -> Result<T, Error>) -> Result<T, Failure> {
        let mut done = act();
        let Some(register) = self.register else { return Ok(done?) };
        // Whoever deletes the directory may not be done with it, and take along what is made anew.
        for left in (0..MOST_REGISTRATIONS).rev() {
            match &done {
                Err(error) if is_deleted(error) => {}
                _ => break,
            }
            match register() {
                Ok(()) => done = act(),
                Err(failure) if left == 0 => return Err(failure),
                Err(_) => {}
            }
            if done.is_err() {
                thread::sleep(BEING_DELETED);
            }
        }
        Ok(done?)
    }

    /// Says where somebody stands, if that is different from what was said before.
    fn tell(&self, queued: &Queued, left: Duration, told: &mut LastSaid) {
        // Far behind, each step more or less matters little, and all who wait look for theirs.
        told.ahead = Duration::from_secs(queued.ahead.len() as u64);
        let place = self.place(queued);
        if told.place.as_ref() == Some(&place) {
            return;
        }
        let left = time::duration_in_words(TimeDelta::from_std(in_minutes(left)).unwrap_or_default());
        self.say(&format!("Waiting up to {left} for {}: {place}. Ctrl-C gives up.", self.what));
        told.place = Some(place);
    }

    /// Says what keeps it from being taken, once.
    fn tell_trouble(&self, error: &Error, told: &mut LastSaid) {
        let trouble = error.to_string();
        if told.trouble.as_ref() != Some(&trouble) {
            self.say(&format!("Still waiting for {}, but {trouble}.", self.what));
            told.trouble = Some(trouble);
        }
    }

    fn say(&self, words: &str) {
        // A program in this process has its answer at the end.
        if !self.context.output.is_kept() {
            Output::remark(&format!("{}{words}", self.mark));
        }
    }

    /// `third in line behind Ada's Claude Code and you; held by Grace since 17:02, until 17:30`.
    pub(super) fn place(&self, queued: &Queued) -> String {
        let mut parts = Vec::new();
        if !queued.ahead.is_empty() {
            let names: Vec<String> = queued.ahead.iter().map(|id| self.name(id)).collect();
            parts.push(format!("{} in line behind {}", ordinal(names.len() + 1), list(&names)));
        }
        if let Some(obstacle) = queued.obstacles.first() {
            let who = obstacle.by.holder().map_or_else(|| "somebody".to_owned(), |id| self.name(id));
            parts.push(format!("held by {who} {}", words::term(&obstacle.by, self.context.now())));
        }
        if let Some(used) = queued.in_use.first() {
            parts.push(format!("another program uses {}", used.in_a_sentence()));
        }
        if parts.is_empty() { "you are next".to_owned() } else { parts.join("; ") }
    }

    pub(super) fn refusal(&self, queued: &Queued) -> Failure {
        let now = self.context.now();
        match (queued.obstacles.first(), queued.in_use.first()) {
            (Some(obstacle), _) => held::refusal(self.context, self.registry, &obstacle.wanted, &obstacle.by),
            (None, Some(used)) => {
                let message = format!(
                    "A program that deconflict doesn't know uses {}, and nothing else will do.",
                    used.in_a_sentence()
                );
                Failure::refused("in-use", message)
            }
            (None, None) => {
                let names: Vec<String> = queued.ahead.iter().map(|id| self.name(id)).collect();
                let message = format!("{} is free, and {} waited for it first.", self.what, list(&names));
                Failure::refused("queued", message).fact("at", time::format(now))
            }
        }
    }

    /// That the wait was ended from elsewhere.
    pub(super) fn given_up(&self) -> Failure {
        Failure::refused(
            "left-line",
            format!("You are no longer waiting for {}: you left the queue in your editor.", self.what),
        )
    }

    /// That a wait would never end.
    pub(super) fn circle(&self, circle: &[CircleLink]) -> Failure {
        let steps = circle.iter().map(|link| {
            format!("{} is held by {}, who is also waiting", link.wanted.in_a_sentence(), self.name(&link.held_by))
        });
        let message = format!("Waiting for {} would never end: {}.", self.what, steps.collect::<Vec<_>>().join("; "));
        let first = circle.first();
        let is_own = circle.len() == 1;
        let failure = Failure::refused("circle", message);
        match first {
            Some(link) if is_own => failure
                .advise(format!("Release it first: deconflict release {}", words::typed(self.context, &link.wanted))),
            _ => failure.advise("One of you must release something first."),
        }
    }

    fn name(&self, id: &SessionId) -> String {
        let find = |registry: &Registry<S>| registry.session(id).ok().flatten();
        let session: Option<Session> = find(self.registry).or_else(|| self.beside.and_then(find));
        session.map_or_else(|| quoted(id.as_str(), words::PHRASE), |session| one_line(&session.label(), 60))
    }
}

/// A time of more than a minute in whole ones, not less than it is: of ten minutes that were asked for, ten are left at first.
fn in_minutes(left: Duration) -> Duration {
    const MINUTE: u64 = 60;
    match left.as_secs() {
        0..MINUTE => left,
        seconds => Duration::from_secs((seconds + 1).div_ceil(MINUTE) * MINUTE),
    }
}

/// What was said to somebody who waits.
#[derive(Default)]
struct LastSaid {
    place: Option<String>,
    /// A second for each who comes first.
    ahead: Duration,
    trouble: Option<String>,
}

/// After so long, people wonder whether anything happens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// So often it is looked whether the place is another one.
const LOOK: Duration = Duration::from_secs(5);

fn list(names: &[String]) -> String {
    /// More would hide what the sentence is about.
    const MOST: usize = 4;
    let mut shown: Vec<String> = names.iter().take(MOST).cloned().collect();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => shown.join(""),
    }
}

fn ordinal(place: usize) -> String {
    const WORDS: [&str; 10] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    match WORDS.get(place - 1) {
        Some(word) => (*word).to_owned(),
        None => format!("number {place}"),
    }
}
