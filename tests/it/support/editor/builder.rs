//! How an editor is set up, and started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::view::{Shared, View};
use super::{Editor, set};
use crate::support::environment::clean_environment;
use crate::support::wire::{Outgoing, Traffic, read_frames};

/// How an editor is set up before it starts the server.
pub(crate) struct EditorBuilder {
    pub(super) name: String,
    pub(super) client: Option<Value>,
    pub(super) root: PathBuf,
    pub(super) home: PathBuf,
    pub(super) folders: Vec<PathBuf>,
    pub(super) capabilities: Value,
    pub(super) initialization_options: Value,
    pub(super) settings: Value,
    pub(super) process_id: ProcessId,
    pub(super) environment: Vec<(String, String)>,
    pub(super) answers: bool,
    pub(super) program: PathBuf,
    pub(super) user: Option<u32>,
}

/// What the editor says about its own process.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ProcessId {
    Own,
    Null,
    Given(u32),
}

impl EditorBuilder {
    /// What the editor calls itself in `clientInfo`.
    pub(crate) fn client(mut self, name: &str) -> Self {
        self.client = Some(json!({ "name": name, "version": "1.0" }));
        self
    }

    /// An editor that doesn't say what it is.
    pub(crate) fn without_client_info(mut self) -> Self {
        self.client = None;
        self
    }

    /// Opens these folders instead of the root of the workspace.
    pub(crate) fn folders<P: AsRef<Path>>(mut self, folders: &[P]) -> Self {
        self.folders = folders.iter().map(|folder| self.root.join(folder)).collect();
        self
    }

    /// Declares these capabilities instead of a complete editor's.
    pub(crate) fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// A setting by its dotted name, such as `claims.idleMinutes`: given at the start and whenever the server asks.
    pub(crate) fn setting(mut self, name: &str, value: Value) -> Self {
        set(&mut self.initialization_options, name, value.clone());
        set(&mut self.settings, name, value);
        self
    }

    /// Something in `initializationOptions` that is no setting.
    pub(crate) fn initialization_option(mut self, name: &str, value: Value) -> Self {
        set(&mut self.initialization_options, name, value);
        self
    }

    /// A setting that the editor knows only when the server asks for it.
    pub(crate) fn configured(mut self, name: &str, value: Value) -> Self {
        set(&mut self.settings, name, value);
        self
    }

    /// An editor that says nothing about its process.
    pub(crate) fn without_process_id(mut self) -> Self {
        self.process_id = ProcessId::Null;
        self
    }

    /// An editor that gives another process as its own.
    pub(crate) fn process_id(mut self, id: u32) -> Self {
        self.process_id = ProcessId::Given(id);
        self
    }

    /// An editor that leaves every request of the server open.
    pub(crate) fn that_never_answers(mut self) -> Self {
        self.answers = false;
        self
    }

    /// Runs this copy of the program as another user, which only root may do.
    #[cfg(unix)]
    pub(crate) fn run_as(mut self, user: u32, program: &Path) -> Self {
        self.user = Some(user);
        program.clone_into(&mut self.program);
        self
    }

    /// Starts this instead of the program: a script that starts it in surroundings of its own.
    #[allow(dead_code, reason = "only the proof needs it")]
    pub(crate) fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// An environment variable of the server.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts editor and server, and shakes hands.
    #[track_caller]
    pub(crate) fn start(self) -> Editor {
        let editor = self.start_without_handshake();
        editor.initialize();
        editor
    }

    /// Starts editor and server; the test sends `initialize` itself.
    #[track_caller]
    pub(crate) fn start_without_handshake(self) -> Editor {
        let mut command = Command::new(&self.program);
        clean_environment(&mut command, &self.home);
        #[cfg(unix)]
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
        }
        let mut server = command
            .arg("lsp")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let outgoing = Arc::new(Outgoing::into_pipe(server.stdin.take().unwrap()));
        let shared = Arc::new(Shared {
            view: Mutex::new(View::new(&self, Traffic::new(server.stderr.take().unwrap()))),
            changed: Condvar::new(),
        });
        let reader = {
            let (shared, outgoing) = (Arc::clone(&shared), Arc::clone(&outgoing));
            let stdout = server.stdout.take().unwrap();
            thread::spawn(move || {
                read_frames(stdout, |message| shared.receive(message, &outgoing));
                shared.update(|view| view.output_ended = true);
            })
        };
        let process = (self.process_id == ProcessId::Own).then(|| stand_in_process(&self.home));
        Editor {
            server: Mutex::new(server),
            process: Mutex::new(process),
            reader: Mutex::new(Some(reader)),
            outgoing,
            shared,
            next_id: AtomicI64::new(1),
            buffers: Mutex::new(BTreeMap::new()),
            setup: self,
        }
    }
}

/// A process that does nothing but live until its input ends, and so never outlives the test: it stands for the
/// editor's own process, whose death a server must notice.
fn stand_in_process(home: &Path) -> Child {
    let mut command = Command::new("git");
    clean_environment(&mut command, home);
    command
        .args(["hash-object", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
