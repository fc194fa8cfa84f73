//! `deconflict team keep`: shares what is done in a clone with its team, and what is done in the team's other clones with
//! this one, for as long as somebody works here.
//!
//! There is one such process for a clone, whoever works in it. It copies records: this clone's sessions and claims of files
//! into the team's registry, under names that tell the clone, and those of the other clones into `COORDINATION/`, where
//! editors, hooks and verbs find them as they find those of other worktrees. So nothing that is done here waits for the team.

mod copies;
mod exclusive;
mod letters;
pub(super) mod names;
mod uncommitted;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{Changed, Error, Files, Hear, Key, Range, Registry, Series, Session, Store, Watching};
use deconflict_team::Etcd;
use deconflict_workspace::{CLONES_OF_TEAM, Location, Lock, PrivateFolder, start_team_helper};

use self::copies::{Copies, Due};
use self::exclusive::ExclusiveFiles;
use self::letters::Letters;
use self::names::Names;
use self::uncommitted::UncommittedWork;
use super::context::Context;
use super::failure::{Exit, Failure};

/// After the last session ended it goes on for so long.
const LINGER: Duration = Duration::from_mins(1);

/// So often it is looked which of this clone's sessions live, of which no record tells.
const LOOK: Duration = Duration::from_secs(10);

/// So often the team is told that they do.
const REFRESH: Duration = Duration::from_secs(30);

/// What comes within this time of what was brought over last is brought over together.
const TOGETHER: Duration = Duration::from_millis(20);

/// What failed is tried again after so long, and each further time after twice as long as before, up to the longest.
const AGAIN: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// More changes of the team's are no longer looked at one by one.
const MANY: usize = 100;

/// The file with the time at which the team was last heard of, as long as it does not answer.
const CUT_OFF: &str = "cut-off";

/// Who asks for the lock that another keeper has needs no answer later.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let location = context.location()?;
    let (Some(here), Some(team)) = (context.existing_registry()?, context.existing_team_registry()?) else {
        return Ok(Exit::Done);
    };
    let Some(folder) = location.repository.as_ref().and_then(PrivateFolder::of_team) else {
        return Ok(Exit::Done);
    };
    let told = |error: std::io::Error| Failure::could_not("see whether this clone is shared already", &error);
    let lock = folder.lock("keeper", Lock::Exclusive, PATIENCE).map_err(told)?;
    if !lock.is_locked() {
        return Ok(Exit::Done);
    }
    let settings = context.team_settings()?;
    let is_still_meant = || context.team_settings().is_ok_and(|now| now == settings);
    TeamKeeper::new(&here, &team, &folder, context)?.keep(is_still_meant);
    if !is_still_meant() {
        drop(lock);
        start_team_helper(location);
    }
    Ok(Exit::Done)
}

/// When the other clones were last heard of, where the team does not answer now.
pub(super) fn known_at(location: &Location) -> Option<DateTime<Utc>> {
    let folder = location.repository.as_ref().and_then(PrivateFolder::of_team)?;
    let told = folder.read(CUT_OFF, 100).ok()??;
    time::parse(String::from_utf8_lossy(&told).trim())
}

/// Brings what a session was sent from other clones, for whoever reads messages now.
pub(super) fn fetch_letters(context: &Context, own: &SessionId) -> Result<(), Failure> {
    let location = context.location()?;
    let Some(team) = context.existing_team_registry()? else { return Ok(()) };
    let folder = location.repository.as_ref().and_then(PrivateFolder::of_team);
    let (Some(here), Some(folder)) = (context.existing_registry()?, folder) else { return Ok(()) };
    let names = Names::of(location);
    let there = names.in_team(own);
    if team.session(&there)?.is_some() {
        Letters { here: &here, team: &team, folder: &folder }.fetch_for(own, &there, &names)?;
    }
    Ok(())
}

/// What one of the two registries told.
enum ChangedIn {
    Here(Changed),
    There(Changed),
}

struct TeamKeeper<'a> {
    folder: &'a PrivateFolder,
    names: Names,
    /// This clone's, in the team's registry.
    ours: Copies<'a, Files, Etcd>,
    /// The other clones', in this clone's.
    others: Copies<'a, Etcd, Files>,
    letters: Letters<'a>,
    uncommitted: UncommittedWork<'a>,
    exclusive: ExclusiveFiles<'a>,
    /// Whether the team does not answer, as far as that was seen.
    is_cut_off: Option<bool>,
}

