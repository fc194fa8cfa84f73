//! Claims through the registry's verbs, with a clock that the test moves.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    Claim, ClaimOutcome, ClaimState, Completion, HandOffOutcome, Holding, MoveOutcome, NewSession, Registry,
    ReleaseOutcome, RenewOutcome, SessionState, Terms,
};
use serde_json::{Value, json};

struct Scene {
    registry: Registry,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock.clone()).unwrap();
        Self { registry, clock, _folder: folder }
    }

    fn session(&self, id: &str) -> SessionId {
        let id = SessionId::new(id).unwrap();
        self.registry.register(NewSession { id: Some(id.clone()), ..NewSession::default() }).unwrap();
        id
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.registry.path().join(relative)
    }

    fn record(&self, relative: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(relative)).unwrap()).unwrap()
    }

    fn write(&self, relative: &str, text: &str) {
        fs::write(self.path(relative), text).unwrap();
    }

    fn claim(&self, session: &SessionId, resource: &Resource) -> ClaimOutcome {
        self.registry.claim(session, resource, &Terms::default()).unwrap()
    }

    fn granted(&self, session: &SessionId, resource: &Resource) -> Claim {
        granted(self.claim(session, resource))
    }

    fn pass(&self, time: TimeDelta) {
        self.clock.advance(time.to_std().unwrap());
    }

    fn messages_to(&self, session: &SessionId) -> Vec<Value> {
        let folder = self.path("messages/direct").join(session.as_str());
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap()).collect()
    }
}

fn granted(outcome: ClaimOutcome) -> Claim {
    match outcome {
        ClaimOutcome::Granted { claim, .. } => claim,
        other => panic!("expected a grant, got {other:?}"),
    }
}

fn refused(outcome: ClaimOutcome) -> Claim {
    match outcome {
        ClaimOutcome::Refused { by } => by,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn holding(claim: &Claim) -> Holding {
    claim.holding().unwrap()
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn directory(name: &str) -> Resource {
    Resource::directory(name).unwrap()
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_second_session_is_refused_and_told_who_holds() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let claim = scene.granted(&anna, &file("src/a.rs"));
    assert_eq!(claim.standing, ClaimState::Active);
    assert_eq!(claim.expires_at - claim.claimed_at, TimeDelta::hours(4));
    let by = refused(scene.claim(&berta, &file("src/a.rs")));
    assert!(by.held_by(&anna));
    scene.granted(&berta, &file("src/b.rs"));
    assert_eq!(files_in(&scene.path("claims")), ["file-src%2Fa.rs.claim", "file-src%2Fb.rs.claim"]);
}

#[test]
fn files_and_directories_exclude_each_other_in_both_directions() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    scene.granted(&anna, &file("src/deep/a.rs"));
    for above in ["src/deep", "src", "."] {
        assert!(refused(scene.claim(&berta, &directory(above))).held_by(&anna), "{above}");
    }
    scene.granted(&berta, &directory("docs"));
    assert_eq!(refused(scene.claim(&anna, &file("docs/x/y.md"))).resource, directory("docs"));
    assert_eq!(refused(scene.claim(&anna, &directory("docs/x"))).resource, directory("docs"));
    scene.granted(&anna, &directory("src"));
    scene.granted(&berta, &file("//feature/src/deep/a.rs"));
    let long = format!("docs2/{}/a.md", "x".repeat(250));
    scene.granted(&anna, &file(&long));
    assert_eq!(refused(scene.claim(&berta, &directory("docs2"))).resource, file(&long), "a cut name is found too");
}

#[test]
fn an_expired_claim_is_taken_over_and_its_living_holder_is_told() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let first = scene.granted(&anna, &file("a"));
    scene.pass(TimeDelta::hours(4) - TimeDelta::seconds(1));
    refused(scene.claim(&berta, &file("a")));
    scene.pass(TimeDelta::seconds(1));
    let ClaimOutcome::Granted { claim, took_over } = scene.claim(&berta, &file("a")) else { panic!() };
    assert!(took_over.unwrap().held_by(&anna));
    assert!(claim.record.generation > first.record.generation);
    let told = scene.messages_to(&anna);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "taken_over");
    assert_eq!(told[0]["resource"], "file/a");
    assert_eq!(scene.record("claims/file-a.claim").get("displaced"), None, "noted as told");
    let outcome = scene.registry.renew(&holding(&first), TimeDelta::hours(1)).unwrap();
    assert!(matches!(outcome, RenewOutcome::Lost(Some(by)) if by.holding() == claim.holding()));
}

