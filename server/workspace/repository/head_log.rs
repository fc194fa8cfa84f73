//! Where a worktree's `HEAD` was moved, as git's own log of it tells.

use std::io::{self, Read, Seek, SeekFrom};

use chrono::{DateTime, Utc};

use super::{GitDirectory, Repository};

const LOG: &str = "logs/HEAD";

/// No more of the log is read at once, in bytes: hundreds of moves.
const LONGEST: u64 = 64 << 10;

/// A move of `HEAD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadMove {
    /// The commit that it was at before.
    pub from: String,
    /// The commit that it is at then.
    pub to: String,
    /// Who moved it, as git calls them.
    pub by: String,
    /// When, in whole seconds.
    pub at: DateTime<Utc>,
    /// What git says of it, such as `checkout: moving from main to feature`.
    pub what: String,
}

impl HeadMove {
    fn parse(line: &str) -> Option<Self> {
        let (facts, what) = line.split_once('\t')?;
        let (from, facts) = facts.split_once(' ')?;
        let (to, facts) = facts.split_once(' ')?;
        let (by, time) = facts.rsplit_once("> ")?;
        let seconds = time.split(' ').next()?.parse().ok()?;
        Some(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            by: by.rsplit_once(" <").map_or(by, |(name, _)| name).to_owned(),
            at: DateTime::from_timestamp(seconds, 0)?,
            what: what.to_owned(),
        })
    }

    /// True for a new commit on top of where `HEAD` was, by which no file is another one, and for what git logs though
    /// `HEAD` stays at its commit and its branch: `git reset` without more only takes staging back.
    pub fn is_no_news(&self) -> bool {
        self.what.starts_with("commit") || (self.from == self.to && !self.switches_branch())
    }

    /// True if after some moves, the oldest first, `HEAD` is where it was: at the same commit, on the same branch.
    pub fn lead_back(moves: &[Self]) -> bool {
        let (Some(first), Some(last)) = (moves.first(), moves.last()) else { return true };
        let before = moves.iter().find_map(Self::branches).map(|(from, _)| from);
        let after = moves.iter().rev().find_map(Self::branches).map(|(_, to)| to);
        first.from == last.to && before == after
    }

    fn switches_branch(&self) -> bool {
        self.branches().is_some_and(|(from, to)| from != to)
    }

    /// From which branch to which it leads, if git says so.
    fn branches(&self) -> Option<(&str, &str)> {
        self.what.strip_prefix("checkout: moving from ")?.split_once(" to ")
    }
}

impl Repository {
    /// How long the log is, in bytes; 0 where there is none.
    pub fn head_log_length(&self) -> u64 {
        std::fs::symlink_metadata(self.git_directory().join(LOG)).map_or(0, |found| found.len())
    }

    /// The moves that were added to the log since it was so long, oldest first; none if it was cut since.
    pub fn head_moves_since(&self, length: u64) -> io::Result<Vec<HeadMove>> {
        let mut file = GitDirectory::open(self.git_directory())?.file(LOG)?;
        let now = file.metadata()?.len();
        if now <= length {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(length.max(now.saturating_sub(LONGEST))))?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).lines().filter_map(HeadMove::parse).collect())
    }
}
