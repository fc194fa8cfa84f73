//! `HEAD` moved under others: a branch switch, a pull, a reset. Who lost something in a file is told as for any change; who
//! only holds something in the worktree is told in a line.

use std::collections::BTreeMap;

use super::context::{SessionContext, Trouble};
use crate::answer::Answer;
use crate::hook_state::Note;
use deconflict_changes::Noticed;
use deconflict_journal::Author;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Claim, Draft, Recipient, Session};
use deconflict_workspace::{HeadMove, Kind, Repository, last_commit};

/// What git says of a move, and what the session is told that it holds, are cut after so much.
const LONGEST_MOVE: usize = 120;
const MOST_NAMED: usize = 3;

impl SessionContext<'_> {
    /// Tells whoever holds something in this worktree that the session's command moved `HEAD`. Where another session's
    /// command ran meanwhile, it may have been either.
    pub(super) fn tell_of_own_move(
        &self,
        session: &Session,
        moved: &HeadMove,
        others_ran: bool,
        noticed: &[Noticed],
    ) -> Result<(), Trouble> {
        let is_told = |holder: &SessionId| {
            noticed.iter().flat_map(|noticed| &noticed.lost).any(|lost| lost.owner.session == *holder)
        };
        let family = self.family();
        let mut held: BTreeMap<SessionId, Vec<Claim>> = BTreeMap::new();
        for claim in self.unless_failed(self.registry.claims()).unwrap_or_default() {
            let Some(holder) = claim.holder().filter(|_| claim.is_active() && self.is_in_worktree(&claim)).cloned()
            else {
                continue;
            };
            if !family.contains(&holder) && !is_told(&holder) {
                held.entry(holder).or_default().push(claim);
            }
        }
        for (holder, claims) in held {
            if !self.is_live(&holder)? {
                continue;
            }
            let perhaps = if others_ran { "perhaps " } else { "" };
            let what = quoted(&moved.what, LONGEST_MOVE);
            let draft = Draft {
                subject: "your worktree's HEAD was moved".to_owned(),
                message: format!(
                    "{} {perhaps}moved HEAD of the worktree in which you hold {}: {what}. Check that your work still fits, and where your next commit goes.",
                    session.label_for_all(),
                    named(&claims)
                ),
                // A repeat is told from it: the same is said once.
                id: Some(format!("head-{}-{}-{holder}", self.own, self.now().timestamp_millis())),
                ..Draft::new(MessageKind::Note)
            };
            self.unless_failed(self.registry.send(&self.own, &Recipient::Session(holder), &draft));
        }
        Ok(())
    }

    /// Tells the session if somebody who is no agent's command moved `HEAD` since its last event. What another session's
    /// command did, that session tells.
    pub(super) fn notice_move(&self, answer: &mut Answer) -> Result<(), Trouble> {
        let Some((known, since)) = self.hook_state(&self.own).head_log else { return self.note_head() };
        let Some(repository) = &self.location.repository else { return Ok(()) };
        if repository.head_log_length() == known {
            return Ok(());
        }
        let others = self.others_commands(since, self.now())?;
        let Some(moved) = as_one(&self.head_moves()?).filter(|_| others.is_empty()) else { return Ok(()) };
        let state = self.hook_state(&self.own);
        let mut held = Vec::new();
        for resource in &state.claimed {
            let claims = self.registry.claims_on(resource)?.into_iter();
            held.extend(claims.filter(|claim| claim.held_by(&self.own) && claim.is_active()));
        }
        if !held.is_empty() {
            answer.tell(format!(
                "Somebody moved HEAD of this worktree, in which you hold {}: {}. Read your files again before you edit them, and check where your next commit goes.",
                named(&held),
                quoted(&moved.what, LONGEST_MOVE)
            ));
        }
        Ok(())
    }

    /// Remembers where `HEAD` is now.
    pub(super) fn note_head(&self) -> Result<(), Trouble> {
        let Some(repository) = &self.location.repository else { return Ok(()) };
        self.note(&self.own, &[Note::HeadLog { length: repository.head_log_length(), at: self.now() }])
    }

    /// The moves since the session last looked, which it has now, the oldest first.
    pub(super) fn head_moves(&self) -> Result<Vec<HeadMove>, Trouble> {
        let known = self.hook_state(&self.own).head_log;
        let (Some(repository), Some((length, _))) = (&self.location.repository, known) else { return Ok(Vec::new()) };
        if repository.head_log_length() == length {
            return Ok(Vec::new());
        }
        self.note_head()?;
        // Where git's log cannot be read nothing is known.
        Ok(repository.head_moves_since(length).unwrap_or_default())
    }

    /// Whoever commits a file has seen what stands there, and what the agent had lost in it is over.
    pub(super) fn settle_committed(&self, moves: &[HeadMove]) {
        let (Some(recorder), Some(repository)) = (self.recorder(), &self.location.repository) else { return };
        let (Some(first), Some(last)) = (moves.first(), moves.last()) else { return };
        if self.unless_failed(recorder.journal.losses()).unwrap_or_default().is_empty() {
            return;
        }
        let root = repository.root();
        let paths = self.unless_failed(last_commit::between(root, &first.from, &last.to)).unwrap_or_default();
        let named = |path: String| self.namer.resource_as_spelled(&root.join(path), Kind::File).ok();
        let files: Vec<Resource> = paths.into_iter().filter_map(named).collect();
        let family = self.family();
        let is_own = |owner: &Author| family.contains(&owner.session);
        self.unless_failed(recorder.settle_committed(&files, &is_own, self.now()));
    }

    fn is_in_worktree(&self, claim: &Claim) -> bool {
        let is_file_or_directory = claim.resource.is_file() || claim.resource.is_directory();
        let worktree = self.location.repository.as_ref().and_then(Repository::worktree);
        is_file_or_directory && claim.resource.worktree() == worktree
    }
}

/// The moves as one: from the first commit to the last, with what git says of the newest that is news; `None` if none is, or
/// `HEAD` is where it was.
pub(super) fn as_one(moves: &[HeadMove]) -> Option<HeadMove> {
    let (first, last) = (moves.first()?, moves.last()?);
    let newest = moves.iter().rev().find(|one| !one.is_no_news()).filter(|_| !HeadMove::lead_back(moves))?;
    Some(HeadMove { from: first.from.clone(), to: last.to.clone(), ..newest.clone() })
}

/// What is held, in a few words.
fn named(claims: &[Claim]) -> String {
    let names: Vec<String> =
        claims.iter().take(MOST_NAMED).map(|claim| one_line(&claim.resource.in_a_sentence(), 200)).collect();
    let more = claims.len().saturating_sub(MOST_NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(" and ") }
}