#[test]
fn an_expired_claim_below_a_directory_goes_with_it() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let first = scene.granted(&anna, &file("src/a"));
    scene.pass(TimeDelta::hours(5));
    scene.granted(&berta, &directory("src"));
    assert_eq!(files_in(&scene.path("claims")), ["directory-src.claim"]);
    assert_eq!(scene.messages_to(&anna).len(), 1);
    assert_eq!(scene.registry.renew(&holding(&first), TimeDelta::hours(1)).unwrap(), RenewOutcome::Lost(None));
}

#[test]
fn only_force_displaces_an_active_holder() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    scene.granted(&anna, &file("a"));
    let force = Terms { force: true, ..Terms::default() };
    let claim = granted(scene.registry.claim(&berta, &file("a"), &force).unwrap());
    assert!(claim.held_by(&berta));
    assert_eq!(scene.messages_to(&anna)[0]["type"], "taken_over");
    assert!(
        matches!(scene.registry.release(&anna, &file("a")).unwrap(), ReleaseOutcome::NotHolder(by) if by.held_by(&berta))
    );
}

#[test]
fn a_take_over_that_was_cut_short_is_told_later() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    scene.granted(&berta, &file("a"));
    // As if berta's process had died between the claim and the message.
    let mut record = scene.record("claims/file-a.claim");
    record["displaced"] = json!("anna");
    scene.write("claims/file-a.claim", &record.to_string());
    scene.claim(&berta, &file("a"));
    assert_eq!(scene.messages_to(&anna)[0]["type"], "taken_over");
    assert_eq!(scene.record("claims/file-a.claim").get("displaced"), None);
}

#[test]
fn claims_of_a_completed_session_are_free_and_so_are_those_of_a_dead_process() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    scene.granted(&anna, &file("a"));
    let released = scene.registry.complete(&anna, &Completion::default()).unwrap();
    assert_eq!(released.len(), 1);
    scene.granted(&berta, &file("a"));

    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let keeper = platform::process(child.id()).unwrap();
    let id = SessionId::new("kept").unwrap();
    let new = NewSession { id: Some(id.clone()), keeper: Some(keeper), ..NewSession::default() };
    scene.registry.register(new).unwrap();
    scene.granted(&id, &file("b"));
    assert!(refused(scene.claim(&berta, &file("b"))).is_active());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.registry.session(&id).unwrap().unwrap().state, SessionState::Gone);
    assert_eq!(scene.registry.claim_of(&file("b")).unwrap().unwrap().standing, ClaimState::Abandoned);
    scene.granted(&berta, &file("b"));
}

