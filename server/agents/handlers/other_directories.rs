//! Files that another coordination directory covers than the agent's own folder: those of another repository. The agent
//! takes part there too, as the same session, for as long as it does in its own.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::claiming::Claimed;
use super::context::{SessionContext, Trouble, existing_folder};
use crate::answer::Answer;
use crate::event::EventKind;
use crate::hook_state::{HookStates, Note};
use crate::words;
use deconflict_journal::Journal;
use deconflict_protocol::DEFAULT_LEASE;
use deconflict_registry::{self as registry, EDIT_LEASE, Holding};
use deconflict_workspace::{self as workspace, Ignored, Namer};

/// Another coordination directory than that of the agent's own folder.
pub(super) struct Elsewhere<'a> {
    pub(super) context: SessionContext<'a>,
    /// Those of a tool's files that are there.
    paths: Vec<PathBuf>,
}

impl<'a, R> SessionContext<'a, R> {
    /// The other directories that cover files. Where nobody coordinates, or somebody has to be asked first, is none.
    pub(super) fn elsewhere(&self, outside: &[PathBuf]) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        let mut places: Vec<Elsewhere<'a>> = Vec::new();
        for path in outside {
            let path = self.event.folder.join(path);
            let Some(folder) = path.parent().map(existing_folder) else { continue };
            let Some(context) = self.context_at(folder)? else { continue };
            match places.iter_mut().find(|place| place.context.location.directory == context.location.directory) {
                Some(known) => known.paths.push(path),
                None => places.push(Elsewhere { context, paths: vec![path] }),
            }
        }
        Ok(places)
    }

    /// The other directories where a tool has changed files.
    pub(super) fn edited_elsewhere(&self) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        let EventKind::AfterEdit(paths) = &self.event.kind else { return Ok(Vec::new()) };
        let is_here = |path: &PathBuf| path.starts_with(self.location.parent());
        self.elsewhere(&paths.iter().filter(|path| !is_here(path)).cloned().collect::<Vec<_>>())
    }

    /// The directory that covers a folder, if it is another one. Nothing remembers there what an agent claims that has no
    /// session in its own folder, so that doesn't last.
    fn context_at(&self, folder: &Path) -> Result<Option<SessionContext<'a>>, Trouble> {
        let Ok(location) = workspace::locate(folder, None, self.surroundings.home.as_deref()) else { return Ok(None) };
        if location.directory == self.location.directory || !location.may_be_joined() {
            return Ok(None);
        }
        let Some(registry) = self.registry_at(&location)? else { return Ok(None) };
        let journal = Journal::of(&location.directory, self.surroundings.state_folder.as_deref());
        Ok(Some(SessionContext {
            event: self.event,
            surroundings: self.surroundings,
            namer: Namer::new(&location),
            states: HookStates::beside(journal.as_ref()),
            journal,
            ignored: Ignored::new(),
            failure: RefCell::default(),
            told: RefCell::default(),
            lives: Cell::default(),
            location,
            main: self.main.clone(),
            own: self.own.clone(),
            kind: self.kind.clone(),
            lease: EDIT_LEASE,
            registry,
        }))
    }
}

