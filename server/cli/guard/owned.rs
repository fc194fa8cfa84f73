//! Whose uncommitted changes a commit or a stash has (protocol page, "Uncommitted changes have owners").

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deconflict_changes::{FileHistory, Owned};
use deconflict_journal::Author;
use deconflict_protocol::text::one_line;
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Draft, Recipient, Registry};
use deconflict_workspace::commits::PathChange;
use deconflict_workspace::swept;

use super::committer::Committer;
use super::finding::OwnedChanges;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Finds what these changes, by what they are called, have of others.
pub(super) fn of_others(
    changes: &[PathChange],
    named: &[Option<Resource>],
    root: &Path,
    context: &Context,
    registry: &Registry,
    committer: &Committer,
) -> Result<Vec<OwnedChanges>, Failure> {
    let recording = context.recording()?;
    let recorder = recording.recorder();
    let files: Vec<(&PathChange, &Resource)> = changes
        .iter()
        .zip(named)
        .filter_map(|(change, name)| Some((change, name.as_ref().filter(|name| name.is_file())?)))
        .collect();
    let resources: Vec<&Resource> = files.iter().map(|(_, file)| *file).collect();
    let are_own = recording.journal.are_of(&resources, &committer.session_ids())?;
    let looked_at: Vec<&(&PathChange, &Resource)> =
        files.iter().zip(are_own).filter_map(|(file, is_own)| (!is_own).then_some(file)).collect();
    for (_, file) in &looked_at {
        recorder.look(file, context.now())?;
    }
    let mut histories = Vec::new();
    for (change, file) in looked_at {
        let history = FileHistory::read(&recording.journal, file)?;
        histories.extend(history.filter(|history| history.has_changes_of(&|_| true)).map(|history| (*change, history)));
    }
    let in_head =
        recorder.committed_of_each(&histories.iter().map(|(_, history)| history).collect::<Vec<_>>(), "HEAD")?;
    let staged = swept::contents(root, &histories.iter().map(|(change, _)| *change).collect::<Vec<_>>())?;
    let mut found = Vec::new();
    for (((change, history), before), staged) in histories.iter().zip(in_head).zip(staged) {
        let Some(staged) = staged else { continue };
        // What stands in the file may be more than that, or less.
        let staged = history.as_it_would_stand(staged);
        let before = before.unwrap_or_default();
        let owned = history.owned(&history.uncommitted_in(&staged, &before));
        let owners: Vec<&Author> = owned.iter().filter_map(|owned| owned.owner.as_ref()).collect();
        let (own, others): (Vec<&Author>, Vec<&Author>) =
            owners.into_iter().partition(|owner| committer.owns_changes(owner, registry));
        let is_shared = !own.is_empty();
        let of = |owner: &Author| OwnedChanges { path: change.path.clone(), owner: owner.clone(), is_shared };
        found.extend(others.into_iter().map(of));
    }
    Ok(found)
}

/// Keeps what was not staged by its own name. Git does not say how something was staged. An agent's hook saw it; else where
/// all that is changed in a folder is staged, and that is more than the file, the folder was, if in it is something that
/// the committer has no part in: nobody names what is none of theirs.
pub(super) fn swept(
    mut found: Vec<OwnedChanges>,
    staged: &[PathChange],
    root: &Path,
    is_staged_by_name: impl Fn(&PathChange) -> bool,
) -> Result<(Vec<OwnedChanges>, Vec<OwnedChanges>), Failure> {
    let mut named: Vec<OwnedChanges> = Vec::new();
    for change in staged {
        let is_found = found.iter().any(|owned| owned.path == change.path);
        if is_found && is_staged_by_name(change) {
            named.extend(found.extract_if(.., |owned| owned.path == change.path));
        }
    }
    if found.iter().all(|owned| owned.is_shared) {
        named.append(&mut found);
        return Ok((found, named));
    }
    let unstaged = swept::unstaged(root)?;
    let staged: BTreeSet<&Path> = staged.iter().map(|change| change.path.as_path()).collect();
    let is_swept = |path: &Path| {
        path.ancestors().skip(1).any(|folder| {
            let has_rest = unstaged.iter().any(|path| path.starts_with(folder));
            !has_rest && staged.iter().filter(|path| path.starts_with(folder)).count() > 1
        })
    };
    named.extend(found.extract_if(.., |owned| !is_swept(&owned.path)));
    Ok((found, named))
}

/// Tells those whose uncommitted changes somebody else has just committed, once.
pub(super) fn tell_owners(
    files: &[Resource],
    commit: &str,
    context: &Context,
    registry: &Registry,
    committer: &Committer,
) -> Result<(), Failure> {
    let recording = context.recording()?;
    let files: Vec<&Resource> = files.iter().filter(|file| file.is_file()).collect();
    let are_own = recording.journal.are_of(&files, &committer.session_ids())?;
    let mut histories = Vec::new();
    for (file, _) in files.into_iter().zip(are_own).filter(|(_, is_own)| !is_own) {
        histories.extend(FileHistory::read(&recording.journal, file)?);
    }
    let all: Vec<&FileHistory> = histories.iter().collect();
    let before = recording.recorder().committed_of_each(&all, &format!("{commit}^"))?;
    let after = recording.recorder().committed_of_each(&all, commit)?;
    let mut told: BTreeMap<SessionId, Vec<&Resource>> = BTreeMap::new();
    for ((history, before), after) in histories.iter().zip(before).zip(after) {
        let shares = |committed: Option<Vec<u8>>| history.owned(&history.uncommitted(&committed.unwrap_or_default()));
        let (before, after) = (shares(before), shares(after));
        for had in before {
            let Some(owner) = had.owner.filter(|owner| !committer.owns_changes(owner, registry)) else { continue };
            let is_same = |has: &&Owned| has.owner.as_ref().is_some_and(|other| other.session == owner.session);
            let left = after.iter().find(is_same).map_or(0, |has| has.added + has.removed);
            if left < had.added + had.removed {
                told.entry(owner.session).or_default().push(history.resource());
            }
        }
    }
    let live = |id: &SessionId| registry.session(id).is_ok_and(|session| session.is_some_and(|it| it.is_live()));
    for (owner, files) in told.into_iter().filter(|(owner, _)| live(owner)) {
        let session = committer.session().filter(|session| session.is_live());
        let by = session.map_or_else(String::new, |session| format!(" by {}", one_line(&session.label_for_all(), 60)));
        let named: Vec<String> = files.iter().take(5).map(|file| file.in_a_sentence()).collect();
        let more = if files.len() > 5 { format!(" and {} more", files.len() - 5) } else { String::new() };
        let short = &commit[..commit.len().min(8)];
        let draft = Draft {
            subject: format!("Your changes were committed{by}"),
            message: format!("Your changes in {}{more} are in the commit {short}{by}.", named.join(", ")),
            id: Some(format!("committed-{commit}-{owner}")),
            resource: files.first().map(|file| (*file).clone()),
            ..Draft::new(MessageKind::Other("committed".to_owned()))
        };
        let from = session.map_or(&owner, |session| &session.id);
        registry.send(from, &Recipient::Session(owner.clone()), &draft)?;
    }
    Ok(())
}

/// Ends what the committer lost in files that they have committed: they have seen what stands there.
pub(super) fn settle_committed(
    files: &[Resource],
    context: &Context,
    registry: &Registry,
    committer: &Committer,
) -> Result<(), Failure> {
    let recording = context.recording()?;
    let is_committer = |owner: &Author| committer.owns_changes(owner, registry);
    recording.recorder().settle_committed(files, &is_committer, context.now())?;
    Ok(())
}
