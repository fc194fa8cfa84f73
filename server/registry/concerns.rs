//! Where people should talk to each other, or somebody should look: what the records of a directory say together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::claims::{Claim, ClaimState};
use super::liveness::{SessionState, has_closed};
use super::messages::Recipient;
use super::records::{DamagedRecord, Records, is_silent, position_of_claim};
use super::session::Session;
use deconflict_protocol::text::{one_line, quoted, without_tags};
use deconflict_protocol::{MessageKind, Resource, SessionId, time};

/// Foreign text in a concern is cut after so many characters.
const LONGEST_TEXT: usize = 120;

/// A session as concerns name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NamedSession {
    /// Its id.
    pub session_id: SessionId,
    /// What to call it.
    pub label: String,
    /// True for the session that reads it, which is `you`.
    #[serde(skip)]
    pub is_reader: bool,
}

/// A claim as concerns name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedClaim {
    /// What is claimed.
    #[serde(flatten)]
    pub resource: Resource,
    /// Who holds it.
    pub holder: NamedSession,
}

/// Something that somebody should look at. As JSON it has `kind` and the fields below; a resource is its
/// `resource_type` and `resource_name`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Concern {
    /// A session has unsaved changes in a file that it doesn't hold.
    EditedByNonHolder {
        /// The file.
        #[serde(flatten)]
        resource: Resource,
        /// Who edits it.
        session: NamedSession,
        /// Who holds it, if anybody does.
        holder: Option<NamedSession>,
    },
    /// Somebody asked the holder for something that it still holds.
    ReleaseRequested {
        /// What was asked for.
        #[serde(flatten)]
        resource: Resource,
        /// Who asked.
        session: NamedSession,
        /// Who holds it.
        holder: NamedSession,
        /// When it was asked.
        #[serde(serialize_with = "as_in_records")]
        since: DateTime<Utc>,
    },
    /// A claim still stands though it counts no more.
    StaleClaim {
        /// What it is a claim of.
        #[serde(flatten)]
        resource: Resource,
        /// Whose it was, if that is known.
        holder: Option<NamedSession>,
        /// What it is worth.
        standing: ClaimState,
        /// Until when its lease ran or runs.
        #[serde(serialize_with = "as_in_records")]
        expires_at: DateTime<Utc>,
    },
    /// One path is claimed in several worktrees, so merging may conflict.
    ClaimedInTwoWorktrees {
        /// The claims.
        claims: Vec<NamedClaim>,
    },
    /// A claim's record names another resource than its file does.
    SaysSomethingElse {
        /// What is claimed, which the file's name decides.
        #[serde(flatten)]
        resource: Resource,
        /// What the record says.
        says: String,
    },
    /// A record cannot be understood.
    Damaged(DamagedRecord),
    /// A session has given no sign of life for long, or ended without a word.
    SilentSession {
        /// Which.
        session: NamedSession,
        /// True if it is known to be gone.
        is_gone: bool,
        /// Its newest sign of life.
        #[serde(serialize_with = "as_in_records")]
        since: DateTime<Utc>,
    },
}

impl Concern {
    /// The same as this session reads it.
    #[must_use]
    pub(super) fn told_to(mut self, reader: &SessionId) -> Self {
        let named: Vec<&mut NamedSession> = match &mut self {
            Self::EditedByNonHolder { session, holder, .. } => std::iter::once(session).chain(holder).collect(),
            Self::ReleaseRequested { session, holder, .. } => vec![session, holder],
            Self::StaleClaim { holder, .. } => holder.iter_mut().collect(),
            Self::ClaimedInTwoWorktrees { claims } => claims.iter_mut().map(|claim| &mut claim.holder).collect(),
            Self::SilentSession { session, .. } => vec![session],
            Self::SaysSomethingElse { .. } | Self::Damaged(_) => Vec::new(),
        };
        for session in named {
            session.is_reader = session.session_id == *reader;
        }
        self
    }
}

pub(super) fn concerns(records: &Records, now: DateTime<Utc>) -> Vec<Concern> {
    let names = SessionNames(records.sessions.iter().map(|session| (&session.id, session)).collect());
    let mut concerns = edited_by_non_holders(records, &names);
    concerns.extend(requests(records, &names));
    concerns.extend(stale_claims(records, &names));
    concerns.extend(in_two_worktrees(records, &names));
    concerns.extend(records.claims.iter().filter(|claim| claim.says_something_else()).map(says_something_else));
    concerns.extend(records.damaged.iter().cloned().map(Concern::Damaged));
    concerns.extend(silent_sessions(records, now));
    concerns
}

struct SessionNames<'a>(HashMap<&'a SessionId, &'a Session>);

