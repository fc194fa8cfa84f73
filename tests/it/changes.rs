//! Who changed what, what is uncommitted and whose, who lost something, and the ways back: over a real clone and registry.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use deconflict_changes::{CommitPlan, FileHistory, Noticed, Planned, PlannedKind, Recorder, Telling, Undo, author_of};
use deconflict_journal::{Author, Cause, FileState, Journal, Settlement};
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimOutcome, NewSession, Registry, Terms};
use deconflict_workspace::{Ignored, Namer, locate};

use super::support::Workspace;

/// A clone with a registry and a journal.
struct Desktop {
    workspace: Workspace,
    registry: Registry,
    journal: Journal,
    namer: Namer,
    ignored: Ignored,
    clock: Arc<ManualClock>,
}

impl Desktop {
    /// With a committed file `poem.txt` of ten lines.
    fn new() -> Self {
        let workspace = Workspace::small();
        workspace.write("poem.txt", poem(&[]));
        workspace.commit_all("A poem");
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let directory = workspace.root().join("COORDINATION");
        let registry = Registry::create(&directory, clock.clone()).unwrap();
        let journal = Journal::of(&directory, None).unwrap();
        let namer = Namer::new(&locate(workspace.root(), None, None).unwrap());
        Self { workspace, registry, journal, namer, ignored: Ignored::new(), clock }
    }

    fn recorder(&self) -> Recorder<'_> {
        Recorder { journal: &self.journal, namer: &self.namer, ignored: &self.ignored, registry: Some(&self.registry) }
    }

    fn author(&self, name: &str) -> Author {
        let id = SessionId::new(name).unwrap();
        let session = self.registry.session(&id).unwrap().unwrap_or_else(|| {
            let new = NewSession { id: Some(id), name: Some(name.to_owned()), ..NewSession::default() };
            self.registry.register(new).unwrap()
        });
        author_of(&session)
    }

    /// Looks, writes, and says who did.
    fn edit(&self, author: &Author, cause: Cause, path: &str, text: &[u8]) -> Option<Noticed> {
        let resource = Resource::file(path).unwrap();
        let began = self.tick();
        self.recorder().look(&resource, began).unwrap();
        self.workspace.write(path, text);
        self.recorder().changed_by(author, cause, &resource, began, self.tick()).unwrap()
    }

    fn tick(&self) -> chrono::DateTime<Utc> {
        self.clock.advance(Duration::from_secs(1));
        self.clock.now()
    }

    fn history(&self, path: &str) -> FileHistory {
        FileHistory::read(&self.journal, &Resource::file(path).unwrap()).unwrap().unwrap()
    }

    fn plan(&self, author: &Author, path: &str) -> CommitPlan {
        let is_meant = |other: &Author| other.session == author.session;
        CommitPlan::of_authors(&self.recorder(), &[Resource::file(path).unwrap()], "HEAD", &is_meant).unwrap()
    }

    fn undo(&self, author: &Author, path: &str) -> Undo {
        let is_meant = |other: &Author| other.session == author.session;
        Undo::of_authors(&self.recorder(), &[Resource::file(path).unwrap()], &is_meant).unwrap()
    }
}

/// Ten lines, some of them replaced.
fn poem(replaced: &[(usize, &str)]) -> String {
    let line = |number: usize| match replaced.iter().find(|(replaced, _)| *replaced == number) {
        Some((_, text)) => format!("{text}\n"),
        None => format!("line {number}\n"),
    };
    (1..=10).map(line).collect()
}

fn command(words: &str) -> Cause {
    Cause::Command { command: Some(words.to_owned()) }
}

#[test]
fn a_script_over_uncommitted_changes_takes_them_and_a_restore_brings_them_back() {
    let desk = Desktop::new();
    let (ada, claude) = (desk.author("ada"), desk.author("claude"));
    let first = desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(3, "of ada")]).as_bytes()).unwrap();
    assert_eq!(first.lost, []);
    let noticed = desk.edit(&claude, command("gen.py poem.txt"), "poem.txt", b"generated\n").unwrap();
    assert_eq!(noticed.lost.len(), 1);
    assert_eq!((&noticed.lost[0].owner, noticed.lost[0].held), (&ada, false));
    let telling = Telling { recorder: desk.recorder(), by: Some(&claude.session) };
    telling.tell(&noticed, desk.tick()).unwrap();
    telling.tell(&noticed, desk.tick()).unwrap();
    let told = desk.registry.unread_messages(&ada.session).unwrap();
    assert_eq!(told.len(), 1);
    let text = told[0].text();
    assert!(text.contains("\"claude\" changed \"poem.txt\" by the command \"gen.py poem.txt\""), "{text}");
    assert_eq!(told[0].kind().as_str(), "overwritten");

    let restored = desk.recorder().restore(&ada, &noticed.entry, desk.tick()).unwrap();
    assert_eq!(desk.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(restored.entry, noticed.entry.id);
    let losses = desk.journal.log(&Resource::file("poem.txt").unwrap()).unwrap().losses();
    assert_eq!(losses[0].settled.map(|(how, _)| how), Some(Settlement::Restored));
    // Ada's line is Ada's again, and a restore can be taken back.
    let owned = desk.history("poem.txt");
    let committed = poem(&[]);
    let uncommitted = owned.uncommitted(committed.as_bytes());
    assert_eq!(
        owned.owned(&uncommitted).iter().map(|owned| owned.owner.clone()).collect::<Vec<_>>(),
        [Some(ada.clone())]
    );
    let again = restored.noticed.unwrap().entry;
    desk.recorder().restore(&ada, &again, desk.tick()).unwrap();
    assert_eq!(desk.workspace.read("poem.txt"), "generated\n");
}

