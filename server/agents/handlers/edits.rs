//! Before and after a tool changes files.

use std::path::{Path, PathBuf};

use super::context::{SessionContext, Trouble, distinct};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::file_state::{has_changed, state_of, written_at};
use crate::hook_state::{HookState, Note};
use crate::words;
use deconflict_protocol::Resource;
use deconflict_registry::{self as registry, Claim, ClaimAllOutcome, Granted, Holding, Registry, Session, Terms};
use deconflict_workspace::{Exclusions, Ignored, Kind, NamingError};

/// What an edit means to a file.
enum Place {
    /// It claims the file.
    Claimed(Resource),
    /// What git ignores, and lock files, are never claimed by themselves; what others claimed by hand counts.
    OnlyRespected(Resource),
    /// The coordination directory doesn't cover it; perhaps another one does.
    Outside,
    /// It is nobody's work: a part of git's own storage or of the coordination directory.
    Internal,
}

/// A tool's files by what an edit means to them.
#[derive(Default)]
struct Sorted {
    claimed: Vec<Resource>,
    respected: Vec<Resource>,
    outside: Vec<PathBuf>,
}

/// What came of claiming a tool's files in one directory.
#[derive(Default)]
pub(super) struct Claimed {
    pub(super) answer: Answer,
    /// The registry, which may have been made for it. `None` while nobody coordinates there.
    pub(super) registry: Option<Registry>,
    /// What the session holds now and didn't before.
    pub(super) new: Vec<Holding>,
}

