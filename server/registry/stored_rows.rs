//! Records as they are kept beside the status board: no more of each than the board shows or judges.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::board_entries::{LONGEST_FACT, LONGEST_MESSAGE};
use super::claims::{Claim, ClaimState};
use super::heartbeats::LastActivity;
use super::liveness::SessionState;
use super::messages::{Message, MessageId, Recipient};
use super::session::Session;
use super::store::{Key, Series};
use super::viewer::SeenBy;
use deconflict_protocol::text::one_line;
use deconflict_protocol::{
    ClaimRecord, HeartbeatRecord, MessageRecord, Naming, ProcessRecord, SessionId, SessionRecord,
};

/// What is cut here is cut once more where it is shown, and must not look whole by then.
const ROOM: usize = 20;

// `T` is text: borrowed where it is written, owned where it was read.

/// Id, when the record was written, and what it says; nothing where it is damaged.
#[derive(Debug, Serialize, Deserialize)]
struct SessionRow<T>(T, i64, Option<SessionSays<T>>);

/// All texts, process, client's process, keepalive, what it edits, whether others are called alike, and its number.
#[derive(Debug, Serialize, Deserialize)]
struct SessionSays<T>([Option<T>; 18], Option<u32>, Option<u32>, Option<u32>, Vec<T>, Option<bool>, Option<u32>);

/// Key, when it was written, and what it says; nothing where it is damaged.
#[derive(Debug, Serialize, Deserialize)]
struct ClaimRow<T>(T, i64, Option<ClaimSays<T>>);

/// Holder, automatic, and all other texts: since when, until when, idle since, phase, of which type and which name, and
/// whose uncommitted changes it tells of; and the command that holds it.
#[derive(Debug, Serialize, Deserialize)]
struct ClaimSays<T>(T, bool, [Option<T>; 7], Option<ProcessSays<T>>);

/// Number, when it started, where the numbers mean something, and its group.
#[derive(Debug, Serialize, Deserialize)]
struct ProcessSays<T>(Option<u32>, Option<T>, Option<T>, Option<u32>);

/// Recipient, name, sender, when it was sent, id, and the record's texts: sender, kind, subject, text, resource.
#[derive(Debug, Serialize, Deserialize)]
struct MessageRow<T>(Option<T>, T, Option<T>, i64, T, [Option<T>; 5]);

/// Session, name, when, and the record's texts.
#[derive(Debug, Serialize, Deserialize)]
struct ActivityRow<T>(T, T, i64, [Option<T>; 6]);

fn encoded(row: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(row).unwrap_or_default()
}

pub(super) fn encoded_session(session: &Session) -> Vec<u8> {
    encoded(&session_row(session))
}

/// The session again. What time and processes make of it has to be judged anew, as of everything that is read here.
pub(super) fn decoded_session(bytes: &[u8], now: DateTime<Utc>) -> Option<Session> {
    session(postcard::from_bytes(bytes).ok()?, now)
}

pub(super) fn encoded_claim(claim: &Claim) -> Vec<u8> {
    encoded(&claim_row(claim))
}

pub(super) fn decoded_claim(bytes: &[u8], naming: Naming, now: DateTime<Utc>) -> Option<Claim> {
    claim(postcard::from_bytes(bytes).ok()?, naming, now)
}

pub(super) fn encoded_messages(messages: &[Message]) -> Vec<u8> {
    encoded(&messages.iter().filter_map(message_row).collect::<Vec<_>>())
}

pub(super) fn decoded_messages(bytes: &[u8]) -> Option<Vec<Message>> {
    let rows: Vec<MessageRow<String>> = postcard::from_bytes(bytes).ok()?;
    Some(rows.into_iter().filter_map(message).collect())
}

pub(super) fn encoded_activity(id: &SessionId, last: &LastActivity) -> Vec<u8> {
    encoded(&activity_row(id, last))
}

pub(super) fn decoded_activity(bytes: &[u8]) -> Option<(SessionId, LastActivity)> {
    activity(postcard::from_bytes(bytes).ok()?)
}

