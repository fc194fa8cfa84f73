//! Before and after a tool changes or reads files.

use std::path::PathBuf;

use super::claiming::{Claimed, EditTarget};
use super::context::{SessionContext, Trouble, distinct};
use super::follow_up::FollowUp;
use super::other_directories::{claim_elsewhere, held_elsewhere};
use crate::answer::Answer;
use crate::hook_state::Note;
use deconflict_changes::author_of;
use deconflict_protocol::Resource;
use deconflict_workspace::Kind;

impl SessionContext<'_, ()> {
    /// Claims all files that a tool is about to change, or refuses it. The first claim makes the directory.
    pub(super) fn before_first_edit(self, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let files = self.sort(paths)?;
        let mut there = self.elsewhere(&files.outside)?;
        let workspace = self.location.workspace.clone();
        if let Some(held) = held_elsewhere(&there, &workspace)? {
            return Ok(Answer::refuse(held));
        }
        if files.claimed.is_empty() || !self.may_make() {
            return claim_elsewhere(&workspace, None, Claimed::default(), &mut there);
        }
        let here = self.make()?;
        let mut claimed = here.claim(&files)?;
        // When the session started, nobody could tell.
        here.tell_if_only_advice(here.registry.locking(), &mut claimed.answer);
        claim_elsewhere(&workspace, Some(&here), claimed, &mut there)
    }
}

impl SessionContext<'_> {
    /// The same where somebody coordinates.
    pub(super) fn before_edit(&self, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let files = self.sort(paths)?;
        let mut there = self.elsewhere(&files.outside)?;
        if let Some(held) = held_elsewhere(&there, &self.location.workspace)? {
            return Ok(Answer::refuse(held));
        }
        claim_elsewhere(&self.location.workspace, Some(self), self.claim(&files)?, &mut there)
    }

    /// Notes what was changed, tells the others of it, and brings what they wrote meanwhile.
    pub(super) fn after_edit(&self, paths: &[PathBuf], follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = self.take_part()?;
        let mut notes = Vec::new();
        let mut files = Vec::new();
        for path in distinct(paths) {
            // What cannot be named was told before the edit.
            let (resource, is_claimed) = match self.place(path) {
                Ok(EditTarget::Claimed(resource)) => (resource, true),
                Ok(EditTarget::OnlyRespected(resource)) => (resource, false),
                Ok(EditTarget::Outside | EditTarget::Internal) | Err(_) => continue,
            };
            notes.extend(self.sighting(&resource));
            if is_claimed {
                notes.push(Note::Touched { resource: resource.clone() });
            }
            files.extend(Some(resource).filter(Resource::is_file));
        }
        let mut answer = Answer::default();
        self.record_edit(&author_of(&session), &files, &mut answer);
        self.note(&self.own, &notes)?;
        follow_up.refresh_board = self.tell_others(&self.own, false)?;
        answer.add(self.between_tools(&session, follow_up)?);
        Ok(answer)
    }

    /// Remembers how the files stood that a tool has read.
    pub(super) fn after_read(&self, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let mut seen = Vec::new();
        for path in distinct(paths) {
            if let Ok(resource) = self.namer.resource(path, Kind::File) {
                seen.extend(self.sighting(&resource));
            }
        }
        let state = self.hook_state(&self.own);
        seen.retain(|note| match note {
            Note::Seen { resource, state: now } => state.seen.get(resource) != Some(now),
            _ => true,
        });
        if !seen.is_empty() {
            self.take_part()?;
            self.note(&self.own, &seen)?;
        }
        Ok(Answer::default())
    }
}
