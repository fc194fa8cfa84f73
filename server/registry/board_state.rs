//! What the status board was last made of, kept beside it: each row as it was rendered, and its record, as far as the
//! board shows or judges it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Error;
use super::board_entries::{claim_entry, finding_entry, is_on_board, message_entry, session_entry};
use super::board_rows::{BoardRows, LeftOut, Rest, keys_in_question, requested};
use super::claims::{Claim, ClaimState};
use super::heartbeats::LastActivity;
use super::liveness::{LONGEST_SILENCE, SessionState, is_older_than_boot};
use super::overview::Overview;
use super::records::{DamagedRecord, RECENT, RECENTLY_GONE, Records};
use super::session::Session;
use super::store::files::directory::Directory;
use super::store::files::folder::Folder;
use super::stored_rows::{
    decoded_activity, decoded_claim, decoded_messages, decoded_session, encoded_activity, encoded_claim,
    encoded_messages, encoded_session,
};
use super::viewer::SeenBy;
use deconflict_protocol::{Naming, time};

/// Not JSON: each verb reads it.
const STATE: &str = ".board-state";

/// Another number means another form.
const FORM: u32 = 5;

/// The first line is a sum of the rest, in bytes.
const SUM_LENGTH: usize = 9;

/// All but the rows seldom takes more, in bytes.
const ROOM_FOR_THE_REST: usize = 8192;

/// The folders whose times tell that something changed, as far as a verb can afford to ask.
pub(super) const WATCHED: [Folder; 5] =
    [Folder::Sessions, Folder::Claims, Folder::Heartbeats, Folder::Broadcasts, Folder::Recipients];

/// When a name in each of these last changed.
pub(super) type Times = [Option<i64>; WATCHED.len()];

/// When something may look different by time alone, in nanoseconds since 1970. Until then it need not be judged again.
type Until = i64;

/// It has to be looked at each time: a process may end at any moment.
const ALWAYS_IN_DOUBT: Until = Until::MIN;
const NEVER_IN_DOUBT: Until = Until::MAX;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BoardState<'a> {
    form: u32,
    pub(super) reading: LastReading,
    /// The folders as they were then, or as a verb left them since. `None` after a change that is not in the rows.
    pub(super) times: Option<Times>,
    /// When everything in it was last judged.
    pub(super) judged_at: i64,
    /// Until when neither the messages nor the findings change by time alone.
    pub(super) until: Until,
    pub(super) left_out: LeftOut,
    pub(super) worktrees: Vec<String>,
    #[serde(borrow)]
    pub(super) sessions: Vec<Row<'a>>,
    #[serde(borrow)]
    pub(super) claims: Vec<Row<'a>>,
    /// The entries of the messages, the newest first, and of the findings.
    #[serde(borrow)]
    pub(super) messages: Vec<BoardText<'a>>,
    #[serde(borrow)]
    pub(super) concerns: Vec<BoardText<'a>>,
    /// The keys of claims that decide what the findings say.
    #[serde(borrow)]
    pub(super) in_question: Vec<BoardText<'a>>,
    /// The records of the messages.
    #[serde(borrow, with = "serde_bytes")]
    message_records: Cow<'a, [u8]>,
    damaged: Vec<DamagedRecord>,
}

/// When everything was read, and how long that took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct LastReading {
    pub(super) at: DateTime<Utc>,
    pub(super) took: Duration,
}

/// A text of its own, so that it is borrowed within a list, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BoardText<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A session or a claim. Rows stand in the order of their lists.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row<'a> {
    /// The session's id or the claim's key.
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// The time by which it stands in its list, as [`Position`](super::records::Position) has it.
    pub(super) at: Option<i64>,
    pub(super) until: Until,
    /// How it was judged, in one word.
    #[serde(borrow)]
    pub(super) state: Cow<'a, str>,
    /// True if it counts and no finding is about it.
    pub(super) is_plain: bool,
    /// What the board says of it; empty for what is in no list of the board.
    #[serde(borrow)]
    pub(super) entry: Cow<'a, str>,
    #[serde(borrow, with = "serde_bytes")]
    pub(super) record: Cow<'a, [u8]>,
    /// What a session did last; empty where that is not known.
    #[serde(borrow, with = "serde_bytes")]
    pub(super) activity: Cow<'a, [u8]>,
}

impl Row<'_> {
    pub(super) fn is_listed(&self) -> bool {
        !self.entry.is_empty()
    }

    /// True for a row that stands before all that was left out.
    pub(super) fn is_before(&self, rest: &Rest) -> bool {
        rest.first().is_none_or(|(at, _, name)| (Reverse(self.at), &*self.name) < (*at, name))
    }

    /// About so many bytes are written of it.
    fn length(&self) -> usize {
        const NUMBERS_AND_LENGTHS: usize = 40;
        self.name.len() + self.entry.len() + self.record.len() + self.activity.len() + NUMBERS_AND_LENGTHS
    }

    pub(super) fn order(&self) -> (Reverse<Option<i64>>, &str) {
        (Reverse(self.at), &self.name)
    }
}

