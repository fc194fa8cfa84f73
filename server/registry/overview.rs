//! What goes on in the directory, put together from its records: who is here, what each one holds, what was said
//! lately, and where people should talk to each other.
//!
//! [`Overview::of`] only judges what it is given, so that a one-shot command can bring it from the disk and a server
//! from its memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::claims::{Claim, ClaimState};
use super::heartbeats::{LastActivity, RELEASED};
use super::liveness::SessionState;
use super::machines::Machines;
use super::mailbox;
use super::messages::{Message, Recipient};
use super::sessions::{self, Session};
use super::store::files::directory::{Contents, Directory, Folder};
use super::store::files::names::{folder_of, relative_path};
use super::store::{Key, Series};
use super::{Error, Registry};
use deconflict_protocol::text::{id_or_quoted, one_line, quoted, without_tags};
use deconflict_protocol::{ClaimRecord, MessageKind, Resource, SessionId, SessionRecord, time};

/// Messages are recent for so long.
pub(super) const RECENT: TimeDelta = TimeDelta::hours(1);

/// A session that is gone is news for so long.
const RECENTLY_GONE: TimeDelta = TimeDelta::hours(24);

/// Foreign text in a finding is cut after so many characters.
const LONGEST_TEXT: usize = 120;

/// What goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// All sessions that have a record, live ones first.
    pub sessions: Vec<Session>,
    /// All claims, in the order of their resources.
    pub claims: Vec<Claim>,
    /// What was said in the last hour, newest first.
    pub recent_messages: Vec<Message>,
    /// Where people should talk to each other, or somebody should look.
    pub coordination_needed: Vec<Finding>,
    /// What each live session did last, from its newest heartbeat.
    pub last_activities: HashMap<SessionId, LastActivity>,
    /// How many claims were left out.
    pub(super) omitted: Omitted,
}

impl Overview {
    /// What goes on as a session has to see it, which ceases to rely on its own claims before others do where another
    /// machine takes part.
    #[must_use]
    pub fn as_seen_by(mut self, session: &SessionId, now: DateTime<Utc>) -> Self {
        let machines = Machines::of(&self.sessions);
        let see = |claim: Claim| if claim.held_by(session) { claim.as_holder_sees(machines, now) } else { claim };
        self.claims = self.claims.into_iter().map(see).collect();
        self
    }
}

/// How many claims an overview leaves out because nobody would read of them all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Omitted {
    pub(super) active: usize,
    pub(super) stale: usize,
}

/// What an overview is made of.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// All sessions that have a record.
    pub sessions: Vec<Session>,
    /// All claims.
    pub claims: Vec<Claim>,
    /// Messages to whomever: those of the last hour, and requests that may still be open.
    pub messages: Vec<Message>,
    /// What each live session did last.
    pub last_activities: HashMap<SessionId, LastActivity>,
    /// Records that cannot be understood.
    pub damaged: Vec<DamagedRecord>,
}

/// A record that cannot be understood or was left alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DamagedRecord {
    /// Where it is in the directory, such as `claims/file-a.claim`.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A session as findings name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Party {
    /// Its id.
    pub session_id: SessionId,
    /// What to call it.
    pub label: String,
}

/// A claim as findings name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedClaim {
    /// What is claimed.
    #[serde(flatten)]
    pub resource: Resource,
    /// Who holds it.
    pub holder: Party,
}

/// Something that somebody should look at. As JSON it has `kind` and the fields below; a resource is its
/// `resource_type` and `resource_name`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A session has unsaved changes in a file that it doesn't hold.
    EditedByNonHolder {
        /// The file.
        #[serde(flatten)]
        resource: Resource,
        /// Who edits it.
        session: Party,
        /// Who holds it, if anybody does.
        holder: Option<Party>,
    },
    /// Somebody asked the holder for something that it still holds.
    ReleaseRequested {
        /// What was asked for.
        #[serde(flatten)]
        resource: Resource,
        /// Who asked.
        session: Party,
        /// Who holds it.
        holder: Party,
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
        holder: Option<Party>,
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
        session: Party,
        /// True if it is known to be gone.
        is_gone: bool,
        /// Its newest sign of life.
        #[serde(serialize_with = "as_in_records")]
        since: DateTime<Utc>,
    },
}

