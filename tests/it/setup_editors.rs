//! Editors and agents as they are after `deconflict setup`: real ones, wherever they can be had.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use globset::{Glob, GlobSetBuilder};
use serde_json::{Value, json};

use crate::support::{Home, Neovim, Version};

const FILE: &str = "src/main.rs";

/// A home that was set up, for Neovim with this configuration.
fn home_with_neovim(configuration: &str) -> Home {
    let home = Home::new();
    home.write(".config/nvim/init.lua", configuration);
    home.terminal().run(["setup", "neovim"]).expect_code(0);
    home
}

/// A plain `nvim FILE` attaches, and the first change claims.
#[track_caller]
fn assert_claims(version: Version, home: &Home) {
    let mut neovim = Neovim::start_at_home(version, home.workspace(), &[FILE]);
    neovim.wait("the server to serve the buffer", "(require('deconflict.client').get(0) or {}).initialized");
    neovim.type_keys("ggO// mine<Esc>");
    home.workspace().coordination().wait_for_claim(FILE);
    let program = neovim.lua("return vim.fn.resolve(require('deconflict.config').program()[1])");
    assert_eq!(program, home.path(".local/share/deconflict/bin/deconflict").to_str().unwrap());
    neovim.quit();
}

#[test]
fn a_plain_neovim_attaches_and_claims_and_has_help() {
    for version in Version::both().into_iter().flatten() {
        let home = home_with_neovim("vim.o.number = true\n");
        assert_claims(version, &home);

        let mut neovim = Neovim::start_at_home(version, home.workspace(), &[]);
        neovim.command("help deconflict");
        assert_eq!(neovim.lua("return { vim.bo.buftype, vim.fn.expand('%:t') }"), json!(["help", "deconflict.txt"]));
        let tags = ".local/share/nvim/site/pack/deconflict/start/deconflict/doc/tags";
        let ours = home.read(tags);
        neovim.command(&format!("helptags {}", home.path(tags).parent().unwrap().display()));
        assert_eq!(home.read(tags), ours, "Neovim itself makes another index");
        neovim.quit();

        home.terminal().run(["setup", "--remove"]).expect_code(0);
        assert!(!home.path(".local/share/nvim/site").exists());
        let mut neovim = Neovim::start_at_home(version, home.workspace(), &[FILE]);
        assert_eq!(neovim.lua("return vim.fn.exists(':Deconflict')"), 0);
    }
}

#[test]
fn neovim_attaches_where_a_plugin_manager_turned_packages_off() {
    // As lazy.nvim does it: no packages, and a search path of its own choice, which has the folder `site` on it.
    let manager = "vim.go.packpath = vim.env.VIMRUNTIME\n\
                   vim.opt.rtp = { vim.fn.stdpath('config'), vim.fn.stdpath('data') .. '/site', vim.env.VIMRUNTIME }\n";
    for version in Version::both().into_iter().flatten() {
        assert_claims(version, &home_with_neovim(manager));
    }
}

/// The files of the extension that its own packager takes, by their names in the extension.
fn packaged_files() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/vscode");
    let mut wanted = GlobSetBuilder::new();
    for line in fs::read_to_string(folder.join(".vscodeignore")).unwrap().lines() {
        if let Some(pattern) = line.strip_prefix('!') {
            wanted.add(Glob::new(pattern).unwrap());
        }
    }
    let wanted = wanted.build().unwrap();
    let walk = ignore::WalkBuilder::new(&folder)
        .git_ignore(false)
        .filter_entry(|entry| entry.file_name() != "node_modules")
        .build();
    let files = walk.flatten().filter(|entry| entry.path().is_file());
    let names = files.map(|entry| entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned());
    names.filter(|name| wanted.is_match(name) && !name.starts_with("bin/")).collect()
}

