//! What the processes above this one are: shells that people type into, coding agents, or something else.

use std::sync::OnceLock;

use deconflict_agents as agents;
use deconflict_platform::{self as platform, Ancestor};

/// Editors in whose terminals and panels agents run, as the last part of their path without an ending.
const EDITORS: &str =
    "code code-insiders codium cursor emacs gvim helix hx kak nvim vim vscodium windsurf zed zed-editor";

const RUNTIMES: &[&str] = &["node", "bun", "deno", "python", "uv", "uvx", "npx"];

/// Shells, as the last part of their path without an ending.
const SHELLS: &str =
    "ash bash cmd csh dash elvish fish ion ksh mksh nu oksh osh powershell pwsh sh tcsh xonsh yash zsh";

/// The processes above this one, nearest first. They are looked at once: another one stands there only where one has ended.
pub(super) fn above() -> &'static [Ancestor] {
    static ABOVE: OnceLock<Vec<Ancestor>> = OnceLock::new();
    ABOVE.get_or_init(|| platform::ancestors().collect())
}

/// What people call the coding agent whose process this is; `None` for any other process.
pub(super) fn coding_agent(process: &Ancestor) -> Option<&'static str> {
    agent_named(&process.name).or_else(|| agent_started_by(process.command()))
}

/// What people call the coding agent that says in the environment that it runs this. A sandbox may hide its process.
pub(super) fn agent_in_environment() -> Option<&'static str> {
    agents::agent_of_variable(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// True below a coding agent, as far as processes and environment tell.
pub(super) fn run_by_an_agent() -> bool {
    above().iter().any(|process| coding_agent(process).is_some()) || agent_in_environment().is_some()
}

pub(super) fn is_editor(process: &Ancestor) -> bool {
    is_one_of(EDITORS, &program(&process.name))
}

/// True for a shell that a person types into: neither a script nor a single command runs in it.
pub(super) fn is_interactive_shell(process: &Ancestor) -> bool {
    reads_commands_from_a_person(process.command())
}

fn agent_named(path: &str) -> Option<&'static str> {
    agents::agent_of_program(&program(path))
}

fn agent_started_by(command: &[String]) -> Option<&'static str> {
    let (path, words) = command.split_first()?;
    if let Some(agent) = agent_named(path) {
        return Some(agent);
    }
    let runtime = program(path);
    if !RUNTIMES.iter().any(|name| runtime.starts_with(name)) && !is_one_of(SHELLS, &runtime) {
        return None;
    }
    // The script is the first word that is no option; a shell's own command line (`-c`) is no script.
    let options = words.iter().take_while(|word| word.starts_with('-'));
    let script = words.iter().find(|word| !word.starts_with('-'))?;
    if options.into_iter().any(|word| !word.starts_with("--") && word.contains('c')) {
        return None;
    }
    agent_named(script).or_else(|| agents::agent_of_script(&script.replace('\\', "/")))
}

fn reads_commands_from_a_person(command: &[String]) -> bool {
    let Some((path, words)) = command.split_first() else { return false };
    let shell = program(path.trim_start_matches('-'));
    if !is_one_of(SHELLS, &shell) {
        return false;
    }
    if matches!(shell.as_str(), "cmd" | "powershell" | "pwsh") {
        let has = |word: &str| words.iter().any(|given| given.eq_ignore_ascii_case(word));
        let stays = has("/k") || has("-noexit");
        return stays || !["/c", "-c", "-command", "-file", "-f"].into_iter().any(has);
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rcfile" | "--init-file" | "--init-command" | "-C" | "-o" | "+o" | "-O" | "+O" => {
                words.next();
            }
            "--command" => return false,
            long if long.starts_with("--") => {}
            // `-c` runs one command, `-s` reads a script, unless it is told to be interactive.
            short if short.starts_with(['-', '+']) => {
                if short.contains('c') || (short.contains('s') && !short.contains('i')) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

fn is_one_of(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// A program's file name without its folder and ending, in lower case.
fn program(path: &str) -> String {
    let file_name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = [".exe", ".js", ".mjs", ".cjs", ".py"].iter().find_map(|ending| file_name.strip_suffix(ending));
    stem.unwrap_or(file_name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn agents_are_known_by_their_program_or_script() {
        for (line, agent) in [
            ("claude --continue", Some("claude-code")),
            ("node /usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", Some("claude-code")),
            ("/usr/bin/node --no-warnings /usr/local/bin/gemini", Some("gemini")),
            ("/usr/bin/python3 /home/ada/.local/bin/aider src/a.rs", Some("aider")),
            ("/opt/codex/codex exec", Some("codex")),
            ("/bin/bash /usr/local/bin/claude", Some("claude-code")),
            (r"C:\Tools\claude.exe", Some("claude-code")),
            ("bash -c claude", None),
            ("bash -lc claude", None),
            ("vim claude", None),
            ("grep codex", None),
            ("node server.js gemini", None),
            ("-bash", None),
            ("", None),
        ] {
            assert_eq!(agent_started_by(&words(line)), agent, "{line}");
        }
    }

    #[test]
    fn shells_of_people_run_neither_a_script_nor_one_command() {
        for line in [
            "-bash",
            "bash",
            "/bin/zsh -i",
            "bash --login",
            "bash --init-file /opt/integration.sh",
            "fish -C x",
            "bash -l -i",
            "sh",
            "pwsh -NoExit -Command x",
            r"C:\Windows\System32\cmd.exe",
            "cmd.exe /k x",
        ] {
            assert!(reads_commands_from_a_person(&words(line)), "{line}");
        }
        for line in [
            "",
            "bash -c x",
            "bash -lc x",
            "sh script.sh",
            "bash -e script.sh",
            "sh -s",
            "zsh -ic x",
            "vim",
            "cmd.exe /c x",
            "pwsh -File x.ps1",
            "fish --command x",
        ] {
            assert!(!reads_commands_from_a_person(&words(line)), "{line}");
        }
    }
}
