//! What a session lost and was not told yet, said by whichever verb it runs next.

use deconflict_protocol::text::quoted;
use deconflict_registry::Message;

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::style::WARNING;
use super::{identity, words};

/// More would hide the verb's own answer.
const MOST: usize = 3;

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
    let mut unread = registry.unread_messages(&session.id)?;
    unread.retain(|message| matches!(message.kind().as_str(), "overwritten" | "deleted"));
    for message in unread.iter().take(MOST) {
        Output::remark(&format!("{WARNING}!{WARNING:#} {}", quoted(&message.text(), 400)));
    }
    if unread.len() > MOST {
        let more = words::count(unread.len() - MOST, "file");
        Output::remark(&format!("{WARNING}!{WARNING:#} The same of {more} more: deconflict messages"));
    }
    let shown: Vec<_> = unread.iter().take(MOST).map(|message: &Message| message.id.clone()).collect();
    if !shown.is_empty() {
        registry.mark_read(&session.id, &shown)?;
    }
    Ok(())
}
