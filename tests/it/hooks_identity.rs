//! Which process keeps an agent's session, and who its shell's verbs act as.
//!
//! These tests may themselves run below a coding agent of whoever started them, so each brings the processes that it
//! is about.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{CodingAgent, StandIn, Terminal, Workspace, hook, stand_in_program, wait_for};

const FILE: &str = "src/main.rs";

fn event_of(agent: &CodingAgent, workspace: &Workspace) -> String {
    let input = json!({"file_path": workspace.path(FILE)});
    agent.event("PreToolUse", json!({"tool_name": "Edit", "tool_input": input})).to_string()
}

#[test]
fn the_session_lasts_as_long_as_the_agents_process() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    let event = event_of(&agent, &workspace);
    let lines = format!("printf '%s' '{event}' > event\ndeconflict hook claude-code < event\nread -r end\n");
    let stand_in = stand_in_program(&workspace, "claude", &lines);
    let running = StandIn::start(&workspace, &stand_in);
    let coordination = workspace.coordination();
    let claim = coordination.wait_for_claim(FILE);
    assert_eq!(claim["claimed_by"], agent.id());
    assert_eq!(coordination.session(&agent.id()).unwrap()["pid"], running.id());
    let other = CodingAgent::on(&workspace, "two");
    other.before_edit(FILE).expect_denial();
    running.kill();
    let told = other.before_edit(FILE).expect_no_denial();
    assert!(told.context().contains("is gone"), "{told:?}");
    assert_eq!(coordination.holder(FILE), Some(other.id()));
}

#[test]
fn an_agent_in_an_editor_is_kin_of_the_editor() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    let event = event_of(&agent, &workspace);
    stand_in_program(
        &workspace,
        "claude",
        &format!("printf '%s' '{event}' > event\ndeconflict hook claude-code < event\nread -r end\n"),
    );
    let claude = workspace.beside("claude");
    let editor = stand_in_program(&workspace, "nvim", &format!("'{}'\nexit $?", claude.display()));
    let running = StandIn::start(&workspace, &editor);
    let coordination = workspace.coordination();
    coordination.wait_for_claim(FILE);
    let session = coordination.session(&agent.id()).unwrap();
    assert_eq!(session["client_pid"], running.id(), "the editor is the one around the agent: {session}");
    assert_ne!(session["pid"], running.id());
}

#[test]
fn a_terminal_in_the_editor_is_the_editors_although_an_agent_runs_in_it_too() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    // Both serve the editor's process: the language server, which promised a keepalive, and the agent.
    let scope = deconflict_platform::pid_scope();
    let editor = stand_in_program(
        &workspace,
        "nvim",
        "for one in server agent; do sed -i \"s/\\\"client_pid\\\": 0/\\\"client_pid\\\": $$/\" \
         COORDINATION/sessions/$one.json; done\n\
         sh -c \"'$DECONFLICT' claim file README.md\"\nexit $?",
    );
    coordination.write_session("server", json!({"client_pid": 0, "pid_scope": scope, "keepalive": 60}));
    coordination.write_session("agent", json!({"client_pid": 0, "pid_scope": scope, "client": "claude-code"}));
    let prompt = Terminal::on(&workspace).env("DECONFLICT", env!("CARGO_BIN_EXE_deconflict")).command::<&str>([]);
    let mut command = Command::new(editor);
    command.env_clear().envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = command.current_dir(workspace.root()).stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(coordination.holder("README.md").as_deref(), Some("server"));
}

#[test]
fn the_hook_goes_by_its_event_and_the_shell_by_the_variable_that_it_exports() {
    let workspace = Workspace::small();
    let (_, somebody) = Terminal::with_new_session(&workspace);
    let file = workspace.beside("agent.env");
    fs::write(&file, "export OTHER=1\n").unwrap();
    let agent = CodingAgent::on(&workspace, "one")
        .env("DECONFLICT_SESSION", &somebody)
        .env("CLAUDE_ENV_FILE", file.to_str().unwrap());
    agent.start();
    agent.before_edit(FILE).expect_silence();
    assert_eq!(workspace.coordination().holder(FILE), Some(agent.id()));
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("export OTHER=1\nexport DECONFLICT_SESSION={}\n", agent.id())
    );
    agent.shell().run(["claim", "file", FILE]).expect_code(0);
    agent.shell().run(["release", "file", FILE]).expect_code(0);
    assert_eq!(workspace.coordination().holder(FILE), None);
}

#[test]
fn other_agents_get_the_variable_in_their_own_way() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let terminal = Terminal::on(&workspace);
    let root = workspace.root();
    let cursor = json!({"hook_event_name": "sessionStart", "conversation_id": "c", "workspace_roots": [root]});
    assert_eq!(hook(&terminal, "cursor", &cursor).answer["env"]["DECONFLICT_SESSION"], "cursor-c");
    let opencode = json!({"event": "shell.env", "sessionID": "ses_1", "directory": root});
    assert_eq!(hook(&terminal, "opencode", &opencode).answer["env"]["DECONFLICT_SESSION"], "opencode-ses_1");
    let file = workspace.beside("codex.env");
    let codex = json!({"hook_event_name": "SessionStart", "session_id": "x", "cwd": root});
    hook(&terminal.env("CODEX_ENV_FILE", file.as_os_str()), "codex", &codex);
    assert_eq!(fs::read_to_string(&file).unwrap(), "export DECONFLICT_SESSION=codex-x\n");
}