#[test]
fn a_broken_promise_to_refresh_abandons_what_no_process_vouches_for() {
    let scene = Scene::new();
    let berta = scene.session("berta");
    scene.write(
        "sessions/far.json",
        r#"{"session_id":"far","status":"active","keepalive":1,"pid":1,"pid_scope":"another machine","process_started":"x"}"#,
    );
    scene.write("claims/file-a.claim", r#"{"claimed_by":"far","resource_type":"file","resource_name":"a"}"#);
    refused(scene.claim(&berta, &file("a")));
    let record = fs::File::options().write(true).open(scene.path("sessions/far.json")).unwrap();
    record.set_modified(std::time::SystemTime::now() - Duration::from_secs(6)).unwrap();
    scene.granted(&berta, &file("a"));
}

#[test]
fn a_holder_on_another_machine_has_a_minute_more() {
    let scene = Scene::new();
    let berta = scene.session("berta");
    scene.write("sessions/far.json", r#"{"session_id":"far","status":"active","host":"another machine"}"#);
    let expires_at = deconflict_protocol::time::format(scene.clock.now());
    let claim = json!({"claimed_by": "far", "resource_type": "file", "resource_name": "a", "expires_at": expires_at});
    scene.write("claims/file-a.claim", &claim.to_string());
    scene.pass(TimeDelta::seconds(59));
    refused(scene.claim(&berta, &file("a")));
    scene.pass(TimeDelta::seconds(2));
    scene.granted(&berta, &file("a"));
}

#[test]
fn renewing_writes_at_most_once_in_five_minutes_and_keeps_foreign_fields() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    let terms = Terms { lease: TimeDelta::minutes(15), automatic: true, ..Terms::default() };
    let claim = granted(scene.registry.claim(&anna, &file("a"), &terms).unwrap());
    let mut record = scene.record("claims/file-a.claim");
    record["mood"] = json!("good");
    scene.write("claims/file-a.claim", &record.to_string());
    let renew = || match scene.registry.renew(&holding(&claim), TimeDelta::minutes(15)).unwrap() {
        RenewOutcome::Renewed(claim) => claim.expires_at,
        RenewOutcome::Lost(by) => panic!("{by:?}"),
    };
    scene.pass(TimeDelta::minutes(4));
    assert_eq!(renew(), claim.expires_at);
    scene.pass(TimeDelta::minutes(1));
    assert_eq!(renew(), claim.expires_at + TimeDelta::minutes(5));
    assert_eq!(scene.record("claims/file-a.claim")["mood"], "good");
    // A lapsed claim that nobody wanted is still its holder's.
    scene.pass(TimeDelta::hours(1));
    assert_eq!(scene.registry.claim_of(&file("a")).unwrap().unwrap().standing, ClaimState::Expired);
    assert!(renew() > scene.clock.now());
}

#[test]
fn a_lapsed_claim_is_not_renewed_over_a_successor_that_overlaps() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let claim = scene.granted(&anna, &directory("src"));
    scene.pass(TimeDelta::hours(5));
    // A script claims below it without asking.
    let claimed_at = deconflict_protocol::time::format(scene.clock.now());
    let claim_of_script =
        json!({"claimed_by": "berta", "claimed_at": claimed_at, "resource_type": "file", "resource_name": "src/a"});
    scene.write("claims/file-src%2Fa.claim", &claim_of_script.to_string());
    let outcome = scene.registry.renew(&holding(&claim), TimeDelta::hours(1)).unwrap();
    assert!(matches!(outcome, RenewOutcome::Lost(Some(by)) if by.held_by(&berta)));
    assert!(refused(scene.claim(&anna, &directory("src"))).held_by(&berta));
}

#[test]
fn a_forgotten_claim_can_be_taken_without_force() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let terms = Terms { automatic: true, ..Terms::default() };
    let claim = granted(scene.registry.claim(&anna, &file("a"), &terms).unwrap());
    scene.registry.mark_idle(&holding(&claim), Some(scene.clock.now())).unwrap();
    assert_eq!(scene.registry.claim_of(&file("a")).unwrap().unwrap().standing, ClaimState::Idle);
    scene.registry.mark_idle(&holding(&claim), None).unwrap();
    refused(scene.claim(&berta, &file("a")));
    scene.registry.mark_idle(&holding(&claim), Some(scene.clock.now())).unwrap();
    scene.granted(&berta, &file("a"));
}

#[test]
fn claiming_again_renews_and_turns_an_automatic_claim_into_one_by_hand() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    let automatic = Terms { automatic: true, lease: TimeDelta::minutes(15), ..Terms::default() };
    let first = granted(scene.registry.claim(&anna, &file("a"), &automatic).unwrap());
    let ClaimOutcome::AlreadyHeld { claim } = scene.claim(&anna, &file("a")) else { panic!() };
    assert!(!claim.is_automatic());
    assert_eq!(claim.expires_at, first.claimed_at + TimeDelta::hours(4));
    assert_eq!(claim.record.id, first.record.id, "the same holding");
    let ClaimOutcome::AlreadyHeld { claim } = scene.registry.claim(&anna, &file("a"), &automatic).unwrap() else {
        panic!()
    };
    assert!(!claim.is_automatic(), "an edit takes nothing back that was done by hand");
}

