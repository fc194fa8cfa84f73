//! Real Neovims with the plugin, driven over Neovim's own remote calls.

use std::ffi::OsString;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rmpv::Value as Packed;
use serde_json::Value;

use super::editors::installed;
use super::environment::clean_environment;
use super::wait::{DEADLINE, wait_within};
use super::workspace::Workspace;

/// A Neovim that tests can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Oldest,
    Newest,
}

impl Version {
    /// The versions to test with, or nothing where one is missing: that is said aloud, and is a failure where
    /// `DECONFLICT_REQUIRE_EDITORS` is set, as `tests/run` does.
    pub(crate) fn both() -> Option<[Self; 2]> {
        let versions = [Self::Newest, Self::Oldest];
        let are_here = versions.iter().all(|version| installed(version.name(), "nvim").is_some());
        are_here.then_some(versions)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Oldest => "nvim-0.10",
            Self::Newest => "nvim-0.12",
        }
    }

    pub(crate) fn binary(self) -> PathBuf {
        installed(self.name(), "nvim").unwrap_or_else(|| panic!("{} went away", self.name()))
    }
}

/// A running Neovim. It is killed with the value.
pub(crate) struct Neovim {
    process: Child,
    /// Absent once it was closed.
    input: Option<ChildStdin>,
    answers: Receiver<(u64, Result<Packed, Packed>)>,
    requests: u64,
    root: PathBuf,
}

impl Neovim {
    /// Starts one in the root of the workspace, with the plugin and with nothing of anybody's own set-up.
    pub(crate) fn start(version: Version, workspace: &Workspace) -> Self {
        Self::start_with(version, workspace, "")
    }

    /// The same, after running `setup`, Lua code that stands for a user's `init.lua`.
    pub(crate) fn start_with(version: Version, workspace: &Workspace, setup: &str) -> Self {
        Self::start_for(workspace.home(), version, workspace, setup)
    }

    /// The same for the person whose home directory this is.
    pub(crate) fn start_for(home: &Path, version: Version, workspace: &Workspace, setup: &str) -> Self {
        let mut command = Command::new(version.binary());
        clean_environment(&mut command, home);
        let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/editors/nvim");
        command
            .args(["--embed", "--headless", "--clean", "--cmd"])
            .arg(lua_command(&format!(
                "vim.opt.rtp:prepend({plugin:?}) vim.g.deconflict = {{ cmd = {:?} }} {setup}",
                env!("CARGO_BIN_EXE_deconflict")
            )))
            .current_dir(workspace.root());
        Self::run(command, workspace)
    }

    /// Starts one as its user does, with whatever that user's home directory has for it.
    pub(crate) fn start_at_home(version: Version, workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut command = Command::new(version.binary());
        clean_environment(&mut command, workspace.home());
        command.args(["--embed", "--headless"]).args(arguments).current_dir(workspace.root());
        Self::run(command, workspace)
    }