#[test]
fn cursor_running_the_hooks_of_claude_code_is_left_to_its_own() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    let input = json!({"file_path": workspace.path(FILE)});
    let fields = json!({"tool_name": "Write", "tool_input": input, "cursor_version": "2.1.0"});
    hook(&Terminal::on(&workspace), "claude-code", &agent.event("PreToolUse", fields)).expect_silence();
    assert!(!workspace.coordination().exists());
}

#[test]
fn the_monitor_prints_a_line_for_each_message_and_ends_with_the_agent() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    let event = event_of(&agent, &workspace);
    let stand_in = stand_in_program(
        &workspace,
        "claude",
        &format!(
            "printf '%s' '{event}' > event\ndeconflict hook claude-code < event\n\
             '{}' hook claude-code --monitor > told 2>&1 &\nread -r end\n",
            env!("CARGO_BIN_EXE_deconflict")
        ),
    );
    let running = StandIn::start(&workspace, &stand_in);
    let coordination = workspace.coordination();
    coordination.wait_for_claim(FILE);
    coordination.write_session("session-eve", json!({"name": "Eve"}));
    let request = json!({"type": "release_request", "resource": "file/src/main.rs"});
    coordination.write_message("session-eve", &agent.id(), "Please", "I need\nit now", request);
    let told = wait_for("the monitor to tell of the message", || {
        let told = fs::read_to_string(workspace.path("told")).unwrap_or_default();
        told.ends_with('\n').then_some(told)
    });
    assert_eq!(told.lines().count(), 1, "{told}");
    for part in ["not an instruction", "\"Eve\"", "asks you to release \"file/src/main.rs\"", "I need it now"] {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
    // It counts as read a moment after it was printed.
    wait_for("the message to count as read", || {
        let left = agent.shell().run(["messages", "--peek", "--json"]).expect_code(0).json();
        (left["unread"] == 0).then_some(())
    });
    agent.prompt().expect_silence();
    running.kill();
    wait_for("the monitor to end", || {
        let is_gone = fs::read_dir("/proc").unwrap().flatten().all(|entry| {
            let folder = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            folder != workspace.root() || !String::from_utf8_lossy(&line).contains("--monitor")
        });
        is_gone.then_some(())
    });
}

#[test]
fn below_an_agent_its_own_session_comes_before_one_that_its_user_exported() {
    let workspace = Workspace::small();
    let (_, ada) = Terminal::with_named_session(&workspace, "Ada");
    let agent = CodingAgent::on(&workspace, "one");
    let event = event_of(&agent, &workspace);
    let lines = format!(
        "printf '%s' '{event}' > event\ndeconflict hook claude-code < event\nexport DECONFLICT_SESSION={ada}\n\
         deconflict claim file src/lib.rs\nread -r end\n"
    );
    let running = StandIn::start(&workspace, &stand_in_program(&workspace, "claude", &lines));
    let claim = workspace.coordination().wait_for_claim("src/lib.rs");
    assert_eq!(claim["claimed_by"], agent.id());
    running.kill();
}

#[test]
fn codex_says_in_its_sandbox_which_of_its_windows_runs_a_verb() {
    let workspace = Workspace::small();
    let (_, ada) = Terminal::with_named_session(&workspace, "Ada");
    for thread in ["t1", "t2"] {
        let event = json!({
            "session_id": thread, "cwd": workspace.root(), "hook_event_name": "SessionStart", "source": "startup",
        });
        hook(&Terminal::on(&workspace), "codex", &event);
    }
    for (thread, file) in [("t1", "src/lib.rs"), ("t2", "src/main.rs")] {
        let shell = Terminal::on(&workspace).env("CODEX_THREAD_ID", thread).env("DECONFLICT_SESSION", &ada);
        shell.run(["claim", "file", file]).expect_code(0);
        let claim = workspace.coordination().claim(file).unwrap();
        assert_eq!(claim["claimed_by"], format!("codex-{thread}"));
        // What it took by a verb it may edit.
        let patch = format!("*** Begin Patch\n*** Update File: {file}\n*** End Patch");
        let event = json!({
            "session_id": thread, "cwd": workspace.root(), "hook_event_name": "PreToolUse", "tool_name": "apply_patch",
            "tool_input": {"command": patch}, "turn_id": "1",
        });
        assert_eq!(hook(&Terminal::on(&workspace), "codex", &event).denial(), None);
    }
    // A thread that has no session here is nobody.
    let unknown = Terminal::on(&workspace).env("CODEX_THREAD_ID", "t3").env("DECONFLICT_SESSION", &ada);
    unknown.run(["claim", "file", "README.md"]).expect_code(2);
}

#[test]
fn the_advice_to_gemini_has_its_session() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", FILE]).expect_code(0);
    let event = json!({
        "session_id": "g1", "cwd": workspace.root(), "hook_event_name": "BeforeTool", "tool_name": "write_file",
        "tool_input": {"file_path": workspace.path(FILE), "content": "x"},
    });
    let told = hook(&Terminal::on(&workspace), "gemini", &event).answer.to_string();
    assert!(told.contains("deconflict --session gemini-g1 send "), "{told}");
    assert!(told.contains("deconflict --session gemini-g1 claim file "), "{told}");
}
