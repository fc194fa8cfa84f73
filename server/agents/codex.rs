//! Codex (developers.openai.com/codex/hooks): the shape of Claude Code's hooks with `turn_id`, and patches of many
//! files as one tool. What an answer may hold is checked strictly there.

use std::path::Path;

use super::answer::Answer;
use super::claude_code::{Use, read_as, write_as};
use super::event::{Fields, HookEvent, Unreadable};
use super::patch;

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    read_as(fields, own_folder, used)
}

/// Writes an answer; empty if there is nothing to say.
pub(super) fn write(event: &str, answer: &Answer) -> String {
    write_as(event, answer, takes_context(event))
}

/// True if an answer to this event can say something to the model.
pub(super) fn takes_context(event: &str) -> bool {
    matches!(event, "SessionStart" | "UserPromptSubmit" | "PreToolUse" | "PostToolUse" | "SubagentStart")
}

fn used(tool: &str, input: &Fields, folder: &Path) -> Use {
    let command = input.first_text(&["command", "input", "patch"]).unwrap_or_default();
    match tool {
        "apply_patch" | "Edit" | "Write" => {
            let mut paths = patch::paths(command, folder);
            paths.extend(input.paths(&["file_path", "path"], folder));
            Use::Edit(paths)
        }
        // The tool also takes a patch that was written as a command.
        "Bash" | "shell" | "exec_command" | "local_shell" if patch::is_one(command) => {
            Use::Edit(patch::paths(command, folder))
        }
        "Bash" | "shell" | "exec_command" | "local_shell" => Use::Command(command.to_owned()),
        _ => Use::Nothing,
    }
}