    fn run(mut command: Command, workspace: &Workspace) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            let mut output = output;
            while let Ok(message) = rmpv::decode::read_value(&mut output) {
                if let Some(answer) = as_answer(message)
                    && sender.send(answer).is_err()
                {
                    return;
                }
            }
        });
        let mut neovim = Self { process, input, answers, requests: 0, root: workspace.root().to_owned() };
        // Wide enough for most notices to fit into the command line.
        neovim.lua("vim.o.columns = 160 vim.o.lines = 40");
        neovim
    }

    /// The id of its process, which the server records as `client_pid`.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Opens a file of the workspace and waits until the server knows it.
    #[track_caller]
    pub(crate) fn open(&mut self, relative: impl AsRef<Path>) {
        let path = self.root.join(relative);
        self.lua(&format!("vim.cmd.edit({{ args = {{ {:?} }}, magic = {{ file = false }} }})", path.to_str().unwrap()));
        self.wait(
            "the server to serve the buffer",
            "(function() local client = require('deconflict.client').get(0) \
             return client and client.initialized end)()",
        );
    }

    /// Types keys, in Neovim's notation (`ggOnew line<Esc>`), as a person does.
    #[track_caller]
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.call("nvim_input", vec![keys.into()]);
    }

    /// Runs an Ex command.
    #[track_caller]
    pub(crate) fn command(&mut self, command: &str) {
        self.call("nvim_command", vec![command.into()]);
    }

    /// Runs Lua code and returns what it returns.
    #[track_caller]
    pub(crate) fn lua(&mut self, code: &str) -> Value {
        let code = format!(
            "local result = (function() {code} end)() \
             return vim.json.encode(result == nil and vim.NIL or result)"
        );
        let answer = self.call("nvim_exec_lua", vec![code.into(), Packed::Array(vec![])]);
        serde_json::from_str(answer.as_str().unwrap()).unwrap()
    }

    /// Waits until a Lua expression is neither nil nor false, and returns its value.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, expression: &str) -> Value {
        let code = format!("return ({expression})");
        let start = Instant::now();
        loop {
            let value = self.lua(&code);
            if !value.is_null() && value != Value::Bool(false) {
                return value;
            }
            if start.elapsed() > DEADLINE {
                let screen = self.screen().join("\n");
                let notices = self.notices();
                panic!("waited {DEADLINE:?} in vain for {what}. The screen:\n{screen}\nNotices:\n{notices}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a diagnostic of the current buffer with this code, and returns its text.
    #[track_caller]
    pub(crate) fn wait_for_diagnostic(&mut self, code: &str) -> String {
        let found = self.wait(
            &format!("the diagnostic `{code}`"),
            &format!(
                "vim.iter(vim.diagnostic.get(0)):filter(function(d) \
                 return d.source == 'deconflict' and d.code == {code:?} end):totable()[1]"
            ),
        );
        found["message"].as_str().unwrap().to_owned()
    }

    /// Waits until the current buffer has no diagnostic and no hint.
    #[track_caller]
    pub(crate) fn wait_until_clear(&mut self) {
        self.wait("all notices to go", "#vim.diagnostic.get(0) == 0 and #vim.lsp.inlay_hint.get({ bufnr = 0 }) == 0");
    }

    /// Waits until the screen shows this text, and returns the line in which it stands.
    #[track_caller]
    pub(crate) fn wait_for_screen(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(line) = screen.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(
                start.elapsed() < DEADLINE,
                "waited {DEADLINE:?} in vain for {text:?} on the screen:\n{}",
                screen.join("\n")
            );
        }
    }

    /// The lines of the screen as a person sees them.
    pub(crate) fn screen(&mut self) -> Vec<String> {
        let lines = self.lua(
            "vim.cmd.redraw() local lines = {} for row = 1, vim.o.lines do local line = '' \
             for column = 1, vim.o.columns do line = line .. vim.fn.screenstring(row, column) end \
             lines[row] = (line:gsub('%s+$', '')) end return lines",
        );
        serde_json::from_value(lines).unwrap()
    }

    /// The notices that were shown, as `:messages` keeps them.
    pub(crate) fn notices(&mut self) -> String {
        let notices = self.lua("return vim.fn.execute('messages')");
        notices.as_str().unwrap().to_owned()
    }

    /// Waits until a notice was shown that contains this text.
    #[track_caller]
    pub(crate) fn wait_for_notice(&mut self, text: &str) {
        self.wait(&format!("a notice with {text:?}"), &format!("vim.fn.execute('messages'):find({text:?}, 1, true)"));
    }

    /// The lines of the current buffer.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        serde_json::from_value(self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")).unwrap()
    }

    /// Leaves by `:qa!`, and waits for the end of the process.
    #[track_caller]
    pub(crate) fn quit(mut self) {
        self.send("nvim_command", vec!["qa!".into()]);
        wait_within(DEADLINE, "Neovim to leave", || self.process.try_wait().unwrap());
    }

    /// Closes the pipe to whoever shows it, as a terminal that is closed does, and waits for the end of the process.
    #[track_caller]
    pub(crate) fn hang_up(mut self) {
        self.input = None;
        wait_within(DEADLINE, "Neovim to end", || self.process.try_wait().unwrap());
    }

    /// Kills the process, with no chance to say good-bye.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: Vec<Packed>) -> Packed {
        let id = self.send(method, parameters);
        loop {
            match self.answers.recv_timeout(DEADLINE) {
                Ok((answered, Ok(result))) if answered == id => return result,
                Ok((answered, Err(error))) if answered == id => panic!("{method}: {error}"),
                Ok(_) => {}
                Err(error) => panic!("no answer from Neovim to {method}: {error}"),
            }
        }
    }

    fn send(&mut self, method: &str, parameters: Vec<Packed>) -> u64 {
        self.requests += 1;
        let request = Packed::Array(vec![0.into(), self.requests.into(), method.into(), Packed::Array(parameters)]);
        let input = self.input.as_mut().unwrap();
        rmpv::encode::write_value(input, &request).unwrap();
        input.flush().unwrap();
        self.requests
    }
}

impl Drop for Neovim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The id and the result of an answer; nothing for what Neovim says by itself.
fn as_answer(message: Packed) -> Option<(u64, Result<Packed, Packed>)> {
    let Packed::Array(parts) = message else {
        return None;
    };
    let [kind, id, error, result] = <[Packed; 4]>::try_from(parts).ok()?;
    if kind.as_u64() != Some(1) {
        return None;
    }
    let result = if error.is_nil() { Ok(result) } else { Err(error) };
    Some((id.as_u64()?, result))
}

fn lua_command(code: &str) -> OsString {
    format!("lua {code}").into()
}
