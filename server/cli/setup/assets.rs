//! What the program hands to `setup`: the files of `editors/` as they were when it was built, and what can be wired.

use std::borrow::Cow;

use deconflict_agents::AGENTS;
use deconflict_setup::{Assets, CarriedFile, EDITORS, SetupTarget};
use rust_embed::Embed;

/// They lie in the program's file, and are not even read from disk before one of them is asked for.
#[derive(Embed)]
#[folder = "editors/"]
#[include = "nvim/{after,autoload,doc,ftplugin,lsp,lua,plugin,syntax}/**"]
#[include = "vscode/{package.json,package.nls*.json,README.md,CHANGELOG.md,LICENSE}"]
#[include = "vscode/dist/extension.js"]
#[include = "vscode/images/{*.png,view.svg}"]
#[include = "vscode/{l10n,walkthrough}/**"]
#[include = "{helix,emacs,kakoune,zed}/**"]
#[include = "claude-code/**"]
#[include = "codex/**"]
#[include = "gemini/**"]
#[include = "cursor/**"]
#[include = "opencode/**"]
struct Editors;

pub(in super::super) fn assets(shell: Vec<CarriedFile>) -> Assets {
    Assets { carried: folder, targets: targets().collect(), shell }
}

pub(super) fn targets() -> impl Iterator<Item = &'static SetupTarget> + Clone {
    EDITORS.iter().chain(AGENTS.iter().map(|agent| &agent.target))
}

fn folder(folder: &str) -> Vec<CarriedFile> {
    let within = |path: &Cow<'static, str>| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
    let named = Editors::iter().filter_map(|path| Some((within(&path)?, path)));
    named.filter_map(|(name, path)| Some((name, Editors::get(&path)?.data))).collect()
}
