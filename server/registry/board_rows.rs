//! What the status board is made of: the newest rows of each list, the records that its findings are about, and how
//! many others there are. Thousands of records are only counted, so that a change of one can be followed without
//! reading them all.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::claims::Claim;
use super::messages::{Message, Recipient};
use super::records::{
    Position, RECENT, Records, is_silent, position_of_claim, position_of_message, position_of_session,
    position_of_silence,
};
use super::session::Session;
use deconflict_protocol::{ClaimKey, MessageKind, Naming, Resource, SessionId};

/// A list on the board shows its newest rows, so many of them (protocol page, "Status board").
pub(super) const SHOWN: usize = 100;

/// So many are kept, so that some can go before everything has to be read for those that follow.
pub(super) const KEPT: usize = 150;

#[derive(Debug, Clone, Default)]
pub(super) struct BoardRows {
    pub(super) records: Records,
    pub(super) left_out: LeftOut,
    /// The roots of the worktrees in which something is claimed; the main worktree's is empty.
    pub(super) worktrees: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    pub(super) active: Rest,
    pub(super) stale: Rest,
    pub(super) live: Rest,
    pub(super) silent: Rest,
    pub(super) messages: Rest,
}

/// The end of a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) count: usize,
    /// Where its first row stands. Rows that are kept although they stand behind it are not next in the list.
    first: Option<Position>,
}

impl Rest {
    /// Where the first of its rows stands.
    pub(super) fn first(&self) -> Option<&Position> {
        self.first.as_ref()
    }
}

/// Which lists are long enough, or have all there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enough {
    pub(super) claims: bool,
    others: bool,
}

impl Enough {
    pub(super) fn everything(self) -> bool {
        self.claims && self.others
    }
}

impl BoardRows {
    /// Adds claims without keeping all of them. `is_needed` says of which findings tell beyond what these rows know.
    pub(super) fn add_claims(&mut self, claims: impl IntoIterator<Item = Claim>, is_needed: impl Fn(&Claim) -> bool) {
        for claim in claims {
            self.records.claims.push(claim);
            if self.records.claims.len() >= 10 * KEPT {
                self.leave_out_claims(&is_needed);
            }
        }
        self.leave_out_claims(&is_needed);
    }

    /// Leaves out what nobody needs. Tells which lists have become so short that what follows must be read.
    pub(super) fn shorten(&mut self, now: DateTime<Utc>) -> Enough {
        for claim in &self.records.claims {
            if !self.worktrees.contains(root_of(&claim.resource)) {
                self.worktrees.insert(root_of(&claim.resource).to_owned());
            }
        }
        // What is left out of the messages names fewer sessions, and what is left out of the claims, too.
        let are_messages_enough = self.leave_out_messages(now);
        let are_claims_enough = self.leave_out_claims(&|_| false);
        let are_sessions_enough = self.leave_out_sessions(now);
        let known: HashSet<&SessionId> = self.records.sessions.iter().map(|session| &session.id).collect();
        self.records.last_activities.retain(|id, _| known.contains(id));
        Enough { claims: are_claims_enough, others: are_messages_enough && are_sessions_enough }
    }

    /// Lets the lists of claims go on with all claims that are kept: those that are left out follow them.
    pub(super) fn all_claims_are_listed(&mut self) {
        let last = |is_meant: &dyn Fn(&Claim) -> bool| {
            self.records.claims.iter().filter(|claim| is_meant(claim)).map(position_of_claim).max()
        };
        let (active, stale) = (last(&|claim| !claim.can_be_taken_over()), last(&Claim::can_be_taken_over));
        self.left_out.active.first = active;
        self.left_out.stale.first = stale;
    }

    fn leave_out_messages(&mut self, now: DateTime<Utc>) -> bool {
        let is_recent = |message: &Message| now - RECENT < message.sent_at && message.sent_at <= now;
        let is_request = |message: &Message| message.record.kind() == MessageKind::ReleaseRequest;
        let (messages, rest) = (&mut self.records.messages, &mut self.left_out.messages);
        let list = List::of(messages, rest, |message| is_recent(message).then(|| position_of_message(message)));
        let mut kept: Vec<bool> = messages.iter().map(is_request).collect();
        list.keep(&mut kept);
        let is_enough = list.leave_out(rest, &kept);
        retain(messages, &kept);
        is_enough
    }

