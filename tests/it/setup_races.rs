//! Two set-ups at once, saves of the user in the middle of one, links that lead nowhere, and set-ups that were killed.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Home, Running, Tree, wait_for};

/// A person's own hooks for Codex.
const CODEX_HOOKS: &str =
    "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"say done\"}]}]}}\n";

/// Where the program stays.
const PROGRAM: &str = ".local/share/deconflict/bin";

/// A home with agents in it, and a VS Code whose command waits until the test lets it go on.
fn a_home_with_a_slow_editor() -> (Home, Gate) {
    let home = Home::new();
    for folder in [".gemini", ".config/opencode"] {
        home.make_folder(folder);
    }
    home.write(".codex/hooks.json", CODEX_HOOKS);
    let gate = Gate { began: home.workspace().beside("began"), pipe: home.workspace().beside("pipe") };
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate.pipe, rustix::fs::Mode::RWXU).unwrap();
    let script = format!(": > '{}'; read line < '{}'", gate.began.display(), gate.pipe.display());
    home.add_program("code", &script);
    (home, gate)
}

/// What the editor's command waits for.
struct Gate {
    began: PathBuf,
    pipe: PathBuf,
}

impl Gate {
    #[track_caller]
    fn wait_until_reached(&self) {
        wait_for("the editor's command to be started", || self.began.exists().then_some(()));
    }

    /// Lets the command end. Nobody waits for it where its caller was killed, and it is found by its open pipe all the
    /// same.
    fn open(&self) {
        fs::write(&self.pipe, "\n").unwrap();
        fs::remove_file(&self.began).unwrap();
    }
}

#[track_caller]
fn set_up(home: &Home, arguments: &[&str], code: i32) -> Value {
    let words = ["setup", "--json"].into_iter().chain(arguments.iter().copied());
    home.terminal().run(words).expect_code(code).json()
}

/// Everything but the folders for a user's data and state, where nothing is in them: every program makes those, and
/// nobody knows whose they are when the one that made them was killed in the same moment.
fn things(tree: &Tree) -> Vec<(&Path, &[u8])> {
    let is_standard = |path: &Path| [".local", ".local/share", ".local/state"].contains(&path.to_str().unwrap());
    let is_empty = |path: &Path| tree.keys().all(|other| !other.starts_with(path) || is_standard(other));
    let kept = tree.iter().filter(|(path, _)| !(is_standard(path) && is_empty(path)));
    kept.map(|(path, content)| (path.as_path(), content.as_slice())).collect()
}

