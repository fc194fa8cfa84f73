//! A directory in which any bytes stand where records should.

use std::fs;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deconflict_platform::clock::ManualClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimOutcome, NewSession, Registry, Terms};

/// The bytes stand in a record of every kind, and under a name of their own: whoever works there does so all the same,
/// and what is shown of them is harmless.
pub fn directory(data: &[u8]) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("COORDINATION");
    let now = DateTime::<Utc>::from_timestamp(1_763_000_000, 0).unwrap();
    let registry = Registry::create(&folder, Arc::new(ManualClock::new(now))).unwrap();
    let me = registry.register(NewSession::default()).unwrap().id;
    fs::create_dir_all(folder.join("messages/direct").join(me.as_str())).unwrap();
    let direct = format!("messages/direct/{me}/2025-11-13_01-00-00.000-x.json");
    let records = [
        "sessions/x.json",
        "claims/file-x.claim",
        "claims/directory-src.claim",
        "heartbeats/2025-11-13_01-00-00.000-x.json",
        "messages/broadcast/2025-11-13_01-00-00.000-x.json",
        direct.as_str(),
        "handoffs/2025-11-13_01-00-00.000-x.json",
        ".current_session",
        ".lock",
        "STATUS_BOARD.md",
    ];
    for record in records {
        fs::write(folder.join(record), data).unwrap();
    }
    let name = String::from_utf8_lossy(&data[..data.len().min(60)]).replace(['/', '\0'], "_");
    // Some names cannot be given to a file.
    for (at, ending) in [("claims", ".claim"), ("sessions", ".json"), ("messages/broadcast", ".json")] {
        let _ = fs::write(folder.join(at).join(format!("{name}{ending}")), data);
    }
    work(&registry, &me);
}

fn work(registry: &Registry, me: &SessionId) {
    let free = Resource::file("free").unwrap();
    let claimed = registry.claim(me, &free, &Terms::default());
    assert!(matches!(claimed, Ok(ClaimOutcome::Granted { .. })), "{claimed:?}");
    for wanted in [Resource::file("x").unwrap(), Resource::file("src/a.rs").unwrap()] {
        for force in [false, true] {
            let outcome = registry.claim(me, &wanted, &Terms { force, ..Terms::default() }).unwrap();
            if !force && matches!(outcome, ClaimOutcome::Granted { .. }) {
                assert!(registry.claim_of(&wanted).unwrap().is_some_and(|claim| claim.held_by(me)));
            }
        }
    }
    registry.sessions().unwrap();
    registry.claims().unwrap();
    let unread = registry.unread_messages(me).unwrap();
    let ids: Vec<_> = unread.into_iter().map(|message| message.id).collect();
    registry.mark_read(me, &ids).unwrap();
    registry.messages(me).unwrap();
    registry.overview().unwrap();
    let board = registry.board_text().unwrap();
    assert!(!super::steers(&board), "{board:?}");
    registry.clean_up().unwrap();
    assert!(registry.claim_of(&free).unwrap().is_some_and(|claim| claim.held_by(me)), "a clean-up took a claim");
}
