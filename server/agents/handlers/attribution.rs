//! Which changes a shell command made: what stood there before it is compared with what stands there now.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::context::{SessionContext, Trouble};
use super::head::as_one;
use crate::answer::Answer;
use crate::hook_state::{Note, Run};
use deconflict_changes::{Noticed, author_of, befores_in, content_of, with_line_ends_of};
use deconflict_journal::{Before, Cause, CommandRun, ContentId, Journal, Observation};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimAllOutcome, Predecessor, Session};
use deconflict_workspace::{
    ChangedFile, HeadMove, Kind, Repository, WrittenFiles, changed_among, changed_since, last_commit, left_out_since,
};

/// More files than this that one command changed are owned, but not claimed.
const MOST_CLAIMED: usize = 20;

/// What one command did to more files than this is not kept.
const MOST_RECORDED: usize = 2000;

/// File systems tell times by a clock that ticks only every few milliseconds, and so lags behind.
pub(super) const FILE_CLOCK: TimeDelta = TimeDelta::milliseconds(20);

/// A command of which nobody saw the end doesn't run for longer than this.
const LONGEST_RUN: TimeDelta = TimeDelta::hours(12);

/// A file that may have been changed.
struct Suspect {
    resource: Resource,
    before: Option<Before>,
}

impl SessionContext<'_> {
    /// Notes that a command begins.
    pub(super) fn command_begins(&self, mut run: Run) -> Result<(), Trouble> {
        if let Some(written) = self.written_files() {
            // Whoever cannot have a list looks at everything.
            run.moment = written.begin(&self.mark_of(run.at)).ok().flatten();
        }
        if let Some(journal) = &self.journal {
            self.unless_failed(journal.command_began(&CommandRun {
                id: run.id(),
                session: self.own.clone(),
                worktree: self.worktree(),
                command: run.words.clone(),
                began: run.at,
                ended: None,
            }));
        }
        self.note(&self.own, &[Note::CommandBegan(run)])
    }

    /// Notes that a command has ended.
    pub(super) fn command_ends(&self, run: &Run) -> Result<(), Trouble> {
        if let Some(journal) = &self.journal {
            self.unless_failed(journal.command_ended(&self.own, &run.id(), self.now()));
        }
        self.note(&self.own, &[Note::CommandEnded { at: run.at }])
    }

    /// Finds what a command has changed that has just ended, and tells whoever lost something by it. Where another
    /// session's command ran meanwhile, it may have been either.
    pub(super) fn attribute(&self, session: &Session, run: &Run, answer: &mut Answer) -> Result<(), Trouble> {
        let Some(recorder) = self.recorder() else { return Ok(()) };
        let now = self.now();
        let others = self.others_commands(run.at, now)?;
        let author = author_of(session);
        let others_ran = !others.is_empty();
        let observation = if others.is_empty() {
            Observation::by(author, Cause::Command { command: run.words.clone() }, run.at, now)
        } else {
            Observation { candidates: [vec![self.own.clone()], others].concat(), ..Observation::look(now) }
        };
        let mut noticed = Vec::new();
        let heads = self.head_moves()?;
        if !others_ran {
            self.settle_committed(&heads);
        }
        let moved = as_one(&heads);
        let mut suspects = self.suspects(run);
        if let Some(moved) = &moved {
            self.add_moved(moved, &mut suspects);
        }
        self.add_left_out(run.at, &mut suspects);
        for Suspect { resource, before } in suspects {
            self.inherit_work(std::slice::from_ref(&resource));
            let observation = Observation { before, ..observation.clone() };
            noticed.extend(self.unless_failed(recorder.changed(&resource, observation)).flatten());
        }
        self.tell_of_changes("command", &noticed, answer);
        if let Some(moved) = &moved {
            self.tell_of_own_move(session, moved, others_ran, &noticed)?;
        }
        noticed.retain(|noticed| noticed.entry.author.as_ref().is_some_and(|author| author.session == self.own));
        if noticed.len() <= MOST_CLAIMED {
            self.claim_changed(session, &noticed)?;
        }
        Ok(())
    }

    /// The sessions whose commands ran here in that time too.
    pub(super) fn others_commands(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<SessionId>, Trouble> {
        let Some(journal) = &self.journal else { return Ok(Vec::new()) };
        let runs = self.unless_failed(journal.overlapping(&self.worktree(), from, to)).unwrap_or_default();
        let mut others: Vec<SessionId> = Vec::new();
        for run in runs.into_iter().filter(|run| run.session != self.own) {
            let is_over = run.ended.is_none() && (to - run.began > LONGEST_RUN || !self.is_live(&run.session)?);
            if !is_over && !others.contains(&run.session) {
                others.push(run.session);
            }
        }
        Ok(others)
    }

    /// The files that may have been changed since a command began: those that the journal watches, then those of which git tells
    /// what stood there before.
    fn suspects(&self, run: &Run) -> Vec<Suspect> {
        let since = run.at;
        let Some(recorder) = self.recorder() else { return Vec::new() };
        let mut watched = self.unless_failed(recorder.journal.watched()).unwrap_or_default();
        let known: HashSet<Resource> = watched.iter().map(|watched| watched.resource.clone()).collect();
        watched.retain(|watched| watched.at >= since || recorder.may_have_changed(watched));
        let mut suspects: Vec<Suspect> =
            watched.into_iter().map(|watched| Suspect { resource: watched.resource, before: None }).collect();
        if let Some(repository) = &self.location.repository {
            // Where git's index cannot be understood, nothing is known of what was clean.
            let changed = self.changed_files(repository, run, &known).unwrap_or_default();
            let named = changed.into_iter().filter_map(|file| {
                let resource = self.namer.resource_as_spelled(&file.path, Kind::File).ok()?;
                (!known.contains(&resource) && !self.namer.is_internal(&resource)).then_some((resource, file))
            });
            suspects.extend(compared(repository, named.take(MOST_RECORDED).collect()));
        }
        suspects
    }

    /// The files of the worktree that were changed since a command began, those aside of which it is known otherwise. What
    /// somebody holds is looked at whatever the list of what was written says: it may have been written by another name, of
    /// which nobody is told.
    fn changed_files(
        &self,
        repository: &Repository,
        run: &Run,
        known: &HashSet<Resource>,
    ) -> io::Result<Vec<ChangedFile>> {
        let from = (run.at - FILE_CLOCK).into();
        let since = |written: WrittenFiles| written.since(&self.mark_of(run.at), run.moment.as_deref()).ok().flatten();
        let written = self.written_files().and_then(since);
        if let Some(mut places) = written {
            places.extend(self.held_places(known));
            if places.len() <= MOST_RECORDED {
                return changed_among(repository, &self.ignored, from, &places);
            }
        }
        changed_since(repository, &self.ignored, from)
    }

    fn written_files(&self) -> Option<WrittenFiles> {
        WrittenFiles::of(&self.location.directory, self.location.repository.as_ref()?)
    }

    /// What the mark before a command is called.
    fn mark_of(&self, began: DateTime<Utc>) -> String {
        format!("{}-{}", began.timestamp_micros(), self.own)
    }

    /// The files and directories that anybody holds, without these.
    fn held_places(&self, known: &HashSet<Resource>) -> Vec<PathBuf> {
        let held = self.unless_failed(self.registry.claimed_names()).unwrap_or_default();
        let is_place = |resource: &&Resource| resource.is_file() || resource.is_directory();
        let held = held.iter().filter(is_place).filter(|resource| !known.contains(resource));
        held.filter_map(|resource| self.namer.path_of(resource)).collect()
    }

    /// Adds what one commit has otherwise than another: git itself leaves no commit over changes of such a file.
    fn add_moved(&self, moved: &HeadMove, suspects: &mut Vec<Suspect>) {
        let Some(repository) = &self.location.repository else { return };
        let paths = self.unless_failed(last_commit::between(repository.root(), &moved.from, &moved.to));
        self.add_held(repository, &moved.from, paths.unwrap_or_default(), suspects);
    }

    /// Adds what a sparse checkout took out of the worktree since then, which leaves what is not as it was committed.
    fn add_left_out(&self, since: DateTime<Utc>, suspects: &mut Vec<Suspect>) {
        let Some(repository) = &self.location.repository else { return };
        let left_out = left_out_since(repository, (since - FILE_CLOCK).into(), || self.held_places(&HashSet::new()));
        let left_out = left_out.unwrap_or_default();
        let paths = left_out.iter().filter_map(|path| relative(repository, path)).collect();
        self.add_held(repository, "HEAD", paths, suspects);
    }

    /// Adds those of files that others hold and nobody has looked at yet, with what a commit has of them.
    fn add_held(&self, repository: &Repository, commit: &str, paths: Vec<String>, suspects: &mut Vec<Suspect>) {
        let mut held: Vec<(String, Resource)> = Vec::new();
        for path in paths.into_iter().take(MOST_RECORDED) {
            let named = self.namer.resource_as_spelled(&repository.root().join(&path), Kind::File);
            let Ok(resource) = named else { continue };
            let is_known = suspects.iter().any(|suspect| suspect.resource == resource);
            let claims = self.unless_failed(self.registry.claims_on(&resource)).unwrap_or_default();
            if !is_known && claims.iter().any(|claim| claim.is_active() && self.stands_against(claim)) {
                held.push((path, resource));
            }
        }
        if held.is_empty() {
            return;
        }
        let befores = self.unless_failed(befores_in(repository, commit, held)).unwrap_or_default();
        suspects.extend(befores.into_iter().map(|(resource, before)| Suspect { resource, before: Some(before) }));
    }

    /// Claims what a command changed as an edit does, as far as nobody else holds it and it is not as it was committed. Where
    /// others lost something by it, they are to have it back without asking.
    fn claim_changed(&self, session: &Session, noticed: &[Noticed]) -> Result<(), Trouble> {
        let terms = self.terms(session);
        let state = self.hook_state(&self.own);
        let files: Vec<Resource> = noticed.iter().map(|noticed| noticed.entry.resource.clone()).collect();
        let committed = self.as_committed(&files);
        let mut notes = Vec::new();
        for Noticed { entry, lost } in noticed {
            let resource = &entry.resource;
            if !lost.is_empty() || self.is_excluded(resource) || committed.contains(resource) {
                continue;
            }
            let one = std::slice::from_ref(resource);
            let outcome =
                self.registry.claim_all(&self.own, self.predecessor().map(Predecessor::Always), one, &terms)?;
            let ClaimAllOutcome::Granted(granted) = outcome else { continue };
            if granted.iter().all(|one| one.claim.is_automatic()) && !state.has_claimed(resource) {
                notes.push(Note::Claimed { resource: resource.clone() });
            }
            notes.extend(self.sighting(resource));
            notes.push(Note::Touched { resource: resource.clone() });
        }
        self.note(&self.own, &notes)
    }

    /// Looks no more at files that are as they were last committed and that nobody holds.
    pub(super) fn stop_watching_committed(&self) -> Result<(), Trouble> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let watched = self.unless_failed(journal.watched()).unwrap_or_default();
        let settled = watched.into_iter().filter(|watched| !watched.is_unsettled).map(|watched| watched.resource);
        for resource in self.as_committed(&settled.collect::<Vec<_>>()) {
            if self.registry.claims_on(&resource)?.is_empty() {
                self.unless_failed(journal.stop_watching(&resource));
            }
        }
        Ok(())
    }

    /// Those of files that are as they were last committed. Where git cannot tell, none is.
    fn as_committed(&self, files: &[Resource]) -> HashSet<Resource> {
        let compared = self.recorder().and_then(|recorder| self.unless_failed(recorder.as_committed(files)));
        compared.unwrap_or_default().into_iter().collect()
    }

    /// The worktree in which the agent works; empty for the main one.
    fn worktree(&self) -> String {
        self.location.repository.as_ref().and_then(Repository::worktree).unwrap_or_default().to_owned()
    }
}

