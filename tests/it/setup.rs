//! What `deconflict setup` changes in a home directory, and that it takes back exactly that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, Outcome, Tree};

/// Where the record of a set-up is.
const RECORD: &str = ".local/state/deconflict/setup.json";

/// A person's own hooks for Cursor, laid out in the person's own way.
const CURSOR_HOOKS: &str = "{\n\t\"version\": 1,\n\t\"hooks\": {\n\t\t// Mine.\n\t\t\"afterFileEdit\": \
                            [ {\"command\": \"./format.sh\"} ],\n\n\t\t\"stop\": [\n\t\t\t{ \"command\": \"notify\" },\n\
                            \t\t],\n\t},\n}";

/// A person's own hooks for Codex, on one line and without a line end.
const CODEX_HOOKS: &str =
    r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"say done","timeout":5}]}]},"mine":[1,2,{"a":null}]}"#;

/// A home with everything in it that can be wired by files, and with a person's own settings.
fn a_full_home() -> Home {
    let home = Home::new();
    for folder in [".claude", ".config/nvim", ".config/opencode", ".gemini"] {
        home.make_folder(folder);
    }
    home.write(".config/nvim/init.lua", "vim.g.mapleader = ' '\n");
    home.write(".claude/settings.json", "{\n  \"model\": \"x\"\n}\n");
    home.write(".cursor/hooks.json", CURSOR_HOOKS);
    home.write(".codex/hooks.json", CODEX_HOOKS);
    home.write(".codex/config.toml", "# mine\nmodel = \"x\"\n");
    home
}

#[track_caller]
fn set_up(home: &Home, arguments: &[&str], code: i32) -> Value {
    let words = ["setup", "--json"].into_iter().chain(arguments.iter().copied());
    home.terminal().run(words).expect_code(code).json()
}

/// What is told about one part.
#[track_caller]
fn part<'a>(document: &'a Value, name: &str) -> &'a Value {
    let parts = document["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

/// The paths that changes of these kinds are about, below the home directory.
fn paths(home: &Home, document: &Value, kinds: &[&str]) -> BTreeSet<PathBuf> {
    let parts = document["parts"].as_array().unwrap().iter();
    let changes = parts.flat_map(|part| part["changes"].as_array().unwrap());
    let of_kind = changes.filter(|change| kinds.iter().any(|kind| change["change"] == *kind));
    let root = home.path("");
    of_kind.map(|change| Path::new(change["path"].as_str().unwrap()).strip_prefix(&root).unwrap().to_owned()).collect()
}

/// The files and links of a tree.
fn files(tree: &Tree) -> BTreeSet<PathBuf> {
    tree.iter().filter(|(_, content)| *content != b"/").map(|(path, _)| path.clone()).collect()
}

#[track_caller]
fn assert_same(now: &Tree, before: &Tree) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(now), names(before));
    for (path, content) in before {
        assert!(now[path] == *content, "{} has changed", path.display());
    }
}

#[test]
fn exactly_what_was_shown_appears_and_disappears_again() {
    let home = a_full_home();
    let before = home.tree();

    let shown = set_up(&home, &["--dry-run"], 0);
    assert_same(&home.tree(), &before);
    let told = set_up(&home, &[], 0);
    assert_eq!(told["parts"], shown["parts"], "what is done is what was shown");
    assert_eq!(told["live_check"]["steps"], 10, "{told:#}");
    let after = home.tree();
    let appeared: BTreeSet<PathBuf> = files(&after).difference(&files(&before)).cloned().collect();
    let mut promised = paths(&home, &shown, &["add", "link"]);
    promised.insert(RECORD.into());
    assert_eq!(appeared, promised);
    let edited = paths(&home, &shown, &["edit"]);
    assert_eq!(edited, [".codex/hooks.json", ".cursor/hooks.json"].map(PathBuf::from).into());
    for (path, content) in before.iter().filter(|(path, _)| !edited.contains(*path)) {
        assert!(after[path] == *content, "{} has changed", path.display());
    }

    let again = set_up(&home, &[], 0);
    for part in again["parts"].as_array().unwrap() {
        assert_eq!(part["state"], "unchanged", "{part:#}");
    }
    assert_same(&home.tree(), &after);

    let shown = set_up(&home, &["--remove", "--dry-run"], 0);
    assert_same(&home.tree(), &after);
    let told = set_up(&home, &["--remove"], 0);
    assert_eq!(told["parts"], shown["parts"], "what is undone is what was shown");
    assert_same(&home.tree(), &before);
    assert_eq!(set_up(&home, &["--remove"], 0)["parts"], json!([]), "nothing is left to take back");
}

