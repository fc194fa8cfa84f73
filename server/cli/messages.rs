//! `deconflict messages`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deconflict_protocol::text::{id_or_quoted, one_line, quoted, quoted_lines, shell_word, without_tags};
use deconflict_protocol::{MessageKind, SessionId};
use deconflict_registry::{Message, MessageId, Recipient, Registry, Session};
use deconflict_words::documents;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::{Output, Printed};
use super::style::{FAINT, HEADING, NAME, WARNING};
use super::{candidates, identity, team_keeper, words};

/// Read your messages, unread first
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Include messages that you have read
    #[arg(long)]
    all: bool,
    /// Leave them unread
    #[arg(long)]
    peek: bool,
    /// Show only this message, in full; may be given several times
    #[arg(long, value_name = "MESSAGE", add = candidates::messages())]
    id: Vec<String>,
}

/// So much is read at once, in characters and in messages; the others wait.
const MOST_AT_ONCE: (usize, usize) = (20_000, 20);

/// So much of a message is shown where it was not asked for by its id, in characters: a few screens.
const LONGEST_SHOWN: usize = 4_000;

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    if let Err(failure) = team_keeper::fetch_letters(context, &session.id) {
        Output::remark(&format!("New messages of the team may not be among these. {}", failure.message));
    }
    // There may be a hundred thousand messages, of which hardly any is unread.
    let is_all_wanted = arguments.all || context.shared.original || !arguments.id.is_empty();
    let mut found = if is_all_wanted { registry.messages(&session.id) } else { registry.unread_messages(&session.id) }?;
    if let Some(missing) = arguments.id.iter().find(|id| !found.iter().any(|message| message.id.as_str() == *id)) {
        let message = format!("You have no message {}.", quoted(missing, words::PHRASE));
        return Err(Failure::usage(message).reason("not-found").advise("All of them: deconflict messages --all"));
    }
    let is_wanted = |message: &Message| arguments.id.iter().any(|id| id == message.id.as_str());
    found.retain(|message| arguments.id.is_empty() || is_wanted(message));
    let before = found.len();
    found.retain(|message| is_all_wanted || session.wants_to_hear(message, context.now()));
    let muted = before - found.len();
    let (unread, read): (Vec<Message>, Vec<Message>) = found.into_iter().partition(|message| message.unread);
    let number_unread = unread.len();
    let not_shown = registry.message_count(&session.id)?.saturating_sub(unread.len() + read.len() + muted);
    // A program that asked for JSON gets everything; a person or a model reads only so much.
    let is_whole = context.output.is_json() && !context.output.is_kept() || context.shared.original;
    let mut shown: Vec<&Message> = unread.iter().chain(&read).collect();
    let waiting = if is_whole || !arguments.id.is_empty() { 0 } else { leave_out(&mut shown) };
    let printed = context.output.answer(
        || {
            json!({
                "unread": number_unread,
                "waiting": waiting,
                "muted": muted,
                "messages": shown.iter().map(|message| documents::message(message)).collect::<Vec<_>>(),
            })
        },
        || {
            if context.shared.original {
                return as_the_original(&registry, unread.iter().chain(&read));
            }
            let older = if is_all_wanted { 0 } else { not_shown };
            let left = Left { waiting, muted, older };
            in_words(context, &registry, &shown, !arguments.id.is_empty(), &left)
        },
    )?;
    // A reader that closed the pipe early has not seen them all, so none is marked.
    let ids: Vec<MessageId> = shown.iter().filter(|it| it.unread).map(|message| message.id.clone()).collect();
    if printed == Printed::Whole && !arguments.peek && !ids.is_empty() {
        registry.mark_read(&session.id, &ids)?;
    }
    Ok(Exit::Done)
}

/// How many messages are not shown.
struct Left {
    /// They would be too much at once.
    waiting: usize,
    /// They are of sessions that are muted.
    muted: usize,
    /// They were read before.
    older: usize,
}

/// Leaves out what would be too much at once, and says how many messages that is.
fn leave_out(messages: &mut Vec<&Message>) -> usize {
    let (mut characters, before) = (0, messages.len());
    messages.truncate(MOST_AT_ONCE.1);
    let fits = |message: &&&Message| {
        characters += message.text().chars().take(LONGEST_SHOWN).count();
        characters <= MOST_AT_ONCE.0
    };
    let fitting = messages.iter().take_while(fits).count();
    messages.truncate(fitting.max(1));
    before - messages.len()
}

