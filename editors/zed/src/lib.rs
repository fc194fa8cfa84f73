//! Tells Zed how to start the language server, and fetches it where it is not installed.

use std::fs;

use zed_extension_api::settings::LspSettings;
use zed_extension_api::{
    self as zed, serde_json, Architecture, Command, DownloadedFileType, LanguageServerId,
    LanguageServerInstallationStatus as Status, Os, Result, Worktree,
};

const RELEASES: &str = "https://deconflict.example/deconflict/releases/download";
const VERSION: &str = env!("CARGO_PKG_VERSION");

struct Deconflict;

impl zed::Extension for Deconflict {
    fn new() -> Self {
        Self
    }

    /// The binary that the user's settings name under `lsp.deconflict.binary`, else the one on the path, else the
    /// release's.
    fn language_server_command(&mut self, server: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let binary = LspSettings::for_worktree(server.as_ref(), worktree).ok().and_then(|settings| settings.binary);
        let (path, arguments) = binary.map_or((None, None), |binary| (binary.path, binary.arguments));
        let command = match path.or_else(|| worktree.which("deconflict")) {
            Some(command) => command,
            None => fetched(server).map_err(|error| {
                format!("{error}: install `deconflict`, or name it as lsp.deconflict.binary.path in the settings")
            })?,
        };
        let args = arguments.unwrap_or_else(|| vec!["lsp".to_owned()]);
        Ok(Command { command, args, env: worktree.shell_env() })
    }

    /// What the user's settings say under `lsp.deconflict.settings`.
    fn language_server_workspace_configuration(
        &mut self,
        server: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<Option<serde_json::Value>> {
        let settings = LspSettings::for_worktree(server.as_ref(), worktree)?.settings;
        Ok(settings.map(|settings| serde_json::json!({ "deconflict": settings })))
    }
}

/// The program of this extension's own version, in the folder that Zed gives the extension.
fn fetched(server: &LanguageServerId) -> Result<String> {
    let (os, architecture) = zed::current_platform();
    let cpu = match architecture {
        Architecture::Aarch64 => "aarch64",
        Architecture::X8664 => "x86_64",
        Architecture::X86 => return Err("there is no program for 32-bit machines".to_owned()),
    };
    // The program for musl runs on every Linux, and an extension cannot tell which C library there is.
    let (system, ending, kind) = match os {
        Os::Linux => ("unknown-linux-musl", "tar.gz", DownloadedFileType::GzipTar),
        Os::Mac => ("apple-darwin", "tar.gz", DownloadedFileType::GzipTar),
        Os::Windows => ("pc-windows-msvc", "zip", DownloadedFileType::Zip),
    };
    let name = format!("deconflict-{cpu}-{system}");
    let folder = format!("deconflict-{VERSION}");
    let program = match os {
        Os::Windows => format!("{folder}/deconflict.exe"),
        Os::Linux | Os::Mac => format!("{folder}/{name}/deconflict"),
    };
    if !fs::metadata(&program).is_ok_and(|file| file.is_file()) {
        zed::set_language_server_installation_status(server, &Status::Downloading);
        zed::download_file(&format!("{RELEASES}/v{VERSION}/{name}.{ending}"), &folder, kind)?;
        zed::make_file_executable(&program)?;
        remove_others(&folder);
        zed::set_language_server_installation_status(server, &Status::None);
    }
    Ok(program)
}

/// Removes what earlier versions fetched. What cannot be removed only takes room.
fn remove_others(folder: &str) {
    for entry in fs::read_dir(".").into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("deconflict-") && name != folder) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

zed::register_extension!(Deconflict);
