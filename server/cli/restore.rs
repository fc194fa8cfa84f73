//! `deconflict restore PATH…`

use std::path::{Path, PathBuf};

use deconflict_changes::{FileHistory, Reader, Restored, Telling, before_others, named_for, sentence};
use deconflict_journal::{Entry, FileState, Loss, Settlement};
use deconflict_protocol::Resource;
use deconflict_protocol::text::{path_word, quoted};
use serde_json::{Value, json};

use super::acting::Acting;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::recording::{Recording, nothing_kept};
use super::style::{FAINT, GOOD};

/// Bring back what was in files
///
/// By default that is what was there before the newest change that was not yours. A person's changes include those of
/// their other sessions and agents. What is there now is kept, so this can be undone too. Files that another session
/// holds are left alone. With --keep nothing is brought back: the files stay as others left them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files; with --at also folders
    #[arg(required = true, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Bring back what was there before this change, named as `deconflict history` does
    #[arg(long, value_name = "ENTRY", conflicts_with = "keep")]
    at: Option<String>,
    /// Leave the files as they are, and don't report what was lost in them any more
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let recording = context.recording_again()?;
    if let Some(path) = arguments.paths.first().filter(|_| !recording.has_directory()) {
        return Err(nothing_kept(path));
    }
    Acting::run(context, None, |acting| {
        if arguments.keep {
            return leave(arguments, context, &recording, acting);
        }
        let changes = find(arguments, context, &recording, acting)?;
        let files: Vec<Resource> = changes.iter().map(|change| change.resource.clone()).collect();
        acting.claim(context, &files)?;
        let mut restored = Vec::new();
        for change in &changes {
            restored.push((change, restore(change, context, &recording, acting)?));
        }
        context.output.answer(
            || json!({"restored": restored.iter().map(|(_, restored)| document(restored)).collect::<Vec<_>>()}),
            || restored.iter().map(|(change, restored)| in_words(change, restored, context, &recording)).collect(),
        )?;
        acting.note("restored", &files);
        Ok(Exit::Done)
    })
}

/// Acknowledges what the caller lost in the files: it is known, and nobody is to be reminded of it.
fn leave(arguments: &Arguments, context: &Context, recording: &Recording, acting: &Acting) -> Result<Exit, Failure> {
    let mut left: Vec<Loss> = Vec::new();
    for path in &arguments.paths {
        let before = left.len();
        for file in recording.files_kept_at(path)? {
            let losses = recording.journal.log(&file)?.losses().into_iter();
            left.extend(losses.filter(|loss| loss.settled.is_none() && acting.is_own(&loss.owner)));
        }
        if left.len() == before {
            let path = quoted(&path.display().to_string(), 200);
            return Err(Failure::refused("not-found", format!("Nothing that you lost in {path} is unsettled."))
                .advise("See what is unsettled: deconflict status"));
        }
    }
    for loss in &left {
        let owner = Some(&loss.owner.session);
        recording.journal.settle(&loss.entry, owner, Settlement::Acknowledged, context.now())?;
    }
    let mut files: Vec<Resource> = left.iter().map(|loss| loss.entry.resource.clone()).collect();
    files.dedup();
    let document = |loss: &Loss| json!({"path": loss.entry.resource.name(), "entry": loss.entry.id.as_str()});
    let in_words = |file: &Resource| format!("{GOOD}Left{GOOD:#} {} as it is.\n", file.in_a_sentence());
    context.output.answer(
        || json!({"kept": left.iter().map(document).collect::<Vec<_>>()}),
        || files.iter().map(in_words).collect(),
    )?;
    acting.note("acknowledged changes", &files);
    Ok(Exit::Done)
}

/// The changes before which the files are to be as they were, one for each file.
fn find(
    arguments: &Arguments,
    context: &Context,
    recording: &Recording,
    acting: &Acting,
) -> Result<Vec<Entry>, Failure> {
    let named = arguments.at.as_deref().map(|id| recording.entry(id)).transpose()?;
    let mut changes: Vec<Entry> = Vec::new();
    for path in &arguments.paths {
        let files = recording.files_at(path, context.now())?;
        if files.is_empty() {
            return Err(nothing_kept(path));
        }
        let meant = recording.resource(path)?;
        let is_named = |file: &Resource| file.name() == meant.name();
        let is_folder = !files.iter().any(is_named);
        for file in files {
            let Some(history) = FileHistory::read(&recording.journal, &file)? else { continue };
            let change = match &named {
                Some(named) => at(named, &history, path, recording)?,
                None if is_folder => {
                    let path = quoted(&path.display().to_string(), 200);
                    return Err(Failure::usage(format!("{path} is a folder. Which of its files do you mean?"))
                        .advise("Name the files, or the change to go back before: --at ENTRY"));
                }
                None if is_named(&file) => Some(by_default(&history, recording, acting)?),
                // It stands where the file was that is meant.
                None => None,
            };
            changes.extend(change.filter(|change| !changes.iter().any(|it| it.id == change.id)).cloned());
        }
    }
    for change in &changes {
        check_kept(change, recording)?;
    }
    Ok(changes)
}