#[test]
fn an_edit_among_anothers_lines_takes_nothing_and_one_that_leaves_none_of_them_does() {
    let desk = Desktop::new();
    let (ada, grace) = (desk.author("ada"), desk.author("grace"));
    desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(3, "of ada"), (8, "also")]).as_bytes()).unwrap();
    let among = poem(&[(3, "of grace"), (8, "also")]);
    assert_eq!(desk.edit(&grace, Cause::Save, "poem.txt", among.as_bytes()).unwrap().lost, []);
    let without = desk.edit(&grace, Cause::Save, "poem.txt", poem(&[(3, "of grace")]).as_bytes()).unwrap();
    assert_eq!(without.lost.iter().map(|lost| lost.owner.clone()).collect::<Vec<_>>(), [ada]);
}

#[test]
fn what_is_committed_on_another_branch_is_not_lost() {
    let desk = Desktop::new();
    let (ada, claude) = (desk.author("ada"), desk.author("claude"));
    desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(3, "of ada")]).as_bytes()).unwrap();
    desk.workspace.git(&["checkout", "-q", "-b", "feature"]);
    desk.workspace.git(&["commit", "-q", "-a", "-m", "Of Ada"]);
    let resource = Resource::file("poem.txt").unwrap();
    let began = desk.tick();
    desk.recorder().look(&resource, began).unwrap();
    desk.workspace.git(&["checkout", "-q", "-"]);
    assert_eq!(desk.workspace.read("poem.txt"), poem(&[]));
    let cause = command("git checkout -");
    let noticed = desk.recorder().changed_by(&claude, cause, &resource, began, desk.tick()).unwrap().unwrap();
    assert_eq!(noticed.lost, []);
    // What only lies in a stash is.
    desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(5, "again")]).as_bytes()).unwrap();
    let began = desk.tick();
    desk.workspace.git(&["stash", "-q"]);
    let cause = command("git stash");
    let noticed = desk.recorder().changed_by(&claude, cause, &resource, began, desk.tick()).unwrap().unwrap();
    assert_eq!(noticed.lost.iter().map(|lost| lost.owner.clone()).collect::<Vec<_>>(), [ada]);
}

#[test]
fn a_holder_is_told_of_any_change_that_is_not_their_own() {
    let desk = Desktop::new();
    // Somebody whose hooks would tell what they changed, so that they are waited for.
    let agent = NewSession {
        id: Some(SessionId::new("claude").unwrap()),
        agent: Some("claude-code".to_owned()),
        ..NewSession::default()
    };
    desk.registry.register(agent).unwrap();
    let (ada, claude) = (desk.author("ada"), desk.author("claude"));
    let resource = Resource::file("poem.txt").unwrap();
    let outcome = desk.registry.claim(&ada.session, &resource, &Terms::default()).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { .. }));
    let noticed = desk.edit(&claude, command("sed"), "poem.txt", poem(&[(1, "of claude")]).as_bytes()).unwrap();
    assert_eq!(noticed.lost.len(), 1);
    assert!(noticed.lost[0].held);
    // What nobody says is theirs is judged a moment later, once.
    desk.workspace.write("poem.txt", "by nobody\n");
    let entry = desk.recorder().look(&resource, desk.clock.now()).unwrap().unwrap();
    let changed = entry.stamp.unwrap().changed_at();
    assert!(desk.recorder().settle_unknown(&resource, changed).unwrap().is_none());
    let noticed = desk.recorder().settle_unknown(&resource, desk.tick()).unwrap().unwrap();
    assert_eq!((&noticed.entry.id, noticed.lost.len()), (&entry.id, 2), "{:?}", noticed.lost);
    assert!(desk.recorder().settle_unknown(&resource, desk.tick()).unwrap().is_none());
}

