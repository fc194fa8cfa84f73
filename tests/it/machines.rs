//! Sessions of several machines, whose clocks may differ: what a holder relies on in the last minute of its lease.

use std::fs;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, ClaimOutcome, ClaimState, HandOffOutcome, NewSession, Registry, RenewOutcome, Terms};
use serde_json::json;

use crate::support::{Terminal, Workspace, timestamp};

/// Short enough that a third of it, within which renewals write nothing, reaches into its last minute.
const LEASE: TimeDelta = TimeDelta::seconds(80);

struct Scene {
    registry: Registry,
    clock: Arc<ManualClock>,
    holder: SessionId,
    file: Resource,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock.clone()).unwrap();
        let file = Resource::file("a.rs").unwrap();
        let scene = Self { registry, clock, holder: SessionId::new("holder").unwrap(), file, _folder: folder };
        scene.register("holder");
        scene
    }

    fn register(&self, id: &str) -> SessionId {
        let id = SessionId::new(id).unwrap();
        self.registry.register(NewSession { id: Some(id.clone()), ..NewSession::default() }).unwrap();
        id
    }

    /// What a session on another machine says of itself here.
    fn write_far_session(&self, status: &str) {
        let record = json!({ "session_id": "far", "status": status, "host": "another machine" });
        fs::write(self.registry.path().join("sessions/far.json"), record.to_string()).unwrap();
    }

    fn claim(&self) -> Claim {
        let terms = Terms { lease: LEASE, automatic: true, ..Terms::default() };
        match self.registry.claim(&self.holder, &self.file, &terms).unwrap() {
            ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } => claim,
            refused @ ClaimOutcome::Refused { .. } => panic!("{refused:?}"),
        }
    }

    /// Renews the claim and returns when it ends.
    fn renew(&self) -> DateTime<Utc> {
        let claim = self.registry.claim_of(&self.file).unwrap().unwrap();
        match self.registry.renew(&claim.holding().unwrap(), LEASE).unwrap() {
            RenewOutcome::Renewed(claim) => claim.expires_at,
            lost @ RenewOutcome::Lost(_) => panic!("{lost:?}"),
        }
    }

    /// What the claim is worth to its holder, and to everybody else.
    fn standings(&self) -> (ClaimState, ClaimState) {
        let overview = self.registry.overview().unwrap();
        let to_others = overview.claims[0].standing;
        (overview.as_seen_by(&self.holder, self.clock.now()).claims[0].standing, to_others)
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds).to_std().unwrap());
    }
}

#[test]
fn a_holder_ceases_to_rely_on_a_claim_in_its_last_minute() {
    let scene = Scene::new();
    scene.write_far_session("active");
    scene.claim();
    scene.pass(19);
    assert_eq!(scene.standings(), (ClaimState::Active, ClaimState::Active));
    scene.pass(1);
    assert_eq!(scene.standings(), (ClaimState::Expired, ClaimState::Active), "whoever is here respects it to its end");
    scene.write_far_session("completed");
    assert_eq!(scene.standings(), (ClaimState::Active, ClaimState::Active), "nobody's clock differs any more");
}

#[test]
fn what_is_not_relied_on_is_renewed_however_soon() {
    let scene = Scene::new();
    let begin = scene.claim();
    scene.pass(25);
    assert_eq!(scene.renew(), begin.expires_at, "among sessions of one machine nothing changes");
    assert_eq!(scene.claim().expires_at, begin.expires_at);
    scene.write_far_session("active");
    assert_eq!(scene.renew(), begin.expires_at + TimeDelta::seconds(25));
    scene.pass(5);
    assert_eq!(scene.renew(), begin.expires_at + TimeDelta::seconds(25), "it is relied on again");
    scene.pass(20);
    let again = scene.claim();
    assert_eq!((again.expires_at, again.standing), (begin.expires_at + TimeDelta::seconds(50), ClaimState::Active));
    assert_eq!(again.holding(), begin.holding(), "it was held all the time");
}

#[test]
fn what_is_not_relied_on_can_be_handed_off_or_released_while_nobody_took_it() {
    let scene = Scene::new();
    scene.write_far_session("active");
    let heir = scene.register("heir");
    scene.claim();
    scene.pass(50);
    let outcome = scene.registry.hand_off(&scene.holder, &scene.file, &heir, None).unwrap();
    assert!(matches!(outcome, HandOffOutcome::HandedOff(_)), "{outcome:?}");
}

#[test]
fn the_terminal_tells_of_a_claim_that_is_not_to_be_relied_on() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let soon = timestamp(Utc::now() + TimeDelta::seconds(30));
    coordination.write_claim(&id, "file", "README.md", json!({ "expires_at": soon }));
    let standing = || terminal.run(["status", "--json"]).expect_code(0).json()["claims"][0]["standing"].clone();
    let held = || terminal.run(["status", "--oneline"]).expect_code(0).stdout;
    assert_eq!((standing(), held().contains("1 held")), (json!("active"), true));

    coordination.write_session("far", json!({ "host": "another machine" }));
    assert_eq!((standing(), held().contains("0 held")), (json!("expired"), true));
    let others = Terminal::with_new_session(&workspace).0;
    others.run(["check", "README.md"]).expect_code(1);
    terminal.run(["check", "README.md"]).expect_code(0);

    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    assert_eq!((standing(), held().contains("1 held")), (json!("active"), true));
    let told = terminal.run(["claim", "file", "src/lib.rs", "--for", "1m"]).expect_code(0);
    assert!(told.stdout.contains("another machine") && told.stdout.contains("longer"), "{told:?}");
}
