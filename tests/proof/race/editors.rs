//! An editor with a real server: it types, saves, takes back, claims and releases by hand, renames what it holds, and
//! its server is killed and started again with the same session.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{GivesUp, Race, THINGS, timed};
use crate::invariant::Thing;
use crate::linearizability::Random;
use crate::support::Editor;

/// A file that nobody but this editor renames, and a folder likewise.
pub(crate) fn own_file(editor: usize) -> String {
    format!("own-{editor}.txt")
}

pub(crate) fn own_folder(editor: usize) -> String {
    format!("nest-{editor}")
}

/// Where its own file and folder go when they are renamed.
const FOLDERS: [&str; 3] = ["", "src/", "src/deep/"];

/// Plays one editor.
pub(crate) fn in_an_editor(race: &Race, number: usize, operations: usize, mut random: Random) {
    let first = Editor::builder(&race.workspace).client("Neovim").start();
    let session = first.wait_for_session();
    race.joins(&session, GivesUp::ByItself);
    let mut player = Player { race, number, first, again: None, session, open: Vec::new(), file_in: 0, folder_in: 0 };
    for _ in 0..operations {
        player.act(&mut random);
        race.count("editor");
    }
    let Player { first, again, session, .. } = player;
    let (when, code) = timed(|| again.map_or_else(|| None, |again| Some(again.quit())));
    race.gives_up(when, &session, None);
    race.leaves(&session);
    assert!(code.is_none_or(|code| code == 0), "{code:?}");
    // Where the first server still runs it ends with its editor.
    drop(first);
}

struct Player<'a> {
    race: &'a Race,
    number: usize,
    /// The editor as it was started, whose process all of its servers serve.
    first: Editor,
    /// The editor with its latest server, once the first was killed.
    again: Option<Editor>,
    session: String,
    /// What is open: a file that all contend for, by its place in [`THINGS`], or one of its own.
    open: Vec<Open>,
    file_in: usize,
    folder_in: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Thing(usize),
    OwnFile,
    InOwnFolder,
}

impl Player<'_> {
    fn editor(&self) -> &Editor {
        self.again.as_ref().unwrap_or(&self.first)
    }

    fn path(&self, open: Open) -> String {
        match open {
            Open::Thing(at) => THINGS[at].1.to_owned(),
            Open::OwnFile => format!("{}{}", FOLDERS[self.file_in], own_file(self.number)),
            Open::InOwnFolder => format!("{}{}/x.txt", FOLDERS[self.folder_in], own_folder(self.number)),
        }
    }

    fn act(&mut self, random: &mut Random) {
        let any = random.below(THINGS.len());
        let document = match random.below(6) {
            0 => Open::OwnFile,
            1 => Open::InOwnFolder,
            _ => Open::Thing([2, 3, 4, 6, 7][random.below(5)]),
        };
        let folder = random.below(FOLDERS.len());
        let pause = Duration::from_micros(random.next() % 100_000);
        let what = random.below(100);
        let (when, claimed) = timed(|| {
            match what {
                0..35 => self.type_into(document),
                35..45 => drop(self.open_one(document).save()),
                45..55 => drop(self.open_one(document).undo_to_saved()),
                55..72 => {
                    return self.execute("deconflict.claim", any).then(|| Thing::new(THINGS[any].0, THINGS[any].1));
                }
                72..80 => drop(self.execute("deconflict.release", any)),
                80..88 => self.move_own(Open::OwnFile, folder),
                88..95 => self.move_own(Open::InOwnFolder, folder),
                _ => self.restart(pause),
            }
            None
        });
        // By itself it gives up what equals the file again, so it is taken at its word only until it does something else.
        self.race.gives_up(when, &self.session, None);
        if let Some(thing) = claimed {
            self.race.told(when, &self.session, thing);
        }
    }

    fn open_one(&mut self, open: Open) -> crate::support::Document<'_> {
        let path = self.path(open);
        if self.open.contains(&open) {
            return self.editor().document(path);
        }
        self.open.push(open);
        self.editor().open(path)
    }

    fn type_into(&mut self, open: Open) {
        self.open_one(open).type_text("typed ");
    }

    fn execute(&self, command: &str, thing: usize) -> bool {
        self.editor().execute(command, json!({ "uri": self.race.workspace.uri(THINGS[thing].1) }))["ok"] == true
    }

    /// Renames its own file or folder, with unsaved text in it, or with a claim of the folder.
    fn move_own(&mut self, own: Open, folder: usize) {
        self.type_into(own);
        let whole = |path: String| path.trim_end_matches("/x.txt").to_owned();
        let from = whole(self.path(own));
        if own == Open::InOwnFolder {
            self.editor().execute("deconflict.claim", json!({ "uri": self.race.workspace.uri(&from) }));
        }
        match own {
            Open::OwnFile => self.file_in = folder,
            _ => self.folder_in = folder,
        }
        let to = whole(self.path(own));
        if from != to {
            self.editor().rename(&from, &to);
        }
    }

    /// Kills the server; after a moment another one goes on with what was open and held.
    fn restart(&mut self, pause: Duration) {
        self.editor().kill_server();
        thread::sleep(pause);
        let texts: Vec<(String, String)> = self
            .open
            .iter()
            .map(|open| self.path(*open))
            .map(|path| (path.clone(), self.editor().document(path).text()))
            .collect();
        let builder = Editor::builder(&self.race.workspace).client("Neovim");
        let again = builder.process_id(self.first.process_id().unwrap()).start();
        for (path, text) in &texts {
            again.open_unsaved(path, text);
        }
        assert_eq!(again.wait_for_session(), self.session, "it goes on with its session");
        self.again = Some(again);
    }
}