#[cfg(unix)]
#[test]
fn vs_code_gets_the_whole_extension_with_the_program_in_it() {
    use std::io::Read;
    let home = Home::new();
    let kept = home.workspace().beside("kept.vsix");
    home.add_program(
        "code",
        &format!(
            "echo \"$@\" >>\"$HOME/calls\"\ncase \"$1\" in --install*) PATH=/usr/bin:/bin cp \"$2\" '{}' ;; esac",
            kept.display()
        ),
    );

    home.terminal().run(["setup", "vscode"]).expect_code(0);

    let calls = home.read("calls");
    assert!(calls.starts_with("--install-extension ") && calls.trim_end().ends_with(".vsix --force"), "{calls}");
    let mut package = zip::ZipArchive::new(fs::File::open(&kept).unwrap()).unwrap();
    let mut names: BTreeSet<String> = package.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert!(names.remove("extension.vsixmanifest") && names.remove("[Content_Types].xml"), "{names:?}");
    assert!(names.remove("extension/bin/deconflict"), "{names:?}");
    let names: BTreeSet<String> =
        names.iter().map(|name| name.strip_prefix("extension/").unwrap().to_owned()).collect();
    assert_eq!(names, packaged_files());
    let mut text = |name: &str| {
        let mut text = String::new();
        package.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let manifest: Value = serde_json::from_str(&text("extension/package.json")).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"), "the extension is released with the program");
    let of_package = text("extension.vsixmanifest");
    for part in [
        format!("Id=\"{}\"", manifest["name"].as_str().unwrap()),
        format!("Publisher=\"{}\"", manifest["publisher"].as_str().unwrap()),
        format!("Version=\"{}\"", env!("CARGO_PKG_VERSION")),
        "TargetPlatform=\"".to_owned(),
        format!("Value=\"{}\"", manifest["engines"]["vscode"].as_str().unwrap()),
    ] {
        assert!(of_package.contains(&part), "{part} is missing in {of_package}");
    }
    assert!(!of_package.contains('%'), "something is not translated: {of_package}");
    let mut program = package.by_name("extension/bin/deconflict").unwrap();
    assert_eq!(program.unix_mode().unwrap() & 0o777, 0o755);
    let mut bytes = Vec::new();
    program.read_to_end(&mut bytes).unwrap();
    assert!(bytes == fs::read(env!("CARGO_BIN_EXE_deconflict")).unwrap(), "another program is in it");
}

#[cfg(unix)]
#[test]
fn what_an_editor_s_command_says_when_it_fails_is_told() {
    let home = Home::new();
    home.add_program("codium", "printf 'if(a){b}\\n  RoomError: no room \x1b[31mleft\\n    at c' >&2; exit 7");
    home.make_folder(".gemini");
    let told = home.terminal().run(["setup"]).expect_code(3);
    assert!(told.stdout.contains("7): RoomError: no room") && told.stdout.contains("codium"), "{told:?}");
    assert!(!told.stdout.contains("if(a)"), "{told:?}");
    assert!(!told.stdout.contains('\u{1b}'), "{told:?}");
    assert!(home.path(".gemini/extensions/deconflict").exists(), "the others are wired all the same");
}

#[test]
fn an_editor_without_its_command_is_told_how_to_get_it() {
    let home = Home::new();
    home.make_folder(".vscode/extensions");
    let before = home.tree();
    let told = home.terminal().run(["setup", "--dry-run"]).expect_code(0).stdout;
    assert!(told.contains("VS Code") && told.contains("Install 'code' command in PATH"), "{told}");
    home.terminal().run(["setup", "vscode", "--dry-run"]).expect_code(3);
    assert_eq!(home.tree(), before);
}

/// A home whose `PATH` has a real code-server, if there is one.
#[cfg(unix)]
fn home_with_code_server() -> Option<Home> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(".editors/vscode");
    let node = fetched.join("node/node_modules/node/bin/node");
    let server = fetched.join("code-server/node_modules/code-server/out/node/entry.js");
    if !node.is_file() || !server.is_file() {
        crate::support::report_missing("code-server is not here; tests/editors/fetch fetches it");
        return None;
    }
    let home = Home::new();
    home.add_program("code-server", &format!("exec '{}' '{}' \"$@\"", node.display(), server.display()));
    Some(home)
}

