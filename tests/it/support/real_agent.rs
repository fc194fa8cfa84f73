//! The real coding agents that `tests/agents/fetch` fetched, with a scripted model in place of their providers', in a home of
//! their own where `setup` wired them.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};

use super::editors::say_skipped;
use super::environment::clean_environment;
use super::home::Home;
use super::screen::Screen;
use super::scripted_model::ScriptedModel;
use super::terminal::Outcome;
use super::wait::wait_within;
use super::workspace::Workspace;

/// No turn of an agent takes longer, on a busy machine neither.
const LIMIT: Duration = Duration::from_mins(2);

/// What is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    ClaudeCode,
    Codex,
    /// Codex with a model that writes JavaScript to call its tools.
    CodexInCodeMode,
    Gemini,
    Opencode,
}

impl Product {
    /// Its command, which is also what `setup` calls it by.
    fn command(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
            Self::Codex | Self::CodexInCodeMode => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }

    /// Its program, if it is here.
    fn program(self) -> Option<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".editors/agents/node_modules/.bin");
        let program = folder.join(self.command());
        if program.exists() {
            return Some(program);
        }
        say_skipped(&format!("{} is not here; tests/agents/fetch fetches it", self.command()));
        None
    }
}

/// A home in which one agent is wired, a repository, and the model that it asks.
pub(crate) struct RealAgent {
    home: Home,
    model: ScriptedModel,
    product: Product,
    program: PathBuf,
}

impl RealAgent {
    /// Not wired yet. Nothing, aloud, where the agent was not fetched.
    pub(crate) fn new(product: Product) -> Option<Self> {
        let program = product.program()?;
        let (home, model) = (Home::new(), ScriptedModel::start());
        let agent = Self { home, model, product, program };
        agent.write_settings();
        Some(agent)
    }

    /// Wires it as its user would.
    #[track_caller]
    pub(crate) fn set_up(&self) -> Outcome {
        let wiring = self.home.terminal().spawn(["setup", self.product.command()]);
        wiring.wait_for_at_most(LIMIT).expect_code(0)
    }

