//! A person and their own agent at the same files, the commonest day: it is the same wherever the agent runs.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{
    AgentProcess, CodingAgent, Coordination, Editor, StandIn, Terminal, Workspace, hint_label, stand_in_program,
    wait_for,
};

const FILES: [&str; 3] = ["src/lib.rs", "src/main.rs", "src/parser.rs"];

/// What is said of one's own agent's files.
const LEARNS: &str = "It learns of what you save at its next turn.";

/// Where an agent runs, as seen from the editor's window.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// It is started by the window's own process.
    Panel,
    /// Terminals of a window have a process of their own beside it.
    WindowsTerminal,
    /// An editor that runs in a terminal is the process above its own terminals.
    TerminalInside,
    AnotherTerminal,
}

/// An editor, and its user's agent.
struct Scene {
    editor: Editor,
    agent: CodingAgent,
    session: String,
    coordination: Coordination,
    /// Ends after the editor.
    _window: Option<StandIn>,
    workspace: Workspace,
}

/// Plays a scene with the agent in each place.
fn everywhere(play: impl Fn(&Scene)) {
    for place in [Place::Panel, Place::WindowsTerminal, Place::TerminalInside, Place::AnotherTerminal] {
        eprintln!("with the agent here: {place:?}");
        play(&Scene::with_agent_in(place));
    }
}

impl Scene {
    fn with_agent_in(place: Place) -> Self {
        let workspace = Workspace::small();
        workspace.coordination().create();
        let process = Arc::new(AgentProcess::below(
            &workspace,
            match place {
                Place::Panel => &["code"],
                Place::WindowsTerminal => &["code", "bash"],
                Place::TerminalInside => &["nvim", "bash"],
                Place::AnotherTerminal => &["bash"],
            },
        ));
        let (editors_process, window) = match place {
            Place::Panel | Place::TerminalInside => (process.id(), None),
            Place::WindowsTerminal | Place::AnotherTerminal => {
                let program = stand_in_program(&workspace, "window/code", "read -r end");
                let window = StandIn::start(&workspace, &program);
                (window.id(), Some(window))
            }
        };
        let editor = Editor::builder(&workspace).process_id(editors_process).client("Visual Studio Code").start();
        let session = editor.wait_for_session();
        let agent = CodingAgent::on(&workspace, "one").in_process(&process);
        agent.start();
        let coordination = workspace.coordination();
        Self { editor, agent, session, coordination, _window: window, workspace }
    }

    fn agent_edits(&self, file: &str) {
        let text = format!("{}// of the agent\n", self.workspace.read(file));
        self.agent.edit(file, &text).expect_no_denial();
    }

    /// Waits until a save of the person's is in the journal.
    fn wait_until_kept(&self, file: &Path) {
        let terminal = Terminal::on(&self.workspace);
        wait_for("the save in the journal", || {
            let history =
                terminal.run([OsStr::new("history"), file.as_os_str(), OsStr::new("--json")]).expect_code(0).json();
            history["entries"].as_array().unwrap().iter().any(|it| it["cause"] == "save").then_some(())
        });
    }

    /// Everything that popped up until now.
    fn messages(&self) -> Vec<String> {
        self.editor.settle(&self.workspace);
        self.editor.messages()
    }
}

#[test]
fn correcting_what_an_agent_left_is_silent_and_the_agent_learns_of_it() {
    everywhere(|scene| {
        scene.agent.prompt();
        for file in FILES {
            scene.agent_edits(file);
        }
        scene.agent.stop();
        for file in FILES {
            let document = scene.editor.open(file);
            document.type_text("// corrected\n");
            scene.coordination.wait_for_holder(file, &scene.session);
            document.wait_until_clear();
            document.save();
            scene.wait_until_kept(&document.path());
        }
        assert_eq!(scene.messages(), Vec::<String>::new());
        let told = scene.agent.prompt();
        for file in FILES {
            assert!(told.context().contains(file), "{told:?}");
        }
    });
}

