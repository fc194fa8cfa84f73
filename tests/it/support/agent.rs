//! Coding agents that start the hook as their documentation says, one process for each event.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::terminal::{Outcome, Terminal};
use super::workspace::Workspace;

/// A session of Claude Code, as far as its hooks tell of it.
#[derive(Clone)]
pub(crate) struct CodingAgent {
    terminal: Terminal,
    session: String,
    folder: PathBuf,
    helper: Option<String>,
    flags: Vec<String>,
    #[cfg(target_os = "linux")]
    process: Option<std::sync::Arc<super::stand_in::AgentProcess>>,
}

impl CodingAgent {
    /// Claude Code with this id at the root of a workspace.
    pub(crate) fn on(workspace: &Workspace, session: &str) -> Self {
        Self {
            terminal: Terminal::on(workspace),
            session: session.to_owned(),
            folder: workspace.root().to_owned(),
            helper: None,
            flags: Vec::new(),
            #[cfg(target_os = "linux")]
            process: None,
        }
    }

    /// The same agent with a process of its own, which starts its hooks.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_process(mut self, process: &std::sync::Arc<super::stand_in::AgentProcess>) -> Self {
        self.process = Some(process.clone());
        self
    }

    /// The same agent working in another folder.
    pub(crate) fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = self.folder.join(folder);
        self
    }

    /// One of its sub-agents.
    pub(crate) fn helper(&self, id: &str) -> Self {
        Self { helper: Some(id.to_owned()), ..self.clone() }
    }

    /// The same agent with more flags in the command of its hooks.
    pub(crate) fn with_flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// The same agent with an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.terminal = self.terminal.env(name, value);
        self
    }

    /// The id of its session here.
    pub(crate) fn id(&self) -> String {
        match &self.helper {
            Some(helper) => format!("claude-code-{}-{helper}", self.session),
            None => format!("claude-code-{}", self.session),
        }
    }

    /// A prompt in the shell that it gives its commands, with the variables that its hook exported.
    pub(crate) fn shell(&self) -> Terminal {
        self.terminal.clone().in_folder(&self.folder).session(&self.id())
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Told {
        self.tell("SessionStart", json!({"source": "startup"}))
    }

    #[track_caller]
    pub(crate) fn prompt(&self) -> Told {
        self.tell("UserPromptSubmit", json!({"prompt": "go on"}))
    }

    #[track_caller]
    pub(crate) fn before_edit(&self, file: impl AsRef<Path>) -> Told {
        self.tool("PreToolUse", "Edit", json!({"file_path": self.folder.join(file), "old_string": "a"}))
    }

    #[track_caller]
    pub(crate) fn after_edit(&self, file: impl AsRef<Path>) -> Told {
        self.tool("PostToolUse", "Edit", json!({"file_path": self.folder.join(file), "old_string": "a"}))
    }

    #[track_caller]
    pub(crate) fn after_read(&self, file: impl AsRef<Path>) -> Told {
        self.tool("PostToolUse", "Read", json!({"file_path": self.folder.join(file)}))
    }

    /// Starts the same with an output of the caller's.
    pub(crate) fn spawn_after_read(&self, file: impl AsRef<Path>, output: Stdio) -> Child {
        let input = json!({"file_path": self.folder.join(file)});
        let fields = json!({"tool_name": "Read", "tool_input": input, "tool_use_id": "toolu_01"});
        let event = self.event("PostToolUse", fields).to_string();
        let mut command = self.terminal.command(["hook", "claude-code"]);
        let mut hook = command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::null()).spawn().unwrap();
        hook.stdin.take().unwrap().write_all(event.as_bytes()).unwrap();
        hook
    }

    #[track_caller]
    pub(crate) fn before_command(&self, command: &str) -> Told {
        self.tool("PreToolUse", "Bash", json!({"command": command}))
    }

    #[track_caller]
    pub(crate) fn after_command(&self, command: &str) -> Told {
        self.tool("PostToolUse", "Bash", json!({"command": command}))
    }

    /// Edits a file if the hook lets it: the whole way from the hook before it to the hook after it.
    #[track_caller]
    pub(crate) fn edit(&self, file: impl AsRef<Path>, text: &str) -> Told {
        let told = self.before_edit(&file);
        if told.denial().is_none() {
            fs::write(self.folder.join(&file), text).unwrap();
            self.after_edit(&file).expect_no_denial();
        }
        told
    }

    #[track_caller]
    pub(crate) fn stop(&self) -> Told {
        let event = if self.helper.is_some() { "SubagentStop" } else { "Stop" };
        self.tell(event, json!({"stop_hook_active": false}))
    }

    /// Tells that it is idle, which is the first that is heard of it after its user interrupted it.
    #[track_caller]
    pub(crate) fn waits_for_its_user(&self) -> Told {
        let message = "Claude is waiting for your input";
        self.tell("Notification", json!({"notification_type": "idle_prompt", "message": message}))
    }

    #[track_caller]
    pub(crate) fn end(&self) -> Told {
        self.tell("SessionEnd", json!({"reason": "other"}))
    }

    /// The event as it goes to the hook.
    pub(crate) fn event(&self, name: &str, fields: Value) -> Value {
        let mut event = json!({
            "session_id": self.session, "transcript_path": "/nowhere/transcript.jsonl", "cwd": self.folder,
            "permission_mode": "default", "hook_event_name": name,
        });
        if let Some(helper) = &self.helper {
            event["agent_id"] = helper.as_str().into();
            event["agent_type"] = "Explore".into();
        }
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        event
    }

    #[track_caller]
    fn tool(&self, name: &str, tool: &str, input: Value) -> Told {
        self.tell(name, json!({"tool_name": tool, "tool_input": input, "tool_use_id": "toolu_01"}))
    }

    #[track_caller]
    fn tell(&self, name: &str, fields: Value) -> Told {
        #[cfg(target_os = "linux")]
        if let Some(process) = &self.process {
            return Told::of(process.hook(&self.event(name, fields).to_string()).expect_code(0));
        }
        let arguments: Vec<String> =
            ["hook".to_owned(), "claude-code".to_owned()].into_iter().chain(self.flags.clone()).collect();
        let outcome = self.terminal.run_with_input(arguments, &self.event(name, fields).to_string());
        Told::of(outcome.expect_code(0))
    }
}

