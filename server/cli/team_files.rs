//! Files that cannot be merged, claimed for a whole team: in one transaction in its registry, under one name for all clones.
//!
//! A session claims in its own clone first, which decides among those that work there, and then here. What it holds here is
//! renewed and released by the process that shares the clone (`team_keeper/exclusive.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use deconflict_changes::{TeamAnswer, TeamClaimant, TeamFiles};
use deconflict_journal::Journal;
use deconflict_platform::clock::SystemClock;
use deconflict_platform::state_directory;
use deconflict_protocol::text::quoted;
use deconflict_protocol::{Naming, Resource, SessionId, SessionRecord, to_bytes};
use deconflict_registry::{Claim, ClaimAllOutcome, Error, Granted, Key, Predecessor, Registry, Store, Terms};
use deconflict_team::{Etcd, LeftContent};
use deconflict_workspace::{Location, Lockable, Namer, Repository, has_version, may_have_team, start_team_helper};

use super::failure::Failure;
use super::team_access;
use super::team_keeper::names::Names;
use super::words;

/// The team of whichever clone somebody claims files in.
#[derive(Debug)]
pub(super) struct TeamOfClone;

impl TeamFiles for TeamOfClone {
    fn claim(&self, claimant: TeamClaimant<'_>, files: &[Resource]) -> TeamAnswer {
        let location = claimant.location;
        if !may_have_team() {
            return TeamAnswer::Free;
        }
        let lockable = Unmergeable::among(location, files);
        if lockable.is_empty() {
            return TeamAnswer::Free;
        }
        let claimed = (|| {
            let Some(settings) = team_access::settings(location, &location.workspace)? else { return Ok(None) };
            let team = team_access::open(&settings, location, Arc::new(SystemClock::new()))?;
            claim(&team, claimant, &lockable).map(Some)
        })();
        match claimed {
            Ok(None) => TeamAnswer::Free,
            Ok(Some(TeamVerdict::Granted)) => {
                start_team_helper(location);
                TeamAnswer::Free
            }
            Ok(Some(TeamVerdict::Refused(reason))) => TeamAnswer::Refused(reason),
            Err(failure) => TeamAnswer::Unknown(failure.message),
        }
    }
}

/// What cannot be merged in a clone: by the attributes there, what the user says for all programs, and what editors add.
pub(super) fn lockable_in(location: &Location) -> Lockable {
    match Journal::of(&location.directory, state_directory().as_deref()) {
        Some(journal) => Lockable::with(&journal.exclusive()),
        None => Lockable::of_user(),
    }
}

/// A file that cannot be merged.
#[derive(Debug, Clone)]
pub(super) struct Unmergeable {
    /// As it is called in its own clone.
    pub(super) own: Resource,
    /// As it is called in all of them.
    pub(super) in_all: Resource,
    /// The worktree that it is in, and its path there.
    pub(super) repository: Repository,
    pub(super) path: String,
}

impl Unmergeable {
    /// Those of some files of a clone.
    pub(super) fn among(location: &Location, files: &[Resource]) -> Vec<Self> {
        if files.is_empty() || location.repository.is_none() {
            return Vec::new();
        }
        let (paths, lockable, names) = (Namer::new(location), lockable_in(location), Names::of(location));
        files.iter().filter_map(|file| Self::of(file, &paths, &lockable, &names)).collect()
    }

    /// The file, if it is one.
    pub(super) fn of(file: &Resource, paths: &Namer, lockable: &Lockable, names: &Names) -> Option<Self> {
        if !file.is_file() || file.clone_of_team().is_some() {
            return None;
        }
        let path = paths.path_of(file)?;
        let repository = Repository::containing(path.ancestors().skip(1).find(|folder| folder.is_dir())?).ok()??;
        if !lockable.is_lockable(&repository, &path) {
            return None;
        }
        let relative = path.strip_prefix(repository.root()).ok()?.to_str()?.replace('\\', "/");
        Some(Self { own: file.clone(), in_all: names.in_all_clones(file)?, repository, path: relative })
    }

    /// Its key in the team's registry.
    pub(super) fn key(&self) -> deconflict_protocol::ClaimKey {
        Naming { ignores_case: false }.key(&self.in_all)
    }

    /// What the last holder left, where that is not here.
    pub(super) fn missing(&self, team: &Registry<Etcd>) -> Result<Option<LeftContent>, Error> {
        let left = team.store().left(&self.key())?;
        // Of what cannot be told nobody is kept from their work.
        let is_here = |left: &LeftContent| has_version(self.repository.root(), &self.path, &left.blob).unwrap_or(true);
        Ok(left.filter(|left| !is_here(left)))
    }
}

/// What came of it.
pub(super) enum TeamVerdict {
    Granted,
    /// Why, and what to do, in sentences.
    Refused(String),
}