#[test]
fn while_an_agent_works_one_word_is_said_for_all_its_files() {
    everywhere(|scene| {
        scene.agent.prompt();
        for file in FILES {
            scene.agent_edits(file);
        }
        let edit = |files: &[&str], words: usize| {
            let documents: Vec<_> = files.iter().map(|file| scene.editor.open(file)).collect();
            for document in &documents {
                document.type_text("// meanwhile\n");
                let warned = document.wait_for_diagnostic_where("a word on the first line", |it| it["severity"] == 2);
                let said = warned["message"].as_str().unwrap();
                assert!(said.ends_with(&format!(", and you edit it too. {LEARNS}")), "{said}");
            }
            let own = scene.editor.session_id();
            scene.coordination.wait_for("what is edited to be told", |here| {
                let editing = here.session(&own)?["editing"].to_string();
                files.iter().all(|file| editing.contains(file)).then_some(())
            });
            assert_eq!(scene.editor.status()["coordinationNeeded"], json!([]), "it needs no coordinating");
            let word = scene.editor.wait_for_message(LEARNS);
            assert!(word["message"].as_str().unwrap().starts_with("Your Claude Code has been editing "), "{word}");
            for document in documents {
                document.save();
                scene.wait_until_kept(&document.path());
            }
            assert_eq!(scene.messages().len(), words, "{:?}", scene.messages());
        };
        edit(&FILES, 1);
        // It does, and of what it edits then a word is said again.
        scene.agent.stop();
        let told = scene.agent.prompt();
        for file in FILES {
            assert!(told.context().contains(file), "{told:?}");
        }
        scene.agent_edits("README.md");
        edit(&["README.md"], 2);
    });
}

#[test]
fn an_agent_that_waits_and_is_asked_releases_at_once() {
    everywhere(|scene| {
        scene.agent.prompt();
        scene.agent_edits(FILES[0]);
        scene.agent.stop();
        let about = json!({ "uri": scene.workspace.uri(FILES[0]) });
        assert_eq!(scene.editor.execute_ok("deconflict.requestRelease", about)["yielded"], true);
        assert_eq!(scene.coordination.holder(FILES[0]), None);
        let said = format!("Your Claude Code has ended its turn and released {}. Your next edit claims it.", FILES[0]);
        assert_eq!(scene.messages(), [said]);
    });
}

#[test]
fn what_its_person_saved_an_agent_may_edit_and_what_is_unsaved_it_may_not() {
    everywhere(|scene| {
        let document = scene.editor.open(FILES[0]);
        document.type_text("// of the person\n");
        scene.coordination.wait_for_holder(FILES[0], &scene.session);
        scene.agent.prompt();
        scene.agent.before_edit(FILES[0]).expect_denial();
        scene.editor.wait_for_message("Claude Code asks you to release src/lib.rs");
        document.save();
        scene.coordination.wait_for_no_claim(FILES[0]);
        scene.agent_edits(FILES[0]);
        // What is saved already is given at once, and nothing is said of it.
        let other = scene.editor.open(FILES[1]);
        other.type_text("// of the person\n");
        scene.coordination.wait_for_holder(FILES[1], &scene.session);
        other.save();
        scene.agent_edits(FILES[1]);
        assert_eq!(scene.coordination.holder(FILES[1]), Some(scene.agent.id()));
        assert_eq!(scene.messages().len(), 1, "{:?}", scene.messages());
    });
}

#[test]
fn whoever_looks_at_a_file_sees_that_an_agent_edits_it() {
    everywhere(|scene| {
        scene.agent.prompt();
        scene.agent_edits(FILES[0]);
        let document = scene.editor.open(FILES[0]);
        let told = document.wait_for_diagnostic("claimed");
        assert_eq!(told["severity"], 3);
        assert!(told["message"].as_str().unwrap().starts_with("Your Claude Code has been editing this file since "));
        let hints = document.wait_for_hints("a hint", |hints: &[Value]| !hints.is_empty());
        assert!(hint_label(&hints[0]).contains("your Claude Code"), "{hints:?}");
        assert_eq!(scene.messages(), Vec::<String>::new());
    });
}
