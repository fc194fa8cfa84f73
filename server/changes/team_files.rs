//! Files that cannot be merged, which one session of a whole team holds at a time: what is asked of the team when one is
//! claimed. Whoever claims knows no team; the program that starts it does.

use std::fmt;

use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Session, Terms};
use deconflict_workspace::Location;

/// What a team says of files that a session has just claimed in its own clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamAnswer {
    /// Nobody else in the team has them, or they can be merged and are nobody else's business.
    Free,
    /// They are to be released again: why, and what to do, in sentences.
    Refused(String),
    /// The team could not be asked: why, in a sentence.
    Unknown(String),
}

/// Who claims files, and how.
#[derive(Debug, Clone, Copy)]
pub struct TeamClaimant<'a> {
    /// Where.
    pub location: &'a Location,
    /// Who.
    pub session: &'a Session,
    /// Whose claims go over without a word: the agent's that started a sub-agent.
    pub predecessor: Option<&'a SessionId>,
    /// How.
    pub terms: &'a Terms,
}

/// The team of whichever clone somebody claims files in.
pub trait TeamFiles: fmt::Debug + Send + Sync {
    /// Claims those of these files for the whole team that cannot be merged. Nobody is asked where there are none.
    fn claim(&self, claimant: TeamClaimant<'_>, files: &[Resource]) -> TeamAnswer;
}

/// Where there is no team, nobody else has anything.
#[derive(Debug, Clone, Copy)]
pub struct NoTeam;

impl TeamFiles for NoTeam {
    fn claim(&self, _: TeamClaimant<'_>, _: &[Resource]) -> TeamAnswer {
        TeamAnswer::Free
    }
}
