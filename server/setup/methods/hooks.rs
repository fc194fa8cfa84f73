//! Coding agents: our hooks, where each agent looks for them. A folder or file of our own wherever the agent takes one.

use std::borrow::Cow;
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