#[test]
fn people_read_what_is_changed_before_and_after_it_is() {
    let home = a_full_home();
    let shown = home.terminal().run(["setup", "--dry-run"]).expect_code(0).stdout;
    for words in [
        "would add   ~/.local/share/deconflict/bin/deconflict\n",
        "would add  ~/.gemini/extensions/deconflict/hooks/hooks.json\n",
        "would change  ~/.cursor/hooks.json\n",
        "+ ",
        "Nothing was changed.",
    ] {
        assert!(shown.contains(words), "{words:?} is missing in {shown}");
    }
    let told = home.terminal().run(["setup"]).expect_code(0).stdout;
    for words in [
        "added  ~/.gemini/extensions/deconflict  (",
        "changed  ~/.cursor/hooks.json\n",
        "type /hooks",
        "All 10 steps were seen",
        "Restart the editors and agents",
    ] {
        assert!(told.contains(words), "{words:?} is missing in {told}");
    }
    let again = home.terminal().run(["setup", "gemini"]).expect_code(0).stdout;
    assert!(again.contains("Gemini CLI\n  ✓ as it should be\n"), "{again}");
    let removed = home.terminal().run(["setup", "--remove"]).expect_code(0).stdout;
    assert!(removed.contains("removed  ~/.gemini/extensions/deconflict  ("), "{removed}");
}