impl SessionNames<'_> {
    fn named(&self, id: &SessionId) -> NamedSession {
        let label = self.0.get(id).map_or_else(|| one_line(id.as_str(), LONGEST_TEXT), |session| session.label());
        NamedSession { session_id: id.clone(), label, is_reader: false }
    }

    fn is_live(&self, id: &SessionId) -> bool {
        self.0.get(id).is_some_and(|session| session.is_live())
    }

    /// True for an editor of a person's and their own agent, who edit the same files all day.
    fn are_person_and_agent(&self, one: &SessionId, other: &Session) -> bool {
        self.0.get(one).is_some_and(|one| {
            one.agent().is_some() != other.agent().is_some() && one.record.is_of_same_person(&other.record)
        })
    }
}

fn edited_by_non_holders(records: &Records, names: &SessionNames) -> Vec<Concern> {
    let naming = records.claims.first().map(|claim| claim.key.naming()).unwrap_or_default();
    let by_key: HashMap<_, _> = records.claims.iter().map(|claim| (&claim.key, claim)).collect();
    let holder_of = |resource: &Resource| {
        let covering = resource.covering_directories();
        std::iter::once(resource)
            .chain(&covering)
            .filter_map(|resource| by_key.get(&naming.key(resource)))
            .find(|claim| !claim.can_be_taken_over())
            .and_then(|claim| claim.holder())
    };
    let mut concerns = Vec::new();
    for session in records.sessions.iter().filter(|session| session.is_live()) {
        for name in &session.record.editing {
            let Ok(resource) = Resource::file(name) else { continue };
            let holder = holder_of(&resource);
            let is_own =
                holder.is_some_and(|holder| holder == &session.id || names.are_person_and_agent(holder, session));
            if !is_own {
                let holder = holder.map(|id| names.named(id));
                concerns.push(Concern::EditedByNonHolder { resource, session: names.named(&session.id), holder });
            }
        }
    }
    concerns
}

/// Requests for something that the one who was asked still holds, by somebody who still waits. Of several by one
/// session, the newest counts.
fn requests(records: &Records, names: &SessionNames) -> Vec<Concern> {
    let mut open = BTreeMap::new();
    for message in records.messages.iter().filter(|message| message.record.kind() == MessageKind::ReleaseRequest) {
        let (Recipient::Session(holder), Some(by), Some(about)) =
            (&message.to, &message.from, &message.record.resource)
        else {
            continue;
        };
        let asked_for = |claim: &&Claim| {
            let is_it = about.split_once('/').is_some_and(|(kind, name)| {
                kind == claim.resource.resource_type().as_str() && name == claim.resource.name()
            });
            is_it && claim.held_by(holder) && !claim.can_be_taken_over() && message.sent_at >= claim.claimed_at
        };
        if names.is_live(by)
            && by != holder
            && let Some(claim) = records.claims.iter().find(asked_for)
        {
            let since = open.entry((claim.resource.clone(), by.clone(), holder.clone())).or_insert(message.sent_at);
            *since = message.sent_at.max(*since);
        }
    }
    let concern = |((resource, by, holder), since): ((Resource, SessionId, SessionId), DateTime<Utc>)| {
        Concern::ReleaseRequested { resource, session: names.named(&by), holder: names.named(&holder), since }
    };
    open.into_iter().map(concern).collect()
}

fn stale_claims(records: &Records, names: &SessionNames) -> Vec<Concern> {
    // The newest first, as in the list of claims that count.
    let mut stale: Vec<&Claim> = records
        .claims
        .iter()
        .filter(|claim| claim.can_be_taken_over() && claim.record.uncommitted_of.is_none())
        .collect();
    stale.sort_by_cached_key(|claim| position_of_claim(claim));
    let concern = |claim: &Claim| Concern::StaleClaim {
        resource: claim.resource.clone(),
        holder: claim.holder().map(|id| names.named(id)),
        standing: claim.standing,
        expires_at: claim.expires_at,
    };
    stale.into_iter().map(concern).collect()
}

fn in_two_worktrees(records: &Records, names: &SessionNames) -> Vec<Concern> {
    if records.claims.iter().all(|claim| claim.resource.worktree().is_none()) {
        return Vec::new();
    }
    let mut by_path: BTreeMap<String, Vec<(&Claim, &SessionId)>> = BTreeMap::new();
    for claim in records.claims.iter().filter(|claim| claim.is_active()) {
        if let (Some(path), Some(holder)) = (claim.resource.path_in_main_worktree(), claim.holder()) {
            by_path.entry(path).or_default().push((claim, holder));
        }
    }
    let told = |(claim, holder): (&Claim, &SessionId)| NamedClaim {
        resource: claim.resource.clone(),
        holder: names.named(holder),
    };
    let concern = |claims: Vec<_>| Concern::ClaimedInTwoWorktrees { claims: claims.into_iter().map(told).collect() };
    // What two other clones both claim is told there.
    let concerns_us = |claims: &Vec<(&Claim, &SessionId)>| {
        claims.len() > 1 && claims.iter().any(|(it, _)| it.resource.clone_of_team().is_none())
    };
    by_path.into_values().filter(concerns_us).map(concern).collect()
}

