//! The table of coding agents: what each is called, how it is recognised, the file that reads its events and writes its
//! answers, and how it is wired.

use std::path::Path;

use deconflict_setup::{AgentHooks, HookFiles, Method, SetupTarget, UserFolder};

use super::answer::Answer;
use super::event::{Fields, HookEvent, Unreadable};
use super::{claude_code, codex, cursor, gemini, opencode};

/// A coding agent whose hooks are known.
#[derive(Debug)]
pub struct Agent {
    /// What it is called on the command line of hooks and in records.
    pub name: &'static str,
    /// How it is wired, and what it is called there.
    pub target: SetupTarget,
    /// A variable that names a file of the agent's, whose lines its shells run first.
    pub environment_file: Option<&'static str>,
    /// The shells that it starts learn of their session neither from it nor from us.
    pub(super) hides_session: bool,
    /// It is an editor's, and may run in the editor's own processes.
    pub runs_in_editor: bool,
    /// Its sub-agents work in sessions of their own that don't say who started them.
    pub(super) hides_parents: bool,
    process: AgentProcess,
    /// The events whose answer can say something to the model, as far as its documentation promises; `None`: all.
    context_at: Option<&'static [&'static str]>,
    read: fn(&Fields, &Path) -> Result<Option<HookEvent>, Unreadable>,
    write: fn(&str, &Answer, takes_context: bool) -> String,
}

/// How an agent's process, and what it starts, is recognised.
#[derive(Debug)]
struct AgentProcess {
    /// The file names of its program, without an ending.
    programs: &'static [&'static str],
    /// Its packages, as they stand in the path of a script that a language's runtime runs.
    packages: &'static [&'static str],
    /// The variable that it sets for the commands that it runs.
    variable: Option<&'static str>,
    /// That variable says which of its sessions runs them.
    names_session: bool,
    /// How one process of it serves several windows.
    daemon: Option<AgentDaemon>,
}

/// How a process that serves several windows of an agent, and a window, are recognised by the words of their commands.
#[derive(Debug)]
struct AgentDaemon {
    /// Both of them are in the daemon's.
    words: [&'static str; 2],
    /// None of these is in a window's.
    windowless: &'static [&'static str],
}

