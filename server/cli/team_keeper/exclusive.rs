//! Files that cannot be merged: what is held of them here is held in the whole team, and the reverse.
//!
//! Whoever claims one by a hook or in a terminal has asked the team already; what is claimed in an editor, or while the team
//! could not be asked, is claimed there now. Others' claims are copied to where such files of this clone are claimed, so that
//! they stand in everybody's way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::{
    ClaimRecord, MessageRecord, Naming, Resource, SessionId, SessionRecord, lease_end, time, to_bytes,
};
use deconflict_registry::{
    Claim, ClaimAllOutcome, Error, Files, Key, Range, Reader, Registry, Series, Store, Terms, Write,
};
use deconflict_team::{Etcd, LeftContent};
use deconflict_workspace::{Location, Lockable, Namer, version_now};

use super::copies::Due;
use super::names::Names;
use crate::cli::team_files::{Unmergeable, claim_all, lockable_in, pull_first};

/// A claim is renewed in the team when it would last so much longer there.
const WORTH_RENEWING: TimeDelta = TimeDelta::minutes(1);

/// What a session of this clone holds in the team.
struct HeldInTeam {
    file: Unmergeable,
    /// As it is called here.
    own: SessionId,
    /// As it is called in the team.
    session: SessionId,
    /// What people call it.
    label: String,
    /// What stood in the file when it was claimed there by this process.
    before: Option<String>,
}

/// Another clone's claim that stands here too.
struct CopyOf {
    /// Its key in the team.
    key: Key,
    /// Until when it lasts as far as is known.
    lasts_until: DateTime<Utc>,
}

/// Both registries' claims of files that cannot be merged.
pub(super) struct ExclusiveFiles<'a> {
    here: &'a Registry<Files>,
    team: &'a Registry<Etcd>,
    location: &'a Location,
    namer: Namer,
    lockable: Lockable,
    names: Names,
    /// By the keys of the claims here.
    held: BTreeMap<Key, HeldInTeam>,
    /// The copies of others' claims here.
    copies: BTreeMap<Key, CopyOf>,
}

impl<'a> ExclusiveFiles<'a> {
    pub(super) fn new(here: &'a Registry<Files>, team: &'a Registry<Etcd>, location: &'a Location) -> Self {
        Self {
            here,
            team,
            location,
            namer: Namer::new(location),
            lockable: lockable_in(location),
            names: Names::of(location),
            held: BTreeMap::new(),
            copies: BTreeMap::new(),
        }
    }

    pub(super) fn bring_up_to_date(&mut self, here: &Due, there: &Due) -> Result<(), Error> {
        if !here.is_empty() {
            self.lockable = lockable_in(self.location);
        }
        self.claim_in_team(here)?;
        self.copy_from_team(there)
    }

    /// Says of what is claimed here, and cannot be merged, that the team does not know of it yet.
    pub(super) fn mark_unconfirmed(&self, here: &Due) -> Result<(), Error> {
        for key in self.claims_among(here)? {
            if self.own_claim(&key)?.is_some() && !self.held.contains_key(&key) {
                self.set_unconfirmed(&key, true)?;
            }
        }
        Ok(())
    }

    /// Takes the copies away, and gives back what is held in the team, as far as that can be done.
    pub(super) fn take_away(&mut self) {
        for key in std::mem::take(&mut self.copies).into_keys() {
            let _ = self.remove_copy(&key);
        }
        for held in std::mem::take(&mut self.held).into_values() {
            let _ = self.release(&held);
        }
    }

    fn claims_among(&self, due: &Due) -> Result<BTreeSet<Key>, Error> {
        // Of other clones there may be thousands, and none of them is read.
        let is_own = |key: &&Key| matches!(key, Key::Claim(claim) if claim.resource(None).clone_of_team().is_none());
        let mut keys: BTreeSet<Key> = due.keys.iter().filter(is_own).cloned().collect();
        if due.is_everything {
            keys.extend(self.here.store().reader()?.scan(&[Range::all_claims()])?.iter().filter(is_own).cloned());
            keys.extend(self.held.keys().cloned());
        }
        // Whoever is gone holds nothing any more.
        let is_due = |held: &HeldInTeam| due.keys.iter().any(|key| matches!(key, Key::Session(id) if *id == held.own));
        keys.extend(self.held.iter().filter(|(_, held)| is_due(held)).map(|(key, _)| key.clone()));
        Ok(keys)
    }

