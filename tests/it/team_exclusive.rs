//! Files that cannot be merged, which one session of the whole team holds at a time.

#![cfg(unix)]

use std::fs;

use serde_json::{Value, json};

use crate::support::team::{PATIENCE, Team};
use crate::support::{CodingAgent, Coordination, Editor, wait_within};

const IMAGE: &str = "art/logo.psd";

/// Two clones with an image in each that git takes for lockable.
fn with_image() -> Option<Team> {
    let team = Team::meet()?;
    team.workspace.write(".gitattributes", "*.psd lockable\n");
    team.workspace.write(IMAGE, "first");
    team.workspace.commit_all("An image");
    team.pull();
    Some(team)
}

impl Team {
    /// Brings to Berta's clone what Anna's has.
    fn pull(&self) {
        self.workspace.git_in(&self.second, &["pull", "--quiet", "--no-rebase"]);
    }

    fn at_bertas(&self) -> Coordination {
        Coordination::at(&self.second.join("COORDINATION"))
    }
}

/// The claim of the image as a clone has it, once that is another clone's.
fn copied_to(clone: &Coordination) -> Value {
    let copy = || clone.claim(IMAGE).filter(|claim| claim["in_clone"].is_string());
    wait_within(PATIENCE, "the other clone's claim", copy)
}

#[test]
fn what_cannot_be_merged_one_of_the_team_holds_at_a_time() {
    let Some(team) = with_image() else { return };
    let (anna, berta) = (&team.anna, &team.berta);
    anna.run(["claim", IMAGE]).expect_code(0);
    // Nothing need have been copied: the team itself is asked.
    let told = berta.run(["claim", IMAGE]).expect_code(1).stderr;
    assert!(
        told.contains("Anna") && told.contains("in the clone") && told.contains("on the branch \"main\""),
        "{told}"
    );
    assert!(
        berta.run(["--json", "status"]).json()["claims"]
            .as_array()
            .unwrap()
            .iter()
            .all(|claim| { claim["resource_name"] != IMAGE || claim["in_clone"].is_string() })
    );
    // What can be merged excludes nobody.
    for prompt in [anna, berta] {
        prompt.run(["claim", "src/lib.rs"]).expect_code(0);
    }

    // An agent's hook refuses, an editor warns, and check says no.
    let agent = CodingAgent::on(&team.workspace, "b").in_folder(&team.second);
    agent.start();
    let refusal = agent.before_edit(IMAGE);
    let reason = refusal.denial().unwrap_or_else(|| panic!("{refusal:?}"));
    assert!(reason.contains("Anna") && reason.contains("in the clone"), "{reason}");
    agent.shell().run(["end"]).expect_code(0);
    copied_to(&team.at_bertas());
    let told = berta.run(["check", IMAGE]).expect_code(1).stderr;
    assert!(told.contains("Anna") && told.contains("in the clone"), "{told}");

    anna.run(["release", IMAGE]).expect_code(0);
    let claimed = || (berta.run(["claim", IMAGE]).exit_code == 0).then_some(());
    wait_within(PATIENCE, "the image to be free for Berta", claimed);
    let copy = copied_to(&team.workspace.coordination());
    assert!(copy["in_clone"].as_str().unwrap().ends_with(":second"), "{copy}");

    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open(IMAGE);
    let told = document.wait_for_diagnostic("claimed");
    assert!(told["message"].as_str().unwrap().contains("in the clone"), "{told}");
    document.type_text("x");
    let told = document.wait_for_diagnostic_where("a warning", |told| told["severity"] == 2);
    assert!(told["message"].as_str().unwrap().contains("cannot be merged"), "{told}");
    document.undo_to_saved();
    berta.run(["end"]).expect_code(0);
    wait_within(PATIENCE, "nothing to be told", || document.codes().is_empty().then_some(()));
}

/// An editor's first keystroke claims in the whole team, and its claim ends there with it.
#[test]
fn an_edit_in_an_editor_holds_the_file_in_the_whole_team() {
    let Some(team) = with_image() else { return };
    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open(IMAGE);
    document.type_text("x");
    copied_to(&team.at_bertas());
    let told = team.berta.run(["claim", IMAGE]).expect_code(1).stderr;
    assert!(told.contains("Anna"), "{told}");
    document.undo_to_saved();
    let claimed = || (team.berta.run(["claim", IMAGE]).exit_code == 0).then_some(());
    wait_within(PATIENCE, "the image to be free for Berta", claimed);
}