/// The agents whose hooks are known.
pub static AGENTS: [Agent; 5] = [
    Agent {
        name: "claude-code",
        target: SetupTarget {
            name: "claude-code",
            title: "Claude Code",
            aliases: &["claude"],
            commands: &["claude"],
            method: Method::Hooks(AgentHooks {
                settings: UserFolder { variable: Some("CLAUDE_CONFIG_DIR"), in_home: ".claude", below: "" },
                // A plugin among the skills is loaded as it is, without a marketplace and without a change of the settings.
                place: "skills/deconflict",
                files: HookFiles::Folder("claude-code"),
                remark: Some("Claude Code loads it from version 2.1.157 on."),
                trust: None,
            }),
        },
        environment_file: Some("CLAUDE_ENV_FILE"),
        hides_session: false,
        runs_in_editor: false,
        hides_parents: false,
        process: AgentProcess {
            programs: &["claude"],
            packages: &["claude-code", "claude-agent-sdk"],
            variable: Some("CLAUDECODE"),
            names_session: false,
            daemon: None,
        },
        context_at: Some(&[
            "SessionStart",
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "SubagentStart",
        ]),
        read: claude_code::read,
        write: claude_code::write,
    },
    Agent {
        name: "codex",
        target: SetupTarget {
            name: "codex",
            title: "Codex",
            aliases: &[],
            commands: &["codex"],
            method: Method::Hooks(AgentHooks {
                settings: UserFolder { variable: Some("CODEX_HOME"), in_home: ".codex", below: "" },
                place: "hooks.json",
                files: HookFiles::Shared("codex/hooks.json"),
                remark: Some("Codex runs new hooks only after you trusted them: start codex and type /hooks."),
                trust: Some("config.toml"),
            }),
        },
        environment_file: Some("CODEX_ENV_FILE"),
        hides_session: false,
        runs_in_editor: false,
        hides_parents: false,
        process: AgentProcess {
            programs: &["codex"],
            packages: &["@openai/codex"],
            // In its sandbox no process above can be seen, and several windows share one process outside of it.
            variable: Some("CODEX_THREAD_ID"),
            names_session: true,
            daemon: Some(AgentDaemon {
                words: ["app-server", "--listen"],
                windowless: &["app-server", "exec", "e", "review", "mcp-server"],
            }),
        },
        context_at: Some(&["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "SubagentStart"]),
        read: codex::read,
        write: claude_code::write,
    },
    Agent {
        name: "gemini",
        target: SetupTarget {
            name: "gemini",
            title: "Gemini CLI",
            aliases: &["gemini-cli"],
            commands: &["gemini"],
            method: Method::Hooks(AgentHooks {
                settings: UserFolder { variable: Some("GEMINI_CLI_HOME"), in_home: "", below: ".gemini" },
                place: "extensions/deconflict",
                files: HookFiles::Folder("gemini"),
                remark: None,
                trust: None,
            }),
        },
        environment_file: None,
        hides_session: true,
        runs_in_editor: false,
        hides_parents: false,
        process: AgentProcess {
            programs: &["gemini"],
            packages: &["gemini-cli"],
            variable: Some("GEMINI_CLI"),
            names_session: false,
            daemon: None,
        },
        context_at: Some(&["SessionStart", "BeforeAgent", "AfterTool"]),
        read: gemini::read,
        write: gemini::write,
    },
    Agent {
        name: "cursor",
        target: SetupTarget {
            name: "cursor-agent",
            title: "Cursor's agent",
            // Cursor is an editor and an agent.
            aliases: &["cursor"],
            commands: &["cursor", "cursor-agent"],
            method: Method::Hooks(AgentHooks {
                settings: UserFolder::in_home(".cursor"),
                place: "hooks.json",
                files: HookFiles::Shared("cursor/hooks.json"),
                remark: None,
                trust: None,
            }),
        },
        environment_file: None,
        hides_session: false,
        runs_in_editor: true,
        hides_parents: true,
        process: AgentProcess {
            programs: &["cursor-agent"],
            packages: &[],
            variable: Some("CURSOR_AGENT"),
            names_session: false,
            daemon: None,
        },
        context_at: Some(&["sessionStart", "postToolUse"]),
        read: cursor::read,
        write: cursor::write,
    },
    Agent {
        name: "opencode",
        target: SetupTarget {
            name: "opencode",
            title: "opencode",
            aliases: &[],
            commands: &["opencode"],
            method: Method::Hooks(AgentHooks {
                // The rules of the desktop, on every system.
                settings: UserFolder { variable: Some("XDG_CONFIG_HOME"), in_home: ".config", below: "opencode" },
                place: "plugins/deconflict.js",
                files: HookFiles::Plugin("opencode/deconflict.js"),
                remark: None,
                trust: None,
            }),
        },
        environment_file: None,
        hides_session: false,
        runs_in_editor: false,
        hides_parents: false,
        process: AgentProcess {
            programs: &["opencode"],
            packages: &["opencode-ai"],
            variable: None,
            names_session: false,
            daemon: None,
        },
        context_at: None,
        read: opencode::read,
        write: opencode::write,
    },
];

/// Agents that are known only by their processes: what they are called in records, their program, their package.
static WITHOUT_HOOKS: [(&str, &str, Option<&str>); 13] = [
    ("aider", "aider", None),
    ("amp", "amp", None),
    ("auggie", "auggie", None),
    ("cline", "cline", None),
    ("copilot", "copilot", None),
    ("crush", "crush", None),
    ("droid", "droid", None),
    ("goose", "goose", None),
    ("kimi", "kimi", None),
    ("kiro", "kiro-cli", None),
    ("openhands", "openhands", None),
    ("plandex", "plandex", None),
    ("qwen", "qwen", Some("qwen-code")),
];

impl Agent {
    /// Reads an event as this agent writes it; `None` for one that is nothing to us. `own_folder` is where the hook
    /// runs, for an event that doesn't say where the agent works.
    pub fn read(&self, input: &[u8], own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
        (self.read)(&Fields::parse(input)?, own_folder)
    }

    /// True for the command of a process that serves several windows of this agent.
    pub fn is_daemon(&self, command: &[String]) -> bool {
        let has = |word: &&str| command.iter().any(|given| given == word);
        self.process.daemon.as_ref().is_some_and(|daemon| daemon.words.iter().all(has))
    }

    /// True if one process of this agent may serve several windows.
    pub(super) fn has_windows(&self) -> bool {
        self.process.daemon.is_some()
    }

    /// What processes are called that may be windows of such a process.
    pub fn window_program(&self) -> Option<&'static str> {
        self.process.programs.first().copied().filter(|_| self.process.daemon.is_some())
    }

    /// True for the command of one that is.
    pub fn is_window(&self, command: &[String]) -> bool {
        let is_other = |daemon: &AgentDaemon| command.iter().any(|word| daemon.windowless.contains(&word.as_str()));
        self.process.daemon.as_ref().is_some_and(|daemon| !is_other(daemon))
    }

    /// The variable in which its shells find which of its sessions they belong to.
    pub(super) fn session_variable(&self) -> Option<&'static str> {
        self.process.variable.filter(|_| self.process.names_session)
    }

    /// True if an answer to an event of this name can say something to the model. What cannot be said there has to wait
    /// for an event that can.
    pub fn takes_context(&self, event: &str) -> bool {
        self.context_at.is_none_or(|events| events.contains(&event))
    }

    /// Writes the answer to an event of this name as this agent expects it on standard output; it may be empty.
    pub fn write(&self, event: &str, answer: &Answer) -> String {
        (self.write)(event, answer, self.takes_context(event))
    }
}

/// The name of the agent whose program has this file name, without its ending.
pub fn agent_of_program(program: &str) -> Option<&'static str> {
    let known = AGENTS.iter().find(|agent| agent.process.programs.contains(&program)).map(|agent| agent.name);
    known.or_else(|| WITHOUT_HOOKS.iter().find(|(_, known, _)| *known == program).map(|(name, ..)| *name))
}

/// The name of the agent whose package the path of a script names.
pub fn agent_of_script(path: &str) -> Option<&'static str> {
    let known = AGENTS.iter().find(|agent| agent.process.packages.iter().any(|package| path.contains(package)));
    let other = || WITHOUT_HOOKS.iter().find(|(_, _, package)| package.is_some_and(|package| path.contains(package)));
    known.map(|agent| agent.name).or_else(|| other().map(|(name, ..)| *name))
}

/// The name of the agent that sets a variable of which this is true.
pub fn agent_of_variable(is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    AGENTS.iter().find(|agent| agent.process.variable.is_some_and(&is_set)).map(|agent| agent.name)
}

/// True for the name of an agent, as it stands in records.
pub fn is_agent_name(name: &str) -> bool {
    AGENTS.iter().any(|agent| agent.name == name) || WITHOUT_HOOKS.iter().any(|(known, ..)| *known == name)
}