    /// The claim of a file that cannot be merged, if a live session of this clone has it.
    fn own_claim(&self, key: &Key) -> Result<Option<(Unmergeable, Claim)>, Error> {
        let Key::Claim(claim) = key else { return Ok(None) };
        let resource = claim.resource(None);
        // Of a name that was cut the record tells the end.
        let Some(claim) = self.here.claim_of(&resource)?.filter(Claim::is_active) else { return Ok(None) };
        if claim.record.in_clone.is_some() || claim.uncommitted_of().is_some() {
            return Ok(None);
        }
        let Some(file) = Unmergeable::of(&claim.resource, &self.namer, &self.lockable, &self.names) else {
            return Ok(None);
        };
        let holder = claim.holder().map(|id| self.here.session(id)).transpose()?.flatten();
        let is_own = holder.is_some_and(|holder| holder.is_live() && holder.record.stands_for.is_none());
        Ok(is_own.then_some((file, claim)))
    }

    fn claim_in_team(&mut self, due: &Due) -> Result<(), Error> {
        for key in self.claims_among(due)? {
            let own = self.own_claim(&key)?;
            let holder = own.as_ref().and_then(|(_, claim)| claim.holder()).map(|id| self.names.in_team(id));
            // What another session of this clone has now goes over, and is not released.
            if let Some(held) = self.held.get(&key).filter(|_| holder.is_none()) {
                self.release(held)?;
                self.held.remove(&key);
            }
            if let Some(((file, claim), session)) = own.zip(holder) {
                self.claim_one(&key, file, &claim, session)?;
            } else if !self.copies.contains_key(&key) {
                self.release_unseen(&key)?;
            }
        }
        Ok(())
    }

    fn claim_one(&mut self, key: &Key, file: Unmergeable, claim: &Claim, session: SessionId) -> Result<(), Error> {
        let there = self.team.claim_of(&file.in_all)?;
        let Some(own) = claim.holder().cloned() else { return Ok(()) };
        let label = self.here.session(&own)?.map_or_else(|| own.to_string(), |session| session.label_for_all());
        let lasts_there = there.as_ref().filter(|there| there.is_active() && there.held_by(&session));
        if lasts_there.is_some_and(|there| claim.expires_at - there.expires_at < WORTH_RENEWING) {
            let before = self.held.get(key).and_then(|held| held.before.clone());
            self.held.insert(key.clone(), HeldInTeam { file, own, session, label, before });
            return self.set_unconfirmed(key, false);
        }
        // Where a copy stood that counted, it was taken over by force.
        let before = self.copies.remove(key);
        let is_forced = !claim.is_automatic() && before.is_some_and(|before| claim.claimed_at < before.lasts_until);
        let terms = Terms {
            lease: (claim.expires_at - self.here.clock().now()).max(TimeDelta::seconds(1)),
            automatic: claim.is_automatic(),
            phase: claim.record.phase.clone(),
            allow_coordination: claim.allows_coordination(),
            branch: claim.record.branch.clone(),
            worktree: claim.record.worktree.clone(),
            force: is_forced,
            ..Terms::default()
        };
        let wanted = std::slice::from_ref(&file.in_all);
        let (outcome, is_passed_on) = claim_all(self.team, &self.names, &session, None, wanted, &terms)?;
        match outcome {
            ClaimAllOutcome::Granted(granted) => {
                let is_news = granted.iter().any(|one| one.is_new) && !is_passed_on && !terms.force;
                if let Some(left) = file.missing(self.team)?.filter(|_| is_news) {
                    let subject = format!("Pull {} first", file.own.display_name());
                    self.tell(&own, &file.own, subject, pull_first(&file.own, &left))?;
                }
                let known = self.held.get(key).and_then(|held| held.before.clone());
                let now = || version_now(file.repository.root(), &file.path).ok().flatten().filter(|_| is_news);
                let before = known.or_else(now);
                self.held.insert(key.clone(), HeldInTeam { file, own, session, label, before });
                self.set_unconfirmed(key, false)
            }
            ClaimAllOutcome::Refused(obstacles) => {
                let Some(obstacle) = obstacles.into_iter().next() else { return Ok(()) };
                self.give_way(key, &file, claim, &obstacle.by)
            }
        }
    }

    /// Another clone has it: its claim stands here in place of the one that was made without asking.
    fn give_way(&mut self, key: &Key, file: &Unmergeable, claim: &Claim, by: &Claim) -> Result<(), Error> {
        let record = ClaimRecord { resource_name: Some(file.own.name().to_owned()), ..by.record.clone() };
        let Ok(bytes) = to_bytes(&record) else { return Ok(()) };
        let (mut is_placed, mut gave_way) = (false, false);
        self.here.store().commit(&mut |tx| {
            let stands = tx.get(key)?.and_then(|found| ClaimRecord::read(&found.bytes).ok());
            gave_way = stands.as_ref().is_some_and(|stands| stands.id == claim.record.id);
            // It may have been released meanwhile, because the team was asked.
            is_placed = gave_way || stands.is_none();
            if is_placed {
                tx.put(key.clone(), bytes.clone());
            }
            Ok(())
        })?;
        if !is_placed {
            return Ok(());
        }
        self.copies.insert(key.clone(), CopyOf { key: Key::Claim(by.key.clone()), lasts_until: by.expires_at });
        if !gave_way {
            return Ok(());
        }
        self.held.remove(key);
        let Some(holder) = claim.holder() else { return Ok(()) };
        let name = file.own.display_name();
        let place = by.record.in_clone.clone().unwrap_or_default();
        let text = format!(
            "{name} cannot be merged, and somebody in the clone {place} holds it, so your claim of it does not count. Wait until it is free there before you go on."
        );
        self.tell(holder, &file.own, format!("{name} is held in another clone"), text)
    }