#[track_caller]
fn assert_as_before(home: &Home, before: &Tree) {
    let now = home.tree();
    let names = |tree: &Tree| things(tree).into_iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&now), names(before));
    assert!(things(&now) == things(before), "something of the user's has changed");
    let temporary = fs::read_dir(home.workspace().beside("temporary")).unwrap().flatten().map(|entry| entry.path());
    assert_eq!(temporary.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn a_second_setup_says_who_is_at_it_and_changes_nothing() {
    let (home, gate) = a_home_with_a_slow_editor();
    let before = home.tree();
    let first = home.terminal().spawn(["setup", "vscode", "gemini"]);
    let number = first.id().to_string();
    gate.wait_until_reached();
    let meanwhile = home.tree();

    for arguments in [&["setup", "codex", "opencode"][..], &["setup", "--remove"]] {
        let told = home.terminal().run(arguments.iter().copied()).expect_code(3).stderr;
        for words in ["deconflict setup vscode gemini", number.as_str(), "run this again"] {
            assert!(told.contains(words), "{words} is missing in {told}");
        }
    }
    let told = set_up(&home, &["codex"], 3);
    assert_eq!((&told["reason"], &told["process"]), (&"busy".into(), &first.id().into()), "{told:#}");
    set_up(&home, &["codex", "--dry-run"], 0);
    assert!(home.tree() == meanwhile, "a setup that was turned away has changed something");

    gate.open();
    first.wait().expect_code(0);
    set_up(&home, &["codex", "opencode"], 0);
    set_up(&home, &["--remove"], 0);
    assert_as_before(&home, &before);
}

#[test]
fn after_several_at_once_all_of_it_can_be_taken_back() {
    let home = Home::new();
    home.write(".codex/hooks.json", CODEX_HOOKS);
    let before = home.tree();
    for _ in 0..3 {
        let all = ["codex", "gemini", "opencode", "cursor"];
        let running = all.map(|name| home.terminal().spawn(["setup", name]));
        let ended = running.map(Running::wait);
        // Without its command Cursor gets its agent's hooks alone, and says so.
        assert!(ended.iter().all(|one| [0, 3].contains(&one.exit_code)), "{ended:?}");
        assert!(ended.iter().any(|one| !one.stderr.contains("Another setup is at work")), "{ended:?}");
        set_up(&home, &["--remove"], 0);
        assert_as_before(&home, &before);
    }
}

#[test]
fn a_link_that_leads_nowhere_stays_one() {
    let home = Home::new();
    home.make_folder("dotfiles");
    for path in [".codex/hooks.json", ".config/opencode/plugins/deconflict.js"] {
        let path = home.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(home.path("dotfiles/not-here-yet"), path).unwrap();
    }
    let before = home.tree();
    let told = set_up(&home, &["codex", "opencode"], 1);
    for part in &told["parts"].as_array().unwrap()[1..] {
        assert_eq!(part["state"], "in-the-way", "{part:#}");
        assert!(part["in_the_way"][0]["why"].as_str().unwrap().contains("leads nowhere"), "{part:#}");
    }
    set_up(&home, &["--remove"], 0);
    assert_as_before(&home, &before);

    home.make_folder(".local/state/deconflict");
    symlink(home.path("dotfiles/record"), home.path(".local/state/deconflict/setup.json")).unwrap();
    let before = home.tree();
    let told = home.terminal().run(["setup", "codex"]).expect_code(3).stderr;
    assert!(told.contains("setup.json") && told.contains("leads nowhere"), "{told}");
    assert_as_before(&home, &before);
}

/// Kills a setup as soon as this is seen.
#[track_caller]
fn kill_once(mut setup: Running, what: &str, seen: impl Fn() -> bool) {
    wait_for(what, || seen().then_some(()));
    setup.kill();
}

#[test]
fn what_a_killed_setup_leaves_is_cleaned_up_by_the_next() {
    let (home, gate) = a_home_with_a_slow_editor();
    let before = home.tree();
    let start = || home.terminal().spawn(["setup", "gemini", "codex", "vscode"]);
    let entries = |folder: &str| fs::read_dir(home.path(folder)).map_or(0, Iterator::count);
    let is_there = |path: &str| home.path(path).exists();
    let points: [(&str, &dyn Fn() -> bool); 5] = [
        ("its lock", &|| entries(".local/state/deconflict") > 0),
        ("the program being written", &|| entries(PROGRAM) > 0),
        ("an agent being wired", &|| is_there(".gemini/extensions/deconflict")),
        ("the hooks in the user's file", &|| home.read(".codex/hooks.json") != CODEX_HOOKS),
        ("the editor being asked", &|| gate.began.exists()),
    ];
    for (what, seen) in points {
        for is_set_up_again in [false, true] {
            kill_once(start(), what, seen);
            if gate.began.exists() {
                gate.open();
            }
            if is_set_up_again {
                set_up(&home, &["codex"], 0);
            }
            set_up(&home, &["--remove"], 0);
            assert_as_before(&home, &before);
        }
    }
}

#[test]
fn what_a_killed_removal_leaves_is_cleaned_up_by_the_next() {
    let home = Home::new();
    home.write(".codex/hooks.json", CODEX_HOOKS);
    let before = home.tree();
    let points: [(&str, &dyn Fn() -> bool); 2] = [
        ("an agent's folder going", &|| !home.path(".gemini/extensions/deconflict/gemini-extension.json").exists()),
        ("the program going", &|| !home.path(PROGRAM).join("deconflict").exists()),
    ];
    for (what, seen) in points {
        set_up(&home, &["gemini", "codex", "neovim"], 0);
        kill_once(home.terminal().spawn(["setup", "--remove"]), what, seen);
        set_up(&home, &["--remove"], 0);
        assert_as_before(&home, &before);
    }
}