impl<'a> BoardState<'a> {
    /// The board that shows these rows, which were just judged.
    pub(super) fn of(rows: BoardRows, reading: LastReading, times: Option<Times>, now: DateTime<Utc>) -> Self {
        let BoardRows { mut records, left_out, worktrees } = rows;
        // Everybody reads the board, whoever writes it.
        records.sessions.iter_mut().for_each(|session| session.viewer = SeenBy::default());
        let naming = records.claims.first().map(|claim| claim.key.naming()).unwrap_or_default();
        let edited = records.sessions.iter().flat_map(|session| keys_in_question(&session.record.editing, naming));
        let asked_for = records.messages.iter().filter_map(|message| requested(message, naming));
        let in_question = edited.chain(asked_for).map(|key| BoardText(key.to_string().into())).collect();
        let until = until_of_lists(&records, now);
        let message_records = encoded_messages(&records.messages).into();
        let damaged = records.damaged.clone();
        let last = |session: &Session| records.last_activities.get(&session.id);
        let rows = records.sessions.iter().map(|session| session_row(session, last(session), now));
        let mut sessions: Vec<Row> = rows.collect();
        let mut claims: Vec<Row> = records.claims.iter().map(|claim| claim_row(claim, now)).collect();
        let overview = &Overview::of(records, now);
        let mut entries: HashMap<&str, String> = HashMap::new();
        for session in overview.sessions.iter().filter(|session| overview.is_alive(session)) {
            entries.insert(session.id.as_str(), session_entry(session, overview.last_activities.get(&session.id)));
        }
        set_entries(&mut sessions, entries);
        let mut entries: HashMap<&str, String> = HashMap::new();
        for claim in overview.claims.iter().filter(|claim| is_on_board(claim)) {
            let holder = claim.holder().and_then(|holder| overview.session(holder));
            entries.insert(claim.key.as_str(), claim_entry(claim, holder));
        }
        set_entries(&mut claims, entries);
        let (messages, concerns) = (overview.recent_messages.iter(), overview.coordination_needed.iter());
        Self {
            form: FORM,
            reading,
            times,
            judged_at: nanoseconds(now),
            until,
            left_out,
            worktrees: worktrees.into_iter().collect(),
            sessions,
            claims,
            messages: messages
                .map(|message| BoardText(message_entry(message, |id| overview.session(id)).into()))
                .collect(),
            concerns: concerns.map(|concern| BoardText(finding_entry(&concern.to_string()).into())).collect(),
            in_question,
            message_records,
            damaged,
        }
    }

    /// What was written last, if it can be believed.
    pub(super) fn read_from(bytes: &'a [u8]) -> Option<Self> {
        // It is not believed if its writer was killed in the middle.
        let (sum, state) = bytes.split_at_checked(SUM_LENGTH)?;
        if sum != sum_line(state).as_bytes() {
            return None;
        }
        postcard::from_bytes(state).ok().filter(|state: &Self| state.form == FORM)
    }

    pub(super) fn save(&self, directory: &Directory) -> Result<(), Error> {
        let rows = self.sessions.iter().chain(&self.claims).map(Row::length);
        let mut bytes = Vec::with_capacity(rows.sum::<usize>() + ROOM_FOR_THE_REST);
        bytes.resize(SUM_LENGTH, 0);
        let mut bytes = postcard::to_extend(self, bytes).unwrap_or_default();
        if let Some((sum, state)) = bytes.split_at_mut_checked(SUM_LENGTH) {
            sum.copy_from_slice(sum_line(state).as_bytes());
        }
        directory.overwrite_file(STATE, &bytes)
    }

    /// The rows as records again. What time and processes make of them has to be judged anew. `None` if they cannot be
    /// understood.
    pub(super) fn rows(&self, naming: Naming, now: DateTime<Utc>) -> Option<BoardRows> {
        let activities = self.sessions.iter().filter(|row| !row.activity.is_empty());
        let records = Records {
            sessions: self.sessions.iter().map(|row| decoded_session(&row.record, now)).collect::<Option<_>>()?,
            claims: self.claims.iter().map(|row| decoded_claim(&row.record, naming, now)).collect::<Option<_>>()?,
            messages: decoded_messages(&self.message_records)?,
            last_activities: activities.map(|row| decoded_activity(&row.activity)).collect::<Option<_>>()?,
            damaged: self.damaged.clone(),
        };
        let worktrees = self.worktrees.iter().cloned().collect();
        Some(BoardRows { records, left_out: self.left_out.clone(), worktrees })
    }
}