    /// Writes to a session of this clone, in the name of the team.
    fn tell(&self, to: &SessionId, about: &Resource, subject: String, message: String) -> Result<(), Error> {
        let Ok(from) = SessionId::new("team") else { return Ok(()) };
        let now = self.here.clock().now();
        let record = MessageRecord {
            from: Some(from.to_string()),
            to: Some(to.to_string()),
            timestamp: Some(time::format(now)),
            subject: Some(subject),
            message: Some(message),
            resource: Some(about.spelled()),
            ..MessageRecord::default()
        };
        if let Ok(bytes) = to_bytes(&record) {
            self.here.store().add(&Series::Direct(to.clone()), &from, now, &bytes)?;
        }
        Ok(())
    }

    fn copy_from_team(&mut self, due: &Due) -> Result<(), Error> {
        let reader = self.team.store().reader()?;
        let mut keys: BTreeSet<Key> = due.keys.iter().filter(|key| matches!(key, Key::Claim(_))).cloned().collect();
        let has_session_changed = due.keys.iter().any(|key| matches!(key, Key::Session(_)));
        if due.is_everything || has_session_changed {
            keys.extend(self.copies.values().map(|copy| copy.key.clone()));
        }
        if due.is_everything {
            keys.extend(reader.scan(&[Range::all_claims()])?);
            keys.extend(self.left_copies()?);
        }
        for key in keys {
            let Key::Claim(claim) = &key else { continue };
            // What can be merged is called by its clone, and need not be read.
            if claim.resource(None).worktree().is_some() {
                continue;
            }
            let record = reader.get(&key)?.and_then(|found| ClaimRecord::read(&found.bytes).ok());
            let said = record.as_ref().and_then(|it| it.resource_type.as_deref().zip(it.resource_name.as_deref()));
            let Some(own) = self.names.in_main_worktree(&claim.resource(said)) else { continue };
            let holder = record.as_ref().and_then(|record| record.claimed_by.clone());
            let holder = holder.map(|id| session_of(&*reader, &id)).transpose()?.flatten();
            let is_ours = holder.as_ref().is_some_and(|holder| self.names.has_session(holder));
            if let Some(record) = record.filter(|record| record.in_clone.is_some() && holder.is_some()) {
                if !is_ours {
                    self.place_copy(&key, &own, record)?;
                    continue;
                }
                if due.is_everything {
                    self.release_if_left(&own, &record)?;
                }
            }
            let is_of = |copy: &CopyOf| copy.key == key;
            let gone: Vec<Key> = self.copies.iter().filter(|(_, copy)| is_of(copy)).map(|(at, _)| at.clone()).collect();
            for at in gone {
                self.remove_copy(&at)?;
                self.copies.remove(&at);
            }
        }
        Ok(())
    }

    /// Gives back in the team what was claimed by a session of this clone, there too, and released here before this process
    /// looked at it.
    fn release_unseen(&self, key: &Key) -> Result<(), Error> {
        let Key::Claim(claim) = key else { return Ok(()) };
        let own = claim.resource(None);
        let Some(file) = Unmergeable::of(&own, &self.namer, &self.lockable, &self.names) else { return Ok(()) };
        let Some(there) = self.team.claim_of(&file.in_all)? else { return Ok(()) };
        let holder = there.holder().map(|id| self.team.session(id)).transpose()?.flatten();
        if holder.is_some_and(|holder| self.names.has_session(&holder.record)) {
            self.release_if_left(&own, &there.record)?;
        }
        Ok(())
    }

    /// Gives back what a session of this clone holds in the team and no more here: it was released while nobody shared the
    /// clone.
    fn release_if_left(&self, own: &Resource, record: &ClaimRecord) -> Result<(), Error> {
        let is_held = |held: &HeldInTeam| Some(&held.session) == record.claimed_by.as_ref();
        let stands_here = self.here.claim_of(own)?.is_some_and(|claim| claim.is_active());
        let Some(session) = record.claimed_by.clone().filter(|_| !stands_here) else { return Ok(()) };
        if self.held.values().any(|held| is_held(held) && held.file.own.relative() == own.relative()) {
            return Ok(());
        }
        let Some(file) = Unmergeable::of(own, &self.namer, &self.lockable, &self.names) else { return Ok(()) };
        let label = self.team.session(&session)?.map_or_else(|| session.to_string(), |it| it.label_for_all());
        self.release(&HeldInTeam { file, own: session.clone(), session, label, before: None })
    }

