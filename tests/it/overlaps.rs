//! A directory and what is in it are never held by two sessions, however a claim came to be: every way to get one is
//! tried in both directions.

use std::time::Duration;

use chrono::TimeDelta;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    Claim, ClaimOutcome, Completion, HandOffOutcome, MoveOutcome, NewSession, RenewOutcome, Terms,
};
use serde_json::json;

use crate::support::{Office, Terminal};

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn directory(name: &str) -> Resource {
    Resource::directory(name).unwrap()
}

fn granted(office: &Office, session: &SessionId, resource: &Resource) -> Claim {
    match office.registry.claim(session, resource, &Terms::default()).unwrap() {
        ClaimOutcome::Granted { claim, .. } => claim,
        other => panic!("expected a grant, got {other:?}"),
    }
}

/// The active claims of any two sessions that exclude each other.
fn both_held(office: &Office) -> Vec<(String, String)> {
    let active: Vec<Claim> = office.registry.claims().unwrap().into_iter().filter(Claim::is_active).collect();
    let pairs = active.iter().flat_map(|one| active.iter().map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one.resource.overlaps(&other.resource) && one.holder() != other.holder())
        .map(|(one, other)| (one.resource.to_string(), other.resource.to_string()))
        .collect()
}

/// Whoever gives a file away and keeps its directory would still hold it.
#[test]
fn what_the_giver_holds_besides_is_in_the_recipients_way() {
    for (given, kept) in [(file("d/a"), directory("d")), (directory("d"), file("d/a")), (file("d/e/a"), directory("."))]
    {
        let office = Office::new();
        let (anna, berta) = (office.session("anna"), office.session("berta"));
        granted(&office, &anna, &kept);
        granted(&office, &anna, &given);
        let outcome = office.registry.hand_off(&anna, &given, &berta, None).unwrap();
        assert!(
            matches!(&outcome, HandOffOutcome::Refused { by } if by.resource == kept && by.held_by(&anna)),
            "{given} while {kept} stays: {outcome:?}"
        );
        assert!(office.registry.claim_of(&given).unwrap().unwrap().held_by(&anna), "nothing changed hands");
        office.registry.release(&anna, &kept).unwrap();
        let outcome = office.registry.hand_off(&anna, &given, &berta, None).unwrap();
        assert!(matches!(outcome, HandOffOutcome::HandedOff(_)), "{given} once {kept} is free: {outcome:?}");
        assert_eq!(both_held(&office), []);
    }
}

#[test]
fn the_terminal_says_what_to_release_before_a_hand_off() {
    let office = Office::new();
    let anna = office.session("anna");
    office.session("berta");
    granted(&office, &anna, &directory("d"));
    granted(&office, &anna, &file("d/a"));
    let arguments = ["hand-off", "file", "d/a", "berta", "--session", "anna"];
    let answer = Terminal::on(&office.workspace).run(arguments).expect_code(1);
    assert!(answer.stderr.contains("You also hold the directory \"d\""), "{answer:?}");
    assert!(answer.stderr.contains("deconflict release directory d"), "{answer:?}");
    assert!(office.registry.claim_of(&file("d/a")).unwrap().unwrap().held_by(&anna));
}

/// A server that was killed goes on with its session, and with what it held unless somebody took that.
#[test]
fn whoever_gets_a_claim_ends_the_abandoned_ones_that_overlap_it() {
    type Get = fn(&Office, &SessionId);
    let ways: [(&str, Get); 4] = [
        ("claim", |office, anna| drop(granted(office, anna, &file("d/a")))),
        ("claim all", |office, anna| {
            office.registry.claim_all(anna, None, &[file("x"), file("d/a")], &Terms::default()).unwrap();
        }),
        ("move", |office, anna| {
            let claim = office.registry.claim_of(&file("own")).unwrap().unwrap();
            let outcome = office.registry.move_claim(&claim.holding().unwrap(), &file("d/a")).unwrap();
            assert!(matches!(outcome, MoveOutcome::Moved(ref moved) if moved.held_by(anna)), "{outcome:?}");
        }),
        ("hand-off", |office, anna| {
            let berta = office.session("berta");
            // As a script leaves it, which looks at nothing.
            let fields = json!({ "expires_at": "2099-01-01T00:00:00Z" });
            office.coordination().write_claim(berta.as_str(), "file", "d/a", fields);
            let outcome = office.registry.hand_off(&berta, &file("d/a"), anna, None).unwrap();
            assert!(matches!(outcome, HandOffOutcome::HandedOff(_)), "{outcome:?}");
        }),
    ];
    for (way, get) in ways {
        let office = Office::new();
        let anna = office.session("anna");
        granted(&office, &anna, &file("own"));
        let killed = office.register(NewSession { keepalive: Some(60), ..NewSession::default() }).id;
        granted(&office, &killed, &directory("d"));
        office.coordination().age(&format!("sessions/{killed}.json"), Duration::from_secs(400));
        get(&office, &anna);
        office.registry.resume(&killed, &NewSession::default()).unwrap().unwrap();
        assert_eq!(both_held(&office), [], "{way}");
        assert_eq!(office.registry.claim_of(&directory("d")).unwrap(), None, "{way}");
        assert!(office.registry.claim_of(&file("d/a")).unwrap().unwrap().held_by(&anna), "{way}");
    }
}

/// A lapsed lease that is renewed counts again, so it is as good as a new claim.
#[test]
fn a_lapsed_claim_that_is_renewed_ends_the_stale_ones_that_overlap_it() {
    let office = Office::new();
    let anna = office.session("anna");
    let claim = granted(&office, &anna, &file("d/a"));
    let ended = office.session("ended");
    office.registry.complete(&ended, &Completion::default()).unwrap();
    office.coordination().write_claim("ended", "directory", "d", json!({ "expires_at": "2099-01-01T00:00:00Z" }));
    office.clock.advance(Duration::from_hours(5));
    let outcome = office.registry.renew(&claim.holding().unwrap(), TimeDelta::hours(4)).unwrap();
    assert!(matches!(outcome, RenewOutcome::Renewed(_)), "{outcome:?}");
    office.registry.resume(&ended, &NewSession::default()).unwrap().unwrap();
    assert_eq!(both_held(&office), []);
}

/// "Forgotten" on the protocol page: it can be taken over without force, so it stands in nobody's way, whoever asks.
#[test]
fn what_was_left_idle_may_be_edited_by_whoever_asks() {
    let office = Office::new();
    let anna = office.session("anna");
    office.session("berta");
    let terms = Terms { automatic: true, ..Terms::default() };
    office.claim(&anna, "a", &terms);
    let check = || Terminal::on(&office.workspace).run(["check", "a", "--session", "berta"]);
    check().expect_code(1);
    let claim = office.registry.claim_of(&file("a")).unwrap().unwrap();
    office.registry.mark_idle(&claim.holding().unwrap(), Some(claim.claimed_at)).unwrap();
    check().expect_code(0);
    Terminal::on(&office.workspace).run(["claim", "file", "a", "--session", "berta"]).expect_code(0);
}
