//! Sessions, claims and snapshots for the tests beside it.

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, Utc};

use crate::snapshot::{Audience, Client, Contender, DocumentSnapshot, LostClaim, OthersClaim, Preferences};
use deconflict_protocol::{ClaimRecord, Naming, Resource, SessionId, SessionRecord};
use deconflict_registry::{Claim, ClaimState, Session, SessionState};

/// One time zone east of Greenwich, on 15 November 2025 at 16:00 local time, with an editor that can do everything.
pub(super) fn audience() -> Audience {
    Audience {
        now: time("2025-11-15T15:00:00Z"),
        local_offset: FixedOffset::east_opt(3600).unwrap(),
        client: Client {
            applies_edits: true,
            related_information: true,
            diagnostic_data: true,
            code_action_literals: true,
            markdown_hover: true,
            hint_commands: true,
            asks_for_text: false,
        },
        preferences: Preferences::default(),
    }
}

pub(super) fn time(text: &str) -> DateTime<Utc> {
    deconflict_protocol::time::parse(text).unwrap()
}

/// `src/order.rs` as on disk, about which nobody says anything. Its first line has 12 code units.
pub(super) fn document() -> DocumentSnapshot {
    DocumentSnapshot {
        uri: "file:///work%20space/src/order.rs".parse().unwrap(),
        resource: Resource::file("src/order.rs").unwrap(),
        coordination_directory: PathBuf::from(if cfg!(windows) {
            r"C:\work\COORDINATION"
        } else {
            "/project/COORDINATION"
        }),
        first_line_length: 12,
        is_edited: false,
        own_claim: None,
        others: Vec::new(),
        elsewhere: Vec::new(),
        contenders: Vec::new(),
        lost: None,
        losses: Vec::new(),
    }
}

/// A live session that says nothing but its id.
pub(super) fn session(id: &str) -> Session {
    Session {
        id: SessionId::foreign(id).unwrap(),
        record: SessionRecord::default(),
        modified: time("2025-11-15T13:00:00Z"),
        state: SessionState::Live,
        last_sign: time("2025-11-15T13:00:00Z"),
    }
}

/// A live session with a name.
pub(super) fn named(name: &str) -> Session {
    let mut named = session(&format!("session-{}", name.len()));
    named.record.name = Some(name.to_owned());
    named.record.client = Some("Neovim".to_owned());
    named
}

/// An active claim of `src/order.rs`, since 14:05 until 18:05 local time.
pub(super) fn claim(by: &Session, automatic: bool) -> Claim {
    let resource = Resource::file("src/order.rs").unwrap();
    Claim {
        key: Naming::default().key(&resource),
        resource,
        record: ClaimRecord {
            claimed_by: Some(by.id.clone()),
            claimed_at: Some("2025-11-15T13:05:00Z".to_owned()),
            expires_at: Some("2025-11-15T17:05:00Z".to_owned()),
            automatic: automatic.then_some(true),
            id: Some("5f3a".to_owned()),
            generation: Some(7),
            ..ClaimRecord::default()
        },
        claimed_at: time("2025-11-15T13:05:00Z"),
        expires_at: time("2025-11-15T17:05:00Z"),
        modified: time("2025-11-15T13:05:00Z"),
        standing: ClaimState::Active,
    }
}

/// What Alice holds by her first edit.
pub(super) fn by_alice() -> OthersClaim {
    by(named("alice"), true)
}

/// What somebody holds.
pub(super) fn by(holder: Session, automatic: bool) -> OthersClaim {
    OthersClaim { claim: claim(&holder, automatic), holder: Some(holder), is_own_window: false, is_muted: false }
}

/// The document with one claim by another.
pub(super) fn held(others: OthersClaim) -> DocumentSnapshot {
    DocumentSnapshot { others: vec![others], ..document() }
}

/// The document, held here and edited there by Bob too.
pub(super) fn contended() -> DocumentSnapshot {
    DocumentSnapshot {
        own_claim: Some(claim(&session("me"), true)),
        contenders: vec![Contender { session: named("bob"), is_own_window: false, is_acknowledged: false }],
        is_edited: true,
        ..document()
    }
}

/// The document, edited here and taken over by another.
pub(super) fn lost(successor: Option<OthersClaim>) -> DocumentSnapshot {
    DocumentSnapshot { is_edited: true, lost: Some(LostClaim { successor, is_acknowledged: false }), ..document() }
}
