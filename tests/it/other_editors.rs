//! Helix, Kakoune and Emacs, each set up as `editors/README.md` tells a new user to, in a terminal.

#![cfg(unix)]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::support::{Coordination, Screen, Terminal, Workspace, installed, wait_for};

const FILE: &str = "src/main.rs";
/// Somebody who is called like this holds [`FILE`].
const HOLDER: &str = "claude · login form";
const SIZE: (u16, u16) = (110, 30);

/// A workspace in which somebody else holds [`FILE`].
struct Scene {
    workspace: Workspace,
    coordination: Coordination,
    terminal: Terminal,
    holder: String,
}

impl Scene {
    fn new() -> Self {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        let (terminal, holder) = Terminal::with_named_session(&workspace, HOLDER);
        terminal.run(["claim", "file", FILE]).expect_code(0);
        Self { workspace, coordination, terminal, holder }
    }

    /// Copies a file of `editors/` to where the user's own are.
    fn copy(&self, from: &str, to: &str) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("editors").join(from)).unwrap();
        self.configure(to, &text);
    }

    fn configure(&self, to: &str, text: &str) {
        let to = self.workspace.home().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }

    /// A terminal in which `deconflict` and these commands are on the path, but no language server of this machine.
    fn screen(&self, commands: &[&Path]) -> Option<Screen> {
        let mut places = vec![Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap()];
        places.extend(commands.iter().map(|command| command.parent().unwrap()));
        places.extend([Path::new("/usr/bin"), Path::new("/bin")]);
        let path: OsString = std::env::join_paths(places).unwrap();
        Some(Screen::on(&self.workspace)?.env("PATH", path))
    }

    #[track_caller]
    fn wait_for_request(&self) {
        self.coordination.wait_for("the request for release", |here| {
            here.messages_to(&self.holder).iter().any(|message| message["type"] == "release_request").then_some(())
        });
    }

    /// The holder releases the file, and what says that it is held goes from the screen. Whoever asked for it is told.
    #[track_caller]
    fn release_and_see_it_go(&self, screen: &Screen) {
        self.terminal.run(["release", "file", FILE]).expect_code(0);
        for words in ["holds this file", "held by"] {
            screen.wait_until_gone(words);
        }
    }

    /// The session of the editor, which is the only one besides the holder's.
    #[track_caller]
    fn session_of_the_editor(&self) -> String {
        self.coordination.wait_for("the editor's session", |here| {
            let sessions = here.sessions();
            let ids = sessions.iter().filter_map(|session| session["session_id"].as_str());
            ids.filter(|id| *id != self.holder).map(str::to_owned).next()
        })
    }

    #[track_caller]
    fn wait_for_end_of(&self, session: &str) {
        self.coordination
            .wait_for("the session to end", |here| (here.session(session)?["status"] == "completed").then_some(()));
    }
}

#[test]
fn helix() {
    let Some(helix) = installed("helix", "hx") else { return };
    let scene = Scene::new();
    scene.copy("helix/languages.toml", ".config/helix/languages.toml");
    scene.copy("helix/config.toml", ".config/helix/config.toml");
    let Some(screen) = scene.screen(&[&helix]) else { return };
    let screen = screen.start(SIZE, [helix.as_os_str(), FILE.as_ref()]);

    screen.wait_for(&format!("\"{HOLDER}\" holds this file"));
    screen.press(&["Space"]);
    screen.wait_for("code action");
    screen.press(&["a"]);
    screen.wait_for(&format!("Ask {HOLDER} to release"));
    screen.press(&["Down", "Enter"]);
    scene.wait_for_request();
    let request = &scene.coordination.messages_to(&scene.holder)[0];
    assert!(!request["message"].as_str().unwrap().contains('>'), "the cursor is no selection: {request}");

    // A file without a type, and the other way round: what is edited here is claimed.
    scene.workspace.write("NOTES", "no type\n");
    screen.type_text(":open NOTES");
    screen.press(&["Enter"]);
    screen.wait_for("no type");
    screen.type_text("Omine");
    screen.press(&["Escape"]);
    let session = scene.session_of_the_editor();
    scene.coordination.wait_for_holder("NOTES", &session);
    screen.type_text(":write");
    screen.press(&["Enter"]);
    screen.wait_for("written");

    let (other, _) = Terminal::with_named_session(&scene.workspace, "maria");
    other.run(["send", &session, "Tests are red", "since your commit"]).expect_code(0);
    screen.wait_for("Tests are red");

    screen.type_text(&format!(":open {FILE}"));
    screen.press(&["Enter"]);
    screen.wait_for("holds this file");
    scene.release_and_see_it_go(&screen);
    screen.type_text(":quit-all!");
    screen.press(&["Enter"]);
    screen.wait_for_end();
    // Helix kills its servers without waiting for them. What such a session held is free all the same, and no finding.
    wait_for("nothing of it to be left", || {
        let status = other.run(["status", "--json"]).expect_code(0).json();
        let nothing = serde_json::json!([]);
        (status["claims"] == nothing && status["coordination_needed"] == nothing).then_some(())
    });
    // What it saved is its user's still.
    let status = other.run(["status", "--json"]).expect_code(0).json();
    assert!(status["uncommitted"].to_string().contains("NOTES"), "{status:#}");
    wait_for("the file to be free", || (other.run(["claim", "file", "NOTES"]).exit_code == 0).then_some(()));
}