    fn leave_out_claims(&mut self, is_needed: &dyn Fn(&Claim) -> bool) -> bool {
        let needed = Needed::of(&self.records, self.worktrees.len() > 1);
        let (claims, left_out) = (&mut self.records.claims, &mut self.left_out);
        let active =
            List::of(claims, &left_out.active, |claim| (!claim.can_be_taken_over()).then(|| position_of_claim(claim)));
        let stale =
            List::of(claims, &left_out.stale, |claim| claim.can_be_taken_over().then(|| position_of_claim(claim)));
        let mut kept: Vec<bool> = claims.iter().map(|claim| needed.has(claim) || is_needed(claim)).collect();
        active.keep(&mut kept);
        stale.keep(&mut kept);
        let is_enough = active.leave_out(&mut left_out.active, &kept) & stale.leave_out(&mut left_out.stale, &kept);
        retain(claims, &kept);
        is_enough
    }

    fn leave_out_sessions(&mut self, now: DateTime<Utc>) -> bool {
        let Records { claims, messages, sessions, .. } = &mut self.records;
        let left_out = &mut self.left_out;
        let active = claims.iter().filter(|claim| claim.is_active());
        let holders: HashSet<&SessionId> = active.filter_map(Claim::holder).collect();
        let named = named(claims, messages);
        let live = List::of(sessions, &left_out.live, |session| {
            let is_alive = session.is_live() && (!session.is_forgotten() || holders.contains(&session.id));
            is_alive.then(|| position_of_session(session))
        });
        let silent = List::of(sessions, &left_out.silent, |session| {
            is_silent(session, now).then(|| position_of_silence(session))
        });
        let is_needed = |session: &Session| named.contains(&session.id) || !session.record.editing.is_empty();
        let mut kept: Vec<bool> = sessions.iter().map(is_needed).collect();
        live.keep(&mut kept);
        silent.keep(&mut kept);
        let is_enough = live.leave_out(&mut left_out.live, &kept) & silent.leave_out(&mut left_out.silent, &kept);
        retain(sessions, &kept);
        is_enough
    }

    pub(super) fn same_path_elsewhere(&self, resource: &Resource, naming: Naming) -> Vec<ClaimKey> {
        let Some(path) = resource.path_in_main_worktree() else { return Vec::new() };
        let in_worktree = |root: &String| {
            let relative = match root.get(2..).and_then(|root| root.split_once("//")) {
                Some((main_worktree, _)) => path.strip_prefix(main_worktree)?.strip_prefix('/')?,
                None => &path,
            };
            let name = if root.is_empty() { relative.to_owned() } else { format!("{root}/{relative}") };
            resource.renamed(&name).ok().filter(|other| other != resource)
        };
        self.worktrees.iter().filter_map(in_worktree).map(|other| naming.key(&other)).collect()
    }
}

pub(super) fn named<'a>(claims: &'a [Claim], messages: &'a [Message]) -> HashSet<&'a SessionId> {
    let recipient = |message: &'a Message| match &message.to {
        Recipient::Session(id) => Some(id),
        Recipient::Everyone => None,
    };
    let told = messages.iter().flat_map(|message| message.from.iter().chain(recipient(message)));
    claims.iter().filter_map(Claim::holder).chain(told).collect()
}

/// What findings tell of, so that it is kept however old it is.
struct Needed {
    edited: HashSet<ClaimKey>,
    requested: HashSet<ClaimKey>,
    in_several_worktrees: HashSet<String>,
    forgotten: HashSet<SessionId>,
}

