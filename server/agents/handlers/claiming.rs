//! Claiming a tool's files in one directory.

use std::path::{Path, PathBuf};

use super::context::{SessionContext, Trouble, distinct};
use crate::answer::Answer;
use crate::event::EventKind;
use crate::file_state::{has_changed, state_of, written_at};
use crate::hook_state::{HookState, Note};
use crate::surroundings::UnsurePolicy;
use crate::words;
use deconflict_changes::{TeamAnswer, TeamClaimant, author_of, beside_in_words};
use deconflict_protocol::Resource;
use deconflict_registry::{self as registry, Claim, ClaimAllOutcome, Granted, Holding, Predecessor, Session, Terms};
use deconflict_words::{COMMIT_OWN, ask_command};
use deconflict_workspace::{Exclusions, Kind, NamingError, Repository};

/// So many files are named in a refusal.
pub(super) const MOST_NAMED: usize = 10;

/// So many other holders can be asked by a line of it.
const MOST_ASKED: usize = 3;

/// What an edit means to a file.
pub(super) enum EditTarget {
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
pub(super) struct Sorted {
    pub(super) claimed: Vec<Resource>,
    respected: Vec<Resource>,
    pub(super) outside: Vec<PathBuf>,
}

/// What came of claiming a tool's files in one directory.
#[derive(Default)]
pub(super) struct Claimed {
    pub(super) answer: Answer,
    /// What the session holds now and didn't before.
    pub(super) new: Vec<Holding>,
}

impl<R> SessionContext<'_, R> {
    pub(super) fn sort(&self, paths: &[PathBuf]) -> Result<Sorted, Trouble> {
        let mut sorted = Sorted::default();
        for path in distinct(paths) {
            let (list, resource) = match self.place(path)? {
                EditTarget::Claimed(resource) => (&mut sorted.claimed, resource),
                EditTarget::OnlyRespected(resource) => (&mut sorted.respected, resource),
                EditTarget::Outside => {
                    sorted.outside.push(path.clone());
                    continue;
                }
                EditTarget::Internal => continue,
            };
            if !list.contains(&resource) {
                list.push(resource);
            }
        }
        Ok(sorted)
    }

    pub(super) fn place(&self, path: &Path) -> Result<EditTarget, Trouble> {
        let located = match self.namer.locate(path, Kind::File) {
            Ok(located) => located,
            // A tool that takes a directory for a file fails by itself; one that deletes directories means it.
            Err(NamingError::IsDirectory { .. }) => return Ok(self.directory(path)),
            Err(NamingError::Outside { .. }) => return Ok(EditTarget::Outside),
            Err(error) => return Err(error.into()),
        };
        let resource = located.resource;
        if self.namer.is_internal(&resource) {
            return Ok(EditTarget::Internal);
        }
        Ok(if self.is_excluded(&resource) || self.ignored.is_ignored(&located.path) {
            EditTarget::OnlyRespected(resource)
        } else {
            EditTarget::Claimed(resource)
        })
    }

    /// True for a file that is never claimed by itself, as the user says for all programs.
    pub(super) fn is_excluded(&self, resource: &Resource) -> bool {
        let said = self.journal.as_ref().and_then(|journal| journal.user_settings().claims_exclude.as_ref());
        match said.and_then(|globs| Exclusions::new(globs)) {
            Some(exclusions) => exclusions.contains(Path::new(resource.relative())),
            None => Exclusions::is_default_name(resource.relative()),
        }
    }

    fn directory(&self, path: &Path) -> EditTarget {
        match self.namer.resource(path, Kind::Directory) {
            Ok(resource) if !self.namer.is_internal(&resource) => EditTarget::OnlyRespected(resource),
            _ => EditTarget::Internal,
        }
    }
}