#[test]
fn a_machine_without_editors_gets_the_program_and_a_kind_word() {
    let home = Home::new();
    let told = home.terminal().run(["setup"]).expect_code(0).stdout;
    assert!(told.contains("Setup found no editor or agent") && told.contains("deconflict lsp"), "{told}");
    assert!(told.contains("All 10 steps were seen"), "{told}");
    let installed = std::process::Command::new(home.path(".local/bin/deconflict")).arg("--version").output().unwrap();
    assert!(installed.status.success());
    assert_eq!(String::from_utf8_lossy(&installed.stdout).trim(), concat!("deconflict ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_live_check_that_fails_is_said_and_what_was_done_stays() {
    let home = Home::new();
    let told = home.terminal().env("PATH", home.path(".local/bin")).run(["setup"]).expect_code(3);
    assert!(told.stderr.contains("git") && told.stderr.contains("set up anyway"), "{told:?}");
    assert!(home.path(".local/share/deconflict/bin/deconflict").exists());
}

#[test]
fn only_what_is_named_is_wired_or_taken_back() {
    let home = a_full_home();
    let told = set_up(&home, &["gemini", "codex"], 0);
    let names: Vec<&str> =
        told["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["program", "gemini", "codex"]);
    assert!(!home.path(".claude/skills").exists());

    set_up(&home, &["--remove", "codex"], 0);
    assert_eq!(home.read(".codex/hooks.json"), CODEX_HOOKS);
    assert!(home.path(".gemini/extensions/deconflict").exists());
    assert!(home.path(".local/bin/deconflict").exists(), "the other one still needs the program");

    let unknown = home.terminal().run(["setup", "notepad"]).expect_code(2);
    assert!(unknown.stderr.contains("neovim") && unknown.stderr.contains("claude-code"), "{unknown:?}");
}

#[test]
fn what_is_named_is_wired_even_where_it_was_not_found() {
    let home = Home::new();
    let before = home.tree();
    let told = set_up(&home, &["nvim", "claude"], 0);
    assert_eq!(part(&told, "neovim")["state"], "changed");
    assert_eq!(part(&told, "claude-code")["state"], "changed");
    set_up(&home, &["--remove"], 0);
    assert_same(&home.tree(), &before);
}

#[test]
fn variables_that_move_folders_are_followed() {
    let home = Home::new();
    let moved = home.workspace().beside("moved with spaces");
    let before = home.tree();
    let terminal = || {
        let variables = ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"];
        variables.into_iter().fold(home.terminal(), |terminal, name| terminal.env(name, moved.join(name)))
    };
    terminal().run(["setup", "neovim", "codex", "claude-code", "opencode"]).expect_code(0);
    for path in [
        "XDG_DATA_HOME/deconflict/bin/deconflict",
        "XDG_DATA_HOME/nvim/site/pack/deconflict/start/deconflict/plugin/deconflict.lua",
        "XDG_STATE_HOME/deconflict/setup.json",
        "XDG_CONFIG_HOME/opencode/plugins/deconflict.js",
        "CODEX_HOME/hooks.json",
        "CLAUDE_CONFIG_DIR/skills/deconflict/.claude-plugin/plugin.json",
    ] {
        assert!(moved.join(path).is_file(), "{path}");
    }
    let hooks: Value = serde_json::from_slice(&fs::read(moved.join("CODEX_HOME/hooks.json")).unwrap()).unwrap();
    let command = hooks["hooks"]["SessionStart"][0]["hooks"][0]["command"].as_str().unwrap();
    let program = command.strip_suffix(" hook codex").unwrap();
    let ran = std::process::Command::new("sh").args(["-c", &format!("{program} --version")]).output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).starts_with("deconflict "), "{command}: {ran:?}");
    terminal().run(["setup", "--remove"]).expect_code(0);
    assert_same(&home.tree(), &before);
    assert!(!moved.exists());
}

#[test]
fn what_somebody_put_in_our_place_stays() {
    let home = a_full_home();
    let plugin = ".local/share/nvim/site/pack/deconflict/start/deconflict/plugin/deconflict.lua";
    home.write(plugin, "-- mine\n");
    home.write(".local/bin/deconflict", "#!/bin/sh\n");
    home.write(".config/opencode/plugins/deconflict.js", "// mine\n");
    let before = home.tree();

    let told = set_up(&home, &[], 1);

    assert_eq!(told["ok"], false);
    for name in ["neovim", "opencode"] {
        let part = part(&told, name);
        assert_eq!(
            (&part["state"], part["in_the_way"].as_array().unwrap().len()),
            (&json!("in-the-way"), 1),
            "{part:#}"
        );
    }
    assert!(part(&told, "program")["remarks"].to_string().contains("stays as it is"), "{told:#}");
    assert_eq!(part(&told, "gemini")["state"], "changed", "nothing is in the way of the others");
    assert_eq!(home.read(plugin), "-- mine\n");
    let words = home.terminal().run(["setup", "--dry-run"]).expect_code(1).stdout;
    assert!(words.contains("move it away and run this again"), "{words}");
    set_up(&home, &["--remove"], 0);
    assert_same(&home.tree(), &before);
}

#[test]
fn what_somebody_changed_since_stays() {
    let home = a_full_home();
    set_up(&home, &[], 0);
    let manifest = ".gemini/extensions/deconflict/gemini-extension.json";
    home.write(manifest, "{\"name\": \"mine now\"}\n");

    let told = set_up(&home, &["gemini"], 1);
    assert!(part(&told, "gemini")["in_the_way"].to_string().contains("changed it since"), "{told:#}");
    assert_eq!(home.read(manifest), "{\"name\": \"mine now\"}\n");

    let told = set_up(&home, &["--remove"], 0);
    assert!(part(&told, "gemini")["remarks"].to_string().contains("stays"), "{told:#}");
    assert_eq!(home.read(manifest), "{\"name\": \"mine now\"}\n");
    assert!(!home.path(".gemini/extensions/deconflict/hooks").exists());
}

#[test]
fn what_somebody_adds_to_a_shared_file_stays_when_ours_goes() {
    let home = a_full_home();
    fs::remove_file(home.path(".codex/hooks.json")).unwrap();
    set_up(&home, &["codex", "cursor"], 0);
    let theirs =
        home.read(".cursor/hooks.json").replace("\"./format.sh\"", "\"./format.sh\"}, {\"command\": \"./lint.sh\"");
    home.write(".cursor/hooks.json", &theirs);
    home.write(".codex/hooks.json", &format!("{}\n\n", home.read(".codex/hooks.json")));

    // An update starts from what is there now.
    set_up(&home, &["codex"], 0);
    set_up(&home, &["--remove"], 0);

    let left = home.read(".cursor/hooks.json");
    assert_eq!(left, CURSOR_HOOKS.replace("\"./format.sh\"", "\"./format.sh\"}, {\"command\": \"./lint.sh\""));
    assert!(!home.path(".codex/hooks.json").exists(), "only ours was in it");
}

#[test]
fn hooks_that_somebody_wired_by_hand_stay() {
    let home = Home::new();
    let by_hand =
        r#"{"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "deconflict hook codex"}]}]}}"#;
    home.write(".codex/hooks.json", by_hand);
    let told = set_up(&home, &[], 0);
    assert!(part(&told, "codex")["remarks"].to_string().contains("already calls deconflict"), "{told:#}");
    assert_eq!(home.read(".codex/hooks.json"), by_hand);
    set_up(&home, &["--remove"], 0);
    assert_eq!(home.read(".codex/hooks.json"), by_hand);
}

#[test]
fn a_file_that_cannot_be_understood_is_left_alone() {
    for text in ["{ not json", "[]", "{\"hooks\": {\"Stop\": {}}}", "{\"hooks\": []}", "\u{feff}\u{0}"] {
        let home = a_full_home();
        home.write(".codex/hooks.json", text);
        let told = home.terminal().run(["setup"]).expect_code(3);
        assert!(told.stdout.contains(".codex/hooks.json was left alone"), "{text}: {told:?}");
        assert!(told.stdout.contains("run this again") && told.stdout.contains("Some of it"), "{told:?}");
        assert_eq!(home.read(".codex/hooks.json"), text);
        assert!(home.path(".gemini/extensions/deconflict").exists(), "the others are wired all the same");
    }
}

#[cfg(unix)]
#[test]
fn a_linked_file_stays_a_link_with_the_permissions_of_its_target() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.write("dotfiles/codex.json", CODEX_HOOKS);
    fs::set_permissions(home.path("dotfiles/codex.json"), fs::Permissions::from_mode(0o640)).unwrap();
    home.make_folder(".codex");
    std::os::unix::fs::symlink(home.path("dotfiles/codex.json"), home.path(".codex/hooks.json")).unwrap();
    let before = home.tree();

    set_up(&home, &[], 0);

    assert!(home.read("dotfiles/codex.json").contains("hook codex"));
    assert!(home.path(".codex/hooks.json").is_symlink());
    let mode = |path: &str| fs::metadata(home.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("dotfiles/codex.json"), 0o640);
    assert_eq!(mode(RECORD), 0o600, "the record has the person's own settings in it");
    assert_eq!(mode(".local/share/deconflict/bin/deconflict") & 0o700, 0o700);
    set_up(&home, &["--remove"], 0);
    assert_same(&home.tree(), &before);
}