/// Gives one event to the hook of an agent.
#[track_caller]
pub(crate) fn hook(terminal: &Terminal, agent: &str, event: &Value) -> Told {
    Told::of(terminal.run_with_input(["hook", agent], &event.to_string()).expect_code(0))
}

/// What a hook answered.
#[derive(Debug)]
pub(crate) struct Told {
    /// Null where it said nothing.
    pub(crate) answer: Value,
    pub(crate) stderr: String,
}

impl Told {
    #[track_caller]
    fn of(outcome: Outcome) -> Self {
        let answer = if outcome.stdout.trim().is_empty() { Value::Null } else { outcome.json() };
        Self { answer, stderr: outcome.stderr }
    }

    /// Why Claude Code must not do it; `None` if it may.
    pub(crate) fn denial(&self) -> Option<&str> {
        let specific = &self.answer["hookSpecificOutput"];
        (specific["permissionDecision"] == "deny").then(|| specific["permissionDecisionReason"].as_str().unwrap())
    }

    /// The same, for a test in which it must be one.
    #[track_caller]
    pub(crate) fn expect_denial(&self) -> &str {
        self.denial().unwrap_or_else(|| panic!("not denied: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect_no_denial(self) -> Self {
        assert_eq!(self.denial(), None, "{self:?}");
        self
    }

    /// What the model is told.
    pub(crate) fn context(&self) -> &str {
        self.answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default()
    }

    /// What the user is told.
    pub(crate) fn notice(&self) -> &str {
        self.answer["systemMessage"].as_str().unwrap_or_default()
    }

    /// Fails the test if anything was said.
    #[track_caller]
    pub(crate) fn expect_silence(self) -> Self {
        assert!(self.answer == Value::Null && self.stderr.is_empty(), "{self:?}");
        self
    }
}
