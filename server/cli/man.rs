//! `deconflict man`

use clap_mangen::Man;

use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::Output;

/// Print the man page
///
/// `setup` installs it. To read it without installing it: `deconflict man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, command: clap::Command, output: &Output) -> Result<Exit, Failure> {
    let page = page(command).map_err(|error| Failure::could_not("make the man page", &error))?;
    let page = String::from_utf8_lossy(&page).into_owned();
    output.answer(|| json!({"man": page.as_str()}), || page.clone())?;
    Ok(Exit::Done)
}

/// One page that tells every verb with its options, since nobody looks for fifteen pages.
pub(super) fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut command = command.disable_help_flag(true).disable_version_flag(true);
    command.build();
    let mut page = Vec::new();
    let whole = Man::new(command.clone()).manual("deconflict");
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    page.extend_from_slice(b".SH VERBS\n");
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name().to_owned();
        // What every verb takes was told already.
        let shared: Vec<_> =
            verb.get_arguments().filter(|argument| argument.is_global_set()).map(|a| a.get_id().clone()).collect();
        let verb = shared.into_iter().fold(verb.clone(), |verb, id| verb.mut_arg(id, |argument| argument.hide(true)));
        let part = Man::new(verb.disable_help_flag(true));
        let mut section = Vec::new();
        part.render_synopsis_section(&mut section)?;
        section.extend_from_slice(b".PP\n");
        part.render_description_section(&mut section)?;
        part.render_options_section(&mut section)?;
        page.extend_from_slice(format!(".SS \"{name}\"\n").as_bytes());
        // Headings of whole pages would end this page's section.
        let text = String::from_utf8_lossy(&section);
        for line in text.lines().filter(|line| !line.starts_with(".SH ")) {
            let line = if line == ".SH" { ".PP" } else { line };
            page.extend_from_slice(line.as_bytes());
            page.push(b'\n');
        }
    }
    // What the help tells at its end, a line each, are sections of their own here.
    let at_the_end = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for (title, text) in at_the_end.lines().filter_map(|line| line.split_once(": ")) {
        let text = text.replace('-', "\\-");
        page.extend_from_slice(format!(".SH \"{}\"\n{text}\n", title.to_uppercase()).as_bytes());
    }
    whole.render_version_section(&mut page)?;
    Ok(page)
}