impl Overview {
    /// Puts an overview together.
    pub fn of(mut material: Material, now: DateTime<Utc>) -> Self {
        // Of what is damaged only that is told.
        material.sessions.retain(|session| !session.is_damaged());
        fill_in(&mut material.sessions, &material.last_activities);
        material.sessions.sort_by(|a, b| (!a.is_live(), b.last_sign, &a.id).cmp(&(!b.is_live(), a.last_sign, &b.id)));
        material.claims.sort_by(|a, b| a.resource.cmp(&b.resource));
        let coordination_needed = find(&material, now);
        let mut recent_messages = material.messages;
        mailbox::sort(&mut recent_messages);
        recent_messages.reverse();
        recent_messages.retain(|message| now - RECENT < message.sent_at && message.sent_at <= now);
        Self {
            sessions: material.sessions,
            claims: material.claims,
            recent_messages,
            coordination_needed,
            last_activities: material.last_activities,
            omitted: Omitted::default(),
        }
    }

    /// True for a session that is alive. One that is forgotten is so only while it holds something.
    pub fn is_alive(&self, session: &Session) -> bool {
        let holds_something = || self.claims.iter().any(|claim| claim.is_active() && claim.held_by(&session.id));
        session.is_live() && (!session.is_forgotten() || holds_something())
    }

    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == *id)
    }
}

impl Registry {
    /// What goes on, as it stands on disk.
    pub fn overview(&self) -> Result<Overview, Error> {
        let sessions = self.sessions()?;
        let claims = self.claims_of(&self.directory()?, &sessions)?;
        self.overview_with(sessions, claims)
    }

    /// What goes on, where the sessions and claims are already known: only the rest is read from disk.
    pub fn overview_with(&self, sessions: Vec<Session>, claims: Vec<Claim>) -> Result<Overview, Error> {
        let directory = self.directory()?;
        let now = self.now();
        let last_activities = self.last_activities(&directory, sessions.iter().filter(|session| session.is_live()))?;
        let mut damaged = damaged_records(&directory, &sessions, &claims)?;
        let messages = messages_that_matter(&directory, &claims, now, &mut damaged)?;
        Ok(Overview::of(Material { sessions, claims, messages, last_activities, damaged }, now))
    }
}

/// Sessions of the original's scripts tell what they do only in their heartbeats.
fn fill_in(sessions: &mut [Session], last_activities: &HashMap<SessionId, LastActivity>) {
    for session in sessions {
        let Some(last) = last_activities.get(&session.id) else { continue };
        session.last_sign = session.last_sign.max(last.at);
        let record = &mut session.record;
        if last.record.action.as_deref() == Some(RELEASED) {
            // What it gave up last is not what it works on.
            continue;
        }
        let tells_nothing = record.phase.is_none() && record.progress.is_none() && record.next_action.is_none();
        if tells_nothing {
            record.phase.clone_from(&last.record.phase);
            record.progress.clone_from(&last.record.progress);
            record.next_action.clone_from(&last.record.next_action);
            if record.estimated_completion.is_none() {
                record.estimated_completion.clone_from(&last.record.estimated_completion);
            }
            if record.current_work.is_none() {
                record.current_work.clone_from(&last.record.target);
            }
        }
    }
}

fn find(material: &Material, now: DateTime<Utc>) -> Vec<Finding> {
    let parties = Parties(material.sessions.iter().map(|session| (&session.id, session)).collect());
    let mut findings = edited_by_non_holders(material, &parties);
    findings.extend(requests(material, &parties));
    findings.extend(stale_claims(material, &parties));
    findings.extend(in_two_worktrees(material, &parties));
    findings.extend(material.claims.iter().filter(|claim| claim.says_something_else()).map(says_something_else));
    findings.extend(material.damaged.iter().cloned().map(Finding::Damaged));
    findings.extend(silent_sessions(material, now));
    findings
}