/// Those of changed files that differ from the last commit, with what that has.
fn compared(repository: &Repository, files: Vec<(Resource, ChangedFile)>) -> Vec<Suspect> {
    let relative: Vec<Option<String>> = files.iter().map(|(_, file)| relative(repository, &file.path)).collect();
    let paths: Vec<&str> = relative.iter().flatten().map(String::as_str).collect();
    let ids = last_commit::names(repository.root(), "HEAD", &paths).unwrap_or_default();
    let committed_as = |path: Option<&str>| path.and_then(|path| ids.get(path));
    let mut differing: Vec<(Resource, Option<String>, Vec<u8>, bool)> = Vec::new();
    for ((resource, file), relative) in files.into_iter().zip(relative) {
        let committed = committed_as(relative.as_deref());
        let now = if file.is_deleted { None } else { content_of(&file.path) };
        let is_same = match (&now, committed) {
            (Some(now), Some(id)) => Journal::name_of(now).is_some_and(|content| is_called(content, id)),
            (None, None) => file.is_deleted,
            _ => false,
        };
        if !is_same || file.is_other_mode {
            let relative = relative.filter(|_| committed.is_some());
            differing.push((resource, relative, now.unwrap_or_default(), file.is_other_mode));
        }
    }
    let paths: Vec<&str> = differing.iter().filter_map(|(_, relative, ..)| relative.as_deref()).collect();
    let mut contents = last_commit::contents(repository.root(), "HEAD", &paths).unwrap_or_default();
    let suspects = differing.into_iter().filter_map(|(resource, relative, now, is_other_mode)| {
        let before = match relative {
            None => Some(Before::Absent),
            // What is too large for git to tell is not known.
            Some(relative) => match contents.remove(&relative) {
                Some(committed) => {
                    let committed = with_line_ends_of(&now, committed);
                    if is_other_mode {
                        Some(Before::OtherMode(committed))
                    } else {
                        Some(Before::Bytes(committed)).filter(|before| *before != Before::Bytes(now))
                    }
                }
                None => None,
            },
        };
        Some(Suspect { resource, before: Some(before?) })
    });
    suspects.collect()
}

fn is_called(content: ContentId, name: &str) -> bool {
    content.to_string() == name
}

/// A path as git spells it, from the root of its worktree.
fn relative(repository: &Repository, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> =
        path.strip_prefix(repository.root()).ok()?.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}
