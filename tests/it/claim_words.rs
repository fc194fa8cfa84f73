//! What stands after `claim` and `release`: paths without a type, several at once, and slips that are refused with the line
//! that was meant.

use serde_json::json;

use crate::support::{Outcome, Terminal, Workspace};

/// The lines of advice that begin a command, as they would be pasted.
fn commands(told: &Outcome) -> Vec<String> {
    let line = |line: &str| line.find("deconflict ").map(|at| line[at..].to_owned());
    told.stderr.lines().filter_map(line).collect()
}

/// Runs a line of advice as a shell would.
fn paste(terminal: &Terminal, line: &str) -> Outcome {
    let words = shlex(line);
    terminal.run(words.into_iter().skip(1))
}

/// The words of a line as a shell reads them.
fn shlex(line: &str) -> Vec<String> {
    let printed = std::process::Command::new("bash").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
    String::from_utf8(printed.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn without_a_type_names_are_paths() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let told = terminal.run(["claim", "README.md", "src/main.rs", "new.rs"]).expect_code(0);
    assert_eq!(told.stdout.matches("Claimed").count(), 3, "{told:?}");
    assert_eq!(told.stdout.matches("There is no such file yet").count(), 1, "{told:?}");
    for name in ["README.md", "src/main.rs", "new.rs"] {
        assert_eq!(coordination.holder(name), Some(id.clone()), "{name}");
    }
    terminal.run(["release", "README.md", "src/main.rs", "new.rs"]).expect_code(0);
    assert_eq!(coordination.claim_files(), Vec::<String>::new());

    let told = terminal.run(["claim", "src", "--json"]).expect_code(0).json();
    assert_eq!((&told["claim"]["resource_type"], &told["exists"]), (&json!("directory"), &json!(true)));
    terminal.run(["release", "src"]).expect_code(0);
    terminal.run(["claim", "task", "deploy", "login form"]).expect_code(0);
    let told = terminal.run(["release", "deploy"]).expect_code(0);
    assert!(told.stdout.contains("deploy"), "a word alone may be a task's name: {told:?}");
    terminal.run(["release", "task", "login form"]).expect_code(0);
}

#[test]
fn of_several_all_are_claimed_or_none() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    ada.run(["claim", "src/main.rs"]).expect_code(0);
    let told = ben.run(["claim", "README.md", "src/main.rs"]).expect_code(1);
    assert!(told.stderr.contains("\"src/main.rs\" has been claimed by \"Ada\""), "{told:?}");
    assert_eq!(coordination.holder("README.md"), None);
    let told = ben.run(["release", "README.md", "src/main.rs"]).expect_code(2);
    assert!(told.stderr.contains("Nobody holds the file README.md"), "{told:?}");
    ada.run(["claim", "README.md"]).expect_code(0);
    let told = ada.run(["release", "README.md", "nothing.rs"]).expect_code(2);
    assert!(told.stderr.contains("nothing.rs"), "{told:?}");
    assert!(coordination.holder("README.md").is_some(), "nothing is given up where a name is wrong");
}

#[test]
fn slips_are_refused_with_the_line_that_was_meant() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for (words, meant) in [
        (&["dir", "src"][..], "deconflict claim directory src"),
        (&["folder", "src"], "deconflict claim directory src"),
        (&["folder", "x"], "deconflict claim directory x"),
        (&["files", "src/main.rs"], "deconflict claim file src/main.rs"),
        (&["fil", "src/main.rs"], "deconflict claim file src/main.rs"),
        (&["flie", "src/main.rs", "README.md"], "deconflict claim file src/main.rs README.md"),
        (&["direcotry", "src"], "deconflict claim directory src"),
        (&["file", "src"], "deconflict claim directory src"),
        (&["directory", "README.md"], "deconflict claim file README.md"),
        (&["task", "src/main.rs"], "deconflict claim file src/main.rs"),
        (&["src/*.txt"], "deconflict claim directory src"),
        (&["file", "*.txt"], "deconflict claim directory ."),
    ] {
        let told = terminal.run([&["claim"], words].concat()).expect_code(2);
        assert_eq!(commands(&told), [meant], "{words:?}: {told:?}");
        paste(&terminal, meant).expect_code(0);
        terminal.run(["release", "--all"]).expect_code(0);
    }
    for alone in ["file", "directory"] {
        let told = terminal.run(["claim", alone]).expect_code(2);
        assert!(told.stderr.contains("Name it"), "{told:?}");
    }
}

#[test]
fn advice_can_be_pasted_whatever_the_names_are() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada's \"agent\"; true");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    for name in ["./-x", ":top.rs", "ends with a space ", "it's $HOME.rs", "src/main.rs", "-task", "a task: 2 & 3"] {
        let kind = if name.contains("task") { "task" } else { "file" };
        if kind == "file" {
            workspace.write(name, "text\n");
        }
        ada.run(["claim", kind, "--", name]).expect_code(0);
        let refused = ben.run(["claim", kind, "--", name]).expect_code(1);
        let lines = commands(&refused);
        assert_eq!(lines.len(), 3, "{refused:?}");
        for line in &lines {
            let code = i32::from(line.contains("--wait"));
            paste(&ben, &line.replace("--wait 10m", "--wait 1s")).expect_code(code);
        }
        assert!(ada.run(["messages"]).expect_code(0).stdout.contains("Please release"), "{name}");
    }
}

#[test]
fn the_verbs_explain_themselves() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let told = terminal.run(["help", "claim"]).expect_code(0);
    assert!(told.stdout.contains("[TYPE]") || told.stdout.contains("<TYPE>"), "{told:?}");
    assert_eq!(told.stdout, terminal.run(["claim", "--help"]).expect_code(0).stdout);
}
