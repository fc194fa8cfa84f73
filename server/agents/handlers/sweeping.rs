//! What a command would do to others' work: to what they hold, and to what they have not committed.

use std::path::Path;

use super::claiming::MOST_NAMED;
use super::context::{SessionContext, Trouble};
use crate::answer::Answer;
use crate::hook_state::Note;
use crate::shell::{self, Deed, Effect, Target, When};
use crate::surroundings::ShellPolicy;
use crate::words;
use deconflict_changes::{Recorder, UncommittedFile, owners_in};
use deconflict_journal::Author;
use deconflict_protocol::text::quoted;
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Claim, Draft, Recipient, Session};
use deconflict_words::COMMIT_OWN;
use deconflict_workspace::{Kind, Repository, committed, differing, stashes_by_itself, swept};

/// So many files are compared with the last commit for one command; about the others nothing is said.
const MOST_COMPARED: usize = 50;

/// Something of others' that a command would do something to.
struct Hit {
    deed: Deed,
    wanted: Resource,
    by: By,
}

/// A file that a command names, and that has others' uncommitted changes.
struct Taken {
    deed: Deed,
    file: UncommittedFile,
    owners: Vec<Author>,
}

/// Why it is others'.
enum By {
    /// It is held.
    Holder(Claim),
    /// It has their uncommitted changes.
    Owners(Vec<Author>),
}

