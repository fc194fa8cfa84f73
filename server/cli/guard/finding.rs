//! What a commit or a push has of somebody else, and sorting that out of all claims.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deconflict_journal::Author;
use deconflict_protocol::Resource;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_registry::{Claim, ClaimState, Registry, Session};
use deconflict_words::documents;
use deconflict_workspace::commits::{PathChange, PathChangeKind};
use deconflict_workspace::{Kind, Namer, NamingError};
use serde_json::{Value, json};

use super::committer::Committer;
use crate::cli::failure::Failure;
use crate::cli::held::Holders;
use crate::cli::words;

/// A claim of another session, and what of it is about to be committed or pushed.
#[derive(Debug)]
pub(super) struct HeldChanges {
    pub(super) claim: Claim,
    pub(super) holder: Option<Session>,
    pub(super) changes: Vec<PathChange>,
    /// What the first of these is called.
    pub(super) wanted: Resource,
}

/// All claims that cover something, by what they mean for the committer.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Somebody else is at it.
    pub(super) held: Vec<HeldChanges>,
    /// Somebody else left unsaved changes of it in an editor, long ago.
    pub(super) left_idle: Vec<HeldChanges>,
    /// Whose it is cannot be read.
    pub(super) unreadable: Vec<HeldChanges>,
}

impl HeldChanges {
    /// One sentence for people; a second one where more than one file is meant.
    pub(super) fn sentence(&self, now: DateTime<Utc>) -> String {
        /// More would hide what the sentence is about.
        const MOST: usize = 5;
        let mut sentence = words::held(&self.claim, self.holder.as_ref(), &self.wanted, now);
        let paths: Vec<String> = self.changes.iter().map(|change| quoted(&shown(&change.path), 200)).collect();
        let more = match paths.len() {
            0 | 1 => return sentence,
            few if few <= MOST => String::new(),
            many => format!(" and {} more", many - MOST),
        };
        let listed = paths[..paths.len().min(MOST)].join(", ");
        sentence.push_str(&format!(" That is {}: {listed}{more}.", words::count(paths.len(), "file")));
        sentence
    }