fn session_row(session: &Session) -> SessionRow<Cow<'_, str>> {
    let record = &session.record;
    let says = (!session.is_damaged()).then(|| {
        let texts = [
            whole(record.started_at.as_ref()),
            whole(record.status.as_ref()),
            fact(record.current_work.as_ref()),
            whole(record.last_heartbeat.as_ref()),
            fact(record.phase.as_ref()),
            fact(record.progress.as_ref()),
            fact(record.next_action.as_ref()),
            fact(record.estimated_completion.as_ref()),
            fact(record.client.as_ref()),
            fact(record.name.as_ref()),
            fact(record.user.as_ref()),
            fact(record.branch.as_ref()),
            whole(record.host.as_ref()),
            whole(record.process_started.as_ref()),
            whole(record.pid_scope.as_ref()),
            fact(record.person.as_ref()),
            fact(record.agent.as_ref()),
            fact(record.sub_agent.as_ref()),
        ];
        let editing = record.editing.iter().map(Into::into).collect();
        SessionSays(texts, record.pid, record.client_pid, record.keepalive, editing, record.has_alike, record.number)
    });
    SessionRow(session.id.as_str().into(), nanoseconds(session.modified), says)
}

fn session(SessionRow(id, modified, says): SessionRow<String>, now: DateTime<Utc>) -> Option<Session> {
    let id = SessionId::foreign(&id).ok()?;
    let record = says.map(|SessionSays(texts, pid, client_pid, keepalive, editing, has_alike, number)| {
        let [started_at, status, current_work, last_heartbeat, phase, progress, next_action, rest @ ..] = texts;
        let [
            estimated_completion,
            client,
            name,
            user,
            branch,
            host,
            process_started,
            pid_scope,
            person,
            agent,
            sub_agent,
        ] = rest;
        SessionRecord {
            session_id: Some(id.clone()),
            started_at,
            status,
            current_work,
            last_heartbeat,
            phase,
            progress,
            next_action,
            estimated_completion,
            client,
            name,
            user,
            person,
            agent,
            sub_agent,
            has_alike,
            number,
            branch,
            host,
            pid,
            process_started,
            pid_scope,
            client_pid,
            keepalive,
            editing,
            ..SessionRecord::default()
        }
    });
    let (record, modified) = (record.unwrap_or_default(), time(modified));
    Some(Session { id, record, modified, state: SessionState::Live, last_sign: now, viewer: SeenBy::default() })
}

fn claim_row(claim: &Claim) -> ClaimRow<Cow<'_, str>> {
    let record = &claim.record;
    // Of a name that was cut only the record tells the end.
    let is_told_by_its_name = !claim.says_something_else() && !claim.key.is_cut();
    let said = |field| if is_told_by_its_name { None } else { whole(field) };
    let says = record.claimed_by.as_ref().map(|holder| {
        let texts = [
            whole(record.claimed_at.as_ref()),
            whole(record.expires_at.as_ref()),
            whole(record.idle_since.as_ref()),
            fact(record.phase.as_ref()),
            said(record.resource_type.as_ref()),
            said(record.resource_name.as_ref()),
            fact(record.uncommitted_of.as_ref()),
        ];
        ClaimSays(holder.as_str().into(), claim.is_automatic(), texts, record.process.as_ref().map(process_says))
    });
    ClaimRow(claim.key.to_string().into(), nanoseconds(claim.modified), says)
}

fn claim(row: ClaimRow<String>, naming: Naming, now: DateTime<Utc>) -> Option<Claim> {
    let ClaimRow(key, modified, says) = row;
    let key = naming.parse(&key)?;
    let record = match says {
        Some(ClaimSays(holder, is_automatic, texts, command)) => {
            let [claimed_at, expires_at, idle_since, phase, resource_type, resource_name, uncommitted_of] = texts;
            ClaimRecord {
                claimed_by: Some(SessionId::foreign(&holder).ok()?),
                claimed_at,
                expires_at,
                automatic: is_automatic.then_some(true),
                idle_since,
                phase,
                resource_type,
                resource_name,
                uncommitted_of,
                process: command.map(process),
                ..ClaimRecord::default()
            }
        }
        None => ClaimRecord::default(),
    };
    let said = record.resource_type.as_deref().zip(record.resource_name.as_deref());
    let resource = key.resource(said);
    let modified = time(modified);
    Some(Claim { key, resource, record, claimed_at: now, expires_at: now, modified, standing: ClaimState::Active })
}

