//! `deconflict undo`

use std::collections::BTreeSet;

use deconflict_changes::{Noticed, Telling, Undo, UndoneFile, named_for, owners_in};
use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::{Resource, SessionId};
use serde_json::{Value, json};

use super::acting::Acting;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::recording::Recording;
use super::style::{FAINT, GOOD};
use super::{overlaps, words};

/// Undo your own changes, and keep everyone else's
///
/// Without ENTRY, undoes your session's uncommitted changes; without a session, those of the person: what their editors
/// saved and what their agents left. With --session, that session's. Where they can't be separated from others'
/// changes, nothing is undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these changes, named as `deconflict history` does
    #[arg(value_name = "ENTRY", conflicts_with = "session")]
    entries: Vec<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let recording = context.recording_again()?;
    if !recording.has_directory() {
        return Err(Failure::refused("not-found", "Nothing is recorded here, so there is nothing to undo."));
    }
    let whose = context.shared.session.as_ref();
    Acting::run(context, whose, |acting| {
        let (planned, ..) = plan(arguments, context, &recording, acting)?;
        overlaps::refuse(&planned.overlaps, "nothing was undone")?;
        if arguments.dry_run {
            answer(context, &planned, &[], true)?;
            return Ok(Exit::Done);
        }
        let files: Vec<Resource> = planned.files.iter().map(|file| file.resource.clone()).collect();
        acting.claim(context, &files)?;
        // Somebody may have written meanwhile; from now on nobody does who asks first.
        let (planned, entries, meant) = plan(arguments, context, &recording, acting)?;
        overlaps::refuse(&planned.overlaps, "nothing was undone")?;
        if planned.files.iter().any(|file| !files.contains(&file.resource)) {
            return Err(Failure::failed("changed-meanwhile", "Files were changed meanwhile, so nothing was undone.")
                .advise("Try again."));
        }
        let recorder = recording.recorder();
        let noticed = planned.carry_out(&recorder, &acting.author(), context.now())?;
        for change in &noticed {
            let telling = Telling { recorder, by: Some(&acting.session.id) };
            if let Err(error) = telling.tell(change, context.now()) {
                Output::remark(&format!("Those who lost something could not be told: {error}."));
            }
            recorder.settle_what_was_meant(change, |author| meant.contains(&author.session), context.now())?;
        }
        settle(&recording, &entries, context)?;
        answer(context, &planned, &noticed, false)?;
        acting.note("undid changes", &files);
        Ok(Exit::Done)
    })
}

/// What is to be undone, the changes that were named, and the sessions whose they are.
fn plan(
    arguments: &Arguments,
    context: &Context,
    recording: &Recording,
    acting: &Acting,
) -> Result<(Undo, Vec<Entry>, BTreeSet<SessionId>), Failure> {
    let recorder = recording.recorder();
    if !arguments.entries.is_empty() {
        let named = arguments.entries.iter().map(|id| recording.entry(id));
        let entries = named.collect::<Result<Vec<Entry>, Failure>>()?;
        for entry in &entries {
            recorder.look(&entry.resource, context.now())?;
        }
        let meant = entries.iter().filter_map(|entry| entry.author.as_ref()).map(|author| author.session.clone());
        let meant = meant.collect();
        return Ok((Undo::of_entries(&recorder, &entries)?, entries, meant));
    }
    let all = recording.journal.files()?;
    let owners = |file: &Resource| Ok::<_, Failure>(owners_in(&recording.journal.log(file)?));
    let owners = all.iter().map(|file| Ok((file, owners(file)?))).collect::<Result<Vec<_>, Failure>>()?;
    let meant = sessions_meant(context, acting, owners.iter().flat_map(|(_, owners)| owners).flatten())?;
    let is_meant = |author: &Author| meant.contains(&author.session);
    let mut files = Vec::new();
    for (file, _) in owners.iter().filter(|(_, owners)| owners.iter().flatten().any(is_meant)) {
        recorder.look(file, context.now())?;
        files.push((*file).clone());
    }
    let undo = Undo::of_authors(&recorder, &files, &is_meant)?;
    Ok((undo, Vec::new(), meant))
}

