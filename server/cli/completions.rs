//! `deconflict completions SHELL`

use clap_complete::Shell;

use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::Output;

/// Print completions for a shell
///
/// For bash: `source <(deconflict completions bash)` in ~/.bashrc. For zsh: write it to `_deconflict` in a folder of
/// $fpath. For fish: write it to ~/.config/fish/completions/deconflict.fish.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut command: clap::Command, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "deconflict", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.answer(|| json!({"completions": script.as_str()}), || script.clone())?;
    Ok(Exit::Done)
}
