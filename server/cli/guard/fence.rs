//! The fence at the remote: a push that changes files that cannot be merged says so under their holder's claim in the team,
//! and the remote takes it only if that very claim still stands.
//!
//! So a holder that was stopped past the end of its claim writes nothing over its successor's work, whatever it believed.

use std::path::Path;

use chrono::TimeDelta;
use deconflict_protocol::text::quoted;
use deconflict_protocol::{ClaimKey, Naming, Resource, SessionId, SessionRecord};
use deconflict_registry::{Claim, Registry, Terms};
use deconflict_team::{Etcd, NotAdmitted};
use deconflict_workspace::commits::{self, PushedRef};
use deconflict_workspace::{Kind, Lockable};
use serde_json::json;

use crate::cli::context::{Context, standard_input};
use crate::cli::failure::{Exit, Failure};
use crate::cli::identity;
use crate::cli::team_files::{TeamVerdict, Unmergeable, claim_missing, enter, lockable_in};
use crate::cli::team_keeper::names::Names;
use crate::cli::words;

/// What nobody holds is held by whoever pushes it for so long: nothing tells when a push is over.
const WHILE_PUSHED: TimeDelta = TimeDelta::minutes(2);

/// Far more than git writes for any push, in bytes.
const LONGEST_LIST: u64 = 64 << 20;

/// Says in the team what a push changes that cannot be merged. Returns why the push has to wait, if it has to.
pub(super) fn name_push(context: &Context, refs: &[PushedRef]) -> Result<Option<String>, Failure> {
    // Without a team git is asked nothing more.
    if context.team_settings()?.is_none() {
        return Ok(None);
    }
    let root = commits::root_of(context.folder())?;
    let mut pushed: Vec<(&str, Vec<String>)> = Vec::new();
    let lockable = lockable_in(context.location()?);
    for commit in refs.iter().filter_map(|pushed| pushed.local.as_deref()) {
        let changed = commits::unpublished_paths(&root, commit, refs)?;
        pushed.push((commit, lockable.among(&root, commit, &changed)?));
    }
    pushed.retain(|(_, files)| !files.is_empty());
    if pushed.is_empty() {
        return Ok(None);
    }
    let waits = |why: &str| {
        let files: Vec<&String> = pushed.iter().flat_map(|(_, files)| files).collect();
        format!("It has {} that cannot be merged, and waits for the team: {why}", words::count(files.len(), "file"))
    };
    let team = match context.team_registry() {
        Ok(team) => team,
        Err(failure) => return Ok(Some(waits(&failure.message))),
    };
    for (commit, files) in &pushed {
        match name_commit(context, &team, &root, commit, files) {
            Ok(None) => {}
            Ok(Some(refusal)) => return Ok(Some(refusal)),
            Err(failure) => return Ok(Some(waits(&failure.message))),
        }
    }
    Ok(None)
}

fn name_commit(
    context: &Context,
    team: &Registry<Etcd>,
    root: &Path,
    commit: &str,
    files: &[String],
) -> Result<Option<String>, Failure> {
    let location = context.location()?;
    let names = Names::of(location);
    let paths = context.namer()?;
    let mut pusher = None;
    for path in files {
        let in_all = Resource::file(path)?;
        let held = team.claim_of(&in_all)?.filter(Claim::is_active);
        let holder = held.as_ref().and_then(Claim::holder).map(|id| team.session(id)).transpose()?.flatten();
        let session = match (held, holder) {
            (Some(_), Some(holder)) if names.has_session(&holder.record) => holder.id,
            (Some(held), holder) => {
                let told = words::held(&held, holder.as_ref(), &in_all, context.now());
                return Ok(Some(format!("{told} It cannot be merged, so its holder pushes first.")));
            }
            (None, _) => {
                let own = match &pusher {
                    Some(own) => own,
                    None => pusher.insert(pushing_session(context, team, &names)?),
                };
                let repository = location.repository.clone();
                let own_name = paths.resource_as_spelled(&root.join(path), Kind::File)?;
                let Some(repository) = repository else { return Ok(None) };
                let file = Unmergeable { own: own_name, in_all: in_all.clone(), repository, path: path.clone() };
                let terms = Terms {
                    lease: WHILE_PUSHED,
                    automatic: true,
                    branch: context.branch()?,
                    worktree: context.worktree()?,
                    ..Terms::default()
                };
                match claim_missing(team, &names, own, &file, &terms)? {
                    TeamVerdict::Granted => own.clone(),
                    TeamVerdict::Refused(reason) => return Ok(Some(reason)),
                }
            }
        };
        let not_held = team.store().name_push(&session, &[key_of(&in_all)], commit)?;
        if !not_held.is_empty() {
            return Ok(Some(format!("{} is another session's by now.", in_all.in_a_sentence())));
        }
    }
    Ok(None)
}

