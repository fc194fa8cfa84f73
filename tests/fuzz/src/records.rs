//! Records of every kind, read from any bytes.

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::{
    self as protocol, ClaimRecord, HandOffRecord, HeartbeatRecord, LONGEST_LEASE, MessageRecord, SessionId,
    SessionRecord, lease_end, text, time,
};

/// Reads the bytes as each kind of record, and writes it again: nothing is lost, no time is believed beyond reason, and
/// what is shown can steer no terminal.
pub fn records(data: &[u8]) {
    let now = DateTime::<Utc>::from_timestamp(1_763_000_000, 0).unwrap();
    if let Ok(words) = std::str::from_utf8(data) {
        for shown in [text::printable(words), text::one_line(words, 40), text::markdown(words)] {
            assert!(!super::steers(&shown), "{words:?} is shown as {shown:?}");
        }
        assert!(!text::one_line(words, 40).contains('\n'));
        assert!(text::one_line(words, 40).chars().count() <= 40);
        time::split_stamp(words);
        if let Some(parsed) = time::parse(words) {
            let again = time::parse(&time::format(parsed)).expect("what we write can be read");
            assert_eq!(again.timestamp(), parsed.timestamp(), "to the second: {words:?}");
        }
    }
    let Ok(fields) = protocol::parse(data) else { return };
    let written = protocol::to_bytes(&fields).expect("what was read can be written");
    assert_eq!(protocol::parse(&written).expect("it can be read again"), fields);
    if let Ok(claim) = ClaimRecord::read(data) {
        assert!(lease_end(Some(&claim), now, now) <= now + LONGEST_LEASE + TimeDelta::minutes(10));
        let renewed = ClaimRecord { expires_at: Some(time::format(now)), ..claim.clone() };
        let kept = protocol::overlay(fields.clone(), &claim, &renewed).expect("it can be renewed");
        for (name, value) in &fields {
            assert!(name == "expires_at" || kept.get(name) == Some(value), "{name} was lost: {kept:?}");
        }
    }
    let by_fields = serde_json::from_value::<SessionRecord>(fields.into()).ok();
    assert_eq!(SessionRecord::read(data).ok(), by_fields, "each field is read as it stands there last");
    if let Ok(session) = SessionRecord::read(data) {
        session.is_completed();
        let label = session.label(&SessionId::new("somebody").unwrap());
        assert!(!super::steers(&label) && !label.contains('\n'), "{label:?}");
    }
    if let Ok(message) = MessageRecord::read(data) {
        message.kind();
        message.sender();
        message.text();
        let sent = message.sent_at(now, now);
        assert!(sent <= now + time::CLOCK_TOLERANCE, "{sent}");
    }
    let _ = HeartbeatRecord::read(data);
    let _ = HandOffRecord::read(data);
}