#[test]
fn a_release_needs_the_holder_and_the_holding() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let first = scene.granted(&anna, &file("a"));
    assert!(
        matches!(scene.registry.release(&berta, &file("a")).unwrap(), ReleaseOutcome::NotHolder(by) if by.held_by(&anna))
    );
    assert!(matches!(scene.registry.release(&anna, &file("a")).unwrap(), ReleaseOutcome::Released(_)));
    assert_eq!(scene.registry.release(&anna, &file("a")).unwrap(), ReleaseOutcome::NotFound);
    scene.granted(&anna, &file("a"));
    assert!(
        matches!(scene.registry.release_holding(&holding(&first)).unwrap(), ReleaseOutcome::NotHolder(_)),
        "an earlier holding of the same session is not this one"
    );
}

#[test]
fn a_hand_off_is_one_change_to_a_live_session() {
    let scene = Scene::new();
    let (anna, berta, clara) = (scene.session("anna"), scene.session("berta"), scene.session("clara"));
    let first = scene.granted(&anna, &file("a"));
    scene.registry.complete(&clara, &Completion::default()).unwrap();
    let hand_off = |from: &SessionId, to: &str| {
        scene.registry.hand_off(from, &file("a"), &SessionId::new(to).unwrap(), Some("mind the tests")).unwrap()
    };
    assert!(matches!(hand_off(&anna, "clara"), HandOffOutcome::RecipientNotLive(Some(_))));
    assert!(matches!(hand_off(&anna, "nobody"), HandOffOutcome::RecipientNotLive(None)));
    assert!(matches!(hand_off(&berta, "anna"), HandOffOutcome::NotHolder(_)));
    let HandOffOutcome::HandedOff(claim) = hand_off(&anna, "berta") else { panic!() };
    assert!(claim.held_by(&berta) && !claim.is_automatic());
    assert!(claim.record.generation > first.record.generation);
    assert_eq!(scene.messages_to(&berta)[0]["type"], "handoff");
    let hand_offs = files_in(&scene.path("handoffs"));
    assert_eq!(hand_offs.len(), 1);
    assert_eq!(scene.record(&format!("handoffs/{}", hand_offs[0]))["notes"], "mind the tests");
}

/// Nothing but its signs tells of a session without process and keepalive, and it is alive while it holds something.
#[test]
fn a_hand_off_goes_to_a_long_silent_session_only_while_it_holds_something() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let terms = Terms { lease: TimeDelta::days(3), ..Terms::default() };
    granted(scene.registry.claim(&berta, &file("b"), &terms).unwrap());
    scene.pass(TimeDelta::hours(25));
    scene.granted(&anna, &file("a"));
    let hand_off = |name: &str| scene.registry.hand_off(&anna, &file(name), &berta, None).unwrap();
    assert_eq!(scene.registry.session(&berta).unwrap().unwrap().state, SessionState::Silent);
    let outcome = hand_off("a");
    assert!(matches!(&outcome, HandOffOutcome::HandedOff(claim) if claim.held_by(&berta)), "{outcome:?}");

    scene.registry.release_all(&berta).unwrap();
    scene.granted(&anna, &file("c"));
    assert!(matches!(hand_off("c"), HandOffOutcome::RecipientNotLive(Some(_))));
}

#[test]
fn a_claim_follows_its_file_unless_another_holds_the_target() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let claim = scene.granted(&anna, &file("a"));
    let MoveOutcome::Moved(moved) = scene.registry.move_claim(&holding(&claim), &file("b")).unwrap() else { panic!() };
    assert_eq!(moved.expires_at, claim.expires_at);
    assert_eq!(files_in(&scene.path("claims")), ["file-b.claim"]);
    scene.granted(&berta, &file("c"));
    let outcome = scene.registry.move_claim(&holding(&moved), &file("c")).unwrap();
    assert!(matches!(outcome, MoveOutcome::Released { target } if target.held_by(&berta)));
    assert_eq!(files_in(&scene.path("claims")), ["file-c.claim"]);
    assert_eq!(scene.registry.move_claim(&holding(&moved), &file("d")).unwrap(), MoveOutcome::Lost(None));
}