impl SessionContext<'_> {
    /// Claims all files that a tool is about to change, or refuses it.
    pub(super) fn before_edit(&self, registry: Option<Registry>, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let sorted = self.sort(paths)?;
        if sorted.outside.is_empty() {
            return Ok(self.claim(registry, sorted)?.answer);
        }
        let mut there = self.elsewhere(&sorted.outside)?;
        for place in &there {
            if let Some(held) = place.held(self)? {
                return Ok(Answer::refuse(held));
            }
        }
        let here = self.claim(registry, sorted)?;
        if here.answer.refusal.is_some() { Ok(here.answer) } else { self.claim_elsewhere(here, &mut there) }
    }

    /// The same for files of which none is elsewhere.
    pub(super) fn claim_sorted(&self, registry: Option<Registry>, paths: &[PathBuf]) -> Result<Claimed, Trouble> {
        self.claim(registry, self.sort(paths)?)
    }

    fn sort(&self, paths: &[PathBuf]) -> Result<Sorted, Trouble> {
        let ignored = Ignored::new();
        let mut sorted = Sorted::default();
        for path in distinct(paths) {
            let (list, resource) = match self.place(&ignored, path)? {
                Place::Claimed(resource) => (&mut sorted.claimed, resource),
                Place::OnlyRespected(resource) => (&mut sorted.respected, resource),
                Place::Outside => {
                    sorted.outside.push(path.clone());
                    continue;
                }
                Place::Internal => continue,
            };
            if !list.contains(&resource) {
                list.push(resource);
            }
        }
        Ok(sorted)
    }

    fn claim(&self, registry: Option<Registry>, sorted: Sorted) -> Result<Claimed, Trouble> {
        let is_made_now = registry.is_none();
        let registry = match registry {
            Some(registry) => registry,
            None if sorted.claimed.is_empty() || !self.may_make() => return Ok(Claimed::default()),
            None => self.make()?,
        };
        let mut obstacles = Vec::new();
        for wanted in sorted.respected {
            let found = registry.obstacles(&self.own, &wanted)?.into_iter().find(|claim| self.stands_against(claim));
            obstacles.extend(found.map(|claim| (wanted, claim)));
        }
        let mut new = Vec::new();
        let mut answer = if !obstacles.is_empty() {
            self.refuse_edit(&registry, &obstacles)
        } else if sorted.claimed.is_empty() {
            Answer::default()
        } else {
            match self.claim_for_edit(&registry, &sorted.claimed, &mut new) {
                Err(Trouble::Registry(error @ registry::Error::ReadOnly { .. })) => {
                    self.only_look(&registry, &sorted.claimed, error)?
                }
                answer => answer?,
            }
        };
        if is_made_now {
            // When the session started, nobody could tell.
            self.tell_if_only_advice(registry.locking(), &mut answer);
        }
        Ok(Claimed { answer, registry: Some(registry), new })
    }

    /// Claims these, and adds what the session had not held before to `new`.
    fn claim_for_edit(
        &self,
        registry: &Registry,
        wanted: &[Resource],
        new: &mut Vec<Holding>,
    ) -> Result<Answer, Trouble> {
        let session = self.take_part(registry)?;
        let repository = self.location.repository.as_ref();
        let terms = Terms {
            lease: self.lease,
            automatic: true,
            branch: repository.and_then(deconflict_workspace::Repository::branch),
            worktree: session.record.worktree.clone(),
            ..Terms::default()
        };
        let claim = || registry.claim_all(&self.own, self.predecessor(), wanted, &terms);
        let mut outcome = claim()?;
        if let ClaimAllOutcome::Refused(obstacles) = &outcome
            && self.editor_gives_way(registry, &session, obstacles)?
        {
            outcome = claim()?;
        }
        let granted = match outcome {
            ClaimAllOutcome::Granted(granted) => granted,
            ClaimAllOutcome::Refused(obstacles) => {
                let obstacles: Vec<_> = obstacles.into_iter().map(|it| (it.wanted, it.by)).collect();
                return Ok(self.refuse_edit(registry, &obstacles));
            }
        };
        let state = self.hook_state(registry, &self.own);
        if let Some(answer) = self.refuse_if_changed(registry, &state, &granted)? {
            return Ok(answer);
        }
        let is_news = |one: &&Granted| !state.has_claimed(&one.claim.resource);
        // What was claimed by hand keeps the terms of the hand.
        let by_edit = granted.iter().filter(|one| one.claim.is_automatic()).filter(is_news);
        let notes: Vec<Note> = by_edit.map(|one| Note::Claimed { resource: one.claim.resource.clone() }).collect();
        self.note(registry, &self.own, &notes)?;
        let mut answer = Answer::default();
        for before in granted.iter().filter_map(|one| one.took_over.as_ref()) {
            let holder = before.holder().and_then(|id| registry.session(id).ok().flatten());
            answer.tell(words::taken_over(before, holder.as_ref()));
        }
        for one in granted.iter().filter(|one| one.is_new) {
            self.tell_of_other_worktrees(registry, &one.claim.resource, &mut answer);
            new.extend(one.claim.holding());
        }
        Ok(answer)
    }

    /// Refuses once where somebody else changed a file since the session last looked at it: a claim that begins now
    /// protects from what comes, not from what came before it.
    fn refuse_if_changed(
        &self,
        registry: &Registry,
        state: &HookState,
        granted: &[Granted],
    ) -> Result<Option<Answer>, Trouble> {
        let mut changed: Vec<(&Resource, PathBuf)> = Vec::new();
        for one in granted.iter().filter(|one| one.is_new) {
            let resource = &one.claim.resource;
            let Some(state) = state.seen.get(resource) else { continue };
            if let Some(path) = self.namer.path_of(resource).filter(|path| has_changed(path, state)) {
                changed.push((resource, path));
            }
        }
        if changed.is_empty() {
            return Ok(None);
        }
        for holding in granted.iter().filter(|one| one.is_new).filter_map(|one| one.claim.holding()) {
            registry.release_holding(&holding)?;
        }
        let mut notes = Vec::new();
        let mut lines = Vec::new();
        for (resource, path) in changed {
            let resource = resource.clone();
            let when = match written_at(&path) {
                Some(at) => format!("was changed on disk at {}", words::moment(at, self.now())),
                None => "was deleted".to_owned(),
            };
            lines.push(format!("{} {when} by somebody else, after you last looked at it.", resource.in_a_sentence()));
            notes.extend(state_of(&path).map(|state| Note::Seen { resource, state }));
        }
        self.note(registry, &self.own, &notes)?;
        lines.push(
            "Read it again and make your edit fit what is there now; the next attempt is let through. Nothing was \
             changed."
                .to_owned(),
        );
        Ok(Some(Answer::refuse(lines.join("\n"))))
    }

    /// In a directory that can only be read, nothing can be claimed; what others hold can be told all the same.
    fn only_look(&self, registry: &Registry, wanted: &[Resource], error: registry::Error) -> Result<Answer, Trouble> {
        let mut obstacles = Vec::new();
        for wanted in wanted {
            let found = registry.obstacles(&self.own, wanted)?.into_iter().find(|claim| self.stands_against(claim));
            obstacles.extend(found.map(|claim| (wanted.clone(), claim)));
        }
        if obstacles.is_empty() { Err(error.into()) } else { Ok(self.refuse_edit(registry, &obstacles)) }
    }

    fn refuse_edit(&self, registry: &Registry, obstacles: &[(Resource, Claim)]) -> Answer {
        let text = self.told_as_held(registry, obstacles);
        let whole = if obstacles.len() == 1 { "" } else { "\nNone of the files was claimed." };
        Answer::refuse(format!("Another session holds this, so nothing was changed.\n{text}{whole}"))
    }

    /// Claims of one path in several worktrees don't exclude each other, but a merge may conflict.
    fn tell_of_other_worktrees(&self, registry: &Registry, resource: &Resource, answer: &mut Answer) {
        let Some(repository) = &self.location.repository else { return };
        for other in self.namer.same_path_elsewhere(repository, resource) {
            let Ok(Some(claim)) = registry.claim_of(&other) else { continue };
            if !self.stands_against(&claim) {
                continue;
            }
            let holder = claim.holder().and_then(|id| registry.session(id).ok().flatten());
            answer.tell(format!(
                "{} It is the same path in another worktree, so you may edit yours; a merge may conflict.",
                words::held(&claim, holder.as_ref(), &other, self.now())
            ));
        }
    }

    /// Notes what was changed, tells the others of it, and brings what they wrote meanwhile.
    pub(super) fn after_edit(
        &self,
        registry: &Registry,
        paths: &[PathBuf],
        follow_up: &mut FollowUp,
    ) -> Result<Answer, Trouble> {
        let session = self.take_part(registry)?;
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
        self.note(registry, &self.own, &notes)?;
        follow_up.refresh_board = self.tell_others(registry, &self.own, false)?;
        self.between_tools(registry, &session, follow_up)
    }

    /// Remembers how the files stood that a tool has read.
    pub(super) fn after_read(&self, registry: &Registry, paths: &[PathBuf]) -> Result<Answer, Trouble> {
        let mut seen = Vec::new();
        for path in distinct(paths) {
            if let Ok(resource) = self.namer.resource(path, Kind::File) {
                seen.extend(self.sighting(&resource));
            }
        }
        let known = self.hook_state(registry, &self.own).seen;
        seen.retain(|note| match note {
            Note::Seen { resource, state } => known.get(resource) != Some(state),
            _ => true,
        });
        if !seen.is_empty() {
            self.take_part(registry)?;
            self.note(registry, &self.own, &seen)?;
        }
        Ok(Answer::default())
    }

    /// Notes how a file stands now.
    pub(super) fn sighting(&self, resource: &Resource) -> Option<Note> {
        let state = state_of(&self.namer.path_of(resource)?)?;
        Some(Note::Seen { resource: resource.clone(), state })
    }

    /// What follows a tool: leases last on, and messages come in.
    pub(super) fn between_tools(
        &self,
        registry: &Registry,
        session: &Session,
        follow_up: &mut FollowUp,
    ) -> Result<Answer, Trouble> {
        self.renew_all(registry)?;
        let mut answer = Answer::default();
        self.deliver_messages(registry, session, &mut answer, follow_up)?;
        Ok(answer)
    }

    fn place(&self, ignored: &Ignored, path: &Path) -> Result<Place, Trouble> {
        let resource = match self.namer.resource(path, Kind::File) {
            Ok(resource) => resource,
            // A tool that takes a directory for a file fails by itself; one that deletes directories means it.
            Err(NamingError::IsDirectory { .. }) => return Ok(self.directory(path)),
            Err(NamingError::Outside { .. }) => return Ok(Place::Outside),
            Err(error) => return Err(error.into()),
        };
        if self.namer.is_internal(&resource) {
            return Ok(Place::Internal);
        }
        let is_excluded = Exclusions::is_default_name(resource.relative());
        let real_path = self.namer.real_path(path)?;
        Ok(if is_excluded || ignored.is_ignored(&real_path) {
            Place::OnlyRespected(resource)
        } else {
            Place::Claimed(resource)
        })
    }

    fn directory(&self, path: &Path) -> Place {
        match self.namer.resource(path, Kind::Directory) {
            Ok(resource) if !self.namer.is_internal(&resource) => Place::OnlyRespected(resource),
            _ => Place::Internal,
        }
    }
}
