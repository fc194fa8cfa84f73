//! What agents are told of things that are shared and are no files.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run_verb::wait_for_tickets;
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
    write_script(&workspace.path("serve"), "echo \"on $PORT\"\n");
    let agent = CodingAgent::on(&workspace, "one");
    let told = agent.before_command("./serve");
    let line = told.context().lines().find_map(|line| line.split_once("run it as: ")).unwrap().1;
    let output = line_in_shell(&workspace, &agent, line, &[]).output().unwrap();
    let port = String::from_utf8(output.stdout).unwrap();
    let port: u16 = port.trim().strip_prefix("on ").unwrap().parse().unwrap();
    assert!((3000..=3100).contains(&port), "{port}");
}

/// What the skill and the section for agents without hooks teach in three lines, copied into a shell.
#[test]
fn what_agents_are_taught_works_as_it_stands() {
    for text in ["claude-code/skills/deconflict/SKILL.md", "AGENTS.md"] {
        let workspace = workspace();
        let tools = workspace.path("tools");
        fs::create_dir(&tools).unwrap();
        // Says which port it was given, and who holds the database meanwhile.
        write_script(&tools.join("npm"), "echo \"$* port ${PORT:-none}\"\ndeconflict resources\n");
        let (other, _) = Terminal::with_named_session(&workspace, "Ada");
        let agent = CodingAgent::on(&workspace, "one");
        agent.start();
        let taught = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("editors").join(text)).unwrap();
        let lines: Vec<&str> = taught
            .lines()
            .skip_while(|line| !line.contains("Hold things that exist only once"))
            .take_while(|line| !line.is_empty() && !line.contains("Now and then"))
            .collect();
        assert!((1..=3).contains(&lines.len()), "{text} takes {} lines for it", lines.len());
        let lines = lines.join(" ");
        let spans: Vec<&str> = lines.split('`').skip(1).step_by(2).collect();

        // The database is somebody else's at first, so it is waited for in line.
        let wait = spans.iter().find(|span| span.starts_with("deconflict run --with db")).unwrap();
        other.run(["claim", "resource", "db"]).expect_code(0);
        let waiter = line_in_shell(&workspace, &agent, wait, &[&tools]).stdout(Stdio::piped()).spawn().unwrap();
        wait_for_tickets(&workspace, 1);
        other.run(["release", "resource", "db"]).expect_code(0);
        let output = waiter.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("test port none\n") && said.contains("db"), "{text}: {said}");

        // One text shows the whole line for a port, the other only what differs.
        let port = spans.iter().find_map(|span| span.contains("port:any").then_some(*span)).unwrap();
        let port = if port.starts_with("deconflict") { port.to_owned() } else { wait.replace("--with db", port) };
        let output = line_in_shell(&workspace, &agent, &port, &[&tools]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = said.lines().next().unwrap().split_once(" port ").unwrap();
        assert!(rest.parse::<u16>().is_ok(), "{text}: {said}");

        assert!(spans.contains(&"deconflict resources"), "{text}");
        let output = line_in_shell(&workspace, &agent, "deconflict resources", &[]).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains("The test database"), "{text}");
    }
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

fn write_script(path: &Path, lines: &str) {
    fs::write(path, format!("#!/bin/sh\n{lines}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A line in an agent's shell, with the program on the path and these folders before all others.
fn line_in_shell(workspace: &Workspace, agent: &CodingAgent, line: &str, folders: &[&Path]) -> Command {
    let verb = agent.shell().command(["status"]);
    let mut path: Vec<&Path> = folders.to_vec();
    path.extend([Path::new(verb.get_program()).parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]);
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(workspace.root()).env_clear();
    shell.envs(verb.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", std::env::join_paths(path).unwrap());
    shell
}