fn process_says(process: &ProcessRecord) -> ProcessSays<Cow<'_, str>> {
    let ProcessRecord { pid, process_started, pid_scope, process_group } = process;
    ProcessSays(*pid, whole(process_started.as_ref()), whole(pid_scope.as_ref()), *process_group)
}

fn process(ProcessSays(pid, process_started, pid_scope, process_group): ProcessSays<String>) -> ProcessRecord {
    ProcessRecord { pid, process_started, pid_scope, process_group }
}

fn message_row(message: &Message) -> Option<MessageRow<Cow<'_, str>>> {
    let to = match &message.to {
        Recipient::Everyone => None,
        Recipient::Session(id) => Some(id.as_str().into()),
    };
    let record = &message.record;
    let cut = |text: &str| Some(Cow::from(one_line(text, LONGEST_MESSAGE + ROOM)));
    let texts = [
        fact(record.from.as_ref()),
        whole(record.kind.as_ref()),
        record.subject.as_deref().and_then(cut),
        cut(&record.text()),
        whole(record.resource.as_ref()),
    ];
    let Key::Entry(_, name) = &message.key else { return None };
    let from = message.from.as_ref().map(|from| from.as_str().into());
    Some(MessageRow(to, name.into(), from, nanoseconds(message.sent_at), message.id.as_str().into(), texts))
}

fn message(row: MessageRow<String>) -> Option<Message> {
    let MessageRow(to, name, from, sent_at, id, [said_from, kind, subject, message, resource]) = row;
    let (to, series) = match to {
        Some(id) => {
            let id = SessionId::foreign(&id).ok()?;
            (Recipient::Session(id.clone()), Series::Direct(id))
        }
        None => (Recipient::Everyone, Series::Broadcasts),
    };
    let from = from.and_then(|from| SessionId::foreign(&from).ok());
    let record = MessageRecord { from: said_from, kind, subject, message, resource, ..MessageRecord::default() };
    let key = Key::Entry(series, name);
    Some(Message { id: MessageId::new(id), record, from, to, sent_at: time(sent_at), unread: false, key })
}

fn activity_row<'a>(id: &'a SessionId, last: &'a LastActivity) -> ActivityRow<Cow<'a, str>> {
    let record = &last.record;
    let texts = [
        fact(record.action.as_ref()),
        fact(record.target.as_ref()),
        fact(record.phase.as_ref()),
        fact(record.progress.as_ref()),
        fact(record.next_action.as_ref()),
        fact(record.estimated_completion.as_ref()),
    ];
    ActivityRow(id.as_str().into(), last.name.as_str().into(), nanoseconds(last.at), texts)
}

fn activity(ActivityRow(id, name, at, texts): ActivityRow<String>) -> Option<(SessionId, LastActivity)> {
    let [action, target, phase, progress, next_action, estimated_completion] = texts;
    let record = HeartbeatRecord {
        action,
        target,
        phase,
        progress,
        next_action,
        estimated_completion,
        ..HeartbeatRecord::default()
    };
    Some((SessionId::foreign(&id).ok()?, LastActivity { at: time(at), record, name }))
}

fn whole(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(Cow::from)
}

fn fact(text: Option<&String>) -> Option<Cow<'_, str>> {
    let cut = |text: &String| Cow::from(one_line(text, LONGEST_FACT + ROOM));
    text.map(|text| if text.len() <= LONGEST_FACT { Cow::from(text) } else { cut(text) })
}

fn nanoseconds(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or_default()
}

fn time(nanoseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanoseconds)
}