/// What sessions are called.
struct Parties<'a>(HashMap<&'a SessionId, &'a Session>);

impl Parties<'_> {
    fn named(&self, id: &SessionId) -> Party {
        let label = self.0.get(id).map_or_else(|| one_line(id.as_str(), LONGEST_TEXT), |session| session.label());
        Party { session_id: id.clone(), label }
    }

    fn is_live(&self, id: &SessionId) -> bool {
        self.0.get(id).is_some_and(|session| session.is_live())
    }
}

fn edited_by_non_holders(material: &Material, parties: &Parties) -> Vec<Finding> {
    let naming = material.claims.first().map(|claim| claim.key.naming()).unwrap_or_default();
    let by_key: HashMap<_, _> = material.claims.iter().map(|claim| (&claim.key, claim)).collect();
    let holder_of = |resource: &Resource| {
        let covering = resource.covering_directories();
        std::iter::once(resource)
            .chain(&covering)
            .filter_map(|resource| by_key.get(&naming.key(resource)))
            .find(|claim| !claim.can_be_taken_over())
            .and_then(|claim| claim.holder())
    };
    let mut findings = Vec::new();
    for session in material.sessions.iter().filter(|session| session.is_live()) {
        for name in &session.record.editing {
            let Ok(resource) = Resource::file(name) else { continue };
            let holder = holder_of(&resource);
            if holder != Some(&session.id) {
                let holder = holder.map(|id| parties.named(id));
                findings.push(Finding::EditedByNonHolder { resource, session: parties.named(&session.id), holder });
            }
        }
    }
    findings
}

/// Requests for something that the one who was asked still holds, by somebody who still waits. Of several by one
/// session, the newest counts.
fn requests(material: &Material, parties: &Parties) -> Vec<Finding> {
    let mut open = BTreeMap::new();
    for message in material.messages.iter().filter(|message| message.record.kind() == MessageKind::ReleaseRequest) {
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
        if parties.is_live(by)
            && by != holder
            && let Some(claim) = material.claims.iter().find(asked_for)
        {
            let since = open.entry((claim.resource.clone(), by.clone(), holder.clone())).or_insert(message.sent_at);
            *since = message.sent_at.max(*since);
        }
    }
    let finding = |((resource, by, holder), since): ((Resource, SessionId, SessionId), DateTime<Utc>)| {
        Finding::ReleaseRequested { resource, session: parties.named(&by), holder: parties.named(&holder), since }
    };
    open.into_iter().map(finding).collect()
}

fn stale_claims(material: &Material, parties: &Parties) -> Vec<Finding> {
    let finding = |claim: &Claim| Finding::StaleClaim {
        resource: claim.resource.clone(),
        holder: claim.holder().map(|id| parties.named(id)),
        standing: claim.standing,
        expires_at: claim.expires_at,
    };
    material.claims.iter().filter(|claim| claim.can_be_taken_over()).map(finding).collect()
}

fn in_two_worktrees(material: &Material, parties: &Parties) -> Vec<Finding> {
    let mut by_path: BTreeMap<String, Vec<NamedClaim>> = BTreeMap::new();
    for claim in material.claims.iter().filter(|claim| claim.is_active()) {
        if let (Some(path), Some(holder)) = (claim.resource.path_in_main_worktree(), claim.holder()) {
            let claim = NamedClaim { resource: claim.resource.clone(), holder: parties.named(holder) };
            by_path.entry(path).or_default().push(claim);
        }
    }
    by_path
        .into_values()
        .filter(|claims| claims.len() > 1)
        .map(|claims| Finding::ClaimedInTwoWorktrees { claims })
        .collect()
}