#[test]
fn kakoune() {
    let Some(kakoune) = installed("kakoune", "kak") else { return };
    let Some(client) = installed("kakoune-lsp", "kak-lsp") else { return };
    let scene = Scene::new();
    scene.copy("kakoune/deconflict.kak", ".config/kak/deconflict.kak");
    // Without this kakoune-lsp insists on rust-analyzer, which a test machine need not have.
    let without_others = "remove-hooks global lsp-filetype-rust";
    scene.configure(
        ".config/kak/kakrc",
        &format!(
            "evaluate-commands %sh{{ kak-lsp }}\n{without_others}\nsource \"%val{{config}}/deconflict.kak\"\n\
             lsp-enable\nlsp-inlay-diagnostics-enable global\n"
        ),
    );
    let Some(screen) = scene.screen(&[&kakoune, &client]) else { return };
    let screen = screen.start(SIZE, [kakoune.as_os_str(), FILE.as_ref()]);

    screen.wait_for(&format!("\"{HOLDER}\" holds this file"));
    screen.type_text(":lsp-code-actions");
    screen.press(&["Enter"]);
    screen.wait_for(&format!("Ask {HOLDER} to release"));
    screen.type_text("Ask");
    screen.press(&["Tab", "Enter"]);
    scene.wait_for_request();

    scene.workspace.write("NOTES", "no type\n");
    screen.type_text(":edit NOTES");
    screen.press(&["Enter"]);
    screen.wait_for("no type");
    screen.type_text("Omine");
    let session = scene.session_of_the_editor();
    scene.coordination.wait_for_holder("NOTES", &session);
    screen.press(&["Escape"]);

    let (other, _) = Terminal::with_named_session(&scene.workspace, "maria");
    other.run(["send", &session, "Tests are red", "since your commit"]).expect_code(0);
    screen.wait_for("Tests are red");

    screen.type_text(&format!(":edit {FILE}"));
    screen.press(&["Enter"]);
    screen.wait_for("holds this file");
    scene.release_and_see_it_go(&screen);
    screen.type_text(":quit!");
    screen.press(&["Enter"]);
    screen.wait_for_end();
    scene.wait_for_end_of(&session);
}

/// kakoune-lsp lives on when Kakoune is killed, and Kakoune ends the last line of whatever it opens.
#[test]
fn kakoune_killed_or_on_a_file_without_a_last_line_end() {
    let Some(kakoune) = installed("kakoune", "kak") else { return };
    let Some(client) = installed("kakoune-lsp", "kak-lsp") else { return };
    let scene = Scene::new();
    scene.copy("kakoune/deconflict.kak", ".config/kak/deconflict.kak");
    let load = "evaluate-commands %sh{ kak-lsp }\nsource \"%val{config}/deconflict.kak\"\nlsp-enable\n";
    scene.configure(".config/kak/kakrc", load);
    scene.workspace.write("NOTES", "no end of line");
    scene.workspace.write("OTHER", "other\n");
    let Some(screen) = scene.screen(&[&kakoune, &client]) else { return };
    let screen = screen.start(SIZE, [kakoune.as_os_str(), "NOTES".as_ref()]);
    screen.wait_for("no end of line");
    screen.type_text(":edit OTHER");
    screen.press(&["Enter"]);
    screen.wait_for("other");
    screen.type_text("Omine");
    screen.press(&["Escape"]);
    let session = scene.session_of_the_editor();
    scene.coordination.wait_for_holder("OTHER", &session);
    assert_eq!(scene.coordination.claim("NOTES"), None, "nobody edited it");
    let process = scene.coordination.session(&session).unwrap()["client_pid"].as_u64().unwrap();
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    scene.wait_for_end_of(&session);
    scene.coordination.wait_for_no_claim("OTHER");
}

#[test]
fn emacs() {
    let Some(emacs) = installed("emacs", "emacs") else { return };
    let scene = Scene::new();
    scene.copy("emacs/deconflict.el", ".emacs.d/deconflict.el");
    scene.configure(".emacs.d/init.el", "(load (locate-user-emacs-file \"deconflict\"))\n");
    let Some(screen) = scene.screen(&[&emacs]) else { return };
    // Emacs looks for the home of the user that it is told of, and this machine need not know the tests' one.
    let nobody = ["-u", "USER", "-u", "LOGNAME"].map(AsRef::as_ref);
    let screen = screen.start(SIZE, nobody.into_iter().chain([emacs.as_os_str(), FILE.as_ref()]));

    screen.wait_for("[eglot:");
    screen.press(&["M-x"]);
    screen.type_text("flymake-show-buffer-diagnostics");
    screen.press(&["Enter"]);
    screen.wait_for(&format!("\"{HOLDER}\" holds this file"));
    screen.press(&["C-x", "1"]);
    screen.press(&["M-x"]);
    screen.type_text("eglot-code-actions");
    screen.press(&["Enter"]);
    screen.wait_for("Pick an action");
    screen.type_text("Ask");
    screen.press(&["Tab"]);
    screen.wait_for(&format!("Ask {HOLDER} to release"));
    screen.press(&["Enter"]);
    scene.wait_for_request();

    scene.workspace.write("NOTES", "no type\n");
    screen.press(&["C-x", "C-f"]);
    screen.type_text("../NOTES");
    screen.press(&["Enter"]);
    screen.wait_for("no type");
    screen.wait_for("[eglot:");
    screen.type_text("mine");
    let session = scene.session_of_the_editor();
    scene.coordination.wait_for_holder("NOTES", &session);

    let (other, _) = Terminal::with_named_session(&scene.workspace, "maria");
    other.run(["send", &session, "Tests are red", "since your commit"]).expect_code(0);
    screen.wait_for("Tests are red");

    screen.press(&["C-x", "b", "Enter"]);
    screen.wait_for("Flymake[0 0 1]");
    scene.terminal.run(["release", "file", FILE]).expect_code(0);
    screen.wait_for("Flymake[0 0]");
    screen.press(&["M-x"]);
    screen.type_text("kill-emacs");
    screen.press(&["Enter"]);
    screen.wait_for_end();
    scene.wait_for_end_of(&session);
}
