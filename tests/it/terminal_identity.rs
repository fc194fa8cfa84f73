//! Who the caller is: the session that a verb acts as, and which process keeps one that was started at a terminal.
//!
//! These tests may themselves run below a shell or a coding agent of whoever started them, so each brings the
//! processes that it is about, or leaves all others behind (`setsid --fork`).

#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::{Editor, Outcome, Terminal, Workspace, stand_in_program, timestamp};

/// Runs a program as the terminal's prompt would.
fn run(terminal: &Terminal, program: &PathBuf) -> Outcome {
    let prompt = terminal.command::<&str>([]);
    let mut command = Command::new(program);
    command.env_clear().envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = command.current_dir(prompt.get_current_dir().unwrap()).stdin(Stdio::null()).output().unwrap();
    Outcome {
        exit_code: ended.status.code().unwrap_or(-1),
        stdout: String::from_utf8(ended.stdout).unwrap(),
        stderr: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// What a program of an agent's name gets to hear that runs `claim` and started no session.
fn claim_by_an_agent(workspace: &Workspace, words: &str) -> Outcome {
    run(
        &Terminal::on(workspace),
        &stand_in_program(workspace, "claude", &format!("deconflict claim file README.md {words}\nexit $?")),
    )
}

#[test]
fn the_flag_wins_over_the_variable() {
    let workspace = Workspace::small();
    let (_, ada) = Terminal::with_new_session(&workspace);
    let (bob, _) = Terminal::with_new_session(&workspace);
    bob.run(["claim", "file", "README.md", "--session", &ada]).expect_code(0);
    assert_eq!(workspace.coordination().holder("README.md"), Some(ada));
}

#[test]
fn an_unknown_session_is_an_error_that_lists_the_choices() {
    let workspace = Workspace::small();
    let (ada, id) = Terminal::with_new_session(&workspace);
    for terminal in [Terminal::on(&workspace).session("session-x"), ada.session("session-x")] {
        let told = terminal.run(["claim", "file", "README.md", "--json"]).expect_code(2);
        assert_eq!(told.json()["reason"], "unknown-session");
        assert_eq!(told.json()["sessions"][0]["session_id"], id.as_str());
        assert!(told.stderr.contains("No session is called \"session-x\"") && told.stderr.contains(&id), "{told:?}");
    }
}

#[test]
fn an_ended_session_is_an_error() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["end"]).expect_code(0);
    let told = terminal.run(["claim", "file", "README.md", "--json"]).expect_code(2);
    assert_eq!(told.json()["reason"], "ended-session");
    assert!(told.stderr.contains("deconflict start"), "{told:?}");
}