    /// Copies that an earlier process left here are taken up, and go if nothing in the team is like them.
    fn left_copies(&mut self) -> Result<Vec<Key>, Error> {
        let mut found = Vec::new();
        for claim in self.here.claims()?.iter().filter(|claim| claim.record.in_clone.is_some()) {
            if let Some(in_all) = self.names.in_all_clones(&claim.resource) {
                let of = Key::Claim(Naming { ignores_case: false }.key(&in_all));
                let copy = CopyOf { key: of.clone(), lasts_until: claim.expires_at };
                self.copies.insert(Key::Claim(claim.key.clone()), copy);
                found.push(of);
            }
        }
        Ok(found)
    }

    fn place_copy(&mut self, of: &Key, own: &Resource, record: ClaimRecord) -> Result<(), Error> {
        let at = Key::Claim(self.here.naming()?.key(own));
        let record = ClaimRecord { resource_name: Some(own.name().to_owned()), ..record };
        let Ok(bytes) = to_bytes(&record) else { return Ok(()) };
        let mut is_free = true;
        self.here.store().commit(&mut |tx| {
            let stands = tx.get(&at)?;
            let is_copy = |bytes: &[u8]| ClaimRecord::read(bytes).is_ok_and(|it| it.in_clone.is_some());
            is_free = stands.as_ref().is_none_or(|found| is_copy(&found.bytes));
            if is_free && stands.is_none_or(|found| found.bytes != bytes) {
                tx.put(at.clone(), bytes.clone());
            }
            Ok(())
        })?;
        // What somebody here claims is claimed in the team first, and gives way there.
        if is_free {
            let now = self.here.clock().now();
            self.copies.insert(at, CopyOf { key: of.clone(), lasts_until: lease_end(Some(&record), now, now) });
        } else if let Some(claim) = self.here.claim_of(own)?.filter(|claim| !claim.can_be_taken_over())
            && let Some(file) = Unmergeable::of(own, &self.namer, &self.lockable, &self.names)
            && let Some(by) = self.team.claim_of(&file.in_all)?.filter(Claim::is_active)
        {
            // It was taken over in the team, or claimed here before this was known.
            let holder = by.holder().map(|id| self.team.session(id)).transpose()?.flatten();
            if holder.is_some_and(|holder| !self.names.has_session(&holder.record)) {
                self.give_way(&at, &file, &claim, &by)?;
            }
        }
        Ok(())
    }

    fn remove_copy(&self, at: &Key) -> Result<(), Error> {
        self.here.store().commit(&mut |tx| {
            let stands = tx.get(at)?.and_then(|found| ClaimRecord::read(&found.bytes).ok());
            if stands.is_some_and(|stands| stands.in_clone.is_some()) {
                tx.write(Write::Delete(at.clone()));
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Gives it back in the team, and remembers what was left in it.
    fn release(&self, held: &HeldInTeam) -> Result<(), Error> {
        let still = self.team.claim_of(&held.file.in_all)?;
        if still.is_none_or(|still| !still.held_by(&held.session)) {
            return Ok(());
        }
        let blob = version_now(held.file.repository.root(), &held.file.path);
        // Whoever changed nothing, or was sent to pull first, leaves what somebody else left before.
        let is_left = match (&held.before, &blob) {
            (Some(before), Ok(Some(blob))) => before != blob,
            _ => held.file.missing(self.team)?.is_none(),
        };
        if let Ok(Some(blob)) = blob
            && is_left
        {
            let at = time::format(self.here.clock().now());
            let clone = self.names.called().to_owned();
            self.team
                .store()
                .remember_left(&held.file.key(), &LeftContent { blob, by: held.label.clone(), clone, at })?;
        }
        self.team.release(&held.session, &held.file.in_all).map(drop)
    }

    fn set_unconfirmed(&self, key: &Key, is: bool) -> Result<(), Error> {
        self.here.store().commit(&mut |tx| {
            let Some(found) = tx.get(key)? else { return Ok(()) };
            let Ok(record) = ClaimRecord::read(&found.bytes) else { return Ok(()) };
            if record.in_clone.is_none() && (record.unconfirmed == Some(true)) != is {
                let record = ClaimRecord { unconfirmed: is.then_some(true), ..record };
                if let Ok(bytes) = to_bytes(&record) {
                    tx.put(key.clone(), bytes);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn session_of(reader: &dyn Reader, id: &SessionId) -> Result<Option<SessionRecord>, Error> {
    let found = reader.get(&Key::Session(id.clone()))?;
    Ok(found.and_then(|found| SessionRecord::read(&found.bytes).ok()))
}
