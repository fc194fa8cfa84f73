//! Changes that alter nothing on the status board but their own rows: a session that lives says what it did, claims
//! something or gives it up. Only these rows are rendered anew, and all others stay as they are. Whatever may alter more,
//! such as a finding or who lives, is left to [`board_update`](super::board_update).

use std::collections::{BTreeSet, HashMap};

use super::board_entries::{claim_entry, session_entry};
use super::board_rows::{KEPT, SHOWN, root_of};
use super::board_state::{BoardState, Row, claim_row, nanoseconds, session_row};
use super::changes::ChangedRecord;
use super::claims::StoredClaim;
use super::heartbeats::read_activity;
use super::judging::Observer;
use super::liveness::{KeeperState, SessionState, look_at_process};
use super::overview::fill_in;
use super::session::Session;
use super::store::files::directory::Directory;
use super::store::files::folder::Folder;
use super::store::files::names::{key_of, session_of};
use super::store::{Key, Range, Reader};
use super::stored_rows::{decoded_activity, decoded_claim, decoded_session, encoded_activity};
use super::{Error, Registry};
use deconflict_protocol::time;

/// So many more rows than are kept are spliced in before the list is shortened again.
const SPARE: usize = 50;

impl Registry {
    /// The board with these changes spliced in; `None` if they may alter more than their own rows.
    pub(super) fn splice<'a>(
        &self,
        directory: &Directory,
        mut state: BoardState<'a>,
        changes: &HashMap<Folder, Vec<ChangedRecord>>,
    ) -> Result<Option<BoardState<'a>>, Error> {
        let now = nanoseconds(self.now());
        let is_of_rows = |folder: &Folder| matches!(folder, Folder::Sessions | Folder::Claims | Folder::Heartbeats);
        let is_settled = state.judged_at <= now && now < state.until && changes.keys().all(is_of_rows);
        if !is_settled || !self.is_as_judged(directory, &state) {
            return Ok(None);
        }
        let mut splice = Splice { registry: self, directory, state: &mut state, changed: BTreeSet::new() };
        if !splice.all(changes)? {
            return Ok(None);
        }
        state.judged_at = now;
        Ok((is_long_enough(&state) && state.claims.len() <= KEPT + SPARE).then_some(state))
    }

    /// True if time and processes made nothing else of the rows that are in doubt.
    fn is_as_judged(&self, directory: &Directory, state: &BoardState) -> bool {
        let now = self.now();
        let is_in_doubt = |row: &&Row| row.until <= nanoseconds(now);
        let observer = Observer::new(directory);
        state.sessions.iter().filter(is_in_doubt).all(|row| {
            let Some(mut session) = decoded_session(&row.record, now) else { return false };
            self.judge_again(&observer, &mut session);
            // Of an editor that is gone it matters whether it comes back, and of a forgotten session what it holds.
            let may_come_back = session.state == SessionState::Gone && session.record.client_pid.is_some();
            session.state.as_str() == row.state && !may_come_back && !session.is_forgotten()
        }) && state.claims.iter().filter(is_in_doubt).all(|row| {
            let claim = decoded_claim(&row.record, directory.naming(), now);
            let command = claim.and_then(|claim| claim.record.process);
            row.is_plain && command.is_some_and(|command| look_at_process(&command) == KeeperState::Alive)
        })
    }
}

/// True if the list of claims reaches as far as the board shows it.
fn is_long_enough(state: &BoardState) -> bool {
    let rest = &state.left_out.active;
    let listed = || state.claims.iter().filter(|row| row.is_listed() && row.is_before(rest)).count();
    rest.count == 0 || listed() >= SHOWN
}

struct Splice<'a, 'b> {
    registry: &'a Registry,
    directory: &'a Directory,
    state: &'a mut BoardState<'b>,
    /// Which sessions have to be rendered anew.
    changed: BTreeSet<usize>,
}