/// The change that the caller means without naming one.
fn by_default<'a>(history: &'a FileHistory, recording: &Recording, acting: &Acting) -> Result<&'a Entry, Failure> {
    let losses = recording.journal.log(history.resource())?.losses();
    let change = before_others(history, &losses, |author| acting.is_own(author));
    // Where nobody else came, a person means their agents.
    let change = change.or_else(|| before_others(history, &losses, |author| acting.is_by_hand(author)));
    change.ok_or_else(|| {
        let file = history.resource().in_a_sentence();
        Failure::refused("not-found", format!("As far as the journal goes back, only you have changed {file}."))
            .advise("Choose a change from deconflict history, and restore with --at ENTRY")
    })
}

/// The change of a file that is meant by one that the caller named: itself, or in a folder the first of its time.
fn at<'a>(
    named: &Entry,
    history: &'a FileHistory,
    path: &Path,
    recording: &Recording,
) -> Result<Option<&'a Entry>, Failure> {
    if recording.resource(path)? != *history.resource() {
        return Ok(history.entries().iter().find(|entry| entry.at >= named.at));
    }
    let found = history.entries().iter().find(|entry| entry.id == named.id);
    found.map(Some).ok_or_else(|| {
        let (of, not) = (named.resource.in_a_sentence(), history.resource().in_a_sentence());
        Failure::usage(format!("The change {} is of {of}, not of {not}.", named.id))
            .advise(format!("Its changes: deconflict history {}", path_word(&path.display().to_string())))
    })
}

/// Nothing is written unless everything can be had back.
fn check_kept(change: &Entry, recording: &Recording) -> Result<(), Failure> {
    match &change.before {
        FileState::NotKept { .. } => {
            let file = change.resource.in_a_sentence();
            Err(Failure::failed(
                "not-kept",
                format!("What was in {file} is not kept: it was too large, or could not be read."),
            ))
        }
        state => Ok(state.kept().map_or(Ok(()), |content| recording.journal.content(content).map(|_| ()))?),
    }
}

fn restore(change: &Entry, context: &Context, recording: &Recording, acting: &Acting) -> Result<Restored, Failure> {
    let recorder = recording.recorder();
    let restored = recorder.restore(&acting.author(), change, context.now())?;
    if let Some(noticed) = &restored.noticed {
        let telling = Telling { recorder, by: Some(&acting.session.id) };
        if let Err(error) = telling.tell(noticed, context.now()) {
            Output::remark(&format!("Those who lost something could not be told: {error}."));
        }
    }
    Ok(restored)
}

fn document(restored: &Restored) -> Value {
    let mut document = json!({"path": restored.resource.name(), "entry": restored.entry.as_str()});
    // By this it can be taken back.
    if let Some(noticed) = &restored.noticed {
        document["restore"] = noticed.entry.id.as_str().into();
    }
    document
}

fn in_words(change: &Entry, restored: &Restored, context: &Context, recording: &Recording) -> String {
    let file = change.resource.in_a_sentence();
    let reader = context.person_who_looks();
    let before = sentence(change, &change.resource, None, Reader::person(reader.as_deref()), context.now());
    let Some(noticed) = &restored.noticed else {
        return format!("{file} is already as it was before this change: {before}\n");
    };
    let path = recording.path_from_here(&change.resource);
    let mut words = format!("{GOOD}Restored{GOOD:#} {file} as it was before this change: {before}\n");
    for lost in &noticed.lost {
        words.push_str(&format!("  Told {} of it.\n", named_for(&lost.owner, reader.as_deref())));
    }
    words.push_str(&format!("  {FAINT}To undo this: deconflict restore {path} --at {}{FAINT:#}\n", noticed.entry.id));
    words
}