impl<'a> SessionContext<'a> {
    /// The other directories in which something is to be done at this event: where the session took part before, and
    /// where a tool has changed files.
    pub(super) fn others_concerned(&self) -> Result<Vec<Elsewhere<'a>>, Trouble> {
        if !matches!(
            self.event.kind,
            EventKind::AfterEdit(_)
                | EventKind::Prompted
                | EventKind::AfterRead(_)
                | EventKind::AfterCommand { .. }
                | EventKind::SubAgentDone { .. }
                | EventKind::SubAgentEnded
                | EventKind::TurnEnded
                | EventKind::SessionEnded
        ) {
            return Ok(Vec::new());
        }
        let mut places: Vec<Elsewhere<'a>> = Vec::new();
        for folder in &self.hook_state(&self.own).elsewhere {
            if let Some(mut context) = self.context_at(Path::new(folder))? {
                context.lease = DEFAULT_LEASE;
                places.push(Elsewhere { context, paths: Vec::new() });
            }
        }
        for place in self.edited_elsewhere()? {
            if !places.iter().any(|known| known.context.location.directory == place.context.location.directory) {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// Notes where else the session takes part, so that what it claims there ends with its turn and with itself. Returns
    /// false where that cannot be noted.
    fn remember(&self, there: &[Elsewhere]) -> Result<bool, Trouble> {
        match self.take_part() {
            Err(Trouble::Registry(registry::Error::ReadOnly { .. })) => return Ok(false),
            taken => drop(taken?),
        }
        let folders = there.iter().filter_map(|place| place.context.location.parent().to_str().map(str::to_owned));
        let folders: Vec<String> = folders.collect();
        for session in [&self.own, &self.main] {
            let known = &self.hook_state(session).elsewhere;
            let news = folders.iter().filter(|folder| !known.contains(folder));
            let notes: Vec<Note> = news.map(|folder| Note::Elsewhere { folder: folder.clone() }).collect();
            self.note(session, &notes)?;
        }
        Ok(folders.len() == there.len())
    }

    fn give_back(&self, holdings: &[Holding]) -> Result<(), Trouble> {
        let mut notes = Vec::new();
        for holding in holdings {
            self.registry.release_holding(holding)?;
            notes.push(Note::Released { resource: holding.resource.clone() });
        }
        self.note(&self.own, &notes)
    }
}

/// Why a tool's files in other directories must not be edited; `None` if they may.
pub(super) fn held_elsewhere(there: &[Elsewhere], workspace: &Path) -> Result<Option<String>, Trouble> {
    for place in there {
        for path in &place.paths {
            let Ok(wanted) = place.context.namer.resource_at(path) else { continue };
            if let Some(claim) = place.context.obstacle(&wanted)? {
                return Ok(Some(format!(
                    "Another session holds this, so nothing was changed.\n{}\n{} Don't write it some other way: that would overwrite somebody's work.",
                    place.context.told_as_held(&claim, &wanted),
                    place.is_told_where(workspace)
                )));
            }
        }
    }
    Ok(None)
}

/// Claims a tool's files in other directories too, after those of its own: all of them, or none anywhere.
pub(super) fn claim_elsewhere(
    workspace: &Path,
    here: Option<&SessionContext>,
    claimed: Claimed,
    there: &mut [Elsewhere],
) -> Result<Answer, Trouble> {
    let Claimed { mut answer, new } = claimed;
    if answer.refusal.is_some() || there.is_empty() {
        return Ok(answer);
    }
    let mut made: Vec<(&SessionContext, Vec<Holding>)> = here.map(|here| (here, new)).into_iter().collect();
    let give_back = |made: &[(&SessionContext, Vec<Holding>)]| {
        made.iter().try_for_each(|(context, holdings)| context.give_back(holdings))
    };
    let is_remembered = match here.map_or(Ok(false), |here| here.remember(there)) {
        Err(trouble) => {
            give_back(&made)?;
            return Err(trouble);
        }
        Ok(is_remembered) => is_remembered,
    };
    for place in there {
        place.context.lease = if is_remembered { DEFAULT_LEASE } else { EDIT_LEASE };
        let place = &*place;
        match place.context.sort(&place.paths).and_then(|files| place.context.claim(&files)) {
            Ok(claimed) if claimed.answer.refusal.is_none() => {
                answer.add(claimed.answer);
                made.push((&place.context, claimed.new));
            }
            // Nobody holds it, as was looked at before; more cannot be done there.
            Err(Trouble::Registry(registry::Error::ReadOnly { .. })) => {}
            refused => {
                give_back(&made)?;
                let reason = refused?.answer.refusal.unwrap_or_default();
                return Ok(Answer::refuse(format!("{reason}\n{}", place.is_told_where(workspace))));
            }
        }
    }
    Ok(answer)
}

impl Elsewhere<'_> {
    fn is_told_where(&self, workspace: &Path) -> String {
        let place = words::path_to_type(self.context.location.parent(), workspace);
        format!(
            "It is coordinated in a different folder from yours; to look and ask there: cd {place} && deconflict status"
        )
    }
}
