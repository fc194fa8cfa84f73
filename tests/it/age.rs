//! An hour of work by 50 sessions leaves nothing behind, and the end of it costs what its beginning did.
//!
//! The sessions work through the registry with a clock that runs ahead as they do; a real server with a real editor
//! looks on all the time, and what it keeps is counted. Before every change the hour has steps of a minute;
//! `DECONFLICT_PROOF_LONG=1` makes them steps of five seconds and tells the figures.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{
    Activity, ClaimOutcome, Completion, Draft, Holding, NewSession, Recipient, Registry, RenewOutcome, Terms,
};
use serde_json::{Value, json};

use crate::support::{Document, Editor, Kept, Workspace, is_long, processor_time, wait_for};

const SESSIONS: usize = 50;
const FILES: usize = 200;
const HOUR: Duration = Duration::from_hours(1);

/// The hour is compared by sixths: what was not there at the start of the first has to be gone at the end of the last.
const PARTS: u32 = 6;

#[test]
fn an_hour_of_work_leaves_nothing_behind() {
    let workspace = Workspace::small();
    let clock = Arc::new(ManualClock::new(Utc::now() - TimeDelta::from_std(HOUR).unwrap()));
    let directory = workspace.coordination().create().directory().to_owned();
    let registry = Registry::open(&directory, clock.clone()).unwrap();
    let mut team = Team::new(&registry);
    // What is freed goes back to the system at once, so that the rest is what the server keeps.
    let editor = Editor::builder(&workspace).env("MALLOC_ARENA_MAX", "1").env("MALLOC_TRIM_THRESHOLD_", "0").start();
    let mut onlooker = Onlooker::new(&workspace, &registry, &editor);

    let step = if is_long() { Duration::from_secs(5) } else { Duration::from_mins(1) };
    let (mut parts, mut records) = (Vec::new(), Vec::new());
    for part in 0..PARTS {
        let end = HOUR * (part + 1) / PARTS;
        while clock.elapsed() < end {
            team.work();
            onlooker.work();
            clock.advance(step);
        }
        let claim = team.median_cost_of_claim();
        onlooker.catch_up();
        let kept = Kept::by(editor.server_id());
        if is_long() {
            println!("until minute {}: {claim:?} for a claim; the server: {kept:?}", end.as_secs() / 60);
        }
        parts.push((claim, kept));
        records.push(history(&directory));
    }
    // At first some folders come into being, and memory finds its size.
    let ((first_claim, first), (last_claim, last)) = (parts[1], parts[parts.len() - 1]);
    // The server becomes the board's keeper when nobody else is just then, and has the keeper's lock open from then on.
    // What it has open for a moment, because it is just looking, is closed again.
    wait_for("the descriptors of the beginning, and one", || {
        (Kept::by(editor.server_id()).descriptors <= first.descriptors + 1).then_some(())
    });
    // What is committed and free is not watched any more.
    assert!(last.watches <= first.watches, "{parts:?}");
    assert!(last.threads <= first.threads, "{parts:?}");
    // Sessions that ended and broadcasts stay in the directory for a week, and a server knows them for so long.
    let history = records[records.len() - 1] - records[1];
    assert!(last.resident <= first.resident + 4 * 1024 + history, "memory grows: {parts:?} {records:?}");
    // In a short hour the other tests disturb it more than that; there the count of instructions tells.
    assert!(!is_long() || last_claim <= first_claim * 3 / 2, "claims become dearer: {parts:?}");

    assert_eq!(editor.quit(), 0);
    team.end();
    clock.advance(Duration::from_hours(24 * 8));
    registry.clean_up().unwrap();
    let left = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(directory.join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
    };
    for folder in ["sessions", "claims", "heartbeats", "messages/broadcast", "messages/direct", ".read", ".unfinished"]
    {
        assert_eq!(left(folder), Vec::<String>::new());
    }
    let unfinished = |name: &String| name.contains("/.unfinished-");
    assert!(!left("").iter().any(unfinished), "{:?}", left(""));
}

/// How many records of the past there are.
fn history(directory: &Path) -> usize {
    ["sessions", "messages/broadcast"].map(|folder| fs::read_dir(directory.join(folder)).unwrap().count()).iter().sum()
}

/// Fifty sessions that take, renew, pass on and give up files, and write to each other.
struct Team<'a> {
    registry: &'a Registry,
    members: Vec<(SessionId, BTreeMap<usize, Holding>)>,
    chance: u64,
    /// What claims have cost since that was asked last.
    costs: Vec<Duration>,
}

impl<'a> Team<'a> {
    fn new(registry: &'a Registry) -> Self {
        let register = |_| (registry.register(NewSession::default()).unwrap().id, BTreeMap::new());
        Self { registry, members: (0..SESSIONS).map(register).collect(), chance: 1, costs: Vec::new() }
    }