#[test]
fn what_was_only_put_aside_for_a_moment_is_not_worth_a_word() {
    let desk = Desktop::new();
    let agent = NewSession {
        id: Some(SessionId::new("claude").unwrap()),
        agent: Some("claude-code".to_owned()),
        ..NewSession::default()
    };
    let claude = author_of(&desk.registry.register(agent).unwrap());
    let resource = Resource::file("poem.txt").unwrap();
    let outcome = desk.registry.claim(&claude.session, &resource, &Terms::default()).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { .. }));
    // What is clean, and what the holder has changed.
    for text in [poem(&[]), poem(&[(2, "of claude")])] {
        desk.edit(&claude, Cause::Edit, "poem.txt", text.as_bytes());
        desk.workspace.write("poem.txt", "aside\n");
        // Somebody looks at that moment, but nobody is told before it is back.
        desk.recorder().look(&resource, desk.clock.now()).unwrap().unwrap();
        desk.workspace.write("poem.txt", &text);
        let noticed = [desk.clock.now(), desk.tick()].map(|at| desk.recorder().settle_unknown(&resource, at).unwrap());
        assert!(noticed.iter().flatten().all(|noticed| noticed.lost.is_empty()), "{noticed:?}");
        let newest = desk.journal.log(&resource).unwrap().entries().pop().unwrap();
        assert!(noticed.iter().flatten().any(|noticed| noticed.entry.id == newest.id), "{noticed:?}");
    }
}

#[test]
fn two_agents_of_one_person_are_told_of_each_other_and_their_person_is_not() {
    let desk = Desktop::new();
    let of_ada = |id: &str, agent: Option<&str>| {
        let new = NewSession {
            id: Some(SessionId::new(id).unwrap()),
            person: Some("Ada".to_owned()),
            agent: agent.map(str::to_owned),
            ..NewSession::default()
        };
        author_of(&desk.registry.register(new).unwrap())
    };
    let ada = of_ada("editor", None);
    let [claude, codex] = ["claude-code", "codex"].map(|agent| of_ada(agent, Some(agent)));
    let resource = Resource::file("poem.txt").unwrap();
    let outcome = desk.registry.claim(&claude.session, &resource, &Terms::default()).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { .. }));
    let sorted = desk.edit(&codex, command("sort -o poem.txt"), "poem.txt", poem(&[(1, "sorted")]).as_bytes()).unwrap();
    assert_eq!(sorted.lost.iter().map(|lost| &lost.owner).collect::<Vec<_>>(), [&claude]);
    let edited = desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(1, "of ada")]).as_bytes()).unwrap();
    assert!(!edited.lost.iter().any(|lost| lost.owner == claude), "{:?}", edited.lost);
}

#[test]
fn two_sessions_commit_their_own_lines_one_after_the_other() {
    let desk = Desktop::new();
    let (ada, claude) = (desk.author("ada"), desk.author("claude"));
    desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(3, "of ada")]).as_bytes()).unwrap();
    desk.edit(&claude, Cause::Edit, "poem.txt", poem(&[(3, "of ada"), (4, "of claude")]).as_bytes()).unwrap();
    let planned = |text: String| Planned { bytes: text.into_bytes(), kind: PlannedKind::File { executable: None } };
    let plan = desk.plan(&ada, "poem.txt");
    assert_eq!((plan.files.len(), plan.overlaps.len(), plan.unknown.len()), (1, 0, 0));
    assert_eq!(plan.files[0].content, Some(planned(poem(&[(3, "of ada")]))));
    assert_eq!(desk.plan(&claude, "poem.txt").files[0].content, Some(planned(poem(&[(4, "of claude")]))));
    // A line of both belongs to neither alone.
    desk.edit(&claude, Cause::Edit, "poem.txt", poem(&[(3, "of both"), (4, "of claude")]).as_bytes()).unwrap();
    let plan = desk.plan(&claude, "poem.txt");
    assert!(plan.files.is_empty());
    assert_eq!((plan.overlaps[0].places[0].first, &plan.overlaps[0].others), (3, &vec![ada]), "{:?}", plan.overlaps);
}

#[test]
fn an_undo_takes_one_sessions_changes_out_and_leaves_the_others() {
    let desk = Desktop::new();
    let (ada, claude) = (desk.author("ada"), desk.author("claude"));
    desk.edit(&ada, Cause::Save, "poem.txt", poem(&[(3, "of ada")]).as_bytes()).unwrap();
    desk.edit(&claude, Cause::Edit, "poem.txt", poem(&[(3, "of ada"), (9, "of claude")]).as_bytes()).unwrap();
    desk.edit(&claude, Cause::Edit, "new.txt", b"new\n").unwrap();
    let undo = desk.undo(&claude, "poem.txt");
    assert!(undo.overlaps.is_empty());
    undo.carry_out(&desk.recorder(), &claude, desk.tick()).unwrap();
    assert_eq!(desk.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    let undo = desk.undo(&claude, "new.txt");
    assert_eq!(undo.files[0].state, FileState::Absent);
    undo.carry_out(&desk.recorder(), &claude, desk.tick()).unwrap();
    assert!(!desk.workspace.path("new.txt").exists());
    // Taking the undo back brings the file again.
    let entries = desk.history("new.txt").entries().to_vec();
    let undo = Undo::of_entries(&desk.recorder(), &entries[1..]).unwrap();
    undo.carry_out(&desk.recorder(), &claude, desk.tick()).unwrap();
    assert_eq!(desk.workspace.read("new.txt"), "new\n");
}