/// The bytes of what was kept last. After a power loss it may be older than what it tells of, and is then left alone.
pub(super) fn read(directory: &Directory) -> Option<Vec<u8>> {
    let stored = directory.read(&Folder::Root, STATE).ok()??;
    (!is_older_than_boot(stored.stamp.modified)).then_some(stored.bytes)
}

pub(super) fn session_row(session: &Session, last: Option<&LastActivity>, now: DateTime<Utc>) -> Row<'static> {
    Row {
        name: session.id.as_str().to_owned().into(),
        at: session.started_at().timestamp_nanos_opt(),
        until: until_of_session(session, now),
        state: session.state.as_str().into(),
        is_plain: session.state == SessionState::Live && session.record.editing.is_empty(),
        entry: Cow::default(),
        record: encoded_session(session).into(),
        activity: last.map(|last| encoded_activity(&session.id, last)).unwrap_or_default().into(),
    }
}

pub(super) fn claim_row(claim: &Claim, now: DateTime<Utc>) -> Row<'static> {
    Row {
        name: claim.key.to_string().into(),
        at: claim.claimed_at.timestamp_nanos_opt(),
        until: until_of_claim(claim, now),
        state: claim.standing.as_str().into(),
        is_plain: claim.is_active() && claim.holder().is_some() && !claim.says_something_else(),
        entry: Cow::default(),
        record: encoded_claim(claim).into(),
        activity: Cow::default(),
    }
}

fn set_entries(rows: &mut [Row], mut entries: HashMap<&str, String>) {
    for row in rows.iter_mut() {
        row.entry = entries.remove(&*row.name).unwrap_or_default().into();
    }
    rows.sort_by(|one, other| one.order().cmp(&other.order()));
}

fn until_of_session(session: &Session, now: DateTime<Utc>) -> Until {
    let record = &session.record;
    if session.state == SessionState::Completed {
        return NEVER_IN_DOUBT;
    }
    if record.pid.is_some() || record.keepalive.is_some() || session.state != SessionState::Live {
        return ALWAYS_IN_DOUBT;
    }
    let told = [&record.started_at, &record.last_heartbeat].into_iter().flatten();
    let not_believed_yet = told.filter_map(|text| believed_from(text, now));
    not_believed_yet.chain([nanoseconds(session.last_sign + LONGEST_SILENCE)]).min().unwrap_or(ALWAYS_IN_DOUBT)
}

fn until_of_claim(claim: &Claim, now: DateTime<Utc>) -> Until {
    let not_believed_yet = claim.record.claimed_at.as_deref().and_then(|text| believed_from(text, now));
    let judged = match claim.standing {
        ClaimState::Pending | ClaimState::Damaged => ALWAYS_IN_DOUBT,
        ClaimState::Expired | ClaimState::Abandoned => NEVER_IN_DOUBT,
        // A command goes on whatever becomes of its lease.
        ClaimState::Active | ClaimState::Idle if claim.record.process.is_some() => ALWAYS_IN_DOUBT,
        ClaimState::Active | ClaimState::Idle | ClaimState::Uncommitted => nanoseconds(claim.expires_at),
    };
    not_believed_yet.map_or(judged, |until| until.min(judged))
}

/// When a time that is too far ahead of now will be believed.
fn believed_from(text: &str, now: DateTime<Utc>) -> Option<Until> {
    let believed_from = time::parse(text)? - time::CLOCK_TOLERANCE;
    // A time beyond what can be counted stays as unlikely as it is.
    (believed_from > now).then(|| believed_from.timestamp_nanos_opt().unwrap_or(NEVER_IN_DOUBT))
}

/// Until when the messages are recent, and sessions that are gone are news.
fn until_of_lists(records: &Records, now: DateTime<Utc>) -> Until {
    let messages = records.messages.iter().map(|message| message.sent_at);
    let gone = records.sessions.iter().filter(|session| session.state == SessionState::Gone);
    let messages = messages.flat_map(|sent_at| [sent_at, sent_at + RECENT]);
    let untils = messages.chain(gone.map(|session| session.last_sign + RECENTLY_GONE));
    untils.filter(|until| *until > now).map(nanoseconds).min().unwrap_or(NEVER_IN_DOUBT)
}

/// Tells a state that was written whole.
fn sum_line(state: &[u8]) -> String {
    format!("{:08x}\n", crc32fast::hash(state))
}

pub(super) fn times_of(directory: &Directory) -> Result<Times, Error> {
    let mut times = Times::default();
    for (time, folder) in times.iter_mut().zip(&WATCHED) {
        *time = directory.folder_stamp(folder)?.map(|stamp| nanoseconds(stamp.modified));
    }
    Ok(times)
}

pub(super) fn nanoseconds(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or_default()
}
