//! What agents are told of things that are shared and are no files.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{CodingAgent, Terminal, Workspace};

const DECLARED: &str = "[resources.db]\ndescription = \"The test database\"\nmatch = \"npm test\"\n\n\
    [resources.web]\nports = \"3000-3100\"\nmatch = \"./serve\"\n";

fn workspace() -> Workspace {
    let workspace = Workspace::small();
    fs::write(workspace.path("deconflict.toml"), DECLARED).unwrap();
    workspace
}

#[test]
fn a_command_that_uses_what_is_shared_is_told_once_how_to_get_it() {
    let workspace = workspace();
    let (first, second) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    for agent in [&first, &second] {
        let told = agent.before_command("cd src && CI=1 npm test -- --watch 'a b'").expect_no_denial();
        let told = told.context();
        for part in ["The test database", "deconflict run --wait 10m --with db -- npm test -- --watch 'a b'"] {
            assert!(told.contains(part), "{part:?} is missing: {told}");
        }
        agent.before_command("npm test").expect_silence();
    }
}

#[test]
fn other_commands_are_told_nothing() {
    let workspace = workspace();
    let agent = CodingAgent::on(&workspace, "one");
    for command in ["npm run test", "npm tests", "echo npm test", "deconflict run --with db -- npm test"] {
        agent.before_command(command).expect_silence();
    }
    assert!(!workspace.path("COORDINATION").exists(), "nothing was shared by these");
}

#[test]
fn what_is_advised_works_as_it_stands() {
    let workspace = workspace();
    let serve = workspace.path("serve");
    fs::write(&serve, "#!/bin/sh\necho \"on $PORT\"\n").unwrap();
    fs::set_permissions(&serve, fs::Permissions::from_mode(0o755)).unwrap();
    let agent = CodingAgent::on(&workspace, "one");
    let told = agent.before_command("./serve");
    let line = told.context().lines().find_map(|line| line.split_once("run it as: ")).unwrap().1;
    let mut shell = agent.shell().command(["status"]);
    let program = Path::new(shell.get_program()).parent().unwrap().to_owned();
    let environment: Vec<_> =
        shell.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(workspace.root()).env_clear();
    shell.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    let output = shell.output().unwrap();
    let port = String::from_utf8(output.stdout).unwrap();
    let port: u16 = port.trim().strip_prefix("on ").unwrap().parse().unwrap();
    assert!((3000..=3100).contains(&port), "{port}");
}

#[test]
fn a_command_in_a_run_needs_no_other_claim() {
    let workspace = workspace();
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "src/main.rs"]).expect_code(0);
    let agent = CodingAgent::on(&workspace, "one");
    agent.before_command("sed -i s/a/b/ src/main.rs").expect_denial();
    agent.before_command("deconflict run --with db -- sed -i s/a/b/ src/main.rs").expect_silence();
}

#[test]
fn a_command_in_a_clone_where_nobody_coordinates_yet_runs_as_its_agents() {
    let workspace = workspace();
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    assert!(!workspace.path("COORDINATION").exists(), "a session that only begins makes nothing");
    let shell = agent.shell().env("CLAUDECODE", "1");
    shell.run(["run", "--with", "db", "--", "true"]).expect_code(0);
    let session = workspace.coordination().session(&agent.id()).unwrap();
    assert_eq!((&session["agent"], &session["status"]), (&"claude-code".into(), &"active".into()), "{session}");
    // Whoever is no agent named a session that there is not.
    agent.shell().session("claude-code-two").run(["run", "--with", "db", "--", "true"]).expect_code(2);
    // The hook goes on with it.
    agent.edit("src/main.rs", "fn main() {}").expect_no_denial();
    workspace.coordination().wait_for_holder("src/main.rs", &agent.id());
}
