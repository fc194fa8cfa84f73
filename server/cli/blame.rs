//! `deconflict blame PATH`

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use deconflict_changes::{BlamedLine, blamed_line_document, label_for};
use deconflict_protocol::text::{one_line, printable};
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::{FAINT, NAME};
use super::table::{Cell, aligned};
use super::words;

/// Show which session wrote each line of a file, before and after the commit
///
/// Lines that no known session wrote are shown as in git blame.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    path: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let recording = context.recording()?;
    let resource = recording.looked_at(&arguments.path, context.now())?;
    if resource.is_directory() {
        return Err(Failure::usage(format!("{} has no lines.", resource.in_a_sentence())));
    }
    let lines = recording.recorder().blame(&resource, context.now())?;
    let documents = || lines.iter().enumerate().map(|(index, line)| blamed_line_document(index + 1, line, None));
    context.output.long_answer(|| json!({"lines": documents().collect::<Vec<_>>()}), || in_words(&lines, context))?;
    Ok(Exit::Done)
}

fn in_words(lines: &[BlamedLine], context: &Context) -> String {
    let (person, now) = (context.person_who_looks(), context.now());
    let rows: Vec<_> = lines.iter().enumerate().map(|it| row(it, person.as_deref(), now)).collect();
    aligned(&rows, "")
}

fn row((index, line): (usize, &BlamedLine), person: Option<&str>, now: DateTime<Utc>) -> Vec<Cell> {
    let commit = line.commit.as_ref().map(|commit| &commit.id);
    let who = match (line.author(), &line.commit) {
        (Some(author), _) => Cell::new(one_line(&label_for(author, person), 30), NAME),
        (None, Some(commit)) => Cell::plain(one_line(&commit.author, 30)),
        (None, None) => Cell::new("unknown", FAINT),
    };
    vec![
        Cell::new(commit.map_or_else(String::new, |id| id.chars().take(9).collect()), FAINT),
        who,
        Cell::new(format!("{} ({})", words::local_clock(line.at, now), words::short_distance(line.at, now)), FAINT),
        Cell::new((index + 1).to_string(), FAINT),
        Cell::plain(printable(&String::from_utf8_lossy(&line.text))),
    ]
}