#[cfg(unix)]
#[test]
fn code_server_takes_the_extension_and_gives_it_back() {
    let Some(home) = home_with_code_server() else { return };
    let extensions = || {
        let mut command = Command::new(home.workspace().beside("programs").join("code-server"));
        crate::support::clean_environment(&mut command, home.workspace().home());
        let listed = command.args(["--list-extensions", "--show-versions"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let ours = concat!("deconflict.deconflict@", env!("CARGO_PKG_VERSION"), "\n");

    home.terminal().run(["setup"]).expect_code(0);

    assert!(extensions().ends_with(ours), "{}", extensions());
    let folder =
        home.path(concat!(".local/share/code-server/extensions/deconflict.deconflict-", env!("CARGO_PKG_VERSION")));
    let ran = Command::new(folder.join("bin/deconflict")).arg("--version").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let again = home.terminal().run(["setup", "--json"]).expect_code(0).json();
    assert_eq!(again["parts"][1]["state"], "unchanged", "{again:#}");
    // What somebody broke is mended.
    fs::remove_file(folder.join("dist/extension.js")).unwrap();
    let again = home.terminal().run(["setup", "--json"]).expect_code(0).json();
    assert_eq!(again["parts"][1]["changes"][0]["change"], "install", "{again:#}");
    assert!(folder.join("dist/extension.js").is_file());

    home.terminal().run(["setup", "--remove"]).expect_code(0);
    assert!(!extensions().contains("deconflict"), "{}", extensions());
    assert!(!home.path(".local/share/deconflict").exists());
    home.terminal().run(["setup"]).expect_code(0);
    assert!(extensions().ends_with(ours), "{}", extensions());
}

/// Every command in a JSON document, however deep.
fn commands(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("command").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| commands(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| commands(element, found)),
        _ => {}
    }
}

#[test]
fn every_hook_of_every_agent_calls_the_program_by_its_path() {
    let home = Home::new();
    home.terminal().run(["setup", "claude-code", "codex", "gemini", "cursor", "opencode"]).expect_code(3);
    let program = home.path(".local/share/deconflict/bin/deconflict");
    for (agent, files) in [
        (
            "claude-code",
            &[".claude/skills/deconflict/hooks/hooks.json", ".claude/skills/deconflict/monitors/monitors.json"][..],
        ),
        ("codex", &[".codex/hooks.json"]),
        ("gemini", &[".gemini/extensions/deconflict/hooks/hooks.json"]),
        ("cursor", &[".cursor/hooks.json"]),
    ] {
        for file in files {
            let mut found = Vec::new();
            commands(&serde_json::from_str(&home.read(file)).unwrap(), &mut found);
            assert!(!found.is_empty(), "{file} has no command");
            let expected = format!("{} hook {agent}", program.display());
            for command in found {
                assert!(command == expected || command.starts_with(&format!("{expected} ")), "{file}: {command}");
            }
        }
    }
    let plugin = home.read(".config/opencode/plugins/deconflict.js");
    assert!(plugin.contains(&format!("{:?}", program.to_str().unwrap())), "{plugin}");
}

#[test]
fn a_published_crate_has_all_that_it_embeds() {
    let home = Home::new();
    home.terminal().run(["setup", "zed"]).expect_code(0);
    assert!(home.path(".local/share/deconflict/editors/zed/Cargo.toml").is_file(), "Zed builds the extension by it");
    let walk = ignore::WalkBuilder::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("editors")).build();
    let manifests =
        walk.flatten().filter(|entry| entry.file_name() == "Cargo.toml").map(|entry| entry.path().to_owned());
    assert_eq!(manifests.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "cargo leaves out a folder with its own manifest");
}

#[test]
fn everything_in_the_folders_of_editors_is_carried() {
    let home = Home::new();
    home.terminal().run(["setup", "neovim", "claude-code", "gemini"]).expect_code(0);
    for (carried, installed) in [
        ("nvim", ".local/share/nvim/site/pack/deconflict/start/deconflict"),
        ("claude-code", ".claude/skills/deconflict"),
        ("gemini", ".gemini/extensions/deconflict"),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors").join(carried);
        let is_for_developers = |path: &Path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_dot_file = path.parent() == Some(Path::new("")) && name.starts_with('.') && name != ".claude-plugin";
            let is_at_the_top = path.parent() == Some(Path::new(""));
            is_dot_file
                || matches!(name, "README.md" | "marketplace.json")
                || (carried == "nvim" && is_at_the_top)
                || path.starts_with("tests")
        };
        let walk = ignore::WalkBuilder::new(&folder).hidden(false).build();
        let files = walk.flatten().filter(|entry| entry.path().is_file());
        let names = files.map(|entry| entry.path().strip_prefix(&folder).unwrap().to_owned());
        for name in names.filter(|name| !is_for_developers(name)).collect::<Vec<PathBuf>>() {
            let path = home.path(installed).join(&name);
            assert!(path.is_file(), "{carried}/{} is not carried: touch server/cli/setup/assets.rs", name.display());
        }
    }
}
