//! `HEAD` moves under others: who holds something there is told once, in a line, and as for any change who lost by it.

use std::process::Command;

use super::support::{CodingAgent, Terminal, Told, Workspace, clean_environment};

const FILE: &str = "src/main.rs";

fn shell(workspace: &Workspace, line: &str) {
    let mut shell = Command::new("sh");
    clean_environment(&mut shell, workspace.home());
    let status = shell.args(["-c", line]).current_dir(workspace.root()).status().unwrap();
    assert!(status.success(), "{line}");
}

/// Runs a command as an agent does: its hook before it, the shell, the hook after it.
fn run(agent: &CodingAgent, workspace: &Workspace, line: &str) -> Told {
    agent.before_command(line).expect_no_denial();
    shell(workspace, line);
    agent.after_command(line).expect_no_denial()
}

/// A branch `other`, on which the library says something else.
fn with_another_branch() -> Workspace {
    let workspace = Workspace::small();
    shell(&workspace, "git switch -qc other && echo 'pub mod other;' > src/lib.rs");
    workspace.commit_all("Other");
    shell(&workspace, "git switch -q main");
    workspace
}

#[test]
fn who_only_holds_something_is_told_in_a_line_that_an_agent_moved_head() {
    let workspace = with_another_branch();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    let (person, _) = Terminal::with_named_session(&workspace, "Ada");
    person.run(["claim", "file", "README.md"]).expect_code(0);
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    two.edit("new.txt", "new\n").expect_no_denial();
    run(&two, &workspace, "git switch -q other");
    let told = one.prompt();
    let words = told.context();
    assert!(words.contains("moved HEAD of the worktree") && words.contains("moving from main to other"), "{told:?}");
    assert!(words.contains("src/main.rs") && !words.contains("Somebody"), "{told:?}");
    assert!(!one.before_edit(FILE).context().contains("HEAD"));
    let messages = person.run(["messages"]).expect_code(0).stdout;
    assert!(messages.contains("README.md") && messages.contains("moved HEAD"), "{messages}");
    assert!(!two.prompt().context().contains("HEAD"));
    // A commit moves nothing under anybody.
    run(&two, &workspace, "git add new.txt && git commit -qm New");
    assert!(!one.prompt().context().contains("HEAD"));
}

#[test]
fn an_agent_is_told_that_somebody_moved_head_at_a_plain_terminal() {
    let workspace = with_another_branch();
    let one = CodingAgent::on(&workspace, "one");
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    shell(&workspace, "git switch -q other");
    let told = one.prompt();
    assert!(told.context().contains("Somebody moved HEAD of this worktree"), "{told:?}");
    assert!(told.context().contains("moving from main to other"), "{told:?}");
    assert!(!one.prompt().context().contains("HEAD"));
    // Where `HEAD` stays as it is, nothing is said, though git logs it; another branch at the same commit is another place.
    shell(&workspace, "git reset -q && git checkout -q other");
    assert!(!one.prompt().context().contains("HEAD"));
    shell(&workspace, "git switch -qc third");
    assert!(one.prompt().context().contains("moving from other to third"));
    shell(&workspace, "git switch -q other");
    one.prompt();
    // Its own move is nothing to be told of, and who holds nothing need not know.
    run(&one, &workspace, "git switch -q main");
    assert!(!one.prompt().context().contains("HEAD"));
    let two = CodingAgent::on(&workspace, "two");
    two.start();
    shell(&workspace, "git switch -q other");
    assert!(!two.prompt().context().contains("HEAD"));
}

#[test]
fn whoever_holds_a_file_that_a_switch_rewrote_is_told_of_that() {
    let workspace = with_another_branch();
    let (person, _) = Terminal::with_named_session(&workspace, "Ada");
    person.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    workspace.git(&["config", "user.name", "Ben"]);
    let two = CodingAgent::on(&workspace, "two");
    two.edit("new.txt", "new\n").expect_no_denial();
    let told = run(&two, &workspace, "git switch -q other");
    assert!(told.context().contains("src/lib.rs") && told.context().contains("holds it"), "{told:?}");
    let messages = person.run(["messages"]).expect_code(0).stdout;
    assert!(messages.contains("was overwritten") && !messages.contains("moved HEAD"), "{messages}");
    person.run(["restore", "--keep", "src/lib.rs"]).expect_code(0);
}

#[test]
fn whoever_holds_a_file_at_a_terminal_hears_of_a_plain_switch_that_rewrote_it() {
    let workspace = with_another_branch();
    let before = workspace.read("src/lib.rs");
    let (person, _) = Terminal::with_named_session(&workspace, "Ada");
    person.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    person.run(["claim", "file", "README.md"]).expect_code(0);
    let hear = || person.run(["check", "README.md"]).expect_code(0).stderr;
    assert!(!hear().contains("lib.rs"));
    // Of what is only held nothing is kept.
    assert_eq!(person.run(["history", "--json"]).expect_code(0).json()["entries"], serde_json::json!([]));
    shell(&workspace, "git -c user.name=Ben switch -q other");
    let said = hear() + &hear();
    assert_eq!(said.matches("deconflict restore").count(), 1, "{said}");
    assert!(said.contains("src/lib.rs") && !said.contains("README"), "{said}");
    person.run(["restore", "src/lib.rs"]).expect_code(0);
    assert_eq!(workspace.read("src/lib.rs"), before);
    assert!(!person.run(["status", "--oneline"]).expect_code(0).stdout.contains("lost"));
}

#[test]
fn what_git_says_the_holder_did_is_only_noted() {
    let workspace = with_another_branch();
    workspace.git(&["config", "user.name", "Ada"]);
    let (person, _) = Terminal::with_new_session(&workspace);
    person.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    shell(&workspace, "git merge -q other");
    let said = person.run(["check", "README.md"]).expect_code(0).stderr;
    person.run(["check", "README.md"]).expect_code(0);
    assert!(!said.contains("restore"), "{said}");
    let messages = person.run(["messages"]).expect_code(0).stdout;
    assert_eq!(messages.matches("has changed since HEAD moved").count(), 1, "{messages}");
    assert!(!person.run(["status", "--oneline"]).expect_code(0).stdout.contains("lost"));
}

#[test]
fn whoever_holds_a_directory_at_a_terminal_hears_of_what_a_plain_switch_rewrote_below_it() {
    let workspace = with_another_branch();
    let before = workspace.read("src/lib.rs");
    let (person, _) = Terminal::with_named_session(&workspace, "Ada");
    person.run(["claim", "directory", "src"]).expect_code(0);
    let hear = || person.run(["check", "README.md"]).expect_code(0).stderr;
    assert!(!hear().contains("lib.rs"));
    shell(&workspace, "git -c user.name=Ben switch -q other");
    let said = hear() + &hear();
    assert_eq!(said.matches("deconflict restore").count(), 1, "{said}");
    assert!(said.contains("src/lib.rs") && !said.contains("main.rs"), "{said}");
    person.run(["restore", "src/lib.rs"]).expect_code(0);
    assert_eq!(workspace.read("src/lib.rs"), before);
    assert!(!hear().contains("restore"));
}