#[cfg(unix)]
#[test]
fn what_fails_leaves_nothing_half_done() {
    let home = a_full_home();
    // A link to nowhere is seen only when the last file is written: what was written first has to go again.
    home.make_folder(".local/share/nvim/site");
    std::os::unix::fs::symlink("nowhere", home.path(".local/share/nvim/site/plugin")).unwrap();
    home.write(".gemini/extensions", "a file where a folder should be\n");
    let before = home.tree();

    let told = set_up(&home, &["neovim", "gemini"], 3);

    for name in ["neovim", "gemini"] {
        let part = part(&told, name);
        assert_eq!(part["state"], "failed", "{part:#}");
        assert!(part["message"].as_str().unwrap().contains(home.path("").to_str().unwrap()), "{part:#}");
    }
    assert!(!home.path(".local/share/nvim/site/pack").exists(), "the plugin's first files are still there");
    set_up(&home, &["--remove"], 0);
    assert_same(&home.tree(), &before);
}

#[test]
fn without_a_place_for_the_program_nothing_is_done() {
    let home = a_full_home();
    home.write(".local/share", "a file where a folder should be\n");
    let before = home.tree();
    let told = set_up(&home, &[], 3);
    assert_eq!(told["parts"].as_array().unwrap().len(), 1, "{told:#}");
    assert_same(&home.tree(), &before);
}

#[test]
fn a_damaged_record_stops_everything() {
    let home = a_full_home();
    home.write(RECORD, "{ torn");
    let before = home.tree();
    for arguments in [&["setup"][..], &["setup", "--remove"], &["setup", "--dry-run"]] {
        let told: Outcome = home.terminal().run(arguments.iter().copied()).expect_code(3);
        assert!(
            told.stderr.contains("setup.json is damaged") && told.stderr.contains("move the file away"),
            "{told:?}"
        );
    }
    assert_same(&home.tree(), &before);
}

/// This program with a byte more: another one, which does the same.
#[cfg(unix)]
fn another_build(home: &Home) -> PathBuf {
    use std::io::Write;
    let copy = home.workspace().beside("deconflict-next");
    fs::copy(env!("CARGO_BIN_EXE_deconflict"), &copy).unwrap();
    fs::OpenOptions::new().append(true).open(&copy).unwrap().write_all(b"\n").unwrap();
    copy
}

