//! Coding agents: our hooks, where each agent looks for them. A folder or file of our own wherever the agent takes one.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::carried::{self, Carried, CarriedFile};
use crate::desired::{Desired, OwnFile, own_files};
use crate::places::{Places, joined};
use crate::target::{AgentHooks, HookFiles};

pub(super) fn desired(hooks: &AgentHooks, places: &Places, program: &Path, carried: Carried) -> Desired {
    let place = joined(&places.folder(&hooks.settings), hooks.place);
    let command = command_word(program);
    let mut desired = Desired { remark_after_change: hooks.remark, ..Desired::default() };
    if hooks.trust.is_some() && !is_trusted(hooks, places) {
        // It is worth a word as long as it is so.
        desired.remarks.extend(desired.remark_after_change.take().map(str::to_owned));
    }
    match hooks.files {
        HookFiles::Folder(name) => {
            let files = carried(name).into_iter().map(|file| calling(file, &command));
            desired.files = own_files(files, &place);
            desired.own_folder = Some(place);
        }
        HookFiles::Plugin(name) => {
            let text = String::from_utf8_lossy(&carried::file(carried, name)).into_owned();
            let literal = Value::from(program.to_string_lossy()).to_string();
            let text = text.replacen("\"deconflict\"", &literal, 1);
            desired.files = vec![OwnFile::new(place, Cow::Owned(text.into_bytes()))];
        }
        HookFiles::Shared(name) => {
            let (_, text) = calling((name.to_owned(), carried::file(carried, name)), &command);
            let hooks = serde_json::from_slice(&text).unwrap_or_default();
            desired.hooks = Some((place, hooks));
        }
    }
    desired
}

/// True unless the agent's user still has to tell it that it may run our hooks.
pub(super) fn is_trusted(hooks: &AgentHooks, places: &Places) -> bool {
    let Some(notes) = hooks.trust else { return true };
    let folder = places.folder(&hooks.settings);
    let place = joined(&folder, hooks.place).to_string_lossy().into_owned();
    let text = fs::read_to_string(joined(&folder, notes)).unwrap_or_default();
    let notes: toml::Table = text.parse().unwrap_or_default();
    let states = notes.get("hooks").and_then(|hooks| hooks.get("state")).and_then(toml::Value::as_table);
    // A hook is called by the file that it is in, and its place there.
    let is_ours =
        |(name, state): (&String, &toml::Value)| name.starts_with(&place) && state.get("trusted_hash").is_some();
    states.into_iter().flatten().any(is_ours)
}

/// The same file, with the program called by its path: agents that a desktop started don't have the user's `PATH`.
fn calling((name, content): CarriedFile, command: &str) -> CarriedFile {
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