impl SessionContext<'_> {
    /// Claims files, or refuses the edit.
    pub(super) fn claim(&self, files: &Sorted) -> Result<Claimed, Trouble> {
        let mut new = Vec::new();
        if let Some(answer) = self.respect(&files.respected)? {
            return Ok(Claimed { answer, new });
        }
        if files.claimed.is_empty() {
            self.keep(&files.respected);
            return Ok(Claimed::default());
        }
        let answer = match self.claim_for_edit(&files.claimed, &mut new) {
            // Nothing can be claimed; what others hold can be told all the same.
            Err(Trouble::Registry(error @ (registry::Error::ReadOnly { .. } | registry::Error::Busy { .. }))) => {
                self.respect(&files.claimed)?.ok_or(error)?
            }
            answer => answer?,
        };
        if answer.refusal.is_none() {
            self.inherit_work(&files.claimed);
            self.keep(&files.claimed);
            self.keep(&files.respected);
        }
        Ok(Claimed { answer, new })
    }

    /// Claims these, and adds what the session had not held before to `new`.
    fn claim_for_edit(&self, wanted: &[Resource], new: &mut Vec<Holding>) -> Result<Answer, Trouble> {
        let session = self.take_part()?;
        self.work_on(&session);
        let terms = self.terms(&session);
        let claim = || self.registry.claim_all(&self.own, self.predecessor().map(Predecessor::Always), wanted, &terms);
        let mut outcome = claim()?;
        if let ClaimAllOutcome::Refused(obstacles) = &outcome
            && self.editor_gives_way(&session, obstacles)?
        {
            outcome = claim()?;
        }
        let granted = match outcome {
            ClaimAllOutcome::Granted(granted) => granted,
            ClaimAllOutcome::Refused(obstacles) => {
                let obstacles: Vec<_> = obstacles.into_iter().map(|it| (it.wanted, it.by)).collect();
                return Ok(self.refuse_edit(&obstacles));
            }
        };
        let mut by_team = Answer::default();
        if let Some(refusal) = self.ask_team(&session, &granted, &terms, &mut by_team)? {
            return Ok(refusal);
        }
        let state = self.hook_state(&self.own);
        // A command finds out by itself what stands in a file.
        let is_command = matches!(self.event.kind, EventKind::BeforeCommand { .. });
        if !is_command && let Some(answer) = self.refuse_if_changed(&state, &granted)? {
            return Ok(answer);
        }
        let is_news = |one: &&Granted| !state.has_claimed(&one.claim.resource);
        // What was claimed by hand keeps the terms of the hand.
        let by_edit = granted.iter().filter(|one| one.claim.is_automatic()).filter(is_news);
        let mut notes: Vec<Note> = by_edit.map(|one| Note::Claimed { resource: one.claim.resource.clone() }).collect();
        let at = self.now();
        notes.extend(wanted.iter().map(|resource| Note::EditBegan { resource: resource.clone(), at }));
        self.note(&self.own, &notes)?;
        let mut answer = by_team;
        for before in granted.iter().filter_map(|one| one.took_over.as_ref()) {
            answer.tell(words::taken_over(before, self.holder(before).as_ref()));
        }
        for one in granted.iter().filter(|one| one.is_new) {
            self.tell_of_other_worktrees(&one.claim.resource, &mut answer);
            self.tell_of_others_beside(&session, &one.claim.resource, &mut answer);
            new.extend(one.claim.holding());
        }
        Ok(answer)
    }

    /// Asks the team about those files that cannot be merged, and returns the refusal if others have one of them. Where it
    /// cannot be asked, that is never silent, and the policy decides.
    fn ask_team(
        &self,
        session: &Session,
        granted: &[Granted],
        terms: &Terms,
        answer: &mut Answer,
    ) -> Result<Option<Answer>, Trouble> {
        let is_asked_for = |one: &&Granted| one.is_new || one.claim.record.unconfirmed == Some(true);
        let files: Vec<Resource> = granted.iter().filter(is_asked_for).map(|one| one.claim.resource.clone()).collect();
        let claimant = TeamClaimant { location: &self.location, session, predecessor: self.predecessor(), terms };
        let refusal = match self.surroundings.team.claim(claimant, &files) {
            TeamAnswer::Free => return Ok(None),
            TeamAnswer::Refused(reason) => format!("{reason} Nothing was changed."),
            TeamAnswer::Unknown(reason) => {
                let told = format!("deconflict could not tell whether somebody else in the team holds this: {reason}");
                if self.surroundings.policy.when_unsure == UnsurePolicy::Allow {
                    let goes_on = "Yours is claimed in this clone only, and its push waits for the team.";
                    answer.add(Answer::warning(format!("{told} {goes_on}")));
                    return Ok(None);
                }
                format!("{told} It is set to refuse then, so nothing was changed.")
            }
        };
        for holding in granted.iter().filter(|one| one.is_new).filter_map(|one| one.claim.holding()) {
            self.registry.release_holding(&holding)?;
        }
        Ok(Some(Answer::refuse(refusal)))
    }

    /// On which terms an edit claims.
    pub(super) fn terms(&self, session: &Session) -> Terms {
        let repository = self.location.repository.as_ref();
        Terms {
            lease: self.lease,
            automatic: true,
            branch: repository.and_then(Repository::branch),
            worktree: session.record.worktree.clone(),
            ..Terms::default()
        }
    }

    /// Refuses once where somebody else changed a file since the session last looked at it: a claim that begins now
    /// protects from what comes, not from what came before it.
    fn refuse_if_changed(&self, state: &HookState, granted: &[Granted]) -> Result<Option<Answer>, Trouble> {
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
            self.registry.release_holding(&holding)?;
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
        self.note(&self.own, &notes)?;
        lines.push(
            "Read it again and fit your edit to what is there now; your next attempt will go through. Nothing was changed."
                .to_owned(),
        );
        Ok(Some(Answer::refuse(lines.join("\n"))))
    }

    /// Refuses if others hold some of these.
    fn respect<'r>(&self, wanted: impl IntoIterator<Item = &'r Resource>) -> Result<Option<Answer>, Trouble> {
        let mut obstacles = Vec::new();
        for wanted in wanted {
            obstacles.extend(self.obstacle(wanted)?.map(|claim| (wanted.clone(), claim)));
        }
        Ok((!obstacles.is_empty()).then(|| self.refuse_edit(&obstacles)))
    }

    fn refuse_edit(&self, obstacles: &[(Resource, Claim)]) -> Answer {
        let mut lines = vec!["Another session holds this, so nothing was changed.".to_owned()];
        for (wanted, claim) in obstacles.iter().take(MOST_NAMED) {
            let line = self.told_as_held(claim, wanted);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if obstacles.len() > MOST_NAMED {
            lines.push(format!("And {} more.", obstacles.len() - MOST_NAMED));
        }
        lines.extend(self.advice_on(obstacles.iter().map(|(_, claim)| claim)));
        if obstacles.len() > 1 {
            lines.push("None of the files was claimed.".to_owned());
        }
        Answer::refuse(lines.join("\n"))
    }

    /// What can be done about what others hold, with one way to ask each of them.
    pub(super) fn advice_on<'c>(&self, claims: impl Iterator<Item = &'c Claim>) -> Option<String> {
        let mut first_of_each: Vec<&Claim> = Vec::new();
        for claim in claims {
            if !first_of_each.iter().any(|known| known.holder() == claim.holder()) {
                first_of_each.push(claim);
            }
        }
        let (first, others) = first_of_each.split_first()?;
        let ask = |claim: &&&Claim| ask_command(claim, self.holder(claim).as_ref());
        let asks = others.iter().take(MOST_ASKED).filter_map(|claim| ask(&claim));
        let lines: Vec<String> =
            [self.advice(first)].into_iter().chain(asks.map(|ask| self.as_typed(format!("Ask too: {ask}")))).collect();
        Some(lines.join("\n"))
    }

    /// Others' uncommitted changes keep nobody from editing, but are worth a word, once.
    fn tell_of_others_beside(&self, session: &Session, resource: &Resource, answer: &mut Answer) {
        let Some(recorder) = self.recorder() else { return };
        let beside = recorder.others_beside(&author_of(session), &self.family(), resource, self.now());
        let beside = self.unless_failed(beside);
        if let Some(owners) = beside.filter(|owners| !owners.is_empty()) {
            answer.tell(format!(
                "{} Leave them as they are where they are none of your task. {COMMIT_OWN}",
                beside_in_words(resource, &owners)
            ));
        }
    }

    /// Claims of one path in several worktrees don't exclude each other, but a merge may conflict.
    fn tell_of_other_worktrees(&self, resource: &Resource, answer: &mut Answer) {
        let Some(repository) = &self.location.repository else { return };
        for other in self.namer.same_path_elsewhere(repository, resource) {
            let Ok(Some(claim)) = self.registry.claim_of(&other) else { continue };
            if !self.stands_against(&claim) && claim.uncommitted_of().is_none() {
                continue;
            }
            answer.tell(format!(
                "{} It is the same path in another {}, so you may edit yours; a merge may conflict.",
                self.told_as_held(&claim, &other),
                other.place().map_or("worktree", |(kind, _)| kind)
            ));
        }
    }
}
