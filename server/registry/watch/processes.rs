//! Whether the processes that keep sessions still run. A killed process writes nothing, so it has to be looked at.

use std::collections::{HashMap, VecDeque};

use deconflict_platform::{self as platform, Life};
use deconflict_protocol::{SessionId, SessionRecord};

/// At most so many processes are looked at in one go, a few microseconds each. Real machines have fewer; where there
/// are more, it takes several rounds to look at all of them.
const AT_ONCE: usize = 64;

#[derive(Debug)]
struct Keeper {
    pid: u32,
    started: Option<String>,
}

impl Keeper {
    fn is_gone(&self) -> bool {
        platform::life(self.pid, self.started.as_deref()) == Life::Gone
    }
}

/// The processes of this machine that keep sessions and ran when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Keepers {
    running: HashMap<SessionId, Keeper>,
    /// Whose turn it is; may name sessions that are not looked after any more.
    turns: VecDeque<SessionId>,
    interest: Vec<SessionId>,
}

impl Keepers {
    /// Looks at a session's process from now on. It runs, and its number means something here.
    pub(super) fn look_after(&mut self, session: &SessionId, record: SessionRecord) {
        let Some(pid) = record.pid else { return };
        if self.running.insert(session.clone(), Keeper { pid, started: record.process_started }).is_none() {
            self.turns.push_back(session.clone());
        }
    }

    pub(super) fn forget(&mut self, session: &SessionId) {
        self.running.remove(session);
    }

    pub(super) fn clear(&mut self) {
        self.running.clear();
        self.turns.clear();
    }

    /// Names the sessions that are looked at every time.
    pub(super) fn set_interest(&mut self, sessions: Vec<SessionId>) {
        self.interest = sessions;
    }

    /// The sessions whose process has ended since it was last looked at.
    pub(super) fn look(&mut self) -> Vec<SessionId> {
        let number = self.turns.len().min(AT_ONCE);
        let mut due: Vec<SessionId> = self.interest.iter().take(AT_ONCE).cloned().collect();
        for session in self.turns.drain(..number).collect::<Vec<_>>() {
            if self.running.contains_key(&session) {
                self.turns.push_back(session.clone());
                due.push(session);
            }
        }
        due.retain(|session| self.running.get(session).is_some_and(Keeper::is_gone));
        due.retain(|session| self.running.remove(session).is_some());
        due
    }
}