#[test]
fn nobody_acts_as_a_session_by_guess() {
    let workspace = Workspace::small();
    // The only one there is, and no process leads to it.
    workspace.coordination().write_session("session-001", json!({"name": "Ada"}));
    let told = claim_by_an_agent(&workspace, "").expect_code(2);
    for part in ["session-001", "Ada", "--session"] {
        assert!(told.stderr.contains(part), "{part} in {told:?}");
    }
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn without_a_directory_nobody_has_a_session() {
    let workspace = Workspace::small();
    let told = Terminal::on(&workspace).run(["claim", "file", "README.md"]).expect_code(2);
    assert!(told.stderr.contains("there is no") && told.stderr.contains("deconflict start"), "{told:?}");
    assert!(!workspace.coordination().exists());
}

#[test]
fn what_an_editor_runs_acts_as_the_editors_session() {
    let workspace = Workspace::small();
    let editor = Editor::start(&workspace, "Neovim");
    // A stand-in for the editor's process runs the verb, as a terminal window inside of an editor does.
    let coordination = workspace.coordination();
    coordination.create();
    let id = editor.wait_for_session();
    let stand_in = stand_in_program(
        &workspace,
        "editor",
        "sed -i \"s/\\\"client_pid\\\": [0-9]*/\\\"client_pid\\\": $$/\" \"$SESSION_FILE\"\n\
         deconflict claim file README.md\nexit $?",
    );
    let file = workspace.path(format!("COORDINATION/sessions/{id}.json"));
    let told = run(&Terminal::on(&workspace).env("SESSION_FILE", file), &stand_in).expect_code(0);
    assert_eq!(coordination.holder("README.md"), Some(id), "{told:?}");
    editor.quit();
}

#[test]
fn an_agents_session_is_kept_by_the_agents_process() {
    let workspace = Workspace::small();
    let agent = stand_in_program(
        &workspace,
        "claude",
        "echo $$\nsh -c \"'$DECONFLICT' start --name Agent\"\nsh -c \"'$DECONFLICT' claim file README.md\"\nexit $?",
    );
    let terminal = Terminal::on(&workspace).env("DECONFLICT", env!("CARGO_BIN_EXE_deconflict"));
    let told = run(&terminal, &agent).expect_code(0);
    let mut lines = told.stdout.lines();
    let (pid, id) = (lines.next().unwrap(), lines.next().unwrap());
    let coordination = workspace.coordination();
    let session = coordination.session(id).unwrap();
    assert_eq!(session["pid"].to_string(), pid, "the shell of one command does not last");
    assert_eq!(session["client"], "claude-code");
    assert_eq!(coordination.holder("README.md").as_deref(), Some(id));
    // The agent ended, so what it held was left behind.
    let status = Terminal::on(&workspace).run(["status", "--json"]).expect_code(0).json();
    assert_eq!(status["sessions"][0]["state"], "gone");
    assert_eq!(status["claims"][0]["standing"], "abandoned");
}

#[test]
fn an_agent_between_the_caller_and_a_session_is_no_answer() {
    let workspace = Workspace::small();
    // A shell that keeps a session, in which an agent runs that has none.
    let agent = stand_in_program(&workspace, "codex", "deconflict claim file README.md");
    let shell = stand_in_program(
        &workspace,
        "shell",
        "printf '{\"session_id\":\"session-shell\",\"status\":\"active\",\"pid\":%d,\"pid_scope\":\"%s\"}' $$ \"$SCOPE\" \
         > COORDINATION/sessions/session-shell.json\n\
         deconflict status --oneline\n\"$AGENT\"\nexit $?",
    );
    workspace.coordination().create();
    let terminal =
        Terminal::on(&workspace).env("AGENT", agent.as_os_str()).env("SCOPE", deconflict_platform::pid_scope());
    let told = run(&terminal, &shell);
    assert_eq!(told.stdout, "0 held, 0 by others, 0 unread\n", "the shell itself is told who it is");
    assert_eq!(told.exit_code, 2, "{told:?}");
    assert!(told.stderr.contains("The coding agent that runs this (codex) has no session of its own yet."), "{told:?}");
    assert!(told.stderr.contains("session-shell"), "{told:?}");
}

#[test]
fn two_sessions_on_one_process_are_no_answer() {
    let workspace = Workspace::small();
    let agent = stand_in_program(
        &workspace,
        "gemini",
        "deconflict start --session one\ndeconflict start --session two\ndeconflict claim file README.md\n\
         code=$?\ndeconflict claim file README.md --session two\nexit $code",
    );
    let told = run(&Terminal::on(&workspace), &agent);
    assert_eq!(told.exit_code, 2, "{told:?}");
    assert!(told.stderr.contains("Several sessions belong to the program that runs this"), "{told:?}");
    assert_eq!(workspace.coordination().holder("README.md").as_deref(), Some("two"));
}

#[test]
fn a_session_that_its_user_names_goes_on_after_its_process_ended() {
    let workspace = Workspace::small();
    let agent =
        stand_in_program(&workspace, "claude", "deconflict start --session agent\ndeconflict claim file README.md");
    run(&Terminal::on(&workspace), &agent).expect_code(0);
    let again = Terminal::on(&workspace).session("agent");
    again.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    let status = Terminal::on(&workspace).run(["status", "--json"]).expect_code(0).json();
    assert_eq!(status["sessions"][0]["state"], "live", "{status}");
    assert_eq!(status["claims"][0]["standing"], "active", "what nobody took meanwhile is its own again: {status}");
}

#[test]
fn a_session_that_its_user_names_puts_its_damaged_record_right() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "task", "before"]).expect_code(0);
    for words in [&["claim", "task", "after"][..], &["start"], &["end"]] {
        coordination.write_text(&format!("sessions/{id}.json"), "{\"session_id\": ");
        terminal.run(words.iter().copied().chain(["--session", &id])).expect_code(0);
    }
    assert_eq!(coordination.session(&id).unwrap()["status"], "completed");
    assert_eq!(coordination.claim_files(), Vec::<String>::new(), "it held them all the time");
}