#[cfg(unix)]
#[test]
fn another_program_takes_the_place_of_one_that_runs() {
    let home = a_full_home();
    set_up(&home, &[], 0);
    let installed = home.path(".local/bin/deconflict");
    let mut server = std::process::Command::new(&installed)
        .arg("lsp")
        .current_dir(home.workspace().root())
        .env("HOME", home.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let next = another_build(&home);
    let terminal = home.terminal();
    let prompt = terminal.command::<&str>([]);
    let environment = prompt.get_envs().filter_map(|(name, value)| Some((name, value?)));

    let updated = std::process::Command::new(&next)
        .args(["setup", "gemini", "--json"])
        .current_dir(home.workspace().root())
        .env_clear()
        .envs(environment)
        .output()
        .unwrap();

    let told: Value = serde_json::from_slice(&updated.stdout).unwrap();
    assert_eq!(part(&told, "program")["changes"][0]["change"], "update", "{told:#}");
    assert_eq!(part(&told, "gemini")["state"], "unchanged", "{told:#}");
    assert!(fs::read(&installed).unwrap() == fs::read(&next).unwrap());
    assert!(server.try_wait().unwrap().is_none(), "the running one has ended");
    server.kill().unwrap();
    server.wait().unwrap();
    let names: Vec<_> = fs::read_dir(home.path(".local/share/deconflict/bin")).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "something temporary stayed: {names:?}");
}

#[test]
fn editors_that_are_finished_by_hand_get_their_files_and_a_line_to_write() {
    let home = Home::new();
    home.write(".config/helix/config.toml", "theme = \"onedark\"\n");
    home.write(".config/kak/kakrc", "# mine\n");
    home.make_folder(".emacs.d");
    home.make_folder(".config/zed");
    let before = home.tree();
    let told = home.terminal().run(["setup"]).expect_code(0).stdout;
    for (file, line) in [
        ("helix/languages.toml", "languages.toml → ~/.config/helix/languages.toml"),
        ("emacs/deconflict.el", "(load \"~/.local/share/deconflict/editors/emacs/deconflict.el\")"),
        ("kakoune/deconflict.kak", "deconflict.kak\""),
        ("zed/extension.toml", "~/.local/share/deconflict/editors/zed\n"),
    ] {
        assert!(told.contains(line), "{line} is missing in {told}");
        let text = home.read(Path::new(".local/share/deconflict/editors").join(file));
        let program = home.path(".local/share/deconflict/bin/deconflict");
        // Kakoune and Zed have no place for a path; they find it by its name.
        let has_place = file.starts_with("helix") || file.starts_with("emacs");
        assert_eq!(text.contains(program.to_str().unwrap()), has_place, "{text}");
    }
    let again = home.terminal().run(["setup"]).expect_code(0).stdout;
    assert!(again.contains("deconflict setup helix") && !again.contains("→ ~/.config/helix"), "{again}");
    let named = home.terminal().run(["setup", "helix"]).expect_code(0).stdout;
    assert!(named.contains("→ ~/.config/helix"), "{named}");
    let removed = home.terminal().run(["setup", "--remove"]).expect_code(0).stdout;
    assert!(removed.contains("yours to remove"), "{removed}");
    assert_same(&home.tree(), &before);
}

#[cfg(unix)]
#[test]
fn an_emacs_without_eglot_is_told_so_and_shells_and_manual_get_what_is_theirs() {
    let home = Home::new();
    let program = |answer: i32| home.add_program("emacs", &format!("exit {answer}"));
    let run = || home.terminal().run(["setup", "emacs"]).expect_code(0).stdout;
    program(1);
    assert!(run().contains("This Emacs has no Eglot"), "{}", run());
    program(0);
    let told = run();
    assert!(!told.contains("no Eglot") && told.contains("its files are in place"), "{told}");
    assert!(!told.contains("Emacs\n  ✓ as it should be"), "{told}");
    for (place, part) in [
        ("bash-completion/completions/deconflict", "DECONFLICT_COMPLETE"),
        ("fish/vendor_completions.d/deconflict.fish", "DECONFLICT_COMPLETE"),
        ("zsh/site-functions/_deconflict", "#compdef deconflict"),
        ("man/man1/deconflict.1", ".SS \"claim\""),
    ] {
        assert!(home.read(Path::new(".local/share").join(place)).contains(part), "{place}");
    }
    home.terminal().run(["setup", "--remove"]).expect_code(0);
    assert!(!home.path(".local/share/man/man1/deconflict.1").exists());
}