fn says_something_else(claim: &Claim) -> Finding {
    let said = |field: &Option<String>| one_line(field.as_deref().unwrap_or("?"), LONGEST_TEXT);
    let says = format!("{} {}", said(&claim.record.resource_type), said(&claim.record.resource_name));
    Finding::SaysSomethingElse { resource: claim.resource.clone(), says }
}

fn silent_sessions(material: &Material, now: DateTime<Utc>) -> impl Iterator<Item = Finding> {
    let is_silent = move |session: &&Session| match session.state {
        SessionState::Silent => true,
        SessionState::Gone => now - session.last_sign < RECENTLY_GONE,
        SessionState::Live | SessionState::Completed => false,
    };
    material.sessions.iter().filter(is_silent).map(|session| Finding::SilentSession {
        session: Party { session_id: session.id.clone(), label: session.label() },
        is_gone: session.state == SessionState::Gone,
        since: session.last_sign,
    })
}

/// Why sessions' and claims' records cannot be understood.
fn damaged_records(directory: &Directory, sessions: &[Session], claims: &[Claim]) -> Result<Vec<DamagedRecord>, Error> {
    let mut damaged = Vec::new();
    for claim in claims.iter().filter(|claim| claim.holder().is_none() && claim.standing != ClaimState::Pending) {
        let read = super::record::read(directory, &Key::Claim(claim.key.clone()), ClaimRecord::from_fields);
        damaged.extend(damage(directory, read.map(drop))?);
    }
    let listed = sessions::list_sessions(directory)?;
    let known: HashMap<_, _> = sessions.iter().map(|session| (&session.id, session)).collect();
    for id in listed {
        // A damaged record has left nothing of itself, and what is no file is not listed as a session at all.
        let is_empty = known.get(&id).is_none_or(|session| session.is_damaged());
        if is_empty {
            let read = super::record::read(directory, &Key::Session(id), SessionRecord::from_fields);
            damaged.extend(damage(directory, read.map(drop))?);
        }
    }
    Ok(damaged)
}

