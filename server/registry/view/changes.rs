//! Taking in what the watch saw, so that each look-up finds it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::kept::{KeptClaim, KeptSession, Shown};
use super::{Affected, Order, Shared, worktree_of};
use crate::session::is_elsewhere;
use crate::{KeeperState, StoredClaim, StoredSession};
use deconflict_protocol::{ClaimKey, SessionId};

impl Shared {
    pub(super) fn set_claim(&self, key: &ClaimKey, stored: Option<StoredClaim>, affected: &mut Affected) {
        let kept = stored.map(|stored| Box::new(KeptClaim::new(stored, self.clock.now())));
        let before = self.claims.get(key).map(|before| before.clone());
        if kept.as_ref().map(|kept| kept.told()) == before.as_ref().map(|before| before.told()) {
            return;
        }
        affected.naming = key.naming();
        affected.claims.extend(kept.as_ref().or(before.as_ref()).map(|kept| kept.stored.resource.clone()));
        if let Some(before) = &before {
            self.forget_claim(key, before);
        }
        if let Some(kept) = kept {
            self.remember_claim(key, &kept);
            self.claims.insert(key.clone(), kept);
        } else {
            self.claims.remove(key);
        }
    }

    fn remember_claim(&self, key: &ClaimKey, kept: &KeptClaim) {
        if let Some(holder) = kept.stored.holder() {
            self.held.entry(holder.clone()).or_default().insert(key.clone());
        }
        let mut order = self.write_order();
        order.keys.insert(key.clone());
        for due in kept.due() {
            count_up(&mut order.claims_due, due);
        }
        if let Some(worktree) = worktree_of(&kept.stored.resource).filter(|worktree| !worktree.is_empty()) {
            count_up(&mut order.worktrees, worktree.into());
        }
    }

    fn forget_claim(&self, key: &ClaimKey, kept: &KeptClaim) {
        if let Some(holder) = kept.stored.holder() {
            self.held.alter(holder, |_, mut keys| {
                keys.remove(key);
                keys
            });
            self.held.remove_if(holder, |_, keys| keys.is_empty());
        }
        let mut order = self.write_order();
        order.keys.remove(key);
        for due in kept.due() {
            count_down(&mut order.claims_due, &due);
        }
        if let Some(worktree) = worktree_of(&kept.stored.resource).filter(|worktree| !worktree.is_empty()) {
            count_down(&mut order.worktrees, worktree);
        }
    }

    pub(super) fn set_session(&self, id: &SessionId, stored: Option<StoredSession>, affected: &mut Affected) {
        self.change_session(id, affected, |before| {
            let stored = stored?;
            let seen_at = self.clock.elapsed();
            match before {
                Some(before) if before.stored == stored => Some(before),
                // A new process has yet to be looked at.
                Some(before) if before.is_kept_by_same_process(&stored) => {
                    Some(KeptSession { stored, seen_at, silence_before: Duration::ZERO, keeper: before.keeper })
                }
                Some(_) | None => {
                    Some(KeptSession { stored, seen_at, silence_before: Duration::ZERO, keeper: KeeperState::Unknown })
                }
            }
        });
    }

    pub(super) fn set_keeper(&self, id: &SessionId, alive: bool, affected: &mut Affected) {
        let keeper = if alive { KeeperState::Alive } else { KeeperState::Gone };
        self.change_session(id, affected, |before| Some(KeptSession { keeper, ..before? }));
    }

    pub(super) fn set_silence(&self, id: &SessionId, lasted: Duration, affected: &mut Affected) {
        self.change_session(id, affected, |before| Some(KeptSession { silence_before: lasted, ..before? }));
    }

    fn change_session(
        &self,
        id: &SessionId,
        affected: &mut Affected,
        change: impl FnOnce(Option<KeptSession>) -> Option<KeptSession>,
    ) {
        let before = self.sessions.get(id).map(|before| before.clone());
        let after = change(before.clone());
        if after == before {
            return;
        }
        if let Some(before) = &before {
            let mut order = self.write_order();
            before.due().iter().for_each(|due| count_down(&mut order.sessions_due, due));
        }
        if let Some(after) = &after {
            let mut order = self.write_order();
            after.due().into_iter().for_each(|due| count_up(&mut order.sessions_due, due));
        }
        if after.as_ref().and_then(|after| after.stored.record.as_ref()).is_some_and(is_elsewhere) {
            self.write_order().elsewhere.insert(id.clone());
        } else {
            self.write_order().elsewhere.remove(id);
        }
        self.set_editing(id, before.as_ref(), after.as_ref(), affected);

        let shown = |kept: &KeptSession| Shown::of(&self.judge(kept));
        let is_shown_otherwise = before.as_ref().map(shown) != after.as_ref().map(shown);
        let looks_otherwise = match (&before, &after) {
            (Some(before), Some(after)) => !before.differs_only_in_sign_of_life(after),
            _ => true,
        };
        match after {
            Some(after) => drop(self.sessions.insert(id.clone(), after)),
            None => drop(self.sessions.remove(id)),
        }
        if is_shown_otherwise || looks_otherwise {
            affected.sessions.push(id.clone());
        }
        if is_shown_otherwise {
            let resource = |key| Some(self.claims.get(key)?.stored.resource.clone());
            affected.claims.extend(self.keys_of(id).iter().filter_map(resource));
        }
    }

    fn set_editing(
        &self,
        id: &SessionId,
        before: Option<&KeptSession>,
        after: Option<&KeptSession>,
        affected: &mut Affected,
    ) {
        let (before, after) = (editing(before), editing(after));
        if before == after {
            return;
        }
        for name in before.difference(&after) {
            self.editors.alter(name.as_str(), |_, mut ids| {
                ids.retain(|other| other != id);
                ids
            });
            self.editors.remove_if(name.as_str(), |_, ids| ids.is_empty());
            affected.editing.push(name.clone());
        }
        for name in after.difference(&before) {
            self.editors.entry(name.as_str().into()).or_default().push(id.clone());
            affected.editing.push(name.clone());
        }
    }

    pub(super) fn resume(&self) {
        let resumed_at = self.clock.elapsed();
        let refreshes: BTreeSet<Duration> = self.sessions.iter().filter_map(|kept| kept.refresh()).collect();
        let mut order = self.write_order();
        order.resumed_at = Some(resumed_at);
        // Then they are judged again. Nothing takes these entries away: a time that has passed is passed over.
        for refresh in refreshes {
            count_up(&mut order.sessions_due, resumed_at + refresh);
        }
    }

    pub(super) fn clear(&self) {
        self.claims.clear();
        self.sessions.clear();
        self.held.clear();
        self.editors.clear();
        let resumed_at = self.read_order().resumed_at;
        *self.write_order() = Order { resumed_at, ..Order::default() };
    }
}

fn editing(kept: Option<&KeptSession>) -> HashSet<String> {
    let record = kept.and_then(|kept| kept.stored.record.as_ref());
    record.map(|record| record.editing.iter().cloned().collect()).unwrap_or_default()
}

fn count_up<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn count_down<K: Ord + std::borrow::Borrow<Q>, Q: Ord + ?Sized>(counts: &mut BTreeMap<K, usize>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