/// The sessions whose changes are taken out.
fn sessions_meant<'a>(
    context: &Context,
    acting: &Acting,
    all: impl Iterator<Item = &'a Author>,
) -> Result<BTreeSet<SessionId>, Failure> {
    let mut owners: Vec<&Author> = Vec::new();
    for owner in all {
        if !owners.iter().any(|known| known.session == owner.session) {
            owners.push(owner);
        }
    }
    let Some(named) = &context.shared.session else {
        let mut meant = BTreeSet::new();
        for owner in owners {
            if acting.speaks_for(owner)? {
                meant.insert(owner.session.clone());
            }
        }
        return Ok(meant);
    };
    if owners.iter().any(|owner| owner.session == *named) {
        return Ok(BTreeSet::from([named.clone()]));
    }
    owners.retain(|owner| owner.session.as_str().starts_with(named.as_str()));
    if owners.len() > 1 {
        let failure = Failure::usage(format!("Several sessions begin with {named}. Which one do you mean?"));
        return Err(owners.iter().fold(failure, |failure, owner| failure.advise(format!("  {}", owner.session))));
    }
    Ok(owners.into_iter().map(|owner| owner.session.clone()).collect())
}

/// Whoever lost something by a change that was taken out has it back.
fn settle(recording: &Recording, entries: &[Entry], context: &Context) -> Result<(), Failure> {
    for entry in entries {
        for loss in recording.journal.log(&entry.resource)?.losses() {
            if loss.entry.id == entry.id && loss.settled.is_none() {
                let how = deconflict_journal::Settlement::Restored;
                recording.journal.settle(entry, Some(&loss.owner.session), how, context.now())?;
            }
        }
    }
    Ok(())
}

fn answer(context: &Context, planned: &Undo, noticed: &[Noticed], is_dry_run: bool) -> Result<(), Failure> {
    let entry_of = |file: &UndoneFile| noticed.iter().find(|it| it.entry.resource == file.resource).map(|it| &it.entry);
    let document = |file: &UndoneFile| {
        let mut document = json!({"path": file.resource.name()});
        if let Some(entry) = entry_of(file) {
            document["entry"] = entry.id.as_str().into();
        }
        document
    };
    let unknown = || planned.unknown.iter().map(|file| Value::from(file.name())).collect::<Vec<_>>();
    context.output.answer(
        || {
            json!({
                "undone": planned.files.iter().map(document).collect::<Vec<_>>(),
                "unknown": unknown(),
                "dry_run": is_dry_run,
            })
        },
        || in_words(planned, noticed, is_dry_run, context.person_who_looks().as_deref()),
    )?;
    Ok(())
}

fn in_words(planned: &Undo, noticed: &[Noticed], is_dry_run: bool, person: Option<&str>) -> String {
    let mut text = String::new();
    for file in &planned.files {
        let deed = match (&file.before, &file.state, is_dry_run) {
            (_, FileState::Absent, false) => "Removed",
            (_, FileState::Absent, true) => "Would remove",
            (FileState::Absent, _, false) => "Brought back",
            (FileState::Absent, _, true) => "Would bring back",
            (_, _, false) => "Changed back",
            (_, _, true) => "Would change back",
        };
        text.push_str(&format!("{GOOD}{deed}{GOOD:#} {}.\n", file.resource.in_a_sentence()));
    }
    if planned.files.is_empty() {
        text.push_str("There is nothing to undo.\n");
    }
    for file in &planned.unknown {
        text.push_str(&format!("Left {} alone: nobody knows who changed it.\n", file.in_a_sentence()));
    }
    for lost in noticed.iter().flat_map(|noticed| &noticed.lost) {
        text.push_str(&format!("Told {} of it.\n", named_for(&lost.owner, person)));
    }
    let ids: Vec<&str> = noticed.iter().map(|noticed| noticed.entry.id.as_str()).collect();
    match ids.len() {
        0 => {}
        1..=20 => text.push_str(&format!("{FAINT}To undo this: deconflict undo {}{FAINT:#}\n", ids.join(" "))),
        more => text.push_str(&format!(
            "{FAINT}To undo this: deconflict undo with the ids of these {} from deconflict history{FAINT:#}\n",
            words::count(more, "change")
        )),
    }
    text
}