/// What a failure to read a record tells of the record; other failures remain failures.
fn damage(directory: &Directory, read: Result<(), Error>) -> Result<Option<DamagedRecord>, Error> {
    let (file, reason) = match read {
        Err(Error::Damaged { key, source }) => (relative_path(&key), source.to_string()),
        Err(Error::Unsafe { path, reason }) => {
            let file = path.strip_prefix(directory.path()).unwrap_or(&path);
            (file.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/"), reason.to_owned())
        }
        Err(error) => return Err(error),
        Ok(()) => return Ok(None),
    };
    Ok(Some(DamagedRecord { file: one_line(&file, 300), reason: one_line(&reason, 300) }))
}

/// The messages of the last hour, and those to holders since they claimed. Folders and files in which nothing was
/// written since then are not looked into.
fn messages_that_matter(
    directory: &Directory,
    claims: &[Claim],
    now: DateTime<Utc>,
    damaged: &mut Vec<DamagedRecord>,
) -> Result<Vec<Message>, Error> {
    let recent = now - RECENT;
    let mut held_since: HashMap<&SessionId, DateTime<Utc>> = HashMap::new();
    for claim in claims.iter().filter(|claim| claim.is_active()) {
        if let Some(holder) = claim.holder() {
            let since = held_since.entry(holder).or_insert(claim.claimed_at);
            *since = claim.claimed_at.min(*since);
        }
    }
    let mut messages = Vec::new();
    collect_since(directory, &Series::Broadcasts, recent, now, &mut messages, damaged)?;
    let recipients = match directory.list(&Folder::Recipients) {
        Err(error @ Error::Unsafe { .. }) => {
            damaged.extend(damage(directory, Err(error))?);
            Vec::new()
        }
        listed => listed?,
    };
    for recipient in recipients.iter().filter_map(|name| SessionId::foreign(name).ok()) {
        let since = held_since.get(&recipient).map_or(recent, |since| recent.min(*since));
        collect_since(directory, &Series::Direct(recipient), since, now, &mut messages, damaged)?;
    }
    Ok(messages)
}

fn collect_since(
    directory: &Directory,
    series: &Series,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    messages: &mut Vec<Message>,
    damaged: &mut Vec<DamagedRecord>,
) -> Result<(), Error> {
    let folder = folder_of(series);
    let contents = match directory.contents(&folder) {
        Ok(Some(contents)) => contents,
        Ok(None) => return Ok(()),
        Err(error) => {
            damaged.extend(damage(directory, Err(error))?);
            return Ok(());
        }
    };
    if directory.folder_stamp(&folder)?.is_some_and(|stamp| stamp.modified < since) {
        return Ok(());
    }
    for name in contents.names()? {
        if !is_older(&contents, &name, since)? {
            match mailbox::read_message(directory, &Key::Entry(series.clone(), name), now) {
                Ok(message) => messages.extend(message.filter(|message| message.sent_at >= since)),
                Err(error) => damaged.extend(damage(directory, Err(error))?),
            }
        }
    }
    Ok(())
}

/// True if a file's name and its own time both say that it is older; see `Mailbox` about names.
fn is_older(contents: &Contents, name: &str, since: DateTime<Utc>) -> Result<bool, Error> {
    let is_named_newer = time::split_stamp(name).is_some_and(|(named, _)| named >= since);
    Ok(!is_named_newer && contents.stamp(name)?.is_some_and(|stamp| stamp.modified < since))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |resource: &Resource| quoted(&resource.to_string(), LONGEST_TEXT);
        match self {
            Self::EditedByNonHolder { resource, session, holder: Some(holder) } => {
                write!(f, "{session} edits {}, which {holder} holds", name(resource))
            }
            Self::EditedByNonHolder { resource, session, holder: None } => {
                write!(f, "{session} edits {} without holding it", name(resource))
            }
            Self::ReleaseRequested { resource, session, holder, since } => {
                write!(f, "{session} has asked {holder} to release {} since {}", name(resource), minute(*since))
            }
            Self::StaleClaim { resource, holder, standing, expires_at } => {
                let holder = holder.as_ref().map_or_else(|| "somebody".to_owned(), Party::to_string);
                match standing {
                    ClaimState::Abandoned => write!(f, "the claim of {} by {holder} is abandoned", name(resource))?,
                    ClaimState::Idle => write!(f, "the claim of {} by {holder} is forgotten", name(resource))?,
                    _ => write!(f, "the claim of {} by {holder} expired at {}", name(resource), minute(*expires_at))?,
                }
                f.write_str("; anyone may take it over")
            }
            Self::ClaimedInTwoWorktrees { claims } => {
                let claims: Vec<_> =
                    claims.iter().map(|claim| format!("{} by {}", name(&claim.resource), claim.holder)).collect();
                write!(f, "one path is claimed in several worktrees, so merging may conflict: {}", claims.join(", "))
            }
            Self::SaysSomethingElse { resource, says } => {
                write!(
                    f,
                    "the claim of {} says inside that it is of {}; its file name counts",
                    name(resource),
                    quoted(says, LONGEST_TEXT)
                )
            }
            Self::Damaged(DamagedRecord { file, reason }) => {
                write!(f, "{} cannot be used: {}", quoted(file, 300), without_tags(reason))
            }
            Self::SilentSession { session, is_gone: true, since } => {
                write!(f, "{session} ended without a word after {}", minute(*since))
            }
            Self::SilentSession { session, is_gone: false, since } => {
                write!(f, "{session} has been silent since {}", minute(*since))
            }
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.session_id.as_str();
        let label = quoted(&self.label, LONGEST_TEXT);
        if self.label == id { f.write_str(&label) } else { write!(f, "{label} ({})", id_or_quoted(id, LONGEST_TEXT)) }
    }
}

/// A time as people read it in lists, to the minute and always in UTC, because readers are in many places.
pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn as_in_records<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::format(*at))
}