    /// Gives it the verbs as tools, by its own command where it has one.
    #[track_caller]
    pub(crate) fn add_tools(&self) {
        let server = self.home.path(".local/bin/deconflict");
        let server = server.to_str().unwrap();
        let arguments = match self.product {
            Product::ClaudeCode => vec!["mcp", "add", "--scope", "user", "deconflict", "--", server, "mcp"],
            Product::Codex | Product::CodexInCodeMode => vec!["mcp", "add", "deconflict", "--", server, "mcp"],
            Product::Gemini => vec!["mcp", "add", "--scope", "user", "--trust", "deconflict", server, "mcp"],
            Product::Opencode => {
                let path = ".config/opencode/opencode.json";
                let mut settings: Value = serde_json::from_str(&self.home.read(path)).unwrap();
                settings["mcp"] = json!({"deconflict": {"type": "local", "command": [server, "mcp"], "enabled": true}});
                return self.home.write(path, &settings.to_string());
            }
        };
        let mut command = self.command(&self.program, self.home.workspace().root());
        command.args(arguments);
        let ran = Turn::of(command).wait();
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// What the agent itself says of the files that `setup` gave it.
    pub(crate) fn own_check(&self) -> Ran {
        let arguments: Vec<String> = match self.product {
            Product::ClaudeCode => {
                let plugin = self.home.path(".claude/skills/deconflict");
                ["plugin", "validate", plugin.to_str().unwrap()].map(str::to_owned).to_vec()
            }
            Product::Gemini => {
                let extension = self.home.path(".gemini/extensions/deconflict");
                ["extensions", "validate", extension.to_str().unwrap()].map(str::to_owned).to_vec()
            }
            Product::Codex | Product::CodexInCodeMode => vec!["doctor".to_owned()],
            Product::Opencode => ["debug", "config"].map(str::to_owned).to_vec(),
        };
        let mut command = self.command(&self.program, self.home.workspace().root());
        command.args(arguments);
        Turn::of(command).wait()
    }

    pub(crate) fn product(&self) -> Product {
        self.product
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn model(&self) -> &ScriptedModel {
        &self.model
    }

    /// Gives it a prompt in a folder that the model answers from this script, and waits for the end of its turn.
    #[track_caller]
    pub(crate) fn run(&self, folder: &Path, script: &str) -> Ran {
        self.start(folder, script).wait()
    }

    /// The same, in the session of its last turn.
    #[track_caller]
    pub(crate) fn resume(&self, folder: &Path, script: &str) -> Ran {
        let (before, after): (&[&str], &[&str]) = match self.product {
            Product::ClaudeCode => (&["--continue"], &[]),
            Product::Codex | Product::CodexInCodeMode => (&[], &["resume", "--last"]),
            Product::Gemini => (&["--resume", "latest"], &[]),
            Product::Opencode => (&[], &["--continue"]),
        };
        self.start_with(folder, script, before, after).wait()
    }

    /// The same where Codex lets its commands reach nothing but the folder.
    #[track_caller]
    pub(crate) fn run_in_sandbox(&self, folder: &Path, script: &str) -> Ran {
        self.start_with(folder, script, &[], &["-s", "workspace-write"]).wait()
    }

    pub(crate) fn start(&self, folder: &Path, script: &str) -> Turn {
        self.start_with(folder, script, &[], &[])
    }

    /// The same with more arguments: before the prompt's own, and behind the verb.
    fn start_with(&self, folder: &Path, script: &str, before: &[&str], after: &[&str]) -> Turn {
        let prompt = format!("script:{script}");
        let mut command = self.command(&self.program, folder);
        command.args(before);
        match self.product {
            Product::ClaudeCode => {
                command.args(["-p", &prompt, "--permission-mode", "bypassPermissions"]);
            }
            Product::Codex | Product::CodexInCodeMode => {
                command.arg("exec").args(after);
                command.args(["--dangerously-bypass-hook-trust", "--skip-git-repo-check", &prompt]);
            }
            Product::Gemini => {
                command.args(["-y", "-m", "gemini-2.5-flash", "-p", &prompt]);
            }
            Product::Opencode => {
                command.args(["run", "-m", "scripted/scripted"]).args(after).arg(&prompt);
            }
        }
        Turn::of(command)
    }

    /// Opens a window of Codex on a folder that it trusts, without a prompt. Nothing, aloud, where tmux is missing.
    #[track_caller]
    pub(crate) fn open_window(&self, workspace: &Workspace) -> Option<Screen> {
        let mut command = self.command(&self.program, workspace.root());
        command.env("TERM", "xterm-256color").arg("--dangerously-bypass-hook-trust");
        let variables = command.get_envs().filter_map(|(name, value)| {
            let mut words = name.to_owned();
            words.push("=");
            words.push(value?);
            Some(words)
        });
        let program = [self.program.clone().into_os_string()].into_iter();
        let words: Vec<OsString> = [OsString::from("-i")]
            .into_iter()
            .chain(variables)
            .chain(program)
            .chain(command.get_args().map(OsStr::to_owned))
            .collect();
        let window = Screen::on(workspace)?.start((110, 40), words);
        window.wait_for("Ask Codex to do anything");
        Some(window)
    }

    /// Lets Codex ask nobody whether it may work in a folder, and which model it is to take.
    pub(crate) fn trust(&self, folder: &Path) {
        let path = ".codex/config.toml";
        let settings = self.home.read(path);
        let folder = folder.display();
        self.home.write(
            path,
            &format!(
                "{settings}\n[notice.model_migrations]\n\"gpt-5.5\" = \"gpt-6-sol\"\n\n[projects.\"{folder}\"]\n\
                 trust_level = \"trusted\"\n"
            ),
        );
    }

    /// Ends what Codex' windows have started to serve all of them.
    pub(crate) fn end_daemon(&self) {
        for name in ["daemon-updater.pid", "daemon.pid"] {
            let path = self.home.path(format!(".codex/app-server-daemon/{name}"));
            let noted = std::fs::read_to_string(path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
            let pid = noted.and_then(|noted| i32::try_from(noted["pid"].as_i64()?).ok()).and_then(Pid::from_raw);
            if let Some(pid) = pid {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// A program in the agent's surroundings, such as its own check of its settings.
    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        clean_environment(&mut command, self.home.path("").as_path());
        let search = std::env::var_os("PATH").unwrap_or_default();
        let places = [self.home.path(".local/bin")].into_iter().chain(std::env::split_paths(&search));
        command
            .env("PATH", std::env::join_paths(places).unwrap())
            .env("no_proxy", "*")
            .env("TMPDIR", self.home.workspace().beside("temporary"))
            .envs(self.variables())
            .current_dir(folder)
            .stdin(Stdio::null());
        command
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://127.0.0.1:{}", self.model.port());
        let on = |name: &'static str| (name, "1".to_owned());
        match self.product {
            Product::ClaudeCode => vec![
                ("ANTHROPIC_BASE_URL", url),
                ("ANTHROPIC_API_KEY", "made-up-key".to_owned()),
                on("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"),
                on("DISABLE_AUTOUPDATER"),
                on("DISABLE_TELEMETRY"),
                on("DISABLE_ERROR_REPORTING"),
                on("IS_SANDBOX"),
            ],
            Product::Codex | Product::CodexInCodeMode => vec![("SCRIPTED_KEY", "made-up-key".to_owned())],
            Product::Gemini => vec![
                ("GEMINI_API_KEY", "made-up-key".to_owned()),
                ("GOOGLE_GEMINI_BASE_URL", url),
                ("GEMINI_TELEMETRY_ENABLED", "false".to_owned()),
                ("GEMINI_CLI_TRUST_WORKSPACE", "true".to_owned()),
            ],
            Product::Opencode => vec![
                on("OPENCODE_DISABLE_AUTOUPDATE"),
                on("OPENCODE_DISABLE_MODELS_FETCH"),
                on("OPENCODE_DISABLE_LSP_DOWNLOAD"),
                on("OPENCODE_DISABLE_DEFAULT_PLUGINS"),
                on("OPENCODE_DISABLE_SHARE"),
            ],
        }
    }

    /// The settings without which it would ask somebody, or something beyond this machine.
    fn write_settings(&self) {
        std::fs::create_dir_all(self.home.workspace().beside("temporary")).unwrap();
        // Some agents give each command a login shell, which sets the search path anew.
        self.home.write(".profile", "PATH=\"$HOME/.local/bin:$PATH\"\n");
        let url = format!("http://127.0.0.1:{}/v1", self.model.port());
        match self.product {
            Product::ClaudeCode => {}
            Product::Codex | Product::CodexInCodeMode => {
                let model = if self.product == Product::Codex { "gpt-5.5" } else { "gpt-6.1-sol" };
                self.home.write(
                    ".codex/config.toml",
                    &format!(
                        "model = \"{model}\"\nmodel_provider = \"scripted\"\napproval_policy = \"never\"\n\
                         sandbox_mode = \"danger-full-access\"\ncheck_for_update_on_startup = false\n\n\
                         [analytics]\nenabled = false\n\n[model_providers.scripted]\nname = \"Scripted\"\n\
                         base_url = \"{url}\"\nenv_key = \"SCRIPTED_KEY\"\nwire_api = \"responses\"\n"
                    ),
                );
            }
            Product::Gemini => {
                let settings = json!({
                    "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": false}},
                    "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
                    "privacy": {"usageStatisticsEnabled": false},
                });
                self.home.write(".gemini/settings.json", &settings.to_string());
            }
            Product::Opencode => {
                let settings = json!({
                    "autoupdate": false,
                    "share": "disabled",
                    "permission": {"*": "allow"},
                    "provider": {"scripted": {
                        "npm": "@ai-sdk/openai-compatible",
                        "name": "Scripted",
                        "options": {"baseURL": url, "apiKey": "made-up-key"},
                        "models": {"scripted": {"name": "Scripted"}},
                    }},
                });
                self.home.write(".config/opencode/opencode.json", &settings.to_string());
            }
        }
    }
}

/// A turn that runs. It is ended, with all that it started, with the value.
pub(crate) struct Turn {
    child: Child,
    output: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

/// What an agent printed in a turn, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

impl Turn {
    fn of(mut command: Command) -> Self {
        // A group of its own, so that whatever it starts can be ended with it and with nothing else.
        let mut child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = read_in_background(child.stdout.take().unwrap());
        let stderr = read_in_background(child.stderr.take().unwrap());
        Self { child, output: Some((stdout, stderr)) }
    }

    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let status = wait_within(LIMIT, "an agent to end its turn", || self.child.try_wait().unwrap());
        self.kill();
        let (stdout, stderr) = self.output.take().unwrap();
        Ran { code: status.code(), output: stdout.join().unwrap() + &stderr.join().unwrap() }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_in_background(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
