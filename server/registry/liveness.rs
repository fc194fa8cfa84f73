//! Whether a session still lives, judged from its record, its process and how long it has been silent.
//!
//! The rules are those of the protocol page, "Claims": only a session that completed, whose process is gone, or that
//! broke its own promise to refresh its record is ever called gone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use deconflict_platform::{self as platform, Life, ScopeRelation};
use deconflict_protocol::{ProcessRecord, SessionRecord, time};

/// How many of its own refreshes a session may miss before it counts as gone.
pub(super) const MISSED_REFRESHES: u32 = 5;

/// How many it may miss before it is called silent.
pub(super) const SILENT_REFRESHES: u32 = 2;

/// A session that promised nothing is alive while its newest sign is younger than this.
pub(super) const LONGEST_SILENCE: TimeDelta = TimeDelta::hours(24);

/// What becomes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// It goes on, as far as anybody can tell.
    Live,
    /// It has given no sign of life for longer than usual, but nothing proves that it is gone.
    Silent,
    /// Its process is gone, or it broke its promise to refresh its record.
    Gone,
    /// It said that it ended.
    Completed,
}

impl SessionState {
    /// The state in one word, as programs and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Gone => "gone",
            Self::Completed => "completed",
        }
    }

    /// True if what it holds counts as abandoned.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Gone | Self::Completed)
    }
}

/// What is known of the process that keeps a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperState {
    /// It runs.
    Alive,
    /// It is gone, or the machine was started again since.
    Gone,
    /// There is none, or it cannot be seen from here.
    Unknown,
}

/// Looks at the process that keeps a session.
pub fn look_at_keeper(record: &SessionRecord) -> KeeperState {
    look_at(record.pid, record.process_started.as_deref(), record.pid_scope.as_deref(), None)
}

/// The process that keeps a session, as records name processes.
pub(super) fn keeper_of(record: &SessionRecord) -> ProcessRecord {
    ProcessRecord {
        pid: record.pid,
        process_started: record.process_started.clone(),
        pid_scope: record.pid_scope.clone(),
        process_group: None,
    }
}

/// A process of this machine, and the process group of a command, as records name them.
pub fn named_process(process: &platform::Process, group: Option<u32>) -> ProcessRecord {
    ProcessRecord {
        pid: Some(process.pid),
        process_started: Some(process.started.clone()).filter(|started| !started.is_empty()),
        pid_scope: Some(platform::pid_scope()),
        process_group: group,
    }
}

/// Looks at a process that a record names, and at its process group.
pub(super) fn look_at_process(process: &ProcessRecord) -> KeeperState {
    look_at(process.pid, process.process_started.as_deref(), process.pid_scope.as_deref(), process.process_group)
}

/// The process of this machine that a record names, whose end somebody may wait for; `None` for one of elsewhere, and where
/// only what it left behind goes on, of whose end nothing tells.
pub(super) fn process_to_outlast(process: &ProcessRecord) -> Option<platform::Process> {
    let (pid, scope) = (process.pid?, process.pid_scope.as_deref()?);
    let started = process.process_started.clone().unwrap_or_default();
    let is_here = platform::relation_to(scope) == ScopeRelation::Same;
    let has_left_others =
        || platform::life(pid, Some(&started)) == Life::Gone && look_at_process(process) == KeeperState::Alive;
    (is_here && !has_left_others()).then_some(platform::Process { pid, started })
}

fn look_at(pid: Option<u32>, started: Option<&str>, scope: Option<&str>, group: Option<u32>) -> KeeperState {
    let (Some(pid), Some(scope)) = (pid, scope) else { return KeeperState::Unknown };
    match platform::relation_to(scope) {
        ScopeRelation::Elsewhere => KeeperState::Unknown,
        ScopeRelation::OtherBootOfThisMachine => KeeperState::Gone,
        ScopeRelation::Same => match platform::group_life(pid, started, group) {
            Life::Alive => KeeperState::Alive,
            Life::Gone => KeeperState::Gone,
            Life::Unknown => KeeperState::Unknown,
        },
    }
}

/// True for a session of an editor that is known to be gone together with its server: whatever was unsaved there is gone
/// too. Where only the server is gone, the editor may start it again.
pub(super) fn has_closed(record: &SessionRecord) -> bool {
    let Some(client) = record.client_pid.filter(|_| record.keepalive.is_some()) else { return false };
    let is_here = record.pid_scope.as_deref().is_some_and(|scope| platform::relation_to(scope) == ScopeRelation::Same);
    is_here && look_at_keeper(record) == KeeperState::Gone && platform::process(client).is_none()
}

/// Judges a session.
///
/// `unchanged_for` is how long its record has not changed, by a clock that is not the session's own, and `None` where
/// nobody can tell; `last_sign` is its newest sign of life as it says itself.
pub(super) fn judge(
    record: &SessionRecord,
    keeper: KeeperState,
    unchanged_for: Option<Duration>,
    last_sign: DateTime<Utc>,
    now: DateTime<Utc>,
) -> SessionState {
    if record.is_completed() {
        return SessionState::Completed;
    }
    match keeper {
        KeeperState::Alive => return SessionState::Live,
        KeeperState::Gone => return SessionState::Gone,
        KeeperState::Unknown => {}
    }
    match record.keepalive {
        Some(keepalive) => {
            let refresh = Duration::from_secs(u64::from(keepalive.max(1)));
            match unchanged_for {
                Some(silence) if silence > refresh * MISSED_REFRESHES => SessionState::Gone,
                Some(silence) if silence > refresh * SILENT_REFRESHES => SessionState::Silent,
                Some(_) | None => SessionState::Live,
            }
        }
        None if now - last_sign > LONGEST_SILENCE => SessionState::Silent,
        None => SessionState::Live,
    }
}

/// True if a file was last written before this machine started. Claims and sessions are not synced to disk, so a power
/// loss may leave an empty file behind; whoever wrote it is gone with it.
pub(super) fn is_older_than_boot(modified: DateTime<Utc>) -> bool {
    platform::booted_at().is_some_and(|boot| modified < DateTime::<Utc>::from(boot))
}

pub(super) fn last_sign(record: &SessionRecord, modified: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let told = [&record.last_heartbeat, &record.started_at].into_iter().flatten();
    told.filter_map(|text| time::parse(text))
        .filter(|time| *time <= now + time::CLOCK_TOLERANCE)
        .max()
        .unwrap_or(modified)
}
