//! What somebody lost stays on the status board and in the status until it is settled, whoever settles it and how.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::journal_verbs::{Clone, poem};
use super::support::{CodingAgent, Editor, Terminal, Workspace, wait_within};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the board says that needs coordinating.
fn needed(workspace: &Workspace) -> String {
    let board = workspace.coordination().board();
    board.split_once("Coordination Needed").map_or_else(String::new, |(_, rest)| rest.to_owned())
}

fn wait_until_needed(workspace: &Workspace, words: &str, is_there: bool) {
    wait_within(PATIENCE, &format!("{words:?} on the board: {is_there}"), || {
        (needed(workspace).contains(words) == is_there).then_some(())
    });
}

/// Ada has lost what she had not committed in the poem, by a command of another session.
fn with_a_loss() -> (Clone, [Terminal; 2]) {
    let (clone, terminals) = Clone::with_sessions(["ada", "claude"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    (clone, terminals)
}

#[test]
fn a_loss_is_on_the_board_until_it_is_restored_or_left_so() {
    let (clone, [ada, claude]) = with_a_loss();
    let workspace = &clone.workspace;
    let beat = || claude.run(["heartbeat", "editing", "poem.txt", "drafting"]).expect_code(0);
    beat();
    let told = needed(workspace);
    for part in
        ["\"claude\" changed", "poem.txt", "What \"ada\" had there: ", "deconflict restore poem.txt --at", " UTC"]
    {
        assert!(told.replace('\\', "").contains(part), "{part:?} in {told}");
    }
    // Whose it is not may not leave it so.
    let refused = claude.run(["restore", "--keep", "poem.txt", "--json"]).expect_code(1).json();
    assert_eq!(refused["reason"], "not-found", "{refused}");
    assert!(needed(workspace).contains("\"claude\" changed"));
    let left = ada.run(["restore", "--keep", "poem.txt", "--json"]).expect_code(0).json();
    assert_eq!(left["kept"][0]["path"], "poem.txt", "{left}");
    assert_eq!(workspace.read("poem.txt"), "generated\n");
    assert!(!needed(workspace).contains("poem"), "{}", needed(workspace));
    let status = ada.run(["status", "--json"]).expect_code(0).json();
    assert_eq!(status["coordination_needed"], json!([]));
    ada.run(["restore", "--keep", "poem.txt"]).expect_code(1);
    // What was left so can still be had back.
    ada.run(["restore", "poem.txt"]).expect_code(0);
    assert_eq!(workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    beat();
    assert!(needed(workspace).contains("\"claude\" changed"));
    ada.run(["restore", "poem.txt"]).expect_code(0);
    assert!(!needed(workspace).contains("What \"ada\" had"), "{}", needed(workspace));
}

#[test]
fn what_the_status_advises_works_where_the_user_stands() {
    let (clone, [ada, _]) = with_a_loss();
    std::fs::create_dir(clone.workspace.path("deep down")).unwrap();
    let below = ada.in_folder("deep down");
    let status = below.run(["status", "--json"]).expect_code(0).json();
    let told = status["coordination_needed"][0]["message"].as_str().unwrap().to_owned();
    let advice = told.split_once("had there: deconflict ").unwrap().1.split_once(". To keep").unwrap().0.to_owned();
    let words: Vec<String> = advice.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    below.run(words).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
    // So does what its message says, wherever that is read.
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    let message = below.run(["messages", "--json"]).expect_code(0).json();
    let text = |message: &Value| message["message"].as_str().unwrap_or_default().to_owned();
    let texts: Vec<String> = message["messages"].as_array().unwrap().iter().map(text).collect();
    let advice = texts.last().unwrap().split_once("deconflict restore ").unwrap().1.trim_matches('\'').to_owned();
    below.run(["restore", &advice]).expect_code(0);
    assert_eq!(clone.workspace.read("poem.txt"), poem(&[(3, "of ada")]));
}

#[test]
fn a_board_that_a_server_keeps_follows_what_a_terminal_settles() {
    let (clone, [ada, claude]) = with_a_loss();
    let workspace = &clone.workspace;
    let editor = Editor::start(workspace, "vim");
    editor.wait_for_session();
    wait_until_needed(workspace, "What \"ada\" had there", true);
    ada.run(["restore", "--keep", "poem.txt"]).expect_code(0);
    wait_until_needed(workspace, "What \"ada\" had there", false);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada once more")]));
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated again\n");
    wait_until_needed(workspace, "What \"ada\" had there", true);
    drop(claude);
}

#[test]
fn an_agent_that_was_told_and_edits_on_has_settled_its_loss() {
    let workspace = Workspace::small();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    let terminal = Terminal::on(&workspace);
    let lost = || {
        let status = terminal.run(["status", "--json"]).expect_code(0).json();
        status["coordination_needed"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["owner"]["session_id"] == one.id().as_str())
            .count()
    };
    one.edit("src/main.rs", "fn main() { one(); }\n").expect_no_denial();
    two.before_command("sh gen.sh").expect_no_denial();
    workspace.write("src/main.rs", "generated\n");
    two.after_command("sh gen.sh").expect_no_denial();
    assert_eq!(lost(), 1);
    let told = one.edit("src/main.rs", "fn main() { one(); again(); }\n").expect_no_denial();
    one.edit("src/main.rs", "fn main() { one(); again(); more(); }\n").expect_no_denial();
    assert_eq!(lost(), 0, "{told:?}");
}

#[test]
fn whoever_commits_the_file_has_settled_what_they_lost_in_it() {
    let (clone, [ada, _]) = with_a_loss();
    let workspace = &clone.workspace;
    ada.run(["guard", "--install"]).expect_code(0);
    let status = || ada.run(["status", "--json"]).expect_code(0).json()["coordination_needed"].clone();
    assert_eq!(status()[0]["kind"], "overwritten");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(workspace.root()).env("DECONFLICT_SESSION", "ada");
        let output = command.env("HOME", workspace.home()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["config", "user.name", "ada"]);
    git(&["commit", "-qm", "Taken as it is", "poem.txt"]);
    assert_eq!(status(), json!([]));
}
