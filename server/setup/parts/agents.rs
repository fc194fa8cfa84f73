//! Coding agents: our hooks, where each agent looks for them. A folder or file of our own wherever the agent takes one.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::carried::{self, File};
use super::super::places::Places;
use super::super::wish::{Hooks, OwnFile, Wish};
use super::{Part, Way, own_files};

pub(super) fn is_found(part: Part, places: &Places) -> bool {
    let command: &[&str] = match part {
        Part::ClaudeCode => &["claude"],
        Part::Codex => &["codex"],
        Part::Gemini => &["gemini"],
        Part::CursorAgent => &["cursor", "cursor-agent"],
        _ => &["opencode"],
    };
    places.program(command).is_some() || settings(part, places).is_dir()
}

pub(super) fn way(part: Part, places: &Places, program: &Path) -> Way {
    let settings = settings(part, places);
    let command = command_word(program);
    let wish = match part {
        // A plugin among the skills is loaded as it is, without a marketplace and without a change of the settings.
        Part::ClaudeCode => Wish {
            next: Some("Claude Code loads it from version 2.1.157 on."),
            ..own_folder("claude-code", settings.join("skills").join("deconflict"), &command)
        },
        Part::Gemini => own_folder("gemini", settings.join("extensions").join("deconflict"), &command),
        Part::Codex => Wish {
            next: Some("Codex runs new hooks only after you trusted them: start codex and type /hooks."),
            ..shared_file("codex/hooks.json", settings.join("hooks.json"), &command)
        },
        Part::CursorAgent => shared_file("cursor/hooks.json", settings.join("hooks.json"), &command),
        _ => Wish { files: opencode_plugin(&settings, program), ..Wish::default() },
    };
    Way::wish(wish)
}

/// The folder that the agent keeps its settings in.
fn settings(part: Part, places: &Places) -> PathBuf {
    match part {
        Part::ClaudeCode => places.named_or("CLAUDE_CONFIG_DIR", ".claude"),
        Part::Codex => places.named_or("CODEX_HOME", ".codex"),
        Part::Gemini => places.named_or("GEMINI_CLI_HOME", "").join(".gemini"),
        Part::CursorAgent => places.home().join(".cursor"),
        // The rules of the desktop, on every system.
        _ => places.named_or("XDG_CONFIG_HOME", ".config").join("opencode"),
    }
}

/// A folder that the agent takes as an extension of its own.
fn own_folder(carried: &str, root: PathBuf, command: &str) -> Wish {
    let files = carried::folder(carried).into_iter().map(|file| calling(file, command)).collect();
    Wish { files: own_files(files, &root), own_folder: Some(root), ..Wish::default() }
}

/// Hooks in the one file that the agent reads.
fn shared_file(carried: &str, path: PathBuf, command: &str) -> Wish {
    let text = carried::file(carried).unwrap_or_default();
    let (_, text) = calling((carried.to_owned(), text), command);
    let hooks: Value = serde_json::from_slice(&text).unwrap_or_default();
    Wish { hooks: vec![Hooks { path, hooks }], ..Wish::default() }
}

fn opencode_plugin(settings: &Path, program: &Path) -> Vec<OwnFile> {
    let text = carried::file("opencode/deconflict.js").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let literal = Value::from(program.to_string_lossy()).to_string();
    let text = text.replacen("\"deconflict\"", &literal, 1);
    vec![OwnFile::new(settings.join("plugins").join("deconflict.js"), Cow::Owned(text.into_bytes()))]
}

/// The same file, with the program called by its path: agents that a desktop started don't have the user's `PATH`.
fn calling((name, content): File, command: &str) -> File {
    let is_settings = Path::new(&name).extension().is_some_and(|extension| extension == "json");
    let Some(text) = std::str::from_utf8(&content).ok().filter(|_| is_settings) else { return (name, content) };
    let literal = Value::from(command).to_string();
    // Without the quotation marks around it.
    let path = &literal[1..literal.len() - 1];
    let text = text.replace("\"deconflict hook ", &format!("\"{path} hook "));
    (name, Cow::Owned(text.into_bytes()))
}

/// The program as a shell takes it.
fn command_word(program: &Path) -> String {
    let path = program.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,~".contains(c);
    if path.chars().all(is_plain) { path.into_owned() } else { quoted(&path) }
}

#[cfg(unix)]
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(not(unix))]
fn quoted(path: &str) -> String {
    format!("\"{path}\"")
}
