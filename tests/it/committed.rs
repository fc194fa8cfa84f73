//! An ordinary commit, whoever makes it and wherever, ends the ownership of what it committed: nobody is told of it, warned
//! of it or refused for it any more.

#![cfg(target_os = "linux")]

use std::fs;

use serde_json::json;

use super::journal_verbs::{Clone, poem};
use super::support::{CodingAgent, Committer, Terminal, Workspace};

/// Ada has uncommitted changes in a tracked file and a new one, and holds nothing.
fn with_work_of_ada() -> Clone {
    let (clone, _) = Clone::with_sessions(["ada"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ada", "src/neu.rs", "fn neu() {}\n");
    clone.workspace.git(&["config", "user.name", "Ben"]);
    clone
}

/// What sweeps: each would take others' uncommitted changes.
const SWEEPS: [&str; 5] =
    ["git add -A", "git commit -am All", "git stash -u", "git checkout -- .", "git reset -q --hard"];

fn refused(agent: &CodingAgent) -> Vec<&'static str> {
    SWEEPS.into_iter().filter(|sweep| agent.before_command(sweep).denial().is_some()).collect()
}

/// What anybody is told or refused for of Ada's.
#[track_caller]
fn expect_nothing_is_hers(workspace: &Workspace) {
    let agent = CodingAgent::on(workspace, "after");
    agent.edit("README.md", "# Of the agent\n").expect_no_denial();
    assert_eq!(refused(&agent), Vec::<&str>::new());
    for path in ["poem.txt", "src/neu.rs"] {
        let told = agent.before_edit(path).expect_no_denial();
        assert!(!told.context().contains("uncommitted"), "{told:?}");
    }
    let (terminal, _) = Terminal::with_named_session(workspace, "Ben");
    agent.shell().run(["release", "--all"]).expect_code(0);
    let claimed = terminal.run(["claim", "file", "poem.txt", "--json"]).expect_code(0).json();
    assert_eq!((&claimed["changes_of"], &claimed["others_changes"]), (&json!([]), &json!([])));
    terminal.run(["release", "file", "poem.txt"]).expect_code(0);
    let status = terminal.run(["status", "--json"]).expect_code(0).json();
    assert!(!status["uncommitted"].to_string().contains("ada"), "{status}");
    assert_eq!(status["coordination_needed"], json!([]));
    // What is done to it now takes nothing of hers.
    agent.before_command("sh gen.sh").expect_no_denial();
    workspace.write("poem.txt", "generated\n");
    agent.after_command("sh gen.sh").expect_no_denial();
    let messages = Terminal::on(workspace).session("ada").run(["messages"]).expect_code(0).stdout;
    assert!(!messages.contains("overwritten"), "{messages}");
}

#[test]
fn a_persons_commit_at_a_plain_terminal_ends_it() {
    let clone = with_work_of_ada();
    let here = &clone.workspace;
    let agent = CodingAgent::on(here, "before");
    assert_eq!(refused(&agent), SWEEPS);
    agent.end();
    Committer::person(here).git(&["add", "--all"]).expect_code(0);
    Committer::person(here).git(&["commit", "-qm", "All of it"]).expect_code(0);
    expect_nothing_is_hers(here);
}

#[test]
fn an_agents_commit_of_named_files_ends_it() {
    let clone = with_work_of_ada();
    let here = &clone.workspace;
    let agent = CodingAgent::on(here, "one");
    let command = "git add poem.txt src/neu.rs && git commit -qm Named";
    agent.before_command(command).expect_no_denial();
    here.git(&["add", "poem.txt", "src/neu.rs"]);
    here.git(&["commit", "-qm", "Named"]);
    agent.after_command(command).expect_no_denial();
    agent.end();
    expect_nothing_is_hers(here);
}

#[test]
fn a_commit_with_the_guard_ends_it_and_one_of_a_part_leaves_the_rest() {
    let clone = with_work_of_ada();
    let here = &clone.workspace;
    let ada = Committer::person(here).session("ada");
    ada.deconflict(&["guard", "--install"]).expect_code(0);
    // Ada commits a part of the poem: what is staged is not all that stands there.
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada"), (8, "of ada too")]));
    here.write("poem.txt", poem(&[(3, "of ada")]));
    here.git(&["add", "poem.txt", "src/neu.rs"]);
    here.write("poem.txt", poem(&[(3, "of ada"), (8, "of ada too")]));
    ada.git(&["commit", "-qm", "A part"]).expect_code(0);
    let ben = Committer::person(here);
    let refused = ben.git(&["commit", "-qam", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("poem.txt") && !refused.stderr.contains("neu.rs"), "{refused:?}");
    ada.git(&["commit", "-qam", "The rest"]).expect_code(0);
    here.write("README.md", "# Ben\n");
    here.write("poem.txt", poem(&[]));
    ben.git(&["commit", "-qam", "Sweep"]).expect_code(0);
}

#[test]
fn a_claim_on_the_folder_above_stands_for_what_is_uncommitted_alone() {
    let clone = with_work_of_ada();
    let here = &clone.workspace;
    here.git(&["add", "--all"]);
    here.git(&["commit", "-qm", "All of it"]);
    let agent = CodingAgent::on(here, "one");
    // Long ago Ada changed the file too. What is uncommitted in it is the agent's alone.
    Terminal::on(here).session("ada").run(["release", "--all"]).expect_code(0);
    agent.edit("src/neu.rs", "fn neu() {}\n// of the agent\n").expect_no_denial();
    agent.shell().run(["release", "--all"]).expect_code(0);
    Terminal::on(here).session("ada").run(["claim", "directory", "src"]).expect_code(0);
    assert_eq!(agent.before_command("git stash").denial(), None);
    here.write("src/lib.rs", "pub mod nobody;\n");
    assert!(agent.before_command("git stash").denial().is_some());
}

#[test]
fn what_git_keeps_otherwise_than_it_stands_there_is_committed_too() {
    let (clone, _) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    here.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    here.write(".gitattributes", "*.up filter=upper\n");
    here.write("a.up", "first\n");
    here.commit_all("Filtered");
    clone.edit("ada", "a.up", "second\n");
    here.git(&["config", "user.name", "Ben"]);
    let agent = CodingAgent::on(here, "one");
    assert!(agent.before_command("git stash").denial().is_some());
    here.git(&["commit", "-qam", "All of it"]);
    assert_eq!(here.git(&["show", "HEAD:a.up"]), "SECOND\n");
    agent.edit("README.md", "# Of the agent\n").expect_no_denial();
    assert_eq!(refused(&agent), Vec::<&str>::new());
    let status = Terminal::on(here).run(["status", "--json"]).expect_code(0).json();
    assert!(!status["uncommitted"].to_string().contains("a.up"), "{status}");
    // Nor is what stood there hers when somebody else goes on with it.
    let told = agent.edit("a.up", "second\nthird\n").expect_no_denial();
    assert!(!told.context().contains("uncommitted"), "{told:?}");
    let status = Terminal::on(here).run(["status", "--json"]).expect_code(0).json();
    assert!(!status["uncommitted"].to_string().contains("ada"), "{status}");
    assert!(status["uncommitted"].to_string().contains("a.up"), "{status}");
}

#[test]
fn what_git_makes_of_a_clean_file_comes_back_as_it_stood_and_its_lines_are_of_the_commit() {
    let (clone, _) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    here.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    here.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    here.write(".gitattributes", "*.up filter=upper\n*.c ident\n");
    here.write("a.up", "first\nsecond\n");
    here.write("a.c", "/* $Id$ */\nint a;\n");
    here.commit_all("Converted");
    here.remove("a.c");
    here.git(&["checkout", "-q", "a.c"]);
    let files = ["a.up", "a.c"];
    let stood = files.map(|file| here.read(file));
    assert!(stood[1].contains("$Id: "), "{stood:?}");
    let agent = CodingAgent::on(here, "one");
    agent.start();
    agent.before_command("sh gen.sh").expect_no_denial();
    for file in files {
        here.write(file, "generated\n");
    }
    agent.after_command("sh gen.sh");
    for (file, stood) in files.iter().zip(stood) {
        let history = agent.shell().run(["history", "--json", file]).expect_code(0).json();
        let entry = history["entries"][0]["id"].as_str().unwrap().to_owned();
        agent.shell().run(["restore", "--at", &entry, file]).expect_code(0);
        assert_eq!(here.read(file), stood);
        let blame = agent.shell().run(["blame", "--json", file]).expect_code(0).json();
        let of_commits = blame["lines"].as_array().unwrap().iter().filter(|line| line["commit"].is_string());
        assert_eq!(of_commits.count(), 2, "{blame}");
    }
}

#[test]
fn a_deletion_and_a_mode_that_are_committed_are_nobodys() {
    use std::os::unix::fs::PermissionsExt;
    let (clone, _) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let command = deconflict_journal::Cause::Command { command: None };
    clone.change("ada", command.clone(), "src/parser.rs", || here.remove("src/parser.rs"));
    clone.change("ada", command, "src/main.rs", || {
        fs::set_permissions(here.path("src/main.rs"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    here.git(&["config", "user.name", "Ben"]);
    here.git(&["commit", "-qam", "All of it"]);
    let agent = CodingAgent::on(here, "one");
    agent.edit("README.md", "# Of the agent\n").expect_no_denial();
    assert_eq!(refused(&agent), Vec::<&str>::new());
}

#[test]
fn a_loss_is_settled_by_a_commit_of_whoever_lost_it_without_the_guard_too() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "claude"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.by_command("claude", "gen.py poem.txt", "poem.txt", "generated\n");
    let needed = || ada.run(["status", "--json"]).expect_code(0).json()["coordination_needed"].clone();
    assert_eq!(needed()[0]["kind"], "overwritten");
    // A commit of somebody else's is none that Ada has seen.
    here.write("README.md", "# Other\n");
    here.git(&["config", "user.name", "claude"]);
    here.git(&["commit", "-qm", "Something else", "README.md"]);
    assert_eq!(needed()[0]["kind"], "overwritten");
    here.git(&["config", "user.name", "ada"]);
    here.git(&["commit", "-qm", "Taken as it is", "poem.txt"]);
    assert_eq!(needed(), json!([]));
}

#[test]
fn an_agents_commit_settles_what_it_had_lost_in_the_file() {
    let (clone, [_]) = Clone::with_sessions(["ada"]);
    let here = &clone.workspace;
    let agent = CodingAgent::on(here, "one");
    agent.edit("poem.txt", &poem(&[(3, "of the agent")])).expect_no_denial();
    clone.by_command("ada", "gen.py poem.txt", "poem.txt", "generated\n");
    let terminal = Terminal::on(here);
    let needed = || terminal.run(["status", "--json"]).expect_code(0).json()["coordination_needed"].clone();
    assert_eq!(needed()[0]["kind"], "overwritten");
    let commit = |who: &CodingAgent, path: &str| {
        let command = format!("git add {path} && git commit -qm Work");
        who.before_command(&command).expect_no_denial();
        here.git(&["add", path]);
        here.git(&["commit", "-qm", "Work"]);
        who.after_command(&command).expect_no_denial();
    };
    // Of another file, or by another agent of the same person, is no sign that it has seen it.
    here.write("README.md", "# Other\n");
    commit(&agent, "README.md");
    assert_eq!(needed()[0]["kind"], "overwritten");
    agent.edit("src/lib.rs", "pub mod one;\n").expect_no_denial();
    commit(&agent, "poem.txt");
    assert_eq!(needed(), json!([]));
}

#[test]
fn what_stands_there_again_by_itself_was_not_lost() {
    let (clone, [ada, _]) = Clone::with_sessions(["ada", "ben"]);
    let here = &clone.workspace;
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let needed = || ada.run(["status", "--json"]).expect_code(0).json()["coordination_needed"].clone();
    clone.change("ben", deconflict_journal::Cause::Command { command: None }, "poem.txt", || {
        here.git(&["stash", "-q"]);
    });
    assert_eq!(needed()[0]["kind"], "overwritten");
    clone.change("ben", deconflict_journal::Cause::Command { command: None }, "poem.txt", || {
        here.git(&["stash", "pop", "-q"]);
    });
    assert_eq!(here.read("poem.txt"), poem(&[(3, "of ada")]));
    assert_eq!(needed(), json!([]));
}
