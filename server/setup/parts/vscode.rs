//! VS Code and its relatives: the extension, by the editor's own command.

use std::path::{Path, PathBuf};

use super::super::extension::{self, Extension};
use super::super::package::Package;
use super::super::places::Places;
use super::super::wish::Wish;
use super::{Part, Way};

/// One of the family.
struct Editor {
    commands: &'static [&'static str],
    /// Where the command is when it is not on the `PATH`.
    elsewhere: &'static [&'static str],
    /// The folder in the home directory that the editor makes.
    folder: &'static str,
    /// The same of its other half on a machine that it is connected to.
    remote_folder: &'static str,
}

const VS_CODE: Editor = Editor {
    commands: &["code"],
    elsewhere: &["/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code"],
    folder: ".vscode",
    remote_folder: ".vscode-server",
};

const VS_CODE_INSIDERS: Editor = Editor {
    commands: &["code-insiders"],
    elsewhere: &["/Applications/Visual Studio Code - Insiders.app/Contents/Resources/app/bin/code"],
    folder: ".vscode-insiders",
    remote_folder: ".vscode-server-insiders",
};

const VS_CODIUM: Editor = Editor {
    commands: &["codium", "vscodium"],
    elsewhere: &["/Applications/VSCodium.app/Contents/Resources/app/bin/codium"],
    folder: ".vscode-oss",
    remote_folder: ".vscodium-server",
};

const CURSOR: Editor = Editor {
    commands: &["cursor"],
    elsewhere: &["/Applications/Cursor.app/Contents/Resources/app/bin/cursor"],
    folder: ".cursor",
    remote_folder: ".cursor-server",
};

const CODE_SERVER: Editor = Editor { commands: &["code-server"], elsewhere: &[], folder: "", remote_folder: "" };

pub(super) fn is_found(part: Part, places: &Places) -> bool {
    let editor = editor(part);
    command(&editor, places).is_some() || extensions(&editor, places).is_dir()
}

pub(super) fn way(part: Part, places: &Places, program: &Path) -> Way {
    let editor = editor(part);
    let Some(command) = command(&editor, places) else {
        let name = editor.commands[0];
        return Way::Missing(format!(
            "Its command {name} is not on the PATH, and only that can install an extension. In {title}, run \"Shell \
             Command: Install '{name}' command in PATH\" from the palette; then: deconflict setup {part}",
            title = part.title(),
            part = part.name(),
        ));
    };
    let extension = Extension {
        command,
        folder: extensions(&editor, places),
        program: program.to_owned(),
        package: Package::carried(),
        package_place: extension::package_place(places.state()),
    };
    Way::wish(Wish { extension: Some(extension), ..Wish::default() })
}

/// The folder of the extension in one of these editors, if it is installed there.
pub(in super::super) fn installed(part: Part, places: &Places) -> Option<PathBuf> {
    let is_of_the_family =
        matches!(part, Part::VsCode | Part::VsCodeInsiders | Part::VsCodium | Part::Cursor | Part::CodeServer);
    if !is_of_the_family {
        return None;
    }
    extension::installed_in(&extensions(&editor(part), places), &Package::carried().id())
}

fn editor(part: Part) -> Editor {
    match part {
        Part::VsCodeInsiders => VS_CODE_INSIDERS,
        Part::VsCodium => VS_CODIUM,
        Part::Cursor => CURSOR,
        Part::CodeServer => CODE_SERVER,
        _ => VS_CODE,
    }
}

fn command(editor: &Editor, places: &Places) -> Option<PathBuf> {
    let elsewhere = || editor.elsewhere.iter().map(PathBuf::from).find(|path| path.is_file());
    places.program(editor.commands).or_else(elsewhere)
}

/// Where the editor keeps its extensions. Inside a terminal of a remote window its command serves that window.
fn extensions(editor: &Editor, places: &Places) -> PathBuf {
    if editor.folder.is_empty() {
        return places.data().join("code-server").join("extensions");
    }
    let is_remote = std::env::var_os("VSCODE_IPC_HOOK_CLI").is_some();
    let remote = places.home().join(editor.remote_folder).join("extensions");
    if is_remote && remote.is_dir() {
        return remote;
    }
    match editor.folder {
        ".vscode" => places.named_or("VSCODE_EXTENSIONS", ".vscode/extensions"),
        folder => places.home().join(folder).join("extensions"),
    }
}