impl Splice<'_, '_> {
    /// Returns false at the first change that may alter more than its own row.
    fn all(&mut self, changes: &HashMap<Folder, Vec<ChangedRecord>>) -> Result<bool, Error> {
        let of = |folder: &Folder| changes.get(folder).into_iter().flatten();
        for changed in of(&Folder::Sessions) {
            if !self.session(changed)? {
                return Ok(false);
            }
        }
        for changed in of(&Folder::Heartbeats) {
            if !self.activity(changed)? {
                return Ok(false);
            }
        }
        self.render_sessions();
        for changed in of(&Folder::Claims) {
            if !self.claim(changed)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn session(&mut self, changed: &ChangedRecord) -> Result<bool, Error> {
        let Some(id) = session_of(&changed.name) else { return Ok(true) };
        let Some(position) = self.plain_session(id.as_str()) else { return Ok(false) };
        let now = self.registry.now();
        let Some(after) = self.registry.session_in(self.directory, &id)? else { return Ok(false) };
        let row = &mut self.state.sessions[position];
        let before = decoded_session(&row.record, now);
        let next = session_row(&after, None, now);
        if !next.is_plain || next.at != row.at || before.is_none_or(|before| before.label() != after.label_for_all()) {
            return Ok(false);
        }
        *row = Row { entry: std::mem::take(&mut row.entry), activity: std::mem::take(&mut row.activity), ..next };
        self.changed.insert(position);
        Ok(true)
    }

    fn activity(&mut self, changed: &ChangedRecord) -> Result<bool, Error> {
        let Some((at, id)) = time::split_stamp(&changed.name) else { return Ok(true) };
        let Some(position) = self.plain_session(id) else { return Ok(false) };
        let row = &mut self.state.sessions[position];
        if let Some((_, known)) = decoded_activity(&row.activity) {
            let Some((known_at, _)) = time::split_stamp(&known.name) else { return Ok(false) };
            if known.name == changed.name {
                return Ok(false);
            } else if known_at >= at {
                return Ok(true);
            }
        }
        let now = self.registry.now();
        let Some(activity) = read_activity(self.directory, &changed.name, now)? else { return Ok(false) };
        let Some(session) = decoded_session(&row.record, now) else { return Ok(false) };
        row.activity = encoded_activity(&session.id, &activity).into();
        self.changed.insert(position);
        Ok(true)
    }

    fn render_sessions(&mut self) {
        for position in std::mem::take(&mut self.changed) {
            let row = &mut self.state.sessions[position];
            let last = decoded_activity(&row.activity).map(|(_, last)| last);
            if let Some(mut session) = decoded_session(&row.record, self.registry.now()) {
                fill_in(&mut session, last.as_ref());
                row.entry = session_entry(&session, last.as_ref()).into();
            }
        }
    }

    fn claim(&mut self, changed: &ChangedRecord) -> Result<bool, Error> {
        let naming = self.directory.naming();
        let Some(Key::Claim(key)) = key_of(&Range::all_claims(), &changed.name, naming) else { return Ok(true) };
        let is_in_question =
            |key| self.state.in_question.iter().any(|entry| naming.parse(&entry.0).as_ref() == Some(key));
        // Findings tell of what is claimed in several worktrees.
        if self.state.worktrees.len() > 1 || is_in_question(&key) {
            return Ok(false);
        }
        match self.state.claims.iter().position(|row| row.name == key.as_str()) {
            Some(position) => {
                let row = self.state.claims.remove(position);
                let before = decoded_claim(&row.record, naming, self.registry.now());
                let holder = before.as_ref().and_then(|claim| claim.holder());
                if !row.is_plain || holder.is_none_or(|holder| self.plain_session(holder.as_str()).is_none()) {
                    return Ok(false);
                }
            }
            // It was only counted.
            None if changed.before.is_some() => return Ok(false),
            None => {}
        }
        let stored = StoredClaim::read(self.directory, &key)?;
        Ok(stored.is_none_or(|stored| self.add_claim(stored)))
    }

    fn add_claim(&mut self, stored: StoredClaim) -> bool {
        let now = self.registry.now();
        let Some(holder) = stored.holder().and_then(|holder| self.session_that_lives(holder.as_str())) else {
            return false;
        };
        let claim = stored.judge(Some(&holder), now);
        let mut row = claim_row(&claim, now);
        let is_in_only_worktree = matches!(&self.state.worktrees[..], [root] if root == root_of(&claim.resource));
        if !row.is_plain || !is_in_only_worktree || !row.is_before(&self.state.left_out.active) {
            return false;
        }
        row.entry = claim_entry(&claim, Some(&holder)).into();
        let position = self.state.claims.partition_point(|other| other.order() < row.order());
        self.state.claims.insert(position, row);
        true
    }

    /// Where the row of a session stands of which nothing but its entry tells.
    fn plain_session(&self, id: &str) -> Option<usize> {
        self.state.sessions.iter().position(|row| row.name == id && row.is_plain && row.is_listed())
    }

    fn session_that_lives(&self, id: &str) -> Option<Session> {
        let row = &self.state.sessions[self.plain_session(id)?];
        let mut session = decoded_session(&row.record, self.registry.now())?;
        self.registry.judge_again(&Observer::new(self.directory), &mut session);
        (session.state == SessionState::Live).then_some(session)
    }
}