impl<'a> TeamKeeper<'a> {
    fn new(
        here: &'a Registry<Files>,
        team: &'a Registry<Etcd>,
        folder: &'a PrivateFolder,
        context: &'a Context,
    ) -> Result<Self, Failure> {
        Ok(Self {
            folder,
            names: Names::of(context.location()?),
            ours: Copies::new(here, team),
            others: Copies::new(team, here),
            letters: Letters { here, team, folder },
            uncommitted: UncommittedWork::new(context, here, team),
            exclusive: ExclusiveFiles::new(here, team, context.location()?),
            is_cut_off: None,
        })
    }

    /// Until nobody works here any more, or another team is meant.
    fn keep(mut self, is_still_meant: impl Fn() -> bool) {
        let (tell, told) = channel();
        let hear = |wrap: fn(Changed) -> ChangedIn| -> Hear {
            let tell = tell.clone();
            // Nobody listens only at the end.
            Box::new(move |changed| drop(tell.send(wrap(changed))))
        };
        let records = [Range::Sessions, Range::all_claims(), Range::AllDirect];
        let with_broadcasts = [&records[..], &[Range::Series(Series::Broadcasts)]].concat();
        let mut watching = self.letters.here.store().watch(&records, hear(ChangedIn::Here));
        // Of those of other clones each has a folder, which is watched while it is known.
        let mut watching_letters = LetterWatch::default();
        // Begins with the first look; what happens before is found by looking at everything.
        let mut watching_team = self.letters.team.store().watch(&with_broadcasts, hear(ChangedIn::There));
        watching_team.look(Duration::ZERO);
        let mut is_changed = true;
        let mut due = DueBoth { here: Due::everything(), there: Due::everything(), is_cut_off: false };
        let (mut looked, mut refreshed, mut worked) = (Instant::now(), Instant::now(), Instant::now());
        let mut retry = Retry::default();
        // Whoever removes the directory takes along what was copied into it.
        while self.letters.here.path().is_dir() && worked.elapsed() < LINGER {
            for changed in watching.look(Duration::from_millis(1)) {
                due.here.add(changed);
            }
            for changed in watching_letters.look(&self.others, self.letters.here, || hear(ChangedIn::Here)) {
                due.here.add(changed);
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                due.here.keys.extend(self.ours.sources().keys().cloned());
                if !is_still_meant() {
                    break;
                }
            }
            is_changed |= !due.here.is_empty();
            if due.there.is_everything {
                self.uncommitted.forget();
            }
            // Whoever hears the team's changes says when it answers again.
            if !due.is_cut_off || retry.due_in().is_zero() {
                let mut result = self.bring_up_to_date(&mut due);
                let is_silent = |error: &Error| matches!(error, Error::CutOff { .. } | Error::Declined { .. });
                self.remember_whether_cut_off(due.is_cut_off || result.as_ref().is_err_and(is_silent));
                if result.is_ok() && self.uncommitted.due_in(is_changed).is_zero() {
                    is_changed = false;
                    result = self.uncommitted.bring_up_to_date(&self.names, &self.ours);
                }
                if result.is_ok() && refreshed.elapsed() >= REFRESH {
                    refreshed = Instant::now();
                    result = self.ours.refresh().map(|are_there| due.there.is_everything |= !are_there);
                }
                retry.note(&result);
            }
            if retry.is_waiting() {
                // Where that cannot be written either, it is said with the next change.
                let _ = self.exclusive.mark_unconfirmed(&due.here);
            }
            if !self.ours.sources().is_empty() || retry.is_waiting() && self.has_sessions() {
                worked = Instant::now();
            }
            let limit = if retry.is_waiting() { retry.due_in() } else { self.uncommitted.due_in(is_changed) };
            wait(&told, limit.clamp(TOGETHER, LOOK), Instant::now(), &mut due);
        }
        self.exclusive.take_away();
        self.ours.take_away();
        self.others.take_away();
        let _ = self.folder.remove(CUT_OFF);
        let _ = self.folder.remove(CLONES_OF_TEAM);
    }