/// It is another claim of another file, but the same work: nobody is told that it began with the move.
#[test]
fn a_claim_that_follows_its_file_keeps_what_is_said_in_it() {
    let scene = Scene::new();
    let (anna, berta) = (scene.session("anna"), scene.session("berta"));
    let claim = scene.granted(&anna, &file("a"));
    let mut record = scene.record("claims/file-a.claim");
    record["reviewer"] = json!({ "name": "carla" });
    record["phase"] = json!("BUILD");
    record["idle_since"] = json!("2025-11-15T10:00:00Z");
    record["displaced"] = json!("berta");
    scene.write("claims/file-a.claim", &record.to_string());
    let claim = Claim { record: scene.registry.claim_of(&file("a")).unwrap().unwrap().record, ..claim };

    scene.pass(TimeDelta::hours(1));
    let outcome = scene.registry.move_claim(&holding(&claim), &file("b")).unwrap();
    assert!(matches!(&outcome, MoveOutcome::Moved(moved) if moved.claimed_at == claim.claimed_at), "{outcome:?}");
    let mut moved = scene.record("claims/file-b.claim");
    assert!(moved["generation"].as_u64() > record["generation"].as_u64() && moved["id"] != record["id"]);
    assert_eq!(moved["resource_name"], "b");
    for field in ["generation", "id", "resource_name"] {
        moved[field] = record[field].clone();
    }
    record.as_object_mut().unwrap().remove("displaced");
    assert_eq!(moved, record);
    let told = scene.registry.messages(&berta).unwrap();
    assert_eq!(told.len(), 1, "whom it displaced was told, though nobody came to it before");
    assert_eq!(told[0].record.resource.as_deref(), Some("file/a"));

    // A script's claim may say no time, and then the time counts at which it was written.
    scene.write("claims/file-c.claim", r#"{"claimed_by":"anna","resource_type":"file","resource_name":"c"}"#);
    let claim = scene.registry.claim_of(&file("c")).unwrap().unwrap();
    scene.pass(TimeDelta::hours(1));
    let outcome = scene.registry.move_claim(&holding(&claim), &file("d")).unwrap();
    let MoveOutcome::Moved(moved) = outcome else { panic!("{outcome:?}") };
    let is_near = |one: DateTime<Utc>, other: DateTime<Utc>| (one - other).abs() < TimeDelta::seconds(1);
    assert!(is_near(moved.claimed_at, claim.claimed_at) && is_near(moved.expires_at, claim.expires_at), "{moved:?}");
}

#[test]
fn damaged_claims_block_for_a_while_and_are_kept() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    scene.write("claims/file-a.claim", "{\"claimed_by\": ");
    let age = |seconds| {
        let record = fs::File::options().write(true).open(scene.path("claims/file-a.claim")).unwrap();
        record.set_modified((scene.clock.now() - TimeDelta::seconds(seconds)).into()).unwrap();
    };
    age(1);
    assert_eq!(refused(scene.claim(&anna, &file("a"))).standing, ClaimState::Pending);
    age(60);
    let boot = platform::booted_at().unwrap();
    if chrono::DateTime::<Utc>::from(boot) < scene.clock.now() - TimeDelta::seconds(60) {
        assert_eq!(refused(scene.claim(&anna, &file("a"))).standing, ClaimState::Damaged);
    }
    scene.pass(TimeDelta::hours(4));
    scene.granted(&anna, &file("a"));
    assert_eq!(files_in(&scene.path(".damaged")).len(), 1);
}

/// Claims are not synced to disk, so that a power loss may leave a torn one; whoever wrote it is gone.
#[test]
fn a_torn_claim_from_before_the_machine_was_started_blocks_nobody() {
    let boot = chrono::DateTime::<Utc>::from(platform::booted_at().unwrap());
    for (written, blocks) in [(TimeDelta::seconds(-30), false), (TimeDelta::seconds(30), true)] {
        let scene = Scene::new();
        // A minute and a half after the start, whatever the time is really.
        scene.clock.jump(boot + TimeDelta::seconds(90) - scene.clock.now());
        let anna = scene.session("anna");
        scene.write("claims/file-a.claim", "");
        let record = fs::File::options().write(true).open(scene.path("claims/file-a.claim")).unwrap();
        record.set_modified((boot + written).into()).unwrap();
        match scene.claim(&anna, &file("a")) {
            ClaimOutcome::Refused { by } => assert!(blocks && by.standing == ClaimState::Damaged, "{by:?}"),
            outcome => assert!(!blocks, "{outcome:?}"),
        }
    }
}