    pub(super) fn document(&self) -> Value {
        let change = |change: &PathChange| {
            let kind = match change.kind {
                PathChangeKind::Added => "added",
                PathChangeKind::Deleted => "deleted",
                PathChangeKind::Changed => "changed",
            };
            json!({"path": change.path.display().to_string(), "change": kind})
        };
        json!({
            "claim": documents::claim(&self.claim, self.holder.as_ref()),
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

/// Somebody else's uncommitted changes in one file.
#[derive(Debug, Clone)]
pub(super) struct OwnedChanges {
    pub(super) path: PathBuf,
    pub(super) owner: Author,
    /// The committer has changed it too.
    pub(super) is_shared: bool,
}

impl OwnedChanges {
    /// One sentence for people.
    pub(super) fn sentence(&self) -> String {
        format!("{} has uncommitted changes of {}.", quoted(&shown(&self.path), 200), one_line(&self.owner.label, 60))
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "path": self.path.display().to_string(),
            "session": self.owner.session.as_str(),
            "label": self.owner.label,
        })
    }
}

/// What is said of a commit, a push or a stash.
#[derive(Debug, Default)]
pub(super) struct CheckResult {
    pub(super) what: &'static str,
    pub(super) checked: usize,
    pub(super) findings: Vec<HeldChanges>,
    /// Others' uncommitted changes in it.
    pub(super) owned: Vec<OwnedChanges>,
    /// What doesn't, but should be known.
    pub(super) warnings: Vec<HeldChanges>,
    /// Others' uncommitted changes in it that may be, because their files were named.
    pub(super) named: Vec<OwnedChanges>,
    /// The coordination directory, if it would be taken away.
    pub(super) taken: Option<PathBuf>,
    /// Why it waits for the team, or is another's in the team.
    pub(super) waits: Option<String>,
    /// What to do about the findings, a line each.
    pub(super) advice: Vec<String>,
}

/// Finds what is held of some changes, by what they are called, and by whom. Returns how many of them can be claimed at all.
pub(super) fn sort(
    changes: &[PathChange],
    named: &[Option<Resource>],
    registry: &Registry,
    committer: &Committer,
) -> Result<(Sorted, usize), Failure> {
    let claimable: Vec<(&PathChange, &Resource)> =
        changes.iter().zip(named).filter_map(|(change, resource)| Some((change, resource.as_ref()?))).collect();
    let resources: Vec<Resource> = claimable.iter().map(|(_, resource)| (*resource).clone()).collect();
    let mut sorted = Sorted::default();
    let mut holders = Holders::new(registry);
    for (claim, positions) in registry.claims_covering(&resources)? {
        let holder = holders.of(&claim);
        if committer.owns(&claim, holder, registry) {
            continue;
        }
        let found = match claim.standing {
            ClaimState::Active => &mut sorted.held,
            ClaimState::Idle => &mut sorted.left_idle,
            ClaimState::Pending | ClaimState::Damaged => &mut sorted.unreadable,
            ClaimState::Uncommitted | ClaimState::Expired | ClaimState::Abandoned => continue,
        };
        let covered = positions.iter().filter_map(|position| claimable.get(*position));
        let changes: Vec<PathChange> = covered.map(|(change, _)| (*change).clone()).collect();
        let holder = holder.cloned();
        let Some(wanted) = positions.first().and_then(|position| resources.get(*position)).cloned() else { continue };
        found.push(HeldChanges { claim, holder, changes, wanted });
    }
    Ok((sorted, claimable.len()))
}

/// What changed paths are called; `None` for what nobody can claim.
pub(super) fn names(changes: &[PathChange], root: &Path, namer: &Namer) -> Vec<Option<Resource>> {
    let paths: Vec<(PathBuf, Kind)> = changes.iter().map(|change| (root.join(&change.path), kind_of(change))).collect();
    let resources = namer.resources_as_spelled(paths.iter().map(|(path, kind)| (path.as_path(), *kind)));
    changes
        .iter()
        .zip(resources)
        .map(|(change, resource)| resource.ok().or_else(|| name(change, root, namer)))
        .collect()
}

/// A submodule is a directory, of which this commit changes nothing that is in it.
fn kind_of(change: &PathChange) -> Kind {
    if change.is_submodule { Kind::Directory } else { Kind::File }
}

/// What a changed path is called; `None` for what nobody can claim.
pub(super) fn name(change: &PathChange, root: &Path, namer: &Namer) -> Option<Resource> {
    match namer.resource_as_spelled(&root.join(&change.path), kind_of(change)) {
        Ok(resource) => Some(resource),
        // What is not Unicode has no name, but the directories above it may be claimed.
        Err(NamingError::NotUtf8 { .. }) => {
            let folder = change.path.ancestors().find(|folder| folder.to_str().is_some())?;
            namer.resource_as_spelled(&root.join(folder), Kind::Directory).ok()
        }
        Err(_) => None,
    }
}

pub(super) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string(), 200)
}

/// Paths as words of a shell's command, from wherever in the worktree it is typed; cut where there are many.
pub(super) fn as_words(paths: &[PathBuf], is_below_root: bool) -> String {
    /// More would push everything else off the screen.
    const MOST: usize = 10;
    let magic = is_below_root.then_some("top");
    let mut line = paths.iter().take(MOST).map(|path| pathspec(path, magic)).collect::<Vec<_>>().join(" ");
    if paths.len() > MOST {
        line.push_str(" …");
    }
    line
}

/// A path as git takes it for exactly this path, as a word of a shell's command.
pub(super) fn pathspec(path: &Path, magic: Option<&str>) -> String {
    let path = path.to_string_lossy();
    let cannot_be_typed = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    if path.contains(cannot_be_typed) {
        // Not every shell has a form for these characters, but git takes another for them.
        let spelled = |c: char| match c {
            char::REPLACEMENT_CHARACTER => "*".to_owned(),
            c if cannot_be_typed(c) => "?".to_owned(),
            '*' | '?' | '[' | '\\' => format!("\\{c}"),
            c => c.to_string(),
        };
        let magic = magic.map_or_else(String::new, |magic| format!("{magic},"));
        return words::shell_word(&format!(":({magic}glob){}", path.chars().map(spelled).collect::<String>()));
    }
    let is_plain = !path.starts_with(':') && !path.contains(['*', '?', '[', '\\']);
    words::shell_word(&match (magic, is_plain) {
        (None, true) => path.into_owned(),
        (None, false) => format!(":(literal){path}"),
        (Some("top"), true) => format!(":/{path}"),
        (Some(magic), true) => format!(":({magic}){path}"),
        (Some(magic), false) => format!(":({magic},literal){path}"),
    })
}
