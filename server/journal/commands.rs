//! Which shell commands ran when, so that a change is a command's only if no other one can have made it.

use chrono::{DateTime, Utc};
use deconflict_protocol::SessionId;
use deconflict_workspace::PrivateFolder;
use serde::{Deserialize, Serialize};

use super::error::{Error, failed};

const NAME: &str = "commands.jsonl";

/// How long the list may grow, in bytes: thousands of commands. Then its older half goes.
const LONGEST: u64 = 1 << 20;

/// A command of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRun {
    /// What its session calls this run of it.
    pub id: String,
    /// Whose it is.
    pub session: SessionId,
    /// The worktree that it runs in; empty for the main one.
    pub worktree: String,
    /// Program and paths, with everything left out that may be secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it ended, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Began(CommandRun),
    Ended { session: SessionId, id: String, at: DateTime<Utc> },
}

/// The list of commands.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    journal: PrivateFolder,
}

impl Commands {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { journal: journal.clone() }
    }

    pub(super) fn began(&self, run: &CommandRun) -> Result<(), Error> {
        self.append(&Event::Began(run.clone()))
    }

    pub(super) fn ended(&self, session: &SessionId, id: &str, at: DateTime<Utc>) -> Result<(), Error> {
        self.append(&Event::Ended { session: session.clone(), id: id.to_owned(), at })
    }

    /// The commands in a worktree of which some part may lie in that time.
    pub(super) fn overlapping(
        &self,
        worktree: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CommandRun>, Error> {
        let read = self.journal.read_end(NAME, LONGEST * 2).map_err(failed("read", &self.journal.path().join(NAME)))?;
        let (_, bytes) = read.unwrap_or_default();
        let mut runs: Vec<CommandRun> = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Event::Began(run)) => runs.push(run),
                Ok(Event::Ended { session, id, at }) => {
                    let is_it = |run: &&mut CommandRun| run.session == session && run.id == id && run.ended.is_none();
                    if let Some(run) = runs.iter_mut().rev().find(is_it) {
                        run.ended = Some(at);
                    }
                }
                Err(_) => {}
            }
        }
        runs.retain(|run| run.worktree == worktree && run.began <= to && run.ended.is_none_or(|ended| ended >= from));
        Ok(runs)
    }

    fn append(&self, event: &Event) -> Result<(), Error> {
        let path = self.journal.path().join(NAME);
        // A line that was torn before costs only itself.
        let mut bytes = vec![b'\n'];
        serde_json::to_writer(&mut bytes, event).map_err(|error| failed("write", &path)(error.into()))?;
        bytes.push(b'\n');
        self.journal.append(NAME, &bytes, LONGEST, newer_half).map_err(failed("write", &path))
    }
}

fn newer_half(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    let line_end = bytes[middle..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| middle + end + 1);
    bytes.split_off(line_end)
}