/// Whoever comes next without what was left is told to pull first.
#[test]
fn whoever_lacks_what_was_left_pulls_first() {
    let Some(team) = with_image() else { return };
    let (anna, berta) = (&team.anna, &team.berta);
    anna.run(["claim", IMAGE]).expect_code(0);
    copied_to(&team.at_bertas());
    team.workspace.write(IMAGE, "second");
    team.workspace.commit_all("A better image");
    anna.run(["release", IMAGE]).expect_code(0);
    team.at_bertas().wait_for_no_claim(IMAGE);

    let told = berta.run(["claim", IMAGE]).expect_code(1).stderr;
    assert!(told.contains("Anna") && told.contains("git pull"), "{told}");
    let agent = CodingAgent::on(&team.workspace, "b").in_folder(&team.second);
    agent.start();
    let refusal = agent.before_edit(IMAGE);
    assert!(refusal.denial().is_some_and(|reason| reason.contains("git pull")), "{refusal:?}");
    // Whoever left it has it, once what the agent was refused is given back.
    let again = || (anna.run(["claim", IMAGE]).exit_code == 0).then_some(());
    wait_within(PATIENCE, "Anna to get it again", again);
    anna.run(["release", IMAGE]).expect_code(0);
    team.pull();
    let edited = || agent.before_edit(IMAGE).denial().is_none().then_some(());
    wait_within(PATIENCE, "the agent to get it", edited);
    assert_eq!(fs::read_to_string(team.second.join(IMAGE)).unwrap(), "second");
}

/// Without the network it is claimed in the clone, which is said, and who was first counts when the network is back.
#[test]
fn without_the_network_the_team_has_not_confirmed_it() {
    let Some(mut team) = with_image() else { return };
    team.node.kill();
    let told = team.anna.run(["claim", IMAGE]).expect_code(0).stderr;
    assert!(told.contains("not confirmed"), "{told}");
    let agent = CodingAgent::on(&team.workspace, "b").in_folder(&team.second);
    agent.start();
    let told = agent.before_edit(IMAGE).expect_no_denial();
    assert!(told.context().contains("could not tell") && told.notice().contains("could not tell"), "{told:?}");
    // What can be merged waits for nobody.
    assert_eq!(agent.before_edit("src/lib.rs").expect_no_denial().context(), "");
    let strict = CodingAgent::on(&team.workspace, "c").in_folder(&team.second).with_flags(&["--when-unsure", "deny"]);
    team.workspace.write("art/other.psd", "other");
    fs::write(team.second.join("art/other.psd"), "other").unwrap();
    let refusal = strict.before_edit("art/other.psd");
    assert!(refusal.denial().is_some_and(|reason| reason.contains("could not tell")), "{refusal:?}");
    let unconfirmed = || team.workspace.coordination().claim(IMAGE).filter(|claim| claim["unconfirmed"] == true);
    wait_within(PATIENCE, "the claim to be marked", unconfirmed);
    let shown = team.anna.run(["status"]).expect_code(0).stdout;
    assert!(shown.contains("not confirmed by the team"), "{shown}");

    team.node.run();
    let holders = || {
        let own = |clone: &Coordination| {
            clone.claim(IMAGE).is_some_and(|it| it["in_clone"].is_null() && it["unconfirmed"].is_null())
        };
        let holders = [team.workspace.coordination(), team.at_bertas()].iter().filter(|clone| own(clone)).count();
        let both = [team.workspace.coordination(), team.at_bertas()]
            .iter()
            .all(|clone| clone.claim(IMAGE).is_some_and(|it| it["unconfirmed"].is_null()));
        both.then_some(holders)
    };
    assert_eq!(wait_within(PATIENCE, "one of both to have it", holders), 1);
}

/// By force it goes over from one clone to another, and whoever had it is told.
#[test]
fn by_force_it_goes_to_another_clone() {
    let Some(team) = with_image() else { return };
    team.anna.run(["claim", IMAGE]).expect_code(0);
    copied_to(&team.at_bertas());
    team.berta.run(["claim", "--force", IMAGE]).expect_code(0);
    let copy = copied_to(&team.workspace.coordination());
    assert!(copy["in_clone"].as_str().unwrap().ends_with(":second"), "{copy}");
    let told = || {
        let read = team.anna.run(["messages"]).expect_code(0).stdout;
        read.contains("held in another clone").then_some(())
    };
    wait_within(PATIENCE, "Anna to be told", told);
    assert_eq!(team.at_bertas().claim(IMAGE).unwrap()["in_clone"], Value::Null);
}

/// What an editor's settings name counts for agents and terminals beside it too, until that editor has ended.
#[test]
fn what_an_editor_names_as_exclusive_is_so_for_agents_too() {
    let Some(team) = Team::meet() else { return };
    let editor = Editor::builder(&team.workspace).setting("claims.exclusive", json!(["*.blob"])).start();
    let names = || {
        let held = team.anna.run(["--json", "status", "--scope", "team"]).json();
        let claims = held["claims"].as_array().cloned().unwrap_or_default();
        claims.iter().filter_map(|claim| claim["resource_name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let document = editor.open("typed.blob");
    document.type_text("x");
    wait_within(PATIENCE, "the editor's claim for the whole team", || {
        names().contains(&"typed.blob".to_owned()).then_some(())
    });
    let agent = CodingAgent::on(&team.workspace, "a");
    agent.start();
    agent.before_edit("written.blob").expect_no_denial();
    assert!(names().contains(&"written.blob".to_owned()), "{:?}", names());
    team.anna.run(["claim", "claimed.blob"]).expect_code(0);
    team.anna.run(["claim", "claimed.txt"]).expect_code(0);
    let names = names();
    assert!(names.contains(&"claimed.blob".to_owned()) && !names.contains(&"claimed.txt".to_owned()), "{names:?}");
}