    /// What fails is due again the next time.
    fn bring_up_to_date(&mut self, due: &mut DueBoth) -> Result<(), Error> {
        let Self { folder, names, ours, others, letters, exclusive, .. } = self;
        let naming = letters.here.naming()?;
        others.take_up(names::is_from_elsewhere)?;
        ours.take_up(|key, bytes| names.is_from_here(key, bytes))?;
        others.bring_up_to_date(&due.there, |reader, key| names.arriving(naming, reader, key))?;
        // What the team has lost of ours, because nobody told it in time that we are here, is written again.
        due.here.keys.extend(ours.forget_lost(&due.there)?);
        ours.bring_up_to_date(&due.here, |reader, key| names.leaving(letters.here, reader, key))?;
        exclusive.bring_up_to_date(&due.here, &due.there)?;
        let clones: BTreeSet<String> = others.keys().filter_map(names::clone_in).collect();
        let clones: String = clones.into_iter().map(|clone| clone + "\n").collect();
        if folder.read(CLONES_OF_TEAM, u64::MAX).ok().flatten().unwrap_or_default() != clones.as_bytes() {
            // Where it cannot be written, servers show the other clones' claims all the same.
            let _ = folder.overwrite(CLONES_OF_TEAM, clones.as_bytes());
        }
        letters.send(&due.here, names, others)?;
        letters.fetch(&due.there, names, ours)?;
        if due.there.is_everything || !due.there.keys.is_empty() {
            // The next one who comes by refreshes it.
            let _ = letters.here.refresh_board();
        }
        *due = DueBoth { is_cut_off: due.is_cut_off, ..DueBoth::default() };
        Ok(())
    }

    /// What is known of the others is shown with its age as long as nothing is heard.
    fn remember_whether_cut_off(&mut self, is_cut_off: bool) {
        if self.is_cut_off != Some(is_cut_off) {
            self.is_cut_off = Some(is_cut_off);
            let now = time::format(self.letters.here.clock().now());
            // Where it cannot be written, the age is not told.
            let _ =
                if is_cut_off { self.folder.overwrite(CUT_OFF, now.as_bytes()) } else { self.folder.remove(CUT_OFF) };
            let _ = self.others.set_known_at(is_cut_off.then_some(&now));
        }
    }

    fn has_sessions(&self) -> bool {
        let is_own = |session: &Session| session.record.stands_for.is_none();
        self.letters.here.live_sessions().is_ok_and(|sessions| sessions.iter().any(is_own))
    }
}

/// Hears what is written here to sessions of other clones.
#[derive(Default)]
struct LetterWatch {
    recipients: BTreeSet<SessionId>,
    watching: Option<Box<dyn Watching>>,
}

impl LetterWatch {
    fn look(
        &mut self,
        others: &Copies<'_, Etcd, Files>,
        here: &Registry<Files>,
        hear: impl FnOnce() -> Hear,
    ) -> Vec<Changed> {
        let recipients: BTreeSet<SessionId> =
            others.keys().filter_map(|key| if let Key::Session(id) = key { Some(id.clone()) } else { None }).collect();
        if recipients != self.recipients {
            let ranges: Vec<Range> = recipients.iter().map(|id| Range::Series(Series::Direct(id.clone()))).collect();
            self.watching = (!ranges.is_empty()).then(|| here.store().watch(&ranges, hear()));
            self.recipients = recipients;
        }
        self.watching.as_mut().map(|watching| watching.look(Duration::from_millis(1))).unwrap_or_default()
    }
}

/// When what failed is tried again.
#[derive(Default)]
struct Retry {
    /// When it failed last, and how long it rests after that.
    failed: Option<(Instant, Duration)>,
}

impl Retry {
    fn note(&mut self, result: &Result<(), Error>) {
        self.failed = result.as_ref().err().map(|error| {
            // What is wrongly named is not put right in a moment.
            let first = if error.may_pass() { AGAIN } else { LONGEST_PAUSE };
            let pause = self.failed.map_or(first, |(_, before)| (before * 2).clamp(first, LONGEST_PAUSE));
            (Instant::now(), pause)
        });
    }

    fn is_waiting(&self) -> bool {
        self.failed.is_some()
    }

    /// Nothing if it is due.
    fn due_in(&self) -> Duration {
        self.failed.map_or(Duration::ZERO, |(at, pause)| pause.saturating_sub(at.elapsed()))
    }
}

/// What is to be looked at in each of the two.
#[derive(Default)]
struct DueBoth {
    here: Due,
    there: Due,
    /// The team's stream of changes broke off, and is not back yet.
    is_cut_off: bool,
}

impl DueBoth {
    fn add(&mut self, changed: ChangedIn) {
        match changed {
            ChangedIn::Here(changed) => self.here.add(changed),
            ChangedIn::There(changed) => {
                self.is_cut_off = matches!(changed, Changed::Trouble(_));
                self.there.add(changed);
                // Everything is read with fewer questions.
                self.there.is_everything |= self.there.keys.len() > MANY;
            }
        }
    }
}

/// Waits for news. The first after a rest is taken at once; what comes soon after others is gathered.
fn wait(told: &Receiver<ChangedIn>, limit: Duration, last: Instant, due: &mut DueBoth) {
    let Ok(changed) = told.recv_timeout(limit) else { return };
    due.add(changed);
    while let Ok(changed) = told.recv_timeout(TOGETHER.saturating_sub(last.elapsed())) {
        due.add(changed);
    }
}
