//! `deconflict history [PATH…]`

use std::cmp::Reverse;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_changes::{entry_document, label_for};
use deconflict_journal::{Author, Cause, Entry, FileState};
use deconflict_protocol::Resource;
use deconflict_protocol::text::{one_line, quoted};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::terminal_width;
use super::recording::Recording;
use super::style::{FAINT, GOOD, NAME, WARNING};
use super::table::{Cell, Column, table};
use super::{patch, values, words};

/// Show what changed, when, by whom and how, newest first
///
/// A folder stands for everything that is or was in it. With --session, shows only that session's changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or folders [default: everything]
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Only changes of this long, such as 2h
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    since: Option<TimeDelta>,
    /// Show the added and removed lines
    #[arg(long)]
    patch: bool,
    /// Delete everything that is kept of these files or folders
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["paths", "since", "patch"], value_hint = clap::ValueHint::AnyPath)]
    forget: Vec<PathBuf>,
}

/// People are not shown more changes of all files at once.
const MOST_SHOWN: usize = 1000;

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let recording = context.recording()?;
    if !arguments.forget.is_empty() {
        return forget(&arguments.forget, context, &recording);
    }
    let entries = find(arguments, context, &recording)?;
    let patch_of = |entry: &Entry| arguments.patch.then(|| patch::of(&recording.journal, entry));
    let document = |entry: &Entry| {
        let mut document = entry_document(entry, None);
        if let Some(patch) = patch_of(entry) {
            document["patch"] = patch.into();
        }
        document
    };
    context.output.long_answer(
        || json!({"entries": entries.iter().map(document).collect::<Vec<_>>()}),
        || in_words(&entries, patch_of, context.person_who_looks().as_deref(), context.now()),
    )?;
    Ok(Exit::Done)
}

/// The changes that are asked for, newest first.
fn find(arguments: &Arguments, context: &Context, recording: &Recording) -> Result<Vec<Entry>, Failure> {
    let since = arguments.since.and_then(|age| context.now().checked_sub_signed(age));
    let since = since.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let session = context.shared.session.as_ref();
    let mut entries = if arguments.paths.is_empty() {
        let all = context.output.is_json() || session.is_some();
        recording.journal.recent(since, if all { usize::MAX } else { MOST_SHOWN })?
    } else {
        let mut files: Vec<Resource> = Vec::new();
        for path in &arguments.paths {
            files.extend(recording.files_at(path, context.now())?);
        }
        files.sort_unstable();
        files.dedup();
        let mut entries = Vec::new();
        for file in &files {
            // What was added last comes first among changes of one moment.
            entries.extend(recording.journal.log(file)?.entries().into_iter().rev());
        }
        entries.retain(|entry| entry.at >= since);
        entries.sort_by_key(|entry| Reverse(entry.at));
        entries
    };
    if let Some(session) = session {
        let is_meant = |author: &Author| author.session.as_str().starts_with(session.as_str());
        entries.retain(|entry| entry.author.as_ref().is_some_and(is_meant));
    }
    Ok(entries)
}

fn in_words(
    entries: &[Entry],
    patch_of: impl Fn(&Entry) -> Option<String>,
    person: Option<&str>,
    now: DateTime<Utc>,
) -> String {
    const COLUMNS: [Column; 6] = [
        Column::WHOLE,
        Column::WHOLE.least(5),
        Column::WHOLE.least(20).keep_end(),
        Column::WHOLE.least(12),
        Column::WHOLE.least(12).rank(1),
        Column::WHOLE.rank(2),
    ];
    if entries.is_empty() {
        return "No changes are recorded.\n".to_owned();
    }
    let rows: Vec<Vec<Cell>> = entries.iter().map(|entry| row(entry, person, now)).collect();
    let mut text = String::new();
    for (line, entry) in table(&rows, &COLUMNS, "", terminal_width()).into_iter().zip(entries) {
        text.push_str(&line);
        text.push('\n');
        if let Some(patch) = patch_of(entry) {
            text.push_str(&patch::in_colours(&patch));
            text.push('\n');
        }
    }
    text
}

fn row(entry: &Entry, person: Option<&str>, now: DateTime<Utc>) -> Vec<Cell> {
    let who = match &entry.author {
        Some(author) => Cell::plain(one_line(&label_for(author, person), 60)),
        None => Cell::new("unknown", WARNING),
    };
    let lines = match (entry.added, entry.removed) {
        (0, 0) => String::new(),
        (added, removed) => format!("+{added} −{removed}"),
    };
    let lines = match (&entry.before, &entry.after) {
        (FileState::Absent, _) => format!("created {lines}"),
        (_, FileState::Absent) => format!("deleted {lines}"),
        _ => lines,
    };
    vec![
        Cell::new(entry.id.as_str(), NAME),
        Cell::new(words::moment(entry.at, now), FAINT),
        Cell::plain(one_line(&entry.resource.display_name(), 200)),
        who,
        Cell::plain(cause(&entry.cause)),
        Cell::new(lines.trim_end(), FAINT),
    ]
}

fn cause(cause: &Cause) -> String {
    match cause.command() {
        Some(command) => format!("command {}", quoted(command, 120)),
        None => cause.word().to_owned(),
    }
}

fn forget(paths: &[PathBuf], context: &Context, recording: &Recording) -> Result<Exit, Failure> {
    let mut forgotten: Vec<Resource> = Vec::new();
    for path in paths {
        for file in recording.files_kept_at(path)? {
            if recording.journal.forget(&file)? {
                forgotten.push(file);
            }
        }
    }
    context.output.answer(
        || json!({"forgotten": forgotten.iter().map(|file| Value::from(file.name())).collect::<Vec<_>>()}),
        || match forgotten.len() {
            0 => "Nothing of it was kept.".to_owned(),
            number => format!("{GOOD}Removed{GOOD:#} everything that was kept of {}.", words::count(number, "file")),
        },
    )?;
    Ok(Exit::Done)
}
