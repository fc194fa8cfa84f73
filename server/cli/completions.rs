//! `deconflict completions SHELL`

use std::ffi::OsString;

use clap_complete::env::{CompleteEnv, Shells};
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::Output;

/// Print completions for a shell
///
/// `setup` installs them. By hand, for bash: `source <(deconflict completions bash)` in ~/.bashrc. For zsh: write it to
/// `_deconflict` in a folder of $fpath. For fish: write it to ~/.config/fish/completions/deconflict.fish.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// A shell that can be helped.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// Set by the scripts when they ask what may stand at some place.
const VARIABLE: &str = "DECONFLICT_COMPLETE";

/// For each shell what it is called, and where a user's own completions for it lie, below the folder for their data.
const PLACES: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/deconflict"),
    ("fish", "fish/vendor_completions.d/deconflict.fish"),
    ("zsh", "zsh/site-functions/_deconflict"),
];

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let shell = format!("{:?}", arguments.shell).to_lowercase();
    let script = script(&shell).map_err(|error| Failure::could_not("make the completions", &error))?;
    output.answer(|| json!({"completions": script.as_str()}), || script.clone())?;
    Ok(Exit::Done)
}

/// Answers a shell that asks what may stand at some place; false if none does.
pub(super) fn answer(command: impl Fn() -> clap::Command, words: &[OsString]) -> bool {
    std::env::var_os(VARIABLE).is_some()
        && CompleteEnv::with_factory(command)
            .var(VARIABLE)
            .try_complete(words.iter().cloned(), std::env::current_dir().ok().as_deref())
            .unwrap_or(true)
}

/// What was typed as the first word after a verb whose names depend on it, where a shell asks what may stand after that.
pub(super) fn first_word(command: clap::Command, words: &[OsString]) -> Option<String> {
    let typed = words.iter().skip_while(|word| *word != "--").skip(1);
    let matches = command.ignore_errors(true).try_get_matches_from(typed).ok()?;
    matches.subcommand()?.1.try_get_raw("type").ok()??.next()?.to_str().map(str::to_owned)
}

/// The scripts that `setup` installs, each with its place.
pub(super) fn installed() -> Vec<(&'static str, Vec<u8>)> {
    PLACES.iter().filter_map(|(shell, place)| Some((*place, script(shell).ok()?.into_bytes()))).collect()
}

/// The script asks the program, which knows what is claimed, who is here and what is unread.
fn script(shell: &str) -> std::io::Result<String> {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(shell) {
        shell.write_registration(VARIABLE, "deconflict", "deconflict", "deconflict", &mut script)?;
    }
    Ok(String::from_utf8_lossy(&script).into_owned())
}