/// Claims files that cannot be merged in the team's registry: all of them, or none. By force their last version need not be here.
pub(super) fn claim(
    team: &Registry<Etcd>,
    claimant: TeamClaimant<'_>,
    files: &[Unmergeable],
) -> Result<TeamVerdict, Failure> {
    let names = Names::of(claimant.location);
    let session = claimant.session;
    let id = enter(team, &names, &session.id, session.record.clone())?;
    let predecessor = claimant.predecessor.map(|own| names.in_team(own));
    let wanted: Vec<Resource> = files.iter().map(|file| file.in_all.clone()).collect();
    let (outcome, _) = claim_all(team, &names, &id, predecessor.as_ref(), &wanted, claimant.terms)?;
    let granted = match outcome {
        ClaimAllOutcome::Granted(granted) => granted,
        ClaimAllOutcome::Refused(obstacles) => {
            let told = obstacles.iter().map(|it| refusal(team, &it.by)).collect::<Result<BTreeSet<_>, _>>()?;
            return Ok(TeamVerdict::Refused(told.into_iter().collect::<Vec<_>>().join(" ")));
        }
    };
    let mut told = Vec::new();
    for file in files.iter().filter(|_| !claimant.terms.force) {
        told.extend(file.missing(team)?.map(|left| pull_first(&file.own, &left)));
    }
    if told.is_empty() {
        return Ok(TeamVerdict::Granted);
    }
    release(team, &granted)?;
    Ok(TeamVerdict::Refused(told.join(" ")))
}

/// Claims one file that nobody holds for a session that stands in the team, which is about to push it.
pub(super) fn claim_missing(
    team: &Registry<Etcd>,
    names: &Names,
    id: &SessionId,
    file: &Unmergeable,
    terms: &Terms,
) -> Result<TeamVerdict, Failure> {
    let (outcome, _) = claim_all(team, names, id, None, std::slice::from_ref(&file.in_all), terms)?;
    let granted = match outcome {
        ClaimAllOutcome::Granted(granted) => granted,
        ClaimAllOutcome::Refused(obstacles) => {
            let told = obstacles.first().map(|it| refusal(team, &it.by)).transpose()?;
            return Ok(TeamVerdict::Refused(told.unwrap_or_default()));
        }
    };
    let Some(left) = file.missing(team)? else { return Ok(TeamVerdict::Granted) };
    release(team, &granted)?;
    Ok(TeamVerdict::Refused(pull_first(&file.own, &left)))
}

/// Claims in the team what was granted in the clone. What another session of the clone had there in the same worktree it has no
/// more: then it is passed on, which is the second that is returned.
pub(super) fn claim_all(
    team: &Registry<Etcd>,
    names: &Names,
    id: &SessionId,
    predecessor: Option<&SessionId>,
    wanted: &[Resource],
    terms: &Terms,
) -> Result<(ClaimAllOutcome, bool), Error> {
    let terms = Terms { in_clone: Some(names.called().to_owned()), process: None, ..terms.clone() };
    let claim = |predecessor| team.claim_all(id, predecessor, wanted, &terms);
    let outcome = claim(predecessor.map(Predecessor::Always))?;
    let ClaimAllOutcome::Refused(obstacles) = &outcome else { return Ok((outcome, false)) };
    let in_the_way = obstacles.first().filter(|it| it.by.record.worktree == terms.worktree).map(|it| &it.by);
    let holder = in_the_way.and_then(Claim::holder).map(|holder| team.session(holder)).transpose()?.flatten();
    match holder.filter(|holder| names.has_session(&holder.record)) {
        Some(holder) => Ok((claim(Some(Predecessor::Always(&holder.id)))?, true)),
        None => Ok((outcome, false)),
    }
}

fn release(team: &Registry<Etcd>, granted: &[Granted]) -> Result<(), Error> {
    for holding in granted.iter().filter_map(|one| one.claim.holding()) {
        team.release_holding(&holding)?;
    }
    Ok(())
}

/// Sees to it that a session of this clone stands in the team's registry, and says what it is called there.
pub(super) fn enter(
    team: &Registry<Etcd>,
    names: &Names,
    own: &SessionId,
    record: SessionRecord,
) -> Result<SessionId, Error> {
    let id = names.in_team(own);
    if team.session(&id)?.is_none_or(|known| !known.is_live())
        && let Ok(bytes) = to_bytes(&names.session(own, record))
    {
        team.store().commit(&mut |tx| {
            tx.put(Key::Session(id.clone()), bytes.clone());
            Ok(())
        })?;
    }
    Ok(id)
}

/// Who has it, and where.
fn refusal(team: &Registry<Etcd>, by: &Claim) -> Result<String, Error> {
    let holder = by.holder().map(|holder| team.session(holder)).transpose()?.flatten();
    let told = words::held(by, holder.as_ref(), &by.resource, Utc::now());
    Ok(format!("{told} It cannot be merged, so one session of the whole team changes it at a time."))
}

/// That a version of a file is missing here, and who has it.
pub(super) fn pull_first(file: &Resource, left: &LeftContent) -> String {
    let at = deconflict_protocol::time::parse(&left.at);
    let when = at.map_or_else(String::new, |at| format!(", {}", words::moment(at, Utc::now())));
    format!(
        "{} cannot be merged, and what {} left in the clone {}{when} is not here. Pull first: git pull. To edit it all the same: deconflict claim --force {}",
        file.in_a_sentence(),
        quoted(&left.by, words::PHRASE),
        quoted(&left.clone, words::PHRASE),
        deconflict_protocol::text::path_word(file.relative()),
    )
}