fn in_words(context: &Context, registry: &Registry, shown: &[&Message], is_whole: bool, left: &Left) -> String {
    let mut text = String::new();
    let mut known: HashMap<SessionId, Option<Session>> = HashMap::new();
    for message in shown {
        let sender = message.from.as_ref().map_or_else(
            || message.sender_name().map_or_else(|| "somebody".to_owned(), |name| quoted(name, words::PHRASE)),
            |id| {
                let session = known.entry(id.clone()).or_insert_with(|| registry.session(id).ok().flatten());
                words::who(session.as_ref(), id)
            },
        );
        text.push_str(&one_message(registry, message, &sender, is_whole, context.now()));
        text.push('\n');
    }
    if left.waiting > 0 {
        let waiting = words::count(left.waiting, "message");
        text.push_str(&format!("{FAINT}{waiting} more: the same command again{FAINT:#}\n"));
    }
    if shown.is_empty() {
        text.push_str("No new messages.\n");
    }
    for (count, what) in [(left.muted, "of sessions that you muted"), (left.older, "that you have read")] {
        if count > 0 {
            let count = words::count(count, "message");
            text.push_str(&format!("{FAINT}{count} {what}: deconflict messages --all{FAINT:#}\n"));
        }
    }
    text
}

fn one_message(registry: &Registry, message: &Message, sender: &str, is_whole: bool, now: DateTime<Utc>) -> String {
    let mark = if message.unread { format!("{WARNING}●{WARNING:#} ") } else { "  ".to_owned() };
    let to = match &message.to {
        Recipient::Everyone => " to everyone",
        Recipient::Session(_) => "",
    };
    let subject = message.subject(200).map_or_else(String::new, |subject| {
        let subject = quoted(&subject, 200);
        format!("  {HEADING}{subject}{HEADING:#}\n")
    });
    let when = words::moment(message.sent_at, now);
    let kind = match message.kind() {
        MessageKind::Note => String::new(),
        kind => format!("  [{}]", id_or_quoted(kind.as_str(), 40)),
    };
    let mut lines = format!(
        "{mark}{NAME}{sender}{NAME:#}{to}  {FAINT}{when}  {}{FAINT:#}{kind}\n{subject}",
        id_or_quoted(message.id.as_str(), 80)
    );
    for line in body(registry, message, if is_whole { usize::MAX } else { LONGEST_SHOWN }) {
        lines.push_str(&format!("  {line}\n"));
    }
    lines
}

/// The text, quoted line by line and cut; the whole stays in the file.
fn body(registry: &Registry, message: &Message, longest: usize) -> Vec<String> {
    let text = message.text();
    let mut lines = quoted_lines(&text, longest);
    if text.chars().nth(longest).is_some() {
        let id = shell_word(message.id.as_str());
        lines.push(format!(
            "(cut; the whole: deconflict messages --id {id}, or {})",
            registry.file_of(&message.key).display()
        ));
    }
    lines
}

/// What the original's session-check-messages.sh prints: the newest five of either kind.
fn as_the_original<'a>(registry: &Registry, messages: impl Iterator<Item = &'a Message>) -> String {
    let (mut broadcast, mut direct): (Vec<&Message>, Vec<&Message>) =
        messages.partition(|message| message.to == Recipient::Everyone);
    let newest_five = |messages: &mut Vec<&Message>| {
        messages.sort_by_key(|message| std::cmp::Reverse(message.sent_at));
        let lines = |message: &&Message| {
            format!(
                "From: {}\nSubject: {}\nMessage: {}\n---\n",
                without_tags(&one_line(message.sender_name().unwrap_or_default(), words::PHRASE)),
                without_tags(&message.subject(200).unwrap_or_default()),
                // The first line stands after its title, as there.
                body(registry, message, LONGEST_SHOWN).join("\n").trim_start_matches("> ")
            )
        };
        messages.iter().take(5).map(lines).collect::<String>()
    };
    format!(
        "=== BROADCAST MESSAGES ===\n{}\n=== DIRECT MESSAGES ===\n{}",
        newest_five(&mut broadcast),
        newest_five(&mut direct)
    )
}
