//! `deconflict team keep`: shares what is done in a clone with its team, and what is done in the team's other clones with
//! this one, for as long as somebody works here.
//!
//! There is one such process for a clone, whoever works in it. It copies records: this clone's sessions and claims of files
//! into the team's registry, under names that tell the clone, and those of the other clones into `COORDINATION/`, where
//! editors, hooks and verbs find them as they find those of other worktrees. So nothing that is done here waits for the team.

mod copies;
mod letters;
mod names;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use deconflict_protocol::SessionId;
use deconflict_registry::{Changed, Error, Files, Hear, Range, Registry, Series, Session, Store};
use deconflict_team::Etcd;
use deconflict_workspace::{CLONES_OF_TEAM, Location, Lock, PrivateFolder, start_team_helper};

use self::copies::{Copies, Due};
use self::letters::Letters;
use self::names::Names;
use super::context::Context;
use super::failure::{Exit, Failure};

/// After the last session ended it goes on for so long.
const LINGER: Duration = Duration::from_mins(1);

/// So often it is looked which of this clone's sessions live, of which no record tells.
const LOOK: Duration = Duration::from_secs(10);

/// So often the team is told that they do.
const REFRESH: Duration = Duration::from_secs(30);

/// What belongs together comes within this time.
const TOGETHER: Duration = Duration::from_millis(20);

/// What failed is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

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
    TeamKeeper::new(&here, &team, &folder, location).keep(is_still_meant);
    if !is_still_meant() {
        drop(lock);
        start_team_helper(location);
    }
    Ok(Exit::Done)
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
}

impl<'a> TeamKeeper<'a> {
    fn new(
        here: &'a Registry<Files>,
        team: &'a Registry<Etcd>,
        folder: &'a PrivateFolder,
        location: &Location,
    ) -> Self {
        Self {
            folder,
            names: Names::of(location),
            ours: Copies::new(here, team),
            others: Copies::new(team, here),
            letters: Letters { here, team, folder },
        }
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
        // Begins with the first look; what happens before is found by looking at everything.
        let mut watching_team = self.letters.team.store().watch(&with_broadcasts, hear(ChangedIn::There));
        watching_team.look(Duration::ZERO);
        let mut due = DueBoth { here: Due::everything(), there: Due::everything() };
        let (mut looked, mut refreshed, mut worked) = (Instant::now(), Instant::now(), Instant::now());
        // Whoever removes the directory takes along what was copied into it.
        while self.letters.here.path().is_dir() && worked.elapsed() < LINGER {
            for changed in watching.look(Duration::from_millis(1)) {
                due.here.add(changed);
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                due.here.keys.extend(self.ours.sources().keys().cloned());
                if !is_still_meant() {
                    break;
                }
            }
            let mut result = self.bring_up_to_date(&mut due);
            if result.is_ok() && refreshed.elapsed() >= REFRESH {
                refreshed = Instant::now();
                result = self.ours.refresh().map(|are_there| due.there.is_everything |= !are_there);
            }
            if !self.ours.sources().is_empty() || result.is_err() && self.has_sessions() {
                worked = Instant::now();
            }
            // What is wrongly named is not put right in a moment.
            wait(&told, if result.is_err_and(|error| error.may_pass()) { AGAIN } else { LOOK }, &mut due);
        }
        self.ours.take_away();
        self.others.take_away();
        let _ = self.folder.remove(CLONES_OF_TEAM);
    }

    /// What fails is due again the next time.
    fn bring_up_to_date(&mut self, due: &mut DueBoth) -> Result<(), Error> {
        let Self { folder, names, ours, others, letters, .. } = self;
        let naming = letters.here.naming()?;
        others.take_up(names::is_from_elsewhere)?;
        ours.take_up(|key, bytes| names.is_from_here(key, bytes))?;
        others.bring_up_to_date(&due.there, |reader, key| names.arriving(naming, reader, key))?;
        // What the team has lost of ours, because nobody told it in time that we are here, is written again.
        due.here.keys.extend(ours.forget_lost(&due.there)?);
        ours.bring_up_to_date(&due.here, |reader, key| names.leaving(letters.here, reader, key))?;
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
        *due = DueBoth::default();
        Ok(())
    }

    fn has_sessions(&self) -> bool {
        let is_own = |session: &Session| session.record.stands_for.is_none();
        self.letters.here.live_sessions().is_ok_and(|sessions| sessions.iter().any(is_own))
    }
}

/// What is to be looked at in each of the two.
#[derive(Default)]
struct DueBoth {
    here: Due,
    there: Due,
}

/// Waits for news, and for what comes right after them.
fn wait(told: &Receiver<ChangedIn>, limit: Duration, due: &mut DueBoth) {
    let mut limit = limit;
    loop {
        match told.recv_timeout(limit) {
            Ok(ChangedIn::Here(changed)) => due.here.add(changed),
            Ok(ChangedIn::There(changed)) => due.there.add(changed),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
        limit = TOGETHER;
    }
}