#[test]
fn the_originals_current_session_counts_only_where_it_is_the_only_one() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session-001", json!({}));
    coordination.write_text(".current_session", "session-001\n");
    let exit_code_of_claim = |name: &str| {
        let prompt = Terminal::on(&workspace);
        let prompt = prompt.command(["claim", "task", name]);
        let mut command = Command::new("setsid");
        command.args([
            "--fork",
            "sh",
            "-c",
            "\"$@\" > /dev/null 2>&1; echo $?",
            "sh",
            env!("CARGO_BIN_EXE_deconflict"),
        ]);
        command.args(prompt.get_args()).env_clear();
        command.envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let told = command.current_dir(prompt.get_current_dir().unwrap()).output().unwrap().stdout;
        String::from_utf8(told).unwrap()
    };
    assert_eq!(exit_code_of_claim("alone"), "0\n");
    assert_eq!(coordination.holder("alone").as_deref(), Some("session-001"));

    coordination.write_session("session-002", json!({}));
    assert_eq!(exit_code_of_claim("two"), "2\n");
    coordination.write_session("session-002", json!({"status": "completed"}));
    assert_eq!(exit_code_of_claim("one again"), "0\n");
    // The original has no way to end a session: one that was left two days ago lives only by what it still holds.
    let long_ago = timestamp(Utc::now() - TimeDelta::days(2));
    coordination.write_session("session-003", json!({"started_at": long_ago, "last_heartbeat": long_ago}));
    assert_eq!(exit_code_of_claim("one that lives"), "0\n");
    let until = timestamp(Utc::now() + TimeDelta::days(1));
    coordination.write_claim("session-003", "task", "long", json!({"claimed_at": long_ago, "expires_at": until}));
    assert_eq!(exit_code_of_claim("two again"), "2\n");
    coordination.remove_claim("task", "long");
    coordination.write(
        "heartbeats/2025-11-15_10-00-session-003.json",
        &json!({"session_id": "session-003", "timestamp": timestamp(Utc::now())}),
    );
    assert_eq!(exit_code_of_claim("two by a heartbeat"), "2\n");
    fs::remove_file(coordination.directory().join("heartbeats/2025-11-15_10-00-session-003.json")).unwrap();
    for text in ["session-002", "../session-001", ""] {
        coordination.write_text(".current_session", text);
        assert_eq!(exit_code_of_claim("none"), "2\n", "{text:?}");
    }
}

/// Runs lines in a shell that a person types into, on a terminal of its own.
fn in_an_interactive_shell(terminal: &Terminal, lines: &str) -> String {
    let prompt = terminal.command::<&str>([]);
    let mut script = Command::new("setsid");
    script.args(["--fork", "script", "-qec", "bash --norc --noprofile -i", "/dev/null"]).env_clear();
    script.envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("PS1", "").env("D", env!("CARGO_BIN_EXE_deconflict")).env("HISTFILE", "");
    script.current_dir(prompt.get_current_dir().unwrap());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{lines}\nexit\n").as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[test]
fn a_session_started_at_a_prompt_is_kept_by_the_terminals_shell() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let shown = in_an_interactive_shell(
        &terminal,
        "echo $$ > shell.pid\n\
         eval \"$(\"$D\" start --export)\"\n\
         unset DECONFLICT_SESSION\n\
         \"$D\" claim file README.md\n\
         (bash --norc -c '\"$D\" start --session nested')\n\
         bash --norc -i -c '\"$D\" start --session one-command'",
    );
    let coordination = workspace.coordination();
    let shell: u32 = workspace.read("shell.pid").trim().parse().unwrap();
    let sessions = coordination.sessions();
    assert_eq!(sessions.len(), 3, "{shown}");
    for session in &sessions {
        assert_eq!(session["pid"], shell, "neither a subshell nor a nested shell lasts: {session}");
    }
    assert!(coordination.holder("README.md").unwrap().starts_with("session-"), "the prompt knows who it is: {shown}");
}

#[test]
fn a_session_started_by_a_script_without_a_terminal_lives_on_its_heartbeats() {
    let workspace = Workspace::small();
    let prompt = Terminal::on(&workspace);
    let prompt = prompt.command(["start", "--session", "nightly"]);
    let mut command = Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_deconflict"), "start", "--session", "nightly"]).env_clear();
    command.envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(command.current_dir(prompt.get_current_dir().unwrap()).status().unwrap().success());
    let session = workspace.coordination().session("nightly").unwrap();
    // Below a coding agent, that agent keeps it; else nothing is known to last.
    let below_an_agent = session["pid"].is_number();
    assert!(below_an_agent || session.get("pid_scope").is_none(), "{session}");
    let status = Terminal::on(&workspace).run(["status", "--json"]).expect_code(0).json();
    assert_eq!(status["sessions"][0]["state"], "live");
}

#[test]
fn a_session_starts_where_the_terminals_own_processes_cannot_be_seen() {
    let workspace = Workspace::small();
    let prompt = Terminal::on(&workspace);
    let prompt = prompt.command::<&str>([]);
    // In a container that was entered from outside, the leader of the terminal's session has no number.
    let contained = |program: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]).args(program).env_clear();
        command.envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(prompt.get_current_dir().unwrap()).stdin(Stdio::null()).output()
    };
    if !contained(&["true"]).is_ok_and(|ended| ended.status.success()) {
        eprintln!("SKIPPED: this machine makes no pid namespaces");
        return;
    }
    let lines = "\"$0\" start --session inside\nexit $?";
    let told = contained(&["sh", "-c", lines, env!("CARGO_BIN_EXE_deconflict")]).unwrap();
    assert!(told.status.success(), "{told:?}");
    assert_eq!(workspace.coordination().session("inside").unwrap()["status"], "active");
}
