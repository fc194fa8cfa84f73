//! Files that another coordination directory covers than the agent's own folder: those of another repository. The agent
//! takes part there too, as the same session, for as long as it does in its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::{SessionContext, Trouble, existing_folder};
use super::edits::Claimed;
use crate::answer::Answer;
use crate::event::EventKind;
use crate::hook_state::{HookStates, Note};
use crate::words;
use deconflict_protocol::DEFAULT_LEASE;
use deconflict_registry::{self as registry, EDIT_LEASE, Holding, Registry};
use deconflict_workspace::{self as workspace, Namer};

/// Another coordination directory than that of the agent's own folder.
pub(super) struct Elsewhere<'a> {
    pub(super) context: SessionContext<'a>,
    pub(super) registry: Registry,
    /// Those of a tool's files that are there.
    paths: Vec<PathBuf>,
}

/// What was claimed a moment ago, and where.
type Made<'a> = (&'a Registry, Vec<Holding>);

impl<'a> SessionContext<'a> {
    /// The other directories that cover files. Where nobody coordinates, or somebody has to be asked first, is none.
    pub(super) fn elsewhere(&self, outside: &[PathBuf]) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        let mut places: Vec<Elsewhere<'a>> = Vec::new();
        for path in outside {
            let path = self.event.folder.join(path);
            let Some(folder) = path.parent().map(existing_folder) else { continue };
            let Some(found) = self.place_at(folder)? else { continue };
            match places.iter_mut().find(|place| place.context.location.directory == found.context.location.directory) {
                Some(known) => known.paths.push(path),
                None => places.push(Elsewhere { paths: vec![path], ..found }),
            }
        }
        Ok(places)
    }

    /// The other directories in which something is to be done at this event: where the session took part before, and
    /// where a tool has changed files.
    pub(super) fn others_concerned(&self, registry: Option<&Registry>) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        let edited = match &self.event.kind {
            EventKind::AfterEdit(paths) => {
                let is_here = |path: &PathBuf| path.starts_with(self.location.parent());
                let outside: Vec<PathBuf> = paths.iter().filter(|path| !is_here(path)).cloned().collect();
                self.elsewhere(&outside)?
            }
            EventKind::Prompted
            | EventKind::AfterRead(_)
            | EventKind::AfterCommand
            | EventKind::SubAgentDone { .. }
            | EventKind::SubAgentEnded
            | EventKind::TurnEnded
            | EventKind::SessionEnded => Vec::new(),
            _ => return Ok(Vec::new()),
        };
        let mut places = match registry {
            Some(registry) => self.places_before(registry)?,
            None => Vec::new(),
        };
        for place in edited {
            if !places.iter().any(|known| known.context.location.directory == place.context.location.directory) {
                places.push(place);
            }
        }
        Ok(places)
    }

    fn places_before(&self, registry: &Registry) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        let mut places = Vec::new();
        for folder in self.hook_state(registry, &self.own).elsewhere {
            if let Some(mut place) = self.place_at(Path::new(&folder))? {
                place.context.lease = DEFAULT_LEASE;
                places.push(place);
            }
        }
        Ok(places)
    }

    /// The directory that covers a folder, if it is another one. Nothing remembers there what an agent claims that has no
    /// session in its own folder, so that doesn't last.
    fn place_at(&self, folder: &Path) -> Result<Option<Elsewhere<'a>>, Trouble> {
        let Ok(location) = workspace::locate(folder, None, self.surroundings.home.as_deref()) else { return Ok(None) };
        if location.directory == self.location.directory || !location.exists() || !location.may_be_joined() {
            return Ok(None);
        }
        let registry = match Registry::open(&location.directory, Arc::clone(&self.surroundings.clock)) {
            Err(registry::Error::Missing { .. }) => return Ok(None),
            opened => opened?,
        };
        let context = SessionContext {
            event: self.event,
            surroundings: self.surroundings,
            namer: Namer::new(&location),
            states: HookStates::of(&location.directory, self.surroundings.state_folder.as_deref()),
            location,
            main: self.main.clone(),
            own: self.own.clone(),
            kind: self.kind.clone(),
            lease: EDIT_LEASE,
        };
        Ok(Some(Elsewhere { context, registry, paths: Vec::new() }))
    }

    /// Claims a tool's files in other directories too, after those of its own: all of them, or none anywhere.
    pub(super) fn claim_elsewhere(&self, here: Claimed, there: &mut [Elsewhere<'a>]) -> Result<Answer, Trouble> {
        let Claimed { mut answer, registry, new } = here;
        let mut made: Vec<Made> = registry.iter().map(|registry| (registry, new.clone())).collect();
        let is_remembered = match registry.as_ref().map(|registry| self.remember(registry, there)) {
            Some(Err(trouble)) => {
                self.give_back(&made)?;
                return Err(trouble);
            }
            Some(Ok(is_remembered)) => is_remembered,
            None => false,
        };
        for place in there {
            place.context.lease = if is_remembered { DEFAULT_LEASE } else { EDIT_LEASE };
            let place = &*place;
            let claimed = place.context.claim_sorted(Some(place.registry.clone()), &place.paths);
            match claimed {
                Ok(claimed) if claimed.answer.refusal.is_none() => {
                    answer.add(claimed.answer);
                    made.push((&place.registry, claimed.new));
                }
                // Nobody holds it, as was looked at before; more cannot be done there.
                Err(Trouble::Registry(registry::Error::ReadOnly { .. })) => {}
                refused => {
                    self.give_back(&made)?;
                    let reason = refused?.answer.refusal.unwrap_or_default();
                    return Ok(Answer::refuse(format!("{reason}\n{}", place.is_told_where(self))));
                }
            }
        }
        Ok(answer)
    }

    /// Notes where else the session takes part, so that what it claims there ends with its turn and with itself. Returns
    /// false where that cannot be noted.
    fn remember(&self, registry: &Registry, there: &[Elsewhere]) -> Result<bool, Trouble> {
        match self.take_part(registry) {
            Err(Trouble::Registry(registry::Error::ReadOnly { .. })) => return Ok(false),
            taken => drop(taken?),
        }
        let folders = there.iter().filter_map(|place| place.context.location.parent().to_str().map(str::to_owned));
        let folders: Vec<String> = folders.collect();
        for session in [&self.own, &self.main] {
            let known = self.hook_state(registry, session).elsewhere;
            let news = folders.iter().filter(|folder| !known.contains(folder));
            let notes: Vec<Note> = news.map(|folder| Note::Elsewhere { folder: folder.clone() }).collect();
            self.note(registry, session, &notes)?;
        }
        Ok(folders.len() == there.len())
    }

    fn give_back(&self, made: &[Made]) -> Result<(), Trouble> {
        for (registry, holdings) in made {
            let mut notes = Vec::new();
            for holding in holdings {
                registry.release_holding(holding)?;
                notes.push(Note::Released { resource: holding.resource.clone() });
            }
            self.note(registry, &self.own, &notes)?;
        }
        Ok(())
    }
}

impl Elsewhere<'_> {
    /// Why the files here must not be edited; `None` if they may.
    pub(super) fn held(&self, asking: &SessionContext) -> Result<Option<String>, Trouble> {
        for path in &self.paths {
            let Ok(wanted) = self.context.namer.resource_at(path) else { continue };
            let obstacles = self.registry.obstacles(&self.context.own, &wanted)?;
            let Some(claim) = obstacles.into_iter().find(|claim| self.context.stands_against(claim)) else { continue };
            let holder = claim.holder().and_then(|id| self.registry.session(id).ok().flatten());
            let held = words::held(&claim, holder.as_ref(), &wanted, self.context.now());
            return Ok(Some(format!(
                "Another session holds this, so nothing was changed.\n{held}\n{} Don't write it by another way: that \
                 would overwrite somebody's work.",
                self.is_told_where(asking)
            )));
        }
        Ok(None)
    }

    fn is_told_where(&self, asking: &SessionContext) -> String {
        let place = words::path_to_type(self.context.location.parent(), &asking.location.workspace);
        format!(
            "It is coordinated in another folder than yours; to see and to ask there: cd {place} && deconflict status"
        )
    }
}