impl SessionContext<'_> {
    /// Refuses a command that would certainly touch what another session holds, or that would destroy, stash, stage or
    /// commit another's uncommitted changes without naming them.
    pub(super) fn judge_command(&self, command: &str, folder: &Path) -> Result<Answer, Trouble> {
        let policy = self.surroundings.policy.shell;
        if policy == ShellPolicy::Off {
            return Ok(Answer::default());
        }
        let mut hits: Vec<Hit> = Vec::new();
        let mut compared = 0;
        let mut taken = Vec::new();
        for effect in shell::effects(command, folder) {
            // Where it cannot be told what a command means, nothing is said.
            let Some(wanted) = self.target_of(&effect).filter(|_| is_meant(&effect)) else { continue };
            self.collect_held(&effect, &wanted, &mut compared, &mut hits)?;
            self.collect_all_claims(&effect, &wanted, &mut hits)?;
            self.collect_owned(&effect, &wanted, &mut hits, &mut taken);
        }
        let mut answer = Answer::default();
        if !hits.is_empty() {
            let text = self.told_as_hit(&hits);
            if policy == ShellPolicy::Deny {
                return Ok(Answer::refuse(format!("This command was not run. {text}")));
            }
            answer = Answer::warning(format!("Careful. {text}"));
        }
        for taken in &taken {
            self.tell_of_taking(taken, &mut answer)?;
        }
        Ok(answer)
    }

    fn target_of(&self, effect: &Effect) -> Option<Resource> {
        match &effect.target {
            Target::Path(path) => self.namer.resource_at(path).ok(),
            Target::Repository(folder) => {
                let folder = self.namer.real_path(folder).ok()?;
                let repository = Repository::containing(&folder).ok().flatten()?;
                self.namer.resource(repository.root(), Kind::Directory).ok()
            }
        }
    }

    fn collect_held(
        &self,
        effect: &Effect,
        wanted: &Resource,
        compared: &mut usize,
        hits: &mut Vec<Hit>,
    ) -> Result<(), Trouble> {
        for claim in self.registry.obstacles(&self.own, wanted)? {
            let is_it = |hit: &Hit| matches!(&hit.by, By::Holder(held) if held.resource == claim.resource);
            let is_known = hits.iter().any(|hit| is_it(hit) && hit.deed == effect.deed);
            let is_file_or_directory = claim.resource.is_file() || claim.resource.is_directory();
            if is_known || !is_file_or_directory || !self.stands_against(&claim) {
                continue;
            }
            if effect.only_changed {
                *compared += 1;
                let file = if claim.resource.is_file() { &claim.resource } else { wanted };
                let is_changed = match self.namer.path_of(file) {
                    _ if *compared > MOST_COMPARED => false,
                    Some(path) if file.is_file() => !committed::equals_last_commit(&path).unwrap_or(true),
                    _ => self.has_changes_of_others(&claim.resource, wanted),
                };
                let is_left = effect.deed == Deed::Delete && self.is_tracked(&claim.resource);
                if !is_changed || is_left || !self.is_there_as(effect.when, file) {
                    continue;
                }
            }
            let touched = if claim.resource.covers(wanted) { wanted.clone() } else { claim.resource.clone() };
            hits.push(Hit { deed: effect.deed, wanted: touched, by: By::Holder(claim) });
        }
        Ok(())
    }

    /// Whoever takes the coordination directory away takes everybody's claims, and what is kept of their files with git's.
    fn collect_all_claims(&self, effect: &Effect, wanted: &Resource, hits: &mut Vec<Hit>) -> Result<(), Trouble> {
        let Target::Path(path) = &effect.target else { return Ok(()) };
        let Ok(path) = self.namer.real_path(path) else { return Ok(()) };
        let is_within = path.starts_with(&self.location.directory);
        let kept = self.journal.as_ref().map(deconflict_journal::Journal::path);
        let has_kept = kept.is_some_and(|kept| path.starts_with(&kept) || kept.starts_with(&path));
        let takes = match effect.deed {
            Deed::Delete => is_within || (has_kept && !effect.only_changed),
            Deed::Move => is_within || has_kept,
            Deed::Overwrite => is_within,
            Deed::Discard | Deed::Stash | Deed::Stage | Deed::Commit => false,
        };
        if !takes {
            return Ok(());
        }
        let everything = self.namer.resource(self.location.parent(), Kind::Directory)?;
        let theirs = self.registry.obstacles(&self.own, &everything)?;
        if let Some(claim) = theirs.into_iter().find(|claim| self.stands_against(claim)) {
            hits.push(Hit { deed: effect.deed, wanted: wanted.clone(), by: By::Holder(claim) });
        }
        Ok(())
    }

    /// True if in a directory that another one holds, as far as a command takes it, something differs from what git saw
    /// that is not all the session's own.
    fn has_changes_of_others(&self, held: &Resource, wanted: &Resource) -> bool {
        let Some(repository) = &self.location.repository else { return false };
        let family = self.family();
        let is_meant = |resource: &Resource| held.covers(resource) && (wanted.covers(resource) || held.covers(wanted));
        for file in differing(repository, &self.ignored).unwrap_or_default() {
            let Ok(resource) = self.namer.resource_as_spelled(&file.path, Kind::File) else { continue };
            if !is_meant(&resource) || self.namer.is_internal(&resource) {
                continue;
            }
            let is_own = |recorder: Recorder| {
                self.unless_failed(recorder.look(&resource, self.now()));
                self.unless_failed(recorder.is_work_of(&resource, &|owner| family.contains(&owner.session)))
            };
            if !self.recorder().and_then(is_own).unwrap_or(false) {
                return true;
            }
        }
        false
    }

    /// Looks for others' uncommitted changes in what a command takes. What it names by the file's own path it may stage
    /// and commit; then both are told.
    fn collect_owned(&self, effect: &Effect, wanted: &Resource, hits: &mut Vec<Hit>, taken: &mut Vec<Taken>) {
        let may_be_named = matches!(effect.deed, Deed::Stage | Deed::Commit);
        // Whoever writes a file may: an edit is no sweep.
        if effect.deed == Deed::Overwrite {
            return;
        }
        for (file, owners) in self.uncommitted_of_others(wanted) {
            let resource = file.history.resource();
            let is_known = hits.iter().any(|hit| hit.wanted == *resource && hit.deed == effect.deed);
            if is_known || !self.is_reached(effect, &file) {
                continue;
            }
            if may_be_named && effect.is_named && resource == wanted {
                taken.push(Taken { deed: effect.deed, file, owners });
                continue;
            }
            let (deed, wanted) = (effect.deed, resource.clone());
            hits.push(Hit { deed, wanted, by: By::Owners(owners) });
        }
    }

    /// The files in what a command takes that have uncommitted changes of others, with these.
    fn uncommitted_of_others(&self, wanted: &Resource) -> Vec<(UncommittedFile, Vec<Author>)> {
        let Some(recorder) = self.recorder() else { return Vec::new() };
        let family = self.family();
        let is_others = |owner: &Author| !family.contains(&owner.session);
        let mut files = Vec::new();
        for watched in self.unless_failed(recorder.journal.watched()).unwrap_or_default() {
            let resource = watched.resource;
            if resource != *wanted && !wanted.covers(&resource) {
                continue;
            }
            let log = self.unless_failed(recorder.journal.log(&resource)).unwrap_or_default();
            if owners_in(&log).iter().flatten().any(is_others) {
                self.unless_failed(recorder.look(&resource, self.now()));
                files.push(resource);
            }
        }
        if files.is_empty() {
            return Vec::new();
        }
        let found = self.unless_failed(recorder.uncommitted_among(&files, MOST_COMPARED)).unwrap_or_default();
        let with_owners = found.files.into_iter().map(|file| {
            let owners = file.owned.iter().filter_map(|owned| owned.owner.clone()).filter(is_others).collect();
            (file, owners)
        });
        with_owners.filter(|(_, owners): &(_, Vec<Author>)| !owners.is_empty()).collect()
    }

    /// False for a file that git leaves alone here: `git clean` what it tracks, most other sweeps what it does not.
    fn is_reached(&self, effect: &Effect, file: &UncommittedFile) -> bool {
        if !effect.only_changed || effect.deed == Deed::Stage {
            return true;
        }
        if !self.is_there_as(effect.when, file.history.resource()) {
            return false;
        }
        let is_tracked = file.committed.is_some() || self.is_tracked(file.history.resource());
        is_tracked != (effect.deed == Deed::Delete)
    }

    /// True for a file that git tracks.
    fn is_tracked(&self, file: &Resource) -> bool {
        let tracked = || {
            let path = self.namer.path_of(file).filter(|_| file.is_file())?;
            let repository = Repository::containing(path.parent()?).ok().flatten()?;
            let relative = path.strip_prefix(repository.root()).ok()?.to_str()?.replace('\\', "/");
            repository.tracks(&relative).ok()
        };
        tracked().unwrap_or(false)
    }

    /// False for a file that is not as it has to be for a command to do something to it. Where git cannot tell, it is.
    fn is_there_as(&self, when: When, file: &Resource) -> bool {
        let Some(path) = self.namer.path_of(file).filter(|_| when == When::IsStaged && file.is_file()) else {
            return true;
        };
        self.unless_failed(swept::is_staged(&path)).unwrap_or(true)
    }

    /// A named file may be staged and committed with all that is in it. Its other owners are told, and so is the session.
    fn tell_of_taking(&self, taken: &Taken, answer: &mut Answer) -> Result<(), Trouble> {
        let Taken { deed, file, owners } = taken;
        let resource = file.history.resource();
        let names: Vec<String> = owners.iter().map(|owner| quoted(&owner.label, 120)).collect();
        answer.tell(format!(
            "{} has uncommitted changes of {} too, and this command takes them along. They are told. \
             `deconflict commit` commits only yours.",
            resource.in_a_sentence(),
            names.join(" and ")
        ));
        let Some(own) = self.registry.session(&self.own)?.filter(Session::is_live) else { return Ok(()) };
        if *deed == Deed::Stage {
            self.note(&self.own, &[Note::StagedByName { resource: resource.clone() }])?;
        }
        let verb = if *deed == Deed::Commit { "commits" } else { "stages" };
        let newest = file.history.entries().last().map_or("", |entry| entry.id.as_str());
        for owner in owners.iter().filter(|owner| self.is_live(&owner.session).unwrap_or(false)) {
            let draft = Draft {
                subject: format!("{verb} {}", resource.in_a_sentence()),
                message: format!(
                    "{} {verb} {}, in which you have uncommitted changes too.",
                    own.label_for_all(),
                    resource.in_a_sentence()
                ),
                resource: Some(resource.clone()),
                // A repeat is told from it: the same is said once.
                id: Some(format!("{verb}-{newest}-{}-{}", self.own, owner.session)),
                ..Draft::new(MessageKind::Note)
            };
            let recipient = Recipient::Session(owner.session.clone());
            self.unless_failed(self.registry.send(&self.own, &recipient, &draft));
        }
        Ok(())
    }

    /// The agent and its sub-agents.
    pub(super) fn family(&self) -> Vec<SessionId> {
        let sub_agents = self.hook_state(&self.main).sub_agents.clone();
        [self.own.clone(), self.main.clone()].into_iter().chain(sub_agents).collect()
    }

    fn told_as_hit(&self, hits: &[Hit]) -> String {
        let mut text = String::new();
        // Those whom somebody can ask come first; damaged records may be many.
        let has_nobody = |hit: &&Hit| matches!(&hit.by, By::Holder(claim) if claim.holder().is_none());
        let (unknown, known): (Vec<&Hit>, Vec<&Hit>) = hits.iter().partition(has_nobody);
        for hit in known.into_iter().chain(unknown).take(MOST_NAMED) {
            let whose = match &hit.by {
                By::Holder(claim) => self.told_as_held(claim, &hit.wanted),
                By::Owners(owners) => {
                    let whose: Vec<String> = owners.iter().map(|owner| self.owner_told(owner)).collect();
                    format!("It has uncommitted changes of {}.", whose.join(" and "))
                }
            };
            let deed = format!("It would {} {}.", hit.deed.words(), hit.wanted.in_a_sentence());
            text.push_str(&format!("{deed} {whose}\n"));
        }
        if hits.len() > MOST_NAMED {
            text.push_str(&format!("And {} more.\n", hits.len() - MOST_NAMED));
        }
        let is_sweeping = hits.iter().any(|hit| matches!(hit.deed, Deed::Stage | Deed::Commit | Deed::Stash));
        if is_sweeping {
            text.push_str("Name the files that you changed yourself instead of taking everything.\n");
        }
        if hits.iter().any(|hit| matches!(hit.deed, Deed::Stage | Deed::Commit)) {
            text.push_str(&format!("{COMMIT_OWN}\n"));
        }
        match hits.first().map(|hit| (&hit.by, &hit.wanted)) {
            Some((By::Holder(_), _)) => {
                let held =
                    hits.iter().filter_map(|hit| if let By::Holder(claim) = &hit.by { Some(claim) } else { None });
                text.push_str(&self.advice_on(held).unwrap_or_default());
            }
            Some((By::Owners(owners), wanted)) => text.push_str(&self.advice_on_owned(owners, wanted)),
            None => {}
        }
        text
    }

    fn owner_told(&self, owner: &Author) -> String {
        let session = self.registry.session(&owner.session).ok().flatten();
        session.map_or_else(|| quoted(&owner.label, 120), |session| words::who(Some(&session), &owner.session))
    }

    /// What can be done about others' uncommitted changes.
    fn advice_on_owned(&self, owners: &[Author], wanted: &Resource) -> String {
        let live = owners.iter().find(|owner| self.is_live(&owner.session).unwrap_or(false));
        let ask = match live {
            Some(owner) => format!("Ask: deconflict send {} \"your changes\" \"what you need\"", owner.session),
            None => "Their session is over: ask your user".to_owned(),
        };
        format!(
            "What you can do:\n- {ask}\n- If your user says that these changes are yours now: deconflict claim {}\n\
             `deconflict undo` takes back your own changes alone. Don't do it some other way: that would take somebody's work.",
            self.path_to_type(wanted)
        )
    }
}

/// False for what git does only if it is configured so, and is not.
fn is_meant(effect: &Effect) -> bool {
    let (When::StashesByItself(verb), Target::Repository(folder)) = (effect.when, &effect.target) else {
        return true;
    };
    Repository::containing(folder).is_ok_and(|found| found.is_some_and(|it| stashes_by_itself(&it, verb)))
}