fn says_something_else(claim: &Claim) -> Concern {
    let said = |field: &Option<String>| one_line(field.as_deref().unwrap_or("?"), LONGEST_TEXT);
    let says = format!("{} {}", said(&claim.record.resource_type), said(&claim.record.resource_name));
    Concern::SaysSomethingElse { resource: claim.resource.clone(), says }
}

fn silent_sessions(records: &Records, now: DateTime<Utc>) -> Vec<Concern> {
    let mut silent: Vec<&Session> = records
        .sessions
        .iter()
        // Some editors end without letting their server say a word.
        .filter(|session| is_silent(session, now) && !has_closed(&session.record))
        .collect();
    silent.sort_by_key(|session| (Reverse(session.last_sign), &session.id));
    let concern = |session: &Session| Concern::SilentSession {
        session: NamedSession { session_id: session.id.clone(), label: session.label(), is_reader: false },
        is_gone: session.state == SessionState::Gone,
        since: session.last_sign,
    };
    silent.into_iter().map(concern).collect()
}

impl Concern {
    /// What is the case, in one sentence without its full stop, with times as `clock` tells them.
    pub fn told(&self, clock: &dyn Fn(DateTime<Utc>) -> String) -> String {
        match self {
            Self::EditedByNonHolder { resource, session, holder: Some(holder) } => {
                let (edits, holds) = (session.does("is", "are"), holder.does("holds", "hold"));
                format!("{edits} editing {}, which {holds}", resource.in_a_sentence())
            }
            Self::EditedByNonHolder { resource, session, holder: None } => {
                format!("{} editing {} without holding it", session.does("is", "are"), resource.in_a_sentence())
            }
            Self::ReleaseRequested { resource, session, holder, since } => {
                let what = resource.in_a_sentence();
                format!("{session} asked {holder} to release {what} at {}", clock(*since))
            }
            Self::StaleClaim { resource, holder, standing, expires_at } => {
                let what = resource.in_a_sentence();
                let claim = match holder {
                    Some(holder) if holder.is_reader => format!("your claim on {what}"),
                    Some(holder) => format!("the claim on {what} by {holder}"),
                    None => format!("the claim on {what} by somebody"),
                };
                let became = match standing {
                    ClaimState::Abandoned => "is abandoned".to_owned(),
                    ClaimState::Idle => "is forgotten".to_owned(),
                    _ => format!("expired at {}", clock(*expires_at)),
                };
                format!("{claim} {became}; anyone may take it over")
            }
            Self::ClaimedInTwoWorktrees { claims } => {
                let claims: Vec<_> = claims
                    .iter()
                    .map(|claim| format!("{} by {}", claim.resource.in_a_sentence(), claim.holder))
                    .collect();
                let claims = claims.join(", ");
                format!("the same path is claimed in several worktrees, so a merge may conflict: {claims}")
            }
            Self::SaysSomethingElse { resource, says } => format!(
                "the claim on {} says inside that it is on {}; its file name counts",
                resource.in_a_sentence(),
                quoted(says, LONGEST_TEXT)
            ),
            Self::Damaged(DamagedRecord { file, reason }) => {
                format!("{} cannot be used: {}", quoted(file, 300), without_tags(reason))
            }
            Self::SilentSession { session, is_gone: true, since } => {
                format!("{session} ended without a word after {}", clock(*since))
            }
            Self::SilentSession { session, is_gone: false, since } => {
                format!("{} been silent since {}", session.does("has", "have"), clock(*since))
            }
        }
    }
}

/// For readers in many places.
impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&minute))
    }
}

impl fmt::Display for NamedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_reader { f.write_str("you") } else { f.write_str(&quoted(&self.label, LONGEST_TEXT)) }
    }
}

impl NamedSession {
    /// The session as what a sentence is about, with its verb: `"Ada" is`, `you are`.
    fn does(&self, verb: &str, verb_of_reader: &str) -> String {
        format!("{self} {}", if self.is_reader { verb_of_reader } else { verb })
    }
}

/// A time as people read it in lists, to the minute and always in UTC, because readers are in many places.
pub fn minute(time: DateTime<Utc>) -> String {
    let text = time::format(time);
    let (day, clock) = text.split_once('T').unwrap_or_default();
    [day, " ", clock.get(..5).unwrap_or_default(), " UTC"].concat()
}

fn as_in_records<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::format(*at))
}
