//! Codex (developers.openai.com/codex/hooks): the shape of Claude Code's hooks with `turn_id`, and patches of many
//! files as one tool. What an answer may hold is checked strictly there.

use std::path::Path;

use super::claude_code::read_as;
use super::event::{Fields, HookEvent, ToolUse, Unreadable};
use super::patch;

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    read_as(fields, own_folder, tool_use)
}

fn tool_use(tool: &str, input: &Fields, folder: &Path) -> Option<ToolUse> {
    const COMMANDS: &[&str] = &["command", "input", "patch"];
    let command = input.first_text(COMMANDS).unwrap_or_default();
    match tool {
        "apply_patch" | "Edit" | "Write" => {
            let named = input.paths(&["file_path", "path"], folder);
            Some(ToolUse::Edit([patch::paths(command, folder), named].concat()))
        }
        "Bash" | "shell" | "exec_command" | "local_shell" => Some(if patch::is_one(command) {
            ToolUse::Edit(patch::paths(command, folder))
        } else {
            input.command(COMMANDS, &[], folder)
        }),
        _ => None,
    }
}
