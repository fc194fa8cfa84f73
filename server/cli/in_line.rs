//! Taking things in turn, and telling people who wait where they stand.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{CircleLink, Error, Queued, Registry, Session, Step, Taken, Taker, Turn, Waiter};

use super::context::Context;
use super::failure::Failure;
use super::interrupts::INTERRUPT;
use super::output::Output;
use super::{held, words};

/// Why somebody did not get what they waited for.
pub(super) enum Kept {
    /// It did not come free in time.
    Queued(Queued),
    /// It never would.
    Circle(Vec<CircleLink>),
    /// A signal asked to give up.
    Interrupted(i32),
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

/// What all who wait in turn have in common.
pub(super) struct Line<'a> {
    pub(super) context: &'a Context,
    pub(super) registry: &'a Registry,
    /// What is waited for, as people call it.
    pub(super) what: String,
    /// Stands before what is said, where a command says something too.
    pub(super) mark: &'static str,
    /// Registers the session again, where the whole directory was deleted.
    pub(super) register: Option<&'a dyn Fn() -> Result<(), Failure>>,
}

impl Line<'_> {
    /// Takes what is wanted, and waits for at most `patience` for it.
    pub(super) fn take(
        &self,
        taker: Taker<'_>,
        patience: Option<TimeDelta>,
    ) -> Result<Result<Vec<Vec<Taken>>, Kept>, Failure> {
        let Some(patience) = patience.and_then(|patience| patience.to_std().ok()) else {
            return Ok(match self.again(|| self.registry.take(&taker))? {
                Turn::Taken(got) => Ok(got),
                Turn::Queued(queued) => Err(Kept::Queued(queued)),
                Turn::Circle(circle) => Err(Kept::Circle(circle)),
            });
        };
        let start = Instant::now();
        let mut waiter = Waiter::new(self.registry, taker);
        self.context.give_up.wake(&waiter.waker());
        let (mut queued, mut told) = (None, None);
        let mut step = self.unless_busy(patience, || waiter.begin().map(Step::Turn))?;
        loop {
            match step {
                Some(Step::Turn(Turn::Taken(got))) => return Ok(Ok(got)),
                Some(Step::Turn(Turn::Circle(circle))) => return Ok(Err(Kept::Circle(circle))),
                Some(Step::Turn(Turn::Queued(now))) => queued = Some(now),
                Some(Step::Interrupted) => {
                    waiter.leave()?;
                    return Ok(Err(Kept::Interrupted(self.context.give_up.asked().unwrap_or(INTERRUPT))));
                }
                None => {}
            }
            let left = patience.saturating_sub(start.elapsed());
            match queued.take() {
                Some(queued) if left.is_zero() => return Ok(Err(Kept::Queued(queued))),
                Some(queued) if start.elapsed() >= SIGN_OF_LIFE || told.is_some() => {
                    self.tell(&queued, left, &mut told);
                }
                _ => {}
            }
            let pause = if told.is_none() { SIGN_OF_LIFE.saturating_sub(start.elapsed()) } else { LOOK };
            step = self.unless_busy(left, || waiter.wait(left.min(pause)))?;
        }
    }

    /// Where many take the lock it may not be had in time. Whoever still has time to wait goes on waiting, in the same place.
    fn unless_busy<T>(&self, left: Duration, mut act: impl FnMut() -> Result<T, Error>) -> Result<Option<T>, Failure> {
        self.again(|| match act() {
            Err(Error::Busy { .. }) if !left.is_zero() => Ok(None),
            done => done.map(Some),
        })
    }

    fn again<T>(&self, mut act: impl FnMut() -> Result<T, Error>) -> Result<T, Failure> {
        match (act(), self.register) {
            (Err(Error::UnknownSession { .. }), Some(register)) => {
                register()?;
                Ok(act()?)
            }
            (done, _) => Ok(done?),
        }
    }

    /// Says where somebody stands, if that is different from what was said before.
    fn tell(&self, queued: &Queued, left: Duration, told: &mut Option<String>) {
        let place = self.place(queued);
        if told.as_ref() == Some(&place) {
            return;
        }
        // A program in this process has its answer at the end.
        if !self.context.output.is_kept() {
            let left = time::duration_in_words(TimeDelta::from_std(left).unwrap_or_default());
            Output::remark(&format!("{}Waiting up to {left} for {}: {place}. Ctrl-C gives up.", self.mark, self.what));
        }
        *told = Some(place);
    }

    /// `third in line behind Ada's Claude Code and you; held by Grace since 17:02, until 17:30`.
    pub(super) fn place(&self, queued: &Queued) -> String {
        let mut parts = Vec::new();
        if !queued.ahead.is_empty() {
            let names: Vec<String> = queued.ahead.iter().map(|id| self.name(id)).collect();
            parts.push(format!("{} in line behind {}", ordinal(names.len() + 1), list(&names)));
        }
        if let Some(obstacle) = queued.obstacles.first() {
            let holder = held::holder_of(self.registry, &obstacle.by);
            let who = obstacle.by.holder().map_or_else(|| "somebody".to_owned(), |id| words::who(holder.as_ref(), id));
            parts.push(format!("held by {who} {}", words::term(&obstacle.by, self.context.now())));
        }
        if let Some(used) = queued.in_use.first() {
            parts.push(format!("some program uses {}", used.in_a_sentence()));
        }
        if parts.is_empty() { "your turn comes next".to_owned() } else { parts.join("; ") }
    }

    pub(super) fn refusal(&self, queued: &Queued) -> Failure {
        let now = self.context.now();
        match (queued.obstacles.first(), queued.in_use.first()) {
            (Some(obstacle), _) => held::refusal(self.context, self.registry, &obstacle.wanted, &obstacle.by),
            (None, Some(used)) => {
                let message = format!(
                    "A program that deconflict does not know of uses {}, and nothing else would do.",
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

    /// That a wait would never end.
    pub(super) fn circle(&self, circle: &[CircleLink]) -> Failure {
        let steps = circle.iter().map(|link| {
            format!("{} is held by {}, who waits too", link.wanted.in_a_sentence(), self.name(&link.held_by))
        });
        let message = format!("Waiting for {} would never end: {}.", self.what, steps.collect::<Vec<_>>().join("; "));
        let first = circle.first();
        let is_own = circle.len() == 1;
        let failure = Failure::refused("circle", message);
        match first {
            Some(link) if is_own => failure
                .advise(format!("Release it first: deconflict release {}", words::typed(self.context, &link.wanted))),
            _ => failure.advise("One of you has to release something first."),
        }
    }

    fn name(&self, id: &SessionId) -> String {
        let session: Option<Session> = self.registry.session(id).ok().flatten();
        session.map_or_else(|| quoted(id.as_str(), words::PHRASE), |session| one_line(&session.label(), 60))
    }
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