/// So may a session's record. A claim that is whole is then nobody's.
#[test]
fn a_session_with_a_torn_record_from_before_the_machine_was_started_holds_nothing() {
    let boot = chrono::DateTime::<Utc>::from(platform::booted_at().unwrap());
    for (written, holds) in [(TimeDelta::seconds(-30), false), (TimeDelta::seconds(30), true)] {
        let scene = Scene::new();
        scene.clock.jump(boot + TimeDelta::seconds(90) - scene.clock.now());
        let (anna, berta) = (scene.session("anna"), scene.session("berta"));
        scene.granted(&anna, &file("a"));
        scene.write("sessions/anna.json", "");
        let record = fs::File::options().write(true).open(scene.path("sessions/anna.json")).unwrap();
        record.set_modified((boot + written).into()).unwrap();
        match scene.claim(&berta, &file("a")) {
            ClaimOutcome::Refused { by } => assert!(holds && by.standing == ClaimState::Active, "{by:?}"),
            outcome => assert!(!holds, "{outcome:?}"),
        }
    }
}

#[test]
fn a_claim_file_that_is_too_large_to_read_counts_as_damaged() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    scene.write("claims/file-a.claim", &" ".repeat((1 << 20) + 1));
    assert_eq!(refused(scene.claim(&anna, &file("a"))).standing, ClaimState::Pending);
    scene.pass(TimeDelta::hours(5));
    scene.granted(&anna, &file("a"));
}

#[test]
fn a_damaged_claim_from_the_future_blocks_nobody() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    scene.write("claims/file-a.claim", "{");
    let record = fs::File::options().write(true).open(scene.path("claims/file-a.claim")).unwrap();
    record.set_modified((scene.clock.now() + TimeDelta::days(400)).into()).unwrap();
    scene.granted(&anna, &file("a"));
}

#[cfg(unix)]
#[test]
fn nothing_outside_is_read_or_written_through_links() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, r#"{"claimed_by":"eve"}"#).unwrap();
    std::os::unix::fs::symlink(&secret, scene.path("claims/file-a.claim")).unwrap();
    let claim = scene.granted(&anna, &file("a"));
    assert!(claim.held_by(&anna));
    assert_eq!(fs::read_to_string(&secret).unwrap(), r#"{"claimed_by":"eve"}"#);

    fs::remove_dir_all(scene.path("claims")).unwrap();
    std::os::unix::fs::symlink(outside.path(), scene.path("claims")).unwrap();
    let error = scene.registry.claim(&anna, &file("b"), &Terms::default()).unwrap_err();
    assert!(error.to_string().contains("is a link"), "{error}");
    assert_eq!(files_in(outside.path()), ["secret"]);
}

#[test]
fn a_deleted_directory_comes_back_with_the_next_registration() {
    let scene = Scene::new();
    let anna = scene.session("anna");
    scene.granted(&anna, &file("a"));
    fs::remove_dir_all(scene.registry.path()).unwrap();
    assert!(scene.registry.claim(&anna, &file("a"), &Terms::default()).is_err(), "nobody is registered any more");
    scene.registry.resume(&anna, &NewSession::default()).unwrap().unwrap();
    scene.granted(&anna, &file("a"));
}

#[test]
fn threads_that_race_for_one_resource_see_one_winner() {
    let scene = Scene::new();
    let sessions: Vec<_> = (0..16).map(|n| scene.session(&format!("session-{n}"))).collect();
    for round in 0..25 {
        let resource = file(&format!("round-{round}"));
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let (scene, resource) = (&scene, &resource);
            let race = |session| scope.spawn(move || (session, scene.claim(session, resource)));
            let threads: Vec<_> = sessions.iter().map(race).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<_> =
            outcomes.iter().filter(|(_, outcome)| matches!(outcome, ClaimOutcome::Granted { .. })).collect();
        assert_eq!(winners.len(), 1);
        for (_, outcome) in &outcomes {
            if let ClaimOutcome::Refused { by } = outcome {
                assert!(by.held_by(winners[0].0), "the losers are told who");
            }
        }
    }
}