    /// A number below `limit`, the same ones in each run.
    fn draw(&mut self, limit: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        usize::try_from(self.chance % u64::try_from(limit).unwrap()).unwrap()
    }

    /// Each does one thing, and one of them ends and is followed by another.
    fn work(&mut self) {
        for member in 0..SESSIONS {
            match self.draw(8) {
                0..=3 => self.claim_or_release(member),
                4 => self.renew_all(member),
                5 => self.write_to_somebody(member),
                6 => self.read(member),
                _ => {
                    let work = Activity::new("building", Some(format!("part {member}")));
                    self.registry.heartbeat(&self.members[member].0, &work).unwrap();
                }
            }
        }
        let leaver = self.draw(SESSIONS);
        self.registry.complete(&self.members[leaver].0, &Completion::default()).unwrap();
        self.members[leaver] = (self.registry.register(NewSession::default()).unwrap().id, BTreeMap::new());
        self.registry.refresh_board().unwrap();
    }

    fn claim_or_release(&mut self, member: usize) {
        let file = self.draw(FILES);
        let resource = Resource::file(&format!("src/{file}.rs")).unwrap();
        let (session, held) = &mut self.members[member];
        if held.len() > 3 {
            let (_, holding) = held.pop_first().unwrap();
            self.registry.release_holding(&holding).unwrap();
        }
        let terms = Terms { lease: TimeDelta::minutes(15), ..Terms::default() };
        let before = processor_time();
        let outcome = self.registry.claim(session, &resource, &terms).unwrap();
        self.costs.push(processor_time().saturating_sub(before));
        match outcome {
            ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } => {
                held.insert(file, claim.holding().unwrap());
            }
            ClaimOutcome::Refused { by } => assert!(!by.held_by(session)),
        }
    }

    fn renew_all(&mut self, member: usize) {
        let registry = self.registry;
        self.members[member].1.retain(|_, holding| {
            matches!(registry.renew(holding, TimeDelta::minutes(15)).unwrap(), RenewOutcome::Renewed(_))
        });
    }

    fn write_to_somebody(&mut self, member: usize) {
        let to = match self.draw(SESSIONS * 2) {
            other if other < SESSIONS && other != member => Recipient::Session(self.members[other].0.clone()),
            _ => Recipient::Everyone,
        };
        let draft = Draft { message: "Are you done?".to_owned(), ..Draft::new(MessageKind::Note) };
        self.registry.send(&self.members[member].0, &to, &draft).unwrap();
    }

    fn read(&mut self, member: usize) {
        let session = &self.members[member].0;
        let unread = self.registry.unread_messages(session).unwrap();
        let ids: Vec<_> = unread.into_iter().map(|message| message.id).collect();
        self.registry.mark_read(session, &ids).unwrap();
    }

    /// The median since this was asked last.
    fn median_cost_of_claim(&mut self) -> Duration {
        let mut costs = std::mem::take(&mut self.costs);
        costs.sort_unstable();
        costs[costs.len() / 2]
    }

    fn end(&mut self) {
        for (session, _) in &self.members {
            self.registry.complete(session, &Completion::default()).unwrap();
        }
    }
}

/// A person who edits one file after the other while all that goes on.
struct Onlooker<'a> {
    workspace: &'a Workspace,
    registry: &'a Registry,
    editor: &'a Editor,
    /// Claims what she waits for.
    other: SessionId,
    watched: Document<'a>,
    steps: usize,
}

impl<'a> Onlooker<'a> {
    fn new(workspace: &'a Workspace, registry: &'a Registry, editor: &'a Editor) -> Self {
        let other = registry.register(NewSession::default()).unwrap().id;
        let watched = editor.open("README.md");
        Self { workspace, registry, editor, other, watched, steps: 0 }
    }

    fn work(&mut self) {
        self.steps += 1;
        let name = format!("notes/{}.txt", self.steps);
        self.workspace.write(&name, "one line\n");
        let document = self.editor.open(&name);
        document.type_text("another ");
        document.undo_to_saved();
        document.close();
    }

    /// Waits until the server has seen everything that happened so far.
    fn catch_up(&self) {
        let resource = Resource::file("README.md").unwrap();
        let terms = Terms { lease: TimeDelta::hours(2), ..Terms::default() };
        self.registry.claim(&self.other, &resource, &terms).unwrap();
        self.watched.wait_for_diagnostic("claimed");
        self.registry.release(&self.other, &resource).unwrap();
        self.watched.wait_until_clear();
        // What nobody reads is kept until somebody does.
        let unread = self.editor.execute_ok("deconflict.messages", json!({ "unreadOnly": true }));
        let ids: Vec<&Value> = unread["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
        self.editor.execute_ok("deconflict.markRead", json!({ "ids": ids }));
    }
}
