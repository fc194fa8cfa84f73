//! What git took to another commit under those who hold it by hand, where no hook and no server saw it: git's own log of
//! `HEAD` tells where it was when they claimed it, so that nothing need be kept of what they only hold.

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use deconflict_journal::{Observation, Stamp};
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{MessageKind, Resource};
use deconflict_registry::{Claim, Draft, Recipient, Registry, Session};
use deconflict_workspace::{HeadMove, Kind, Repository, last_commit};

use super::before::befores_in;
use super::people::author_of;
use super::recorder::{slashed, tells_of_changes};
use super::{Error, Lost, Noticed, Recorder, Telling};

/// No more files are looked at at once, and no more moves.
const MOST_FILES: usize = 200;
const MOST_MOVES: usize = 20;

/// Of what is held as a directory no more files are told of.
const MOST_BELOW: usize = 20;

/// What git says of a move is cut after so much.
const LONGEST_MOVE: usize = 120;

impl Recorder<'_> {
    /// Tells whoever holds a file by hand that `HEAD` was moved to a commit which has another text in it.
    pub fn look_at_moves(&self, repository: &Repository, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(registry) = self.present_registry() else { return Ok(()) };
        // Where git's log cannot be read nothing is known.
        let moves = repository.head_moves_since(0).unwrap_or_default();
        if moves.is_empty() {
            return Ok(());
        }
        let watched: HashSet<Resource> = self.journal.watched()?.into_iter().map(|watched| watched.resource).collect();
        let mut names = registry.claimed_names()?;
        names.extend(self.moved_below(registry, repository, &names, &moves)?);
        let untouched = names.into_iter().filter(|resource| resource.is_file() && !watched.contains(resource));
        for resource in untouched.take(MOST_FILES) {
            let Some(path) = self.namer.path_of(&resource) else { continue };
            let Some(path_in_git) = slashed(repository.root(), &path) else { continue };
            let Some(written) = Stamp::of(&path).map(|stamp| stamp.changed_at()) else { continue };
            for claim in registry.claims_on(&resource)?.into_iter().filter(Claim::is_active) {
                let holder = claim.holder().map(|holder| registry.session(holder)).transpose()?.flatten();
                let Some(holder) = holder.filter(|holder| !tells_of_changes(holder)) else { continue };
                let began = began(&claim);
                if written <= began || self.ignored.is_ignored(&path) {
                    continue;
                }
                if let Some(moved) = changing(repository.root(), &path_in_git, &moves, began)? {
                    self.tell_of_move(repository, &moved, (path_in_git.clone(), resource.clone()), &holder, now)?;
                }
            }
        }
        Ok(())
    }

    /// Files below directories that somebody holds of which one commit has another text than another, since they are held.
    fn moved_below(
        &self,
        registry: &Registry,
        repository: &Repository,
        claimed: &[Resource],
        moves: &[HeadMove],
    ) -> Result<Vec<Resource>, Error> {
        let root = repository.root();
        let mut below = Vec::new();
        for directory in claimed.iter().filter(|resource| resource.is_directory()) {
            let claims = registry.claims_on(directory)?.into_iter();
            let own = claims.filter(|claim| claim.resource == *directory && claim.is_active());
            let Some(began) = own.map(|claim| began(&claim)).min() else { continue };
            let is_since = |moved: &&HeadMove| moved.at >= began.trunc_subsecs(0) && !moved.is_no_news();
            let (mut since, newest) = (moves.iter().filter(is_since), moves.iter().rfind(is_since));
            let (Some(first), Some(last)) = (since.next(), newest) else { continue };
            if first.from == last.to {
                continue;
            }
            // The first commit of all came from none.
            let paths = last_commit::between(root, &first.from, &last.to).unwrap_or_default().into_iter();
            let named = paths.filter_map(|path| self.namer.resource_as_spelled(&root.join(path), Kind::File).ok());
            below.extend(named.filter(|file| directory.covers(file)).take(MOST_BELOW));
        }
        Ok(below)
    }

    /// A move that git says the holder made is only noted.
    fn tell_of_move(
        &self,
        repository: &Repository,
        moved: &HeadMove,
        file: (String, Resource),
        holder: &Session,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Some(registry) = self.present_registry() else { return Ok(()) };
        for (resource, before) in befores_in(repository, &moved.from, vec![file])? {
            let seen = self.observe(&resource, Observation { before: Some(before), ..Observation::look(now) })?;
            let Some(entry) = seen else { continue };
            if holder.person().is_some_and(|person| person == moved.by) {
                self.journal.judged(&entry, now)?;
                let draft = Draft {
                    subject: "your worktree's HEAD was moved".to_owned(),
                    message: format!(
                        "{}, which you hold, has changed since HEAD moved: {}. If that was not you, check that your work still fits.",
                        one_line(&resource.in_a_sentence(), 200),
                        quoted(&moved.what, LONGEST_MOVE)
                    ),
                    id: Some(format!("head-{}-{}", entry.id, holder.id)),
                    resource: Some(resource),
                    ..Draft::new(MessageKind::Note)
                };
                registry.send(&holder.id, &Recipient::Session(holder.id.clone()), &draft)?;
                continue;
            }
            let lost = Lost { owner: author_of(holder), held: true, lines: 0, form: false };
            self.journal.lost(&entry, &lost.owner, now)?;
            self.journal.judged(&entry, now)?;
            let noticed = Noticed { entry, lost: vec![lost] };
            Telling { recorder: *self, by: None }.tell(&noticed, now)?;
        }
        Ok(())
    }
}

/// When a claim was made. Its record says whole seconds; as long as it was not written again the file says more.
pub(super) fn began(claim: &Claim) -> DateTime<Utc> {
    let second = TimeDelta::seconds(1);
    if claim.modified - claim.claimed_at < second { claim.modified } else { claim.claimed_at + second }
}

/// The move by which a file that is as committed came to be another one since a time.
fn changing(
    root: &Path,
    path: &str,
    moves: &[HeadMove],
    since: DateTime<Utc>,
) -> Result<Option<HeadMove>, deconflict_workspace::GitError> {
    let second = since.trunc_subsecs(0);
    let mut changing = Vec::new();
    for moved in moves.iter().rev().take_while(|moved| moved.at >= second).take(MOST_MOVES) {
        let named = |commit: &str| last_commit::names(root, commit, &[path]).map(|names| names.get(path).cloned());
        if moved.from != moved.to && named(&moved.from)? != named(&moved.to)? {
            changing.push(moved);
        }
    }
    // Git tells whole seconds: what was moved just before the claim is not meant, if there is another one.
    while changing.len() > 1 && changing.last().is_some_and(|oldest| oldest.at == second) {
        changing.pop();
    }
    let oldest = changing.pop().cloned();
    let Some(oldest) = oldest else { return Ok(None) };
    let named = |commit: &str| last_commit::names(root, commit, &[path]).map(|names| names.get(path).cloned());
    Ok((named(&oldest.from)? != named("HEAD")?).then_some(oldest))
}
