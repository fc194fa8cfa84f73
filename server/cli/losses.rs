//! What a session lost and was not told yet, and that messages wait for it, said by whichever verb it runs next.

use deconflict_changes::Telling;
use deconflict_protocol::text::quoted;
use deconflict_protocol::{MessageKind, Resource};
use deconflict_registry::{Message, Registry};

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::style::{FAINT, WARNING};
use super::{identity, words};

/// More would hide the verb's own answer.
const MOST: usize = 3;

/// Looks whether files were changed that somebody holds or has uncommitted changes in, and tells whoever lost something by
/// it. What cannot be found out is left to the next verb.
pub(super) fn look(context: &Context) {
    let _ = look_around(context);
}

fn look_around(context: &Context) -> Result<(), Failure> {
    let location = context.location()?;
    if !location.exists() || !location.may_be_joined() {
        return Ok(());
    }
    let (recording, now) = (context.recording()?, context.now());
    let recorder = recording.recorder();
    let mut watched = recording.journal.watched()?;
    if let Some(repository) = &location.repository
        && recorder.look_at_held(repository, recording.held_list.as_ref(), &watched, now)?
    {
        watched = recording.journal.watched()?;
    }
    for watched in watched {
        if let Some(noticed) = recorder.look_again(&watched, now)? {
            Telling { recorder, by: None }.tell(&noticed, now)?;
        }
    }
    Ok(())
}

/// The same of what a verb has just claimed, before it brings the status board up to date. What it released is only noted.
pub(super) fn look_at_own(context: &Context, registry: &Registry, claimed: &[Resource], released: &[Resource]) {
    let look = || -> Result<(), Failure> {
        let location = context.location()?;
        let Some(repository) = location.repository.as_ref().filter(|_| registry.path() == location.directory) else {
            return Ok(());
        };
        let recording = context.recording()?;
        let (list, marks) = (recording.held_list.as_ref(), registry.own_claims_marks());
        Ok(recording.recorder().look_at_own(repository, list, claimed, released, marks, context.now())?)
    };
    let _ = look();
}

/// Says it on standard error, once. A program that reads JSON gets it by `messages`. What cannot be found out is left to
/// the next verb.
pub(super) fn say(context: &Context) {
    if !context.output.is_json() && !context.shared.original {
        let _ = say_unread(context);
    }
}

fn say_unread(context: &Context) -> Result<(), Failure> {
    let Some(registry) = context.existing_registry()? else { return Ok(()) };
    let Some(session) = identity::find(context, &registry)? else { return Ok(()) };
    let (lost, others): (Vec<Message>, Vec<Message>) =
        registry.unread_messages(&session.id)?.into_iter().partition(is_about_loss);
    for message in lost.iter().take(MOST) {
        Output::remark(&format!("{WARNING}!{WARNING:#} {}", quoted(&message.text(), 400)));
    }
    if lost.len() > MOST {
        let more = words::count(lost.len() - MOST, "file");
        Output::remark(&format!("{WARNING}!{WARNING:#} And {more} more like this: deconflict messages"));
    }
    let shown: Vec<_> = lost.iter().take(MOST).map(|message: &Message| message.id.clone()).collect();
    if !shown.is_empty() {
        registry.mark_read(&session.id, &shown)?;
    }
    // An agent is brought its messages by its hooks.
    let waiting = others.iter().filter(|message| session.wants_to_hear(message, context.now())).count();
    if waiting > 0 && session.agent().is_none() {
        Output::remark(&format!("{FAINT}{}: deconflict messages{FAINT:#}", words::count(waiting, "unread message")));
    }
    Ok(())
}

/// True if it tells that somebody took what the session had.
fn is_about_loss(message: &Message) -> bool {
    message.tells_of_loss() || message.kind() == MessageKind::TakenOver
}
