//! What cannot be seen from outside in a test's time: hours that pass, machines that sleep, answers that come late.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ropey::Rope;
use serde_json::{Value, json};
use tower_lsp::ls_types::{InitializeParams, TextDocumentContentChangeEvent, Uri};

use super::ServerState;
use crate::convert;
use crate::effect::Effect;
use crate::event::{DirectoryId, Event};
use crate::job::{ClaimResult, Claimability, DiskCheck, Job, JobResult};
use crate::reply::Reply;
use crate::text::OnDisk;
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{ClaimRecord, Naming, Resource, SessionId, SessionRecord, time};
use deconflict_registry::{
    Change, Claim, ClaimState, RenewOutcome, SeenBy, Session, SessionState, StoredSession, View,
};
use deconflict_workspace::UserSettings;

const HERE: DirectoryId = DirectoryId(0);

/// A state with one folder whose directory the session has joined.
struct Scene {
    state: ServerState,
    clock: Arc<ManualClock>,
    effects: Vec<Effect>,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::with(json!({}))
    }

    fn with(mut options: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let state = ServerState::new(clock.clone(), None, UserSettings::default());
        let mut scene = Self { state, clock, effects: Vec::new(), folder };
        options["activation"] = json!("always");
        let root = convert::uri_of(scene.folder.path()).unwrap();
        let parameters: InitializeParams = serde_json::from_value(json!({
            "processId": null, "rootUri": root, "capabilities": {}, "initializationOptions": options,
        }))
        .unwrap();
        scene.give(Event::Initialize(Box::new(parameters), Reply::new().0));
        scene.give(Event::Initialized);
        let location = deconflict_workspace::locate(scene.folder.path(), None, None);
        scene.give(Event::Located(root, Box::new(location)));
        let me = session("me");
        let view = View::new(me.id.clone(), scene.clock.clone());
        let directory = scene.folder.path().join("COORDINATION");
        scene.done(JobResult::Joined { session: me, claims: Vec::new(), view, directory });
        scene.give(Event::Changed(HERE, vec![Change::Ready]));
        scene.effects.clear();
        scene
    }

    fn give(&mut self, event: Event) {
        self.effects.extend(self.state.handle(event));
        self.effects.extend(self.state.publish());
    }

    fn done(&mut self, done: JobResult) {
        self.give(Event::JobResult(HERE, Box::new(done)));
    }

    /// Lets time pass, and each timer fire when it is due.
    fn wait(&mut self, time: Duration) {
        let end = self.clock.elapsed() + time;
        while let Some(due) = self.state.next_tick().filter(|due| *due <= end) {
            self.clock.advance(due.saturating_sub(self.clock.elapsed()));
            self.give(Event::Tick);
        }
        self.clock.advance(end.saturating_sub(self.clock.elapsed()));
    }

    fn uri(&self, name: &str) -> Uri {
        convert::uri_of(&self.folder.path().join(name)).unwrap()
    }

    fn open(&mut self, name: &str, text: &str) {
        self.give(Event::Opened { uri: self.uri(name), text: Some(text.to_owned()) });
    }

    fn change(&mut self, name: &str, text: &str) {
        let edit = TextDocumentContentChangeEvent { range: None, range_length: None, text: text.to_owned() };
        self.give(Event::DocumentChanged { uri: self.uri(name), edits: vec![edit] });
    }

    fn save(&mut self, name: &str) {
        self.give(Event::Saved(self.uri(name)));
    }

    /// The checks at files that were asked for since the last time.
    fn disk_checks(&mut self) -> Vec<DiskCheck> {
        let (checks, rest) = std::mem::take(&mut self.effects)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Job(_, Job::CheckDisk(_))));
        self.effects = rest;
        let checks: Vec<Effect> = checks;
        checks
            .into_iter()
            .map(|check| match check {
                Effect::Job(_, Job::CheckDisk(check)) => *check,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Answers every check at a file that has `on_disk` in it; what is unsaved is claimed.
    fn answer(&mut self, on_disk: &str) {
        loop {
            let checks = self.disk_checks();
            if checks.is_empty() {
                return;
            }
            for check in checks {
                self.answer_one(check, on_disk);
            }
        }
    }

    fn answer_one(&mut self, check: DiskCheck, on_disk: &str) {
        let name = Path::new(check.uri.as_str()).file_name().unwrap().to_str().unwrap().to_owned();
        let same = check.text.as_ref().is_some_and(|text| *text == on_disk);
        let claim = check.claim.map(|edit_claim| {
            let is_needed = !same || edit_claim.even_if_saved;
            if is_needed { ClaimResult::Granted(claim(&name, "me")) } else { ClaimResult::NotNeeded }
        });
        let resource = Resource::file(&name).unwrap();
        self.done(JobResult::DiskChecked {
            uri: check.uri,
            number: check.number,
            place: Claimability::Inside { resource, by_itself: true, is_work: true },
            on_disk: if same { OnDisk::Same(None) } else { OnDisk::Different(Rope::from_str(on_disk)) },
            claim,
        });
    }

    fn held(&mut self, name: &str) {
        self.open(name, "text");
        self.answer("text");
        self.change(name, "edited");
        self.answer("text");
        assert!(self.own().iter().any(|held| held == name), "{:?}", self.own());
    }

    /// The names of what the session believes to hold.
    fn own(&self) -> Vec<String> {
        let own = self.state.directories[&HERE].own.values();
        let names: BTreeSet<String> = own.map(|own| own.claim.resource.name().to_owned()).collect();
        names.into_iter().collect()
    }

    /// The names of what the others are told is edited without being held.
    fn edited_unheld(&self) -> Vec<String> {
        let editing = self.state.directories[&HERE].editing.iter().flatten();
        editing.map(|resource| resource.name().to_owned()).collect()
    }

    /// The jobs other than checks since the last time, as words.
    fn jobs(&mut self) -> Vec<String> {
        let jobs = std::mem::take(&mut self.effects).into_iter().filter_map(|effect| match effect {
            Effect::Job(_, Job::Renew(holding, _)) => Some(format!("renew {}", holding.resource.name())),
            Effect::Job(_, Job::MarkIdle(_, since)) => Some(format!("idle {}", since.is_some())),
            _ => None,
        });
        jobs.collect()
    }

    fn shown(&mut self) -> Vec<String> {
        let shown = std::mem::take(&mut self.effects).into_iter().filter_map(|effect| match effect {
            Effect::Show { notice, .. } => Some(notice.text),
            _ => None,
        });
        shown.collect()
    }
}

fn session(id: &str) -> Session {
    let now = Utc::now();
    let id = SessionId::new(id).unwrap();
    let record = SessionRecord { session_id: Some(id.clone()), ..SessionRecord::default() };
    Session { id, record, modified: now, state: SessionState::Live, last_sign: now, viewer: SeenBy::default() }
}

fn claim(name: &str, holder: &str) -> Claim {
    let now = Utc::now();
    let resource = Resource::file(name).unwrap();
    let record = ClaimRecord {
        claimed_by: Some(SessionId::new(holder).unwrap()),
        claimed_at: Some(time::format(now)),
        id: Some(format!("{name} of {holder}")),
        automatic: Some(true),
        ..ClaimRecord::default()
    };
    let expires_at = now + TimeDelta::hours(4);
    let key = Naming::default().key(&resource);
    Claim { key, resource, record, claimed_at: now, expires_at, modified: now, standing: ClaimState::Active }
}

#[test]
fn a_stream_of_edits_under_a_young_claim_reads_the_file_once_it_pauses() {
    let mut scene = Scene::new();
    scene.held("a.rs");
    for round in 0..50 {
        scene.change("a.rs", &format!("reload {round}"));
        scene.wait(Duration::from_millis(2));
        assert!(scene.disk_checks().is_empty());
    }
    scene.wait(Duration::from_millis(20));
    scene.answer("reload 49");
    scene.wait(Duration::from_millis(500));
    assert_eq!(scene.own(), Vec::<String>::new());
}

#[test]
fn a_save_that_is_faster_than_the_first_look_claims_all_the_same() {
    let mut scene = Scene::new();
    scene.open("a.rs", "text");
    scene.change("a.rs", "edited");
    scene.save("a.rs");
    scene.answer("edited");
    assert_eq!(scene.own(), ["a.rs"]);

    // The file may also be read between its writing and the editor's word of it.
    scene.open("b.rs", "text");
    scene.answer("text");
    scene.change("b.rs", "edited");
    scene.answer("edited");
    assert_eq!(scene.own(), ["a.rs"]);
    scene.save("b.rs");
    scene.answer("edited");
    assert_eq!(scene.own(), ["a.rs", "b.rs"]);
    scene.wait(Duration::from_mins(1));
    assert_eq!(scene.own(), ["a.rs", "b.rs"]);

    // Or it has the edited text before the editor told of that edit at all.
    scene.open("c.rs", "text");
    scene.answer("edited");
    scene.change("c.rs", "edited");
    scene.save("c.rs");
    scene.answer("edited");
    scene.wait(Duration::from_mins(1));
    assert_eq!(scene.own(), ["a.rs", "b.rs", "c.rs"]);

    // Or the answer about the text as it was opened comes between the edit and the save.
    scene.open("e.rs", "text");
    scene.change("e.rs", "edited");
    scene.answer("edited");
    scene.save("e.rs");
    scene.answer("edited");
    scene.wait(Duration::from_mins(1));
    assert_eq!(scene.own(), ["a.rs", "b.rs", "c.rs", "e.rs"]);

    // What was taken back before it was saved is nobody's work.
    scene.held("d.rs");
    scene.change("d.rs", "text");
    scene.save("d.rs");
    scene.answer("text");
    assert_eq!(scene.own(), ["a.rs", "b.rs", "c.rs", "e.rs"]);
}

#[test]
fn what_was_forgotten_is_marked_until_it_is_touched() {
    let mut scene = Scene::new();
    scene.held("a.rs");
    scene.wait(Duration::from_hours(5));
    assert_eq!(scene.jobs().iter().filter(|job| *job == "idle true").count(), 1);
    scene.change("a.rs", "edited again");
    assert_eq!(scene.jobs(), ["idle false"]);
}

/// A session of another machine that says nothing of when it refreshes its record.
fn of_another_machine(id: &str) -> Change {
    let id = SessionId::new(id).unwrap();
    let record = SessionRecord { host: Some("another machine".to_owned()), ..SessionRecord::default() };
    Change::Session(id.clone(), Some(StoredSession::written(id, record, Utc::now())))
}

#[test]
fn a_claim_that_could_not_be_renewed_is_not_relied_on_in_its_last_minute() {
    for is_another_machine_here in [false, true] {
        let mut scene = Scene::new();
        if is_another_machine_here {
            scene.give(Event::Changed(HERE, vec![of_another_machine("far")]));
        }
        scene.held("a.rs");
        // Nobody answers when it is renewed.
        scene.wait(Duration::from_secs(4 * 60 * 60 - 90));
        assert_eq!(scene.edited_unheld(), Vec::<String>::new());
        scene.jobs();
        scene.wait(Duration::from_secs(32));
        assert_eq!(!scene.edited_unheld().is_empty(), is_another_machine_here);
        assert_eq!(scene.jobs().contains(&"renew a.rs".to_owned()), is_another_machine_here);

        let mut renewed = claim("a.rs", "me");
        renewed.expires_at = scene.clock.now() + TimeDelta::minutes(15);
        let holding = renewed.holding().unwrap();
        scene.done(JobResult::Renewed(holding, RenewOutcome::Renewed(renewed)));
        assert_eq!(scene.edited_unheld(), Vec::<String>::new(), "it is held again");
    }
}

#[test]
fn what_was_lost_while_the_machine_slept_is_told_after_it() {
    let mut scene = Scene::new();
    scene.held("a.rs");
    scene.held("b.rs");
    scene.effects.clear();
    scene.clock.jump(TimeDelta::hours(2));
    scene.give(Event::Tick);
    let is_verify = |effect: &&Effect| matches!(effect, Effect::Job(_, Job::Verify(_)));
    assert_eq!(scene.effects.iter().filter(is_verify).count(), 2, "{:?}", scene.effects);
    scene.effects.clear();
    for (name, holder) in [("a.rs", "bob"), ("b.rs", "me")] {
        let found = claim(name, holder);
        scene.done(JobResult::Verified(found.resource.clone(), Some(found)));
    }
    scene.wait(Duration::from_secs(3));
    let shown = scene.shown();
    let told: Vec<&String> = shown.iter().filter(|text| text.contains("slept")).collect();
    assert!(matches!(told[..], [told] if told.contains("a.rs (now bob)") && !told.contains("b.rs")), "{shown:?}");
}

#[test]
fn a_clock_that_went_back_is_told_of_once() {
    let mut scene = Scene::new();
    scene.held("a.rs");
    scene.clock.jump(TimeDelta::minutes(-5));
    scene.give(Event::Tick);
    let shown = scene.shown();
    assert!(!shown.iter().any(|text| text.contains("clock")), "clocks differ by so much: {shown:?}");
    scene.clock.jump(TimeDelta::hours(-2));
    scene.give(Event::Tick);
    scene.wait(Duration::from_secs(3));
    let shown = scene.shown();
    let told: Vec<&String> = shown.iter().filter(|text| text.contains("clock went back by 2 hours")).collect();
    assert_eq!(told.len(), 1, "{shown:?}");
    assert_eq!(scene.own(), ["a.rs"], "nothing is lost by it");
}
