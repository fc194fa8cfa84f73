//! What lies uncommitted in this clone and nobody holds, as the other clones of the team are told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_changes::UncommittedFile;
use deconflict_protocol::{ClaimRecord, Naming, Resource, SessionId, time, to_bytes};
use deconflict_registry::{Error, Files, Key, Range, Registry, Store, Write};
use deconflict_team::Etcd;
use deconflict_workspace::Repository;

use super::copies::Copies;
use super::names::{Names, tells_of_uncommitted};
use crate::cli::context::Context;

/// Of more files nobody is told: a formatter may have gone over all of them.
const MOST: usize = 200;

/// So many records are written at once.
const AT_ONCE: usize = 50;

/// It is looked for again after so long, since nothing tells of a commit.
const LOOK: Duration = Duration::from_secs(10);

/// And not sooner than this, however much changes.
const PAUSE: Duration = Duration::from_secs(1);

/// What nobody looks after any more is told for so long at least: the work lies there still, over a night too.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// A record has a holder, and these are nobody's claims.
const HOLDER: &str = "uncommitted";

/// The records that tell of it in the team's registry.
pub(super) struct UncommittedWork<'a> {
    context: &'a Context,
    here: &'a Registry<Files>,
    team: &'a Registry<Etcd>,
    /// By their keys; `None` before what an earlier process left is known.
    there: Option<BTreeMap<Key, Vec<u8>>>,
    looked: Option<Instant>,
}

impl<'a> UncommittedWork<'a> {
    pub(super) fn new(context: &'a Context, here: &'a Registry<Files>, team: &'a Registry<Etcd>) -> Self {
        Self { context, here, team, there: None, looked: None }
    }

    /// What stands there is not known any more.
    pub(super) fn forget(&mut self) {
        self.there = None;
        self.looked = None;
    }

    /// How long it need not be looked at again; nothing if it is due.
    pub(super) fn due_in(&self, has_changed: bool) -> Duration {
        let pause = if has_changed { PAUSE } else { LOOK };
        self.looked.map_or(Duration::ZERO, |looked| pause.saturating_sub(looked.elapsed()))
    }

    /// Tells it as it is now. Of what is claimed the claim tells.
    pub(super) fn bring_up_to_date(&mut self, names: &Names, claims: &Copies<'_, Files, Etcd>) -> Result<(), Error> {
        let mut there = match self.there.take() {
            Some(there) => there,
            None => self.left_there(names)?,
        };
        let wanted: BTreeMap<Key, Vec<u8>> =
            self.lying_here(names, &there).into_iter().filter(|(key, _)| !claims.contains(key)).collect();
        let news = wanted.iter().filter(|(key, bytes)| there.get(key) != Some(bytes));
        let mut writes: Vec<Write> =
            news.map(|(key, bytes)| Write::Put { key: key.clone(), bytes: bytes.clone(), is_new: false }).collect();
        let gone = there.keys().filter(|key| !wanted.contains_key(key) && !claims.contains(key));
        writes.extend(gone.cloned().map(Write::Delete));
        let mut written = Ok(());
        for some in writes.chunks(AT_ONCE) {
            written = self
                .team
                .store()
                .commit(&mut |tx| {
                    for write in some {
                        tx.write(write.clone());
                    }
                    Ok(())
                })
                .map(drop);
            if written.is_err() {
                break;
            }
        }
        // What may not have been written is written again.
        if written.is_ok() {
            there = wanted;
            self.looked = Some(Instant::now());
        }
        self.there = Some(there);
        written
    }

    /// What an earlier process left.
    fn left_there(&self, names: &Names) -> Result<BTreeMap<Key, Vec<u8>>, Error> {
        let reader = self.team.store().reader()?;
        let mut left = BTreeMap::new();
        for key in reader.scan(&[Range::all_claims()])? {
            if let Some(found) = reader.get(&key)?
                && tells_of_uncommitted(&key, &found.bytes)
                && names.is_about_here(&key, &found.bytes)
            {
                left.insert(key, found.bytes);
            }
        }
        Ok(left)
    }

    /// The records of what lies here. What is told already keeps its end for a while.
    fn lying_here(&self, names: &Names, there: &BTreeMap<Key, Vec<u8>>) -> BTreeMap<Key, Vec<u8>> {
        let now = self.here.clock().now();
        // A journal that cannot be read keeps nobody from sharing the rest.
        let found =
            self.context.recording().ok().and_then(|recording| recording.recorder().uncommitted_files(MOST, now).ok());
        let files = found.unwrap_or_default().files;
        let mut branches = BTreeMap::new();
        let mut records = BTreeMap::new();
        for file in &files {
            let worktree = file.history.resource().worktree().map(str::to_owned);
            let branch =
                branches.entry(worktree.clone()).or_insert_with(|| self.branch_of(worktree.as_deref())).clone();
            let Some((among_all, record)) = record(names, file, branch) else { continue };
            let key = Key::Claim(Naming { ignores_case: false }.key(&among_all));
            let lasting = there.get(&key).and_then(|bytes| ClaimRecord::read(bytes).ok());
            let end = lasting.and_then(|known| known.expires_at).and_then(|end| time::parse(&end));
            let end = end.filter(|end| *end > now + KEPT).unwrap_or_else(|| now + KEPT + KEPT / 2);
            let record = ClaimRecord { expires_at: Some(time::format(end)), ..record };
            records.extend(to_bytes(&record).ok().map(|bytes| (key, bytes)));
        }
        records
    }

    fn branch_of(&self, worktree: Option<&str>) -> Option<String> {
        let repository = self.context.location().ok()?.repository.as_ref()?;
        let root = match worktree {
            Some(worktree) => repository.root_of_worktree(worktree)?,
            None => repository.main_root().to_owned(),
        };
        Repository::at(&root).ok()??.branch()
    }
}

/// What is told of one file, and what that is called among all.
fn record(names: &Names, file: &UncommittedFile, branch: Option<String>) -> Option<(Resource, ClaimRecord)> {
    let among_all = names.among_all(file.history.resource())?;
    let owners: Vec<_> = file.owned.iter().filter_map(|owned| owned.owner.as_ref()).collect();
    let newest = file.history.entries().iter().rev().find(|entry| entry.author.is_some())?;
    let labels: BTreeSet<&str> = owners.iter().map(|owner| owner.label.as_str()).collect();
    let at: DateTime<Utc> = newest.at;
    Some((
        among_all.clone(),
        ClaimRecord {
            // Who ends releases what is theirs, and this stays.
            claimed_by: SessionId::new(HOLDER).ok().map(|nobody| names.in_team(&nobody)),
            claimed_at: Some(time::format(at)),
            resource_type: Some(among_all.resource_type().to_string()),
            resource_name: Some(among_all.name().to_owned()),
            uncommitted_of: Some(labels.into_iter().collect::<Vec<_>>().join(" and ")),
            branch,
            ..ClaimRecord::default()
        },
    ))
}