/// The session that pushes, as it stands in the team: the caller's, else one for as long as the push lasts.
fn pushing_session(context: &Context, team: &Registry<Etcd>, names: &Names) -> Result<SessionId, Failure> {
    let registry = context.existing_registry()?;
    let caller = registry.map(|registry| identity::find(context, &registry)).transpose()?.flatten();
    let (own, record) = if let Some(session) = caller {
        (session.id, session.record)
    } else {
        let own = SessionId::new(&format!("push-{}", std::process::id()))?;
        let record = SessionRecord {
            client: Some("terminal".to_owned()),
            person: context.person()?,
            branch: context.branch()?,
            // It ends by itself.
            pid: Some(std::process::id()),
            ..SessionRecord::default()
        };
        (own, record)
    };
    Ok(enter(team, names, &own, record)?)
}

/// `deconflict guard --receive`, a repository's pre-receive hook: takes a push only if what it changes of files that cannot be
/// merged is their holders'.
pub(super) fn receive(context: &Context) -> Result<Exit, Failure> {
    let folder = context.folder();
    let told = standard_input(LONGEST_LIST, "read from git what is received")?;
    let lockable = Lockable::of_user();
    let mut received: Vec<(String, Vec<String>)> = Vec::new();
    for update in commits::received_refs(&told)? {
        let Some(new) = update.local else { continue };
        let changed = commits::received_paths(folder, update.remote.as_deref(), &new)?;
        let mut files = lockable.among(folder, &new, &changed)?;
        // What was lockable until now does not cease to be by the push that changes it.
        if let Some(old) = &update.remote {
            files.extend(lockable.among(folder, old, &changed)?);
        }
        files.sort();
        files.dedup();
        received.push((new, files));
    }
    received.retain(|(_, files)| !files.is_empty());
    if received.is_empty() {
        return Ok(Exit::Done);
    }
    let team = context.team_registry()?;
    let mut refused = Vec::new();
    for (commit, files) in &received {
        let keys = files.iter().map(|file| Ok(key_of(&Resource::file(file)?))).collect::<Result<Vec<_>, Failure>>()?;
        for (key, why) in team.store().admits(&keys, commit)? {
            refused.push(sentence(&team, &key, &why)?);
        }
    }
    if refused.is_empty() {
        return Ok(Exit::Done);
    }
    let message =
        format!("This changes files that cannot be merged, and is not their holder's:\n  {}", refused.join("\n  "));
    Err(Failure::refused("lockable", message)
        .fact("outcome", json!("refused"))
        .advise("Claim them, pull, and push from a clone with the guard: deconflict guard --install"))
}

fn sentence(team: &Registry<Etcd>, key: &ClaimKey, why: &NotAdmitted) -> Result<String, Failure> {
    let file = key.resource(None).in_a_sentence();
    Ok(match why {
        NotAdmitted::NotHeld => format!("{file}: nobody holds it any more who pushes this."),
        NotAdmitted::NotNamed => format!("{file}: whoever holds it did not push this."),
        NotAdmitted::HeldBy(holder) => {
            let session = team.session(holder)?;
            let who = session.map_or_else(|| holder.to_string(), |session| session.label_for_all());
            format!("{file}: {} holds it by now.", quoted(&who, words::PHRASE))
        }
    })
}

fn key_of(in_all: &Resource) -> ClaimKey {
    Naming { ignores_case: false }.key(in_all)
}