impl Needed {
    fn of(records: &Records, are_several_worktrees: bool) -> Self {
        let mut worktrees_of: HashMap<String, usize> = HashMap::new();
        for claim in records.claims.iter().filter(|claim| are_several_worktrees && claim.is_active()) {
            if let Some(path) = claim.resource.path_in_main_worktree() {
                *worktrees_of.entry(path).or_default() += 1;
            }
        }
        worktrees_of.retain(|_, count| *count > 1);
        let naming = records.claims.first().map(|claim| claim.key.naming()).unwrap_or_default();
        let forgotten = records.sessions.iter().filter(|session| session.is_forgotten());
        Self {
            edited: records
                .sessions
                .iter()
                .flat_map(|session| keys_in_question(&session.record.editing, naming))
                .collect(),
            requested: records.messages.iter().filter_map(|message| requested(message, naming)).collect(),
            in_several_worktrees: worktrees_of.into_keys().collect(),
            forgotten: forgotten.map(|session| session.id.clone()).collect(),
        }
    }

    fn has(&self, claim: &Claim) -> bool {
        claim.holder().is_none_or(|holder| self.forgotten.contains(holder))
            || self.edited.contains(&claim.key)
            || self.requested.contains(&claim.key)
            || claim.says_something_else()
            || (!self.in_several_worktrees.is_empty()
                && claim.resource.path_in_main_worktree().is_some_and(|path| self.in_several_worktrees.contains(&path)))
    }
}

/// The keys of the claims that decide who may edit these files.
pub(super) fn keys_in_question(editing: &[String], naming: Naming) -> impl Iterator<Item = ClaimKey> + '_ {
    editing.iter().filter_map(|name| Resource::file(name).ok()).flat_map(move |file| {
        let mut keys: Vec<_> = file.covering_directories().iter().map(|above| naming.key(above)).collect();
        keys.push(naming.key(&file));
        keys
    })
}

/// The key of what a message asks for.
pub(super) fn requested(message: &Message, naming: Naming) -> Option<ClaimKey> {
    let is_request = message.record.kind() == MessageKind::ReleaseRequest;
    Some(naming.key(&is_request.then(|| message.resource())??))
}

/// A list among the rows: where each of them stands in it, if it does.
struct List(Vec<Option<Position>>, Option<Position>);

impl List {
    fn of<T>(rows: &[T], rest: &Rest, position: impl Fn(&T) -> Option<Position>) -> Self {
        Self(rows.iter().map(position).collect(), rest.first.clone())
    }

    /// The positions of the rows that stand before everything that was left out.
    fn listed(&self) -> impl Iterator<Item = (&Position, usize)> {
        let is_listed = |position: &Position| self.1.as_ref().is_none_or(|first| position < first);
        self.0
            .iter()
            .enumerate()
            .filter_map(move |(row, position)| Some((position.as_ref()?, row)))
            .filter(move |(position, _)| is_listed(position))
    }

    fn keep(&self, kept: &mut [bool]) {
        let mut listed: Vec<_> = self.listed().collect();
        listed.sort();
        for (_, row) in listed.into_iter().take(KEPT) {
            kept[row] = true;
        }
    }

    /// Counts what is not kept. Returns false if the list is too short.
    fn leave_out(&self, rest: &mut Rest, kept: &[bool]) -> bool {
        for (position, _) in self.0.iter().zip(kept).filter(|(_, is_kept)| !**is_kept) {
            if let Some(position) = position {
                rest.count += 1;
                if rest.first.as_ref().is_none_or(|first| position < first) {
                    rest.first = Some(position.clone());
                }
            }
        }
        if rest.count == 0 {
            rest.first = None;
        }
        rest.count == 0 || self.listed().filter(|(_, row)| kept[*row]).count() >= SHOWN
    }
}

fn retain<T>(rows: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    rows.retain(|_| kept.next().is_some_and(|is_kept| *is_kept));
}

/// The root of the worktree in which a resource is; the main worktree's is empty.
pub(super) fn root_of(resource: &Resource) -> &str {
    match resource.path_in_any_worktree() {
        Some(relative) => resource.name().strip_suffix(relative).unwrap_or_default().trim_end_matches('/'),
        None => "",
    }
}
