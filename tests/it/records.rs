//! Records as other programs write them: read as far as they can be, and written again with all that was in them.

use deconflict_protocol::{
    ClaimRecord, MessageRecord, RecordError, SessionId, SessionRecord, lease_end, overlay, parse, time,
};

fn claim(json: &str) -> Result<ClaimRecord, RecordError> {
    ClaimRecord::read(json.as_bytes())
}

#[test]
fn the_lease_ends_as_the_protocol_says() {
    let now = time::parse("2025-11-15T10:30:00Z").unwrap();
    let modified = time::parse("2025-11-15T10:00:00Z").unwrap();
    let cases = [
        (
            r#"{"claimed_by":"a","claimed_at":"2025-11-15T09:00:00Z","expires_at":"2025-11-15T11:00:00Z"}"#,
            "2025-11-15T11:00:00Z",
        ),
        (r#"{"claimed_by":"a","claimed_at":"2025-11-15T09:00:00Z","expires_at":""}"#, "2025-11-15T13:00:00Z"),
        (r#"{"claimed_by":"a","claimed_at":"2025-11-15T09:00:00Z","expires_at":"later"}"#, "2025-11-15T13:00:00Z"),
        (r#"{"claimed_by":"a","claimed_at":"2025-11-15T09:00:00Z","expires_at":["x"]}"#, "2025-11-15T13:00:00Z"),
        (r#"{"claimed_by":"a"}"#, "2025-11-15T14:00:00Z"),
        (r#"{"claimed_by":"a","claimed_at":"2099-01-01T00:00:00Z"}"#, "2025-11-15T14:00:00Z"),
        (r#"{"claimed_by":"a","expires_at":"2099-01-01T00:00:00Z"}"#, "2025-11-22T10:00:00Z"),
    ];
    for (json, expected) in cases {
        assert_eq!(time::format(lease_end(Some(&claim(json).unwrap()), modified, now)), expected, "{json}");
    }
    assert_eq!(time::format(lease_end(None, modified, now)), "2025-11-15T14:00:00Z", "a damaged record");
}

#[test]
fn records_without_a_usable_holder_are_damaged() {
    let deep = format!(r#"{{"claimed_by":"a","x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let half_a_letter = r#"{"claimed_by":"a","x":"\ud800"}"#;
    let fields_in_their_order = r#"["a"]"#;
    for json in [
        &deep,
        half_a_letter,
        fields_in_their_order,
        "",
        "{",
        "[]",
        "{}",
        r#"{"claimed_by":"../x"}"#,
        r#"{"claimed_by":7}"#,
        r#"{"claimed_by":""}"#,
    ] {
        assert!(claim(json).is_err(), "{json}");
    }
}

#[test]
fn of_a_field_that_is_there_twice_the_last_counts() {
    let record = claim(r#"{"claimed_by":"a","phase":"x","other":[1],"claimed_by":"b"}"#).unwrap();
    assert_eq!(record.claimed_by, Some(SessionId::new("b").unwrap()));
}

#[test]
fn rewriting_keeps_what_it_does_not_know() {
    let bytes = br#"{"claimed_by":"a","mood":"good","phase":"BUILD","displaced":"b","id":[7]}"#;
    let before = ClaimRecord::read(bytes).unwrap();
    let after = ClaimRecord { phase: Some("TEST".to_owned()), displaced: None, ..before.clone() };
    let written = overlay(parse(bytes).unwrap(), &before, &after).unwrap();
    assert_eq!(serde_json::to_string(&written).unwrap(), r#"{"claimed_by":"a","mood":"good","phase":"TEST","id":[7]}"#);
}

#[test]
fn the_text_is_found_in_message_or_details() {
    let cases = [
        (r#"{"message":"hello"}"#, "hello"),
        (r#"{"details":{"resource":"x","tests_passing":true}}"#, "resource: x; tests_passing: true"),
        (r#"{"message":"hello","details":{"resource":"x"}}"#, "hello"),
        (r#"{"details":"plain"}"#, "plain"),
        (r#"{"message":7}"#, "7"),
        ("{}", ""),
    ];
    for (json, text) in cases {
        assert_eq!(MessageRecord::read(json.as_bytes()).unwrap().text(), text, "{json}");
    }
}

#[test]
fn sessions_are_called_by_a_human_name_before_an_id() {
    let cases = [
        ((Some("alice"), Some("maria"), Some("Neovim")), "alice", "\"alice\" (session-1)"),
        ((None, Some("maria"), Some("Neovim")), "maria", "\"maria\" (session-1)"),
        ((None, Some("maria"), None), "maria", "\"maria\" (session-1)"),
        ((None, None, Some("terminal")), "terminal", "\"terminal\" (session-1)"),
        ((Some("  "), None, None), "session-1", "\"session-1\""),
        ((Some("al\u{1b}[31mi\u{202e}ce\n!"), None, None), "al[31mice !", "\"al[31mice !\" (session-1)"),
    ];
    let id = SessionId::foreign("session-1").unwrap();
    for ((name, user, client), label, label_and_id) in cases {
        let [name, user, client] = [name, user, client].map(|text| text.map(str::to_owned));
        let record = SessionRecord { client, name, user, ..SessionRecord::default() };
        assert_eq!(record.label(&id), label);
        assert_eq!(record.label_and_id(&id), label_and_id);
    }
}
