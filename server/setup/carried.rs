//! What the program carries for editors and agents: the files of `editors/`, as they were when it was built.

use std::borrow::Cow;

use rust_embed::Embed;

/// They lie in the program's file, and are not even read from disk before one of them is asked for.
#[derive(Embed)]
#[folder = "../../editors/"]
#[include = "nvim/{after,autoload,doc,ftplugin,lua,plugin,syntax}/**"]
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
#[exclude = "nvim/doc/tags"]
struct Editors;

/// A file, named from the folder that was asked for, with `/`.
pub(super) type File = (String, Cow<'static, [u8]>);

/// The files below a folder of `editors/`.
pub(super) fn folder(folder: &str) -> Vec<File> {
    let within = |path: &Cow<'static, str>| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
    let named = Editors::iter().filter_map(|path| Some((within(&path)?, path)));
    named.filter_map(|(name, path)| Some((name, Editors::get(&path)?.data))).collect()
}

/// A single file of `editors/`.
pub(super) fn file(path: &str) -> Option<Cow<'static, [u8]>> {
    Some(Editors::get(path)?.data)
}
