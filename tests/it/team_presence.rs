//! What the clones of a team know of each other's files beside claims: uncommitted changes.

#![cfg(unix)]

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::support::team::{PATIENCE, Team};
use crate::support::{CodingAgent, Editor, wait_within};

impl Team {
    /// What is known in Anna's clone of the file with this name in Berta's.
    fn of_bertas(&self, file: &str) -> Option<Value> {
        let status = self.anna.run(["--json", "status"]).expect_code(0).json();
        let begins = |claim: &Value| {
            let name = claim["display_name"].as_str().unwrap_or_default();
            name.starts_with(file) && name.ends_with(":second)")
        };
        status["claims"].as_array().unwrap().iter().find(|claim| begins(claim)).cloned()
    }
}

/// What an agent left uncommitted in one clone is told in the others when it holds nothing any more, until it is committed.
#[test]
fn uncommitted_changes_of_one_clone_are_told_in_the_others() {
    let Some(team) = Team::meet() else { return };
    let agent = CodingAgent::on(&team.workspace, "b").in_folder(&team.second);
    agent.start();
    agent.edit("src/lib.rs", "pub fn changed() {}\n").expect_no_denial();
    let known = |standing: &str| team.of_bertas("src/lib.rs").filter(|claim| claim["standing"] == standing);
    wait_within(PATIENCE, "the agent's claim to be known", || known("active"));
    let shell = agent.shell();
    shell.run(["release", "--all"]).expect_code(0);
    let told = wait_within(PATIENCE, "its uncommitted changes to be known", || known("uncommitted"));
    assert_eq!(told["branch"], "main", "{told}");
    assert_eq!(told["holder"], "Berta's Claude Code", "{told}");
    // They outlive the session.
    shell.run(["end"]).expect_code(0);

    let shown = team.anna.run(["status"]).expect_code(0).stdout;
    assert!(shown.contains("uncommitted") && shown.contains("Berta's Claude Code"), "{shown}");
    let board = team.workspace.coordination().board();
    assert!(board.contains("uncommitted changes of Berta's Claude Code (last changed "), "{board}");
    let claimed = team.anna.run(["claim", "src/lib.rs"]).expect_code(0).stdout;
    let words = "The same path has uncommitted changes of \"Berta's Claude Code\" in the clone ";
    assert!(claimed.contains(words) && claimed.contains("on the branch \"main\""), "{claimed}");
    team.anna.run(["check", "src/lib.rs"]).expect_code(0);
    team.anna.run(["release", "src/lib.rs"]).expect_code(0);

    let annas = CodingAgent::on(&team.workspace, "a");
    annas.start();
    let context = annas.before_edit("src/lib.rs").expect_no_denial().context().to_owned();
    assert!(context.contains("has uncommitted changes of \"Berta's Claude Code\""), "{context}");
    annas.shell().run(["end"]).expect_code(0);

    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open("src/lib.rs");
    let told = document.wait_for_diagnostic("claimed-elsewhere");
    let text = told["message"].as_str().unwrap();
    let words = "The same file has uncommitted changes of \"Berta's Claude Code\" in the clone ";
    assert!(text.contains(words) && text.contains(":second") && text.contains("last changed"), "{told}");
    assert_eq!(told["severity"], 3, "{told}");

    team.workspace.git_in(&team.second, &["commit", "--quiet", "--all", "--message", "Done"]);
    wait_within(PATIENCE, "nothing to be told of it", || document.codes().is_empty().then_some(()));
    assert_eq!(team.of_bertas("src/lib.rs"), None);
    assert_eq!(fs::read_to_string(team.workspace.path("src/lib.rs")).unwrap(), document.text());
}

/// Cut off from the team, a clone says since when it has heard nothing, what of the team cannot be told, and what to do. Back
/// again everything is right, and nothing is told twice.
#[test]
fn cut_off_it_is_said_how_old_is_what_is_known() {
    let Some(mut team) = Team::meet() else { return };
    team.berta.run(["claim", "src/lib.rs"]).expect_code(0);
    wait_within(PATIENCE, "Anna to see Berta's claim", || team.of_bertas("src/lib.rs"));
    team.node.kill();
    let known_at = || {
        let status = team.anna.run(["--json", "status"]).expect_code(0).json();
        status["team"]["known_at"].is_string().then_some(())
    };
    wait_within(PATIENCE, "the clone to notice it", known_at);
    let shown = team.anna.run(["status"]).expect_code(0).stdout;
    assert!(shown.contains("What is known of the other clones is from "), "{shown}");
    assert!(team.of_bertas("src/lib.rs").is_some());
    let told = team.anna.run(["claim", "deploy", "production"]).expect_code(3).stderr;
    assert!(told.contains("no answer") && told.contains("deconflict doctor"), "{told}");
    team.anna.run(["send", "Berta", "Still there?", "I am offline."]).expect_code(0);
    team.anna.run(["claim", "src/main.rs"]).expect_code(0);
    team.berta.run(["release", "src/lib.rs"]).expect_code(0);

    team.node.run();
    let back = Instant::now();
    let is_right = || {
        let seen = team.berta.run(["--json", "status"]).expect_code(0).json();
        let claims = seen["claims"].as_array().unwrap();
        let has_annas =
            claims.iter().any(|it| it["display_name"].as_str().unwrap_or_default().starts_with("src/main.rs ("));
        (has_annas && team.of_bertas("src/lib.rs").is_none()).then_some(())
    };
    wait_within(PATIENCE, "both clones to be right again", is_right);
    eprintln!("right again after {:?}", back.elapsed());
    let status = team.anna.run(["--json", "status"]).expect_code(0).json();
    assert_eq!((&status["team"]["known_at"], &status["team"]["trouble"]), (&Value::Null, &Value::Null));
    let letters = || {
        let read = team.berta.run(["--json", "messages"]).expect_code(0).json();
        let read = read["messages"].as_array().unwrap().len();
        (read > 0).then_some(read)
    };
    assert_eq!(wait_within(PATIENCE, "Anna's message", letters), 1);
    let again = team.berta.run(["--json", "messages"]).expect_code(0).json();
    assert_eq!(again["messages"].as_array().unwrap().len(), 0, "{again}");
}
