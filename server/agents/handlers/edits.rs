//! Before and after a tool changes or reads files.

use std::path::PathBuf;

use super::claiming::{Claimed, Place};
use super::context::{SessionContext, Trouble, distinct};
use super::follow_up::FollowUp;
use super::other_directories::{claim_elsewhere, held_elsewhere};
use crate::answer::Answer;
use crate::hook_state::Note;
use deconflict_workspace::{Ignored, Kind};

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
        let ignored = Ignored::new();
        let mut notes = Vec::new();
        for path in distinct(paths) {
            // What cannot be named was told before the edit.
            match self.place(&ignored, path) {
                Ok(Place::Claimed(resource)) => {
                    notes.extend(self.sighting(&resource));
                    notes.push(Note::Touched { resource });
                }
                Ok(Place::OnlyRespected(resource)) => notes.extend(self.sighting(&resource)),
                Ok(Place::Outside | Place::Internal) | Err(_) => {}
            }
        }
        self.note(&self.own, &notes)?;
        follow_up.refresh_board = self.tell_others(&self.own, false)?;
        self.between_tools(&session, follow_up)
    }

    /// Remembers how the files stood that a tool has read.
    pub(super) fn after_read(&self, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let mut seen = Vec::new();
        for path in distinct(paths) {
            if let Ok(resource) = self.namer.resource(path, Kind::File) {
                seen.extend(self.sighting(&resource));
            }
        }
        let known = self.hook_state(&self.own).seen;
        seen.retain(|note| match note {
            Note::Seen { resource, state } => known.get(resource) != Some(state),
            _ => true,
        });
        if !seen.is_empty() {
            self.take_part()?;
            self.note(&self.own, &seen)?;
        }
        Ok(Answer::default())
    }
}
