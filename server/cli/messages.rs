//! `deconflict messages`

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use deconflict_protocol::text::{id_or_quoted, one_line, quoted, quoted_lines, shell_word, without_tags};
use deconflict_protocol::{MessageKind, SessionId};
use deconflict_registry::{Message, MessageId, Recipient, Registry, Session};
use deconflict_words::documents;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::kept_in::KeptIn;
use super::output::{Output, Printed};
use super::style::{FAINT, HEADING, NAME, WARNING};
use super::{candidates, identity, team_session, words};

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
    let team = team_session::standing(context, &session).unwrap_or_else(|failure| {
        Output::remark(&format!("Messages of the team are not among these. {}", failure.message));
        None
    });
    let own = Mail { registry: &registry, session: &session };
    let mut mails: Vec<&dyn HasMail> = vec![&own];
    let of_team = team.as_ref().map(|(registry, session)| Mail { registry, session });
    mails.extend(of_team.as_ref().map(|mail| mail as &dyn HasMail));
    // There may be a hundred thousand messages, of which hardly any is unread.
    let is_all_wanted = arguments.all || context.shared.original || !arguments.id.is_empty();
    let mut found: Vec<Letter<'_>> = Vec::new();
    for mail in &mails {
        for message in mail.found(is_all_wanted)? {
            // What was sent to a session of another clone comes into this one, and may still stand in the team's too.
            if !found.iter().any(|letter| letter.message.id == message.id && letter.mail.scope() != mail.scope()) {
                found.push(Letter { message, mail: *mail });
            }
        }
    }
    if let Some(missing) = arguments.id.iter().find(|id| !found.iter().any(|it| it.message.id.as_str() == *id)) {
        let message = format!("You have no message {}.", quoted(missing, words::PHRASE));
        return Err(Failure::usage(message).reason("not-found").advise("All of them: deconflict messages --all"));
    }
    let is_wanted = |message: &Message| arguments.id.iter().any(|id| id == message.id.as_str());
    found.retain(|letter| arguments.id.is_empty() || is_wanted(&letter.message));
    let before = found.len();
    found.retain(|letter| is_all_wanted || session.wants_to_hear(&letter.message, context.now()));
    let muted = before - found.len();
    let (unread, read): (Vec<Letter>, Vec<Letter>) = found.into_iter().partition(|letter| letter.message.unread);
    let number_unread = unread.len();
    let mut there_are = 0;
    for mail in &mails {
        there_are += mail.count()?;
    }
    let not_shown = there_are.saturating_sub(unread.len() + read.len() + muted);
    // A program that asked for JSON gets everything; a person or a model reads only so much.
    let is_whole = context.output.is_json() && !context.output.is_kept() || context.shared.original;
    let mut shown: Vec<&Letter> = unread.iter().chain(&read).collect();
    let waiting = if is_whole || !arguments.id.is_empty() { 0 } else { leave_out(&mut shown) };
    let printed = context.output.answer(
        || {
            json!({
                "unread": number_unread,
                "waiting": waiting,
                "muted": muted,
                "messages": shown.iter().map(|letter| letter.document()).collect::<Vec<_>>(),
            })
        },
        || {
            if context.shared.original {
                return as_the_original(unread.iter().chain(&read));
            }
            let older = if is_all_wanted { 0 } else { not_shown };
            let left = Left { waiting, muted, older };
            in_words(context, &shown, !arguments.id.is_empty(), &left)
        },
    )?;
    // A reader that closed the pipe early has not seen them all, so none is marked.
    if printed == Printed::Whole && !arguments.peek {
        let unread = shown.iter().filter(|letter| letter.message.unread);
        let ids: Vec<MessageId> = unread.map(|letter| letter.message.id.clone()).collect();
        for mail in mails.iter().filter(|_| !ids.is_empty()) {
            mail.mark_read(&ids)?;
        }
    }
    Ok(Exit::Done)
}

/// A registry in which somebody may have messages, and who they are there.
struct Mail<'a, S> {
    registry: &'a Registry<S>,
    session: &'a Session,
}

/// The same whatever keeps the registry.
trait HasMail {
    fn found(&self, all: bool) -> Result<Vec<Message>, Failure>;

    fn count(&self) -> Result<usize, Failure>;

    fn mark_read(&self, ids: &[MessageId]) -> Result<(), Failure>;

    fn sender(&self, id: &SessionId) -> Option<Session>;

    /// The file of a message, where it has one.
    fn file_of(&self, message: &Message) -> Option<PathBuf>;

    /// `None` for that of the clone.
    fn scope(&self) -> Option<&'static str>;
}

impl<S: KeptIn> HasMail for Mail<'_, S> {
    fn found(&self, all: bool) -> Result<Vec<Message>, Failure> {
        let id = &self.session.id;
        Ok(if all { self.registry.messages(id) } else { self.registry.unread_messages(id) }?)
    }

    fn count(&self) -> Result<usize, Failure> {
        Ok(self.registry.message_count(&self.session.id)?)
    }

    fn mark_read(&self, ids: &[MessageId]) -> Result<(), Failure> {
        Ok(self.registry.mark_read(&self.session.id, ids).map(drop)?)
    }

    fn sender(&self, id: &SessionId) -> Option<Session> {
        self.registry.session(id).ok().flatten()
    }

    fn file_of(&self, message: &Message) -> Option<PathBuf> {
        S::in_directory(self.registry).map(|registry| registry.file_of(&message.key))
    }

    fn scope(&self) -> Option<&'static str> {
        S::scope(self.registry)
    }
}

/// A message, and where it lies.
struct Letter<'a> {
    message: Message,
    mail: &'a dyn HasMail,
}

impl Letter<'_> {
    fn document(&self) -> Value {
        let mut document = documents::message(&self.message);
        if let Some(scope) = self.mail.scope() {
            document["scope"] = scope.into();
        }
        document
    }
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
fn leave_out(messages: &mut Vec<&Letter<'_>>) -> usize {
    let (mut characters, before) = (0, messages.len());
    messages.truncate(MOST_AT_ONCE.1);
    let fits = |letter: &&&Letter| {
        characters += letter.message.text().chars().take(LONGEST_SHOWN).count();
        characters <= MOST_AT_ONCE.0
    };
    let fitting = messages.iter().take_while(fits).count();
    messages.truncate(fitting.max(1));
    before - messages.len()
}

fn in_words(context: &Context, shown: &[&Letter<'_>], is_whole: bool, left: &Left) -> String {
    let mut text = String::new();
    let mut known: HashMap<SessionId, Option<Session>> = HashMap::new();
    for letter in shown {
        let message = &letter.message;
        let sender = message.from.as_ref().map_or_else(
            || message.sender_name().map_or_else(|| "somebody".to_owned(), |name| quoted(name, words::PHRASE)),
            |id| {
                let session = known.entry(id.clone()).or_insert_with(|| letter.mail.sender(id));
                words::who(session.as_ref(), id)
            },
        );
        text.push_str(&one_message(letter, &sender, is_whole, context.now()));
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

fn one_message(letter: &Letter<'_>, sender: &str, is_whole: bool, now: DateTime<Utc>) -> String {
    let message = &letter.message;
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
    for line in body(letter, if is_whole { usize::MAX } else { LONGEST_SHOWN }) {
        lines.push_str(&format!("  {line}\n"));
    }
    lines
}

/// The text, quoted line by line and cut; the whole stays in the file.
fn body(letter: &Letter<'_>, longest: usize) -> Vec<String> {
    let message = &letter.message;
    let text = message.text();
    let mut lines = quoted_lines(&text, longest);
    if text.chars().nth(longest).is_some() {
        let id = shell_word(message.id.as_str());
        let file = letter.mail.file_of(message).map_or_else(String::new, |file| format!(", or {}", file.display()));
        lines.push(format!("(cut; the whole: deconflict messages --id {id}{file})"));
    }
    lines
}

/// What the original's session-check-messages.sh prints: the newest five of either kind.
fn as_the_original<'a>(letters: impl Iterator<Item = &'a Letter<'a>>) -> String {
    let (mut broadcast, mut direct): (Vec<&Letter>, Vec<&Letter>) =
        letters.partition(|letter| letter.message.to == Recipient::Everyone);
    let newest_five = |letters: &mut Vec<&Letter>| {
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.message.sent_at));
        let lines = |letter: &&Letter| {
            let message = &letter.message;
            format!(
                "From: {}\nSubject: {}\nMessage: {}\n---\n",
                without_tags(&one_line(message.sender_name().unwrap_or_default(), words::PHRASE)),
                without_tags(&message.subject(200).unwrap_or_default()),
                // The first line stands after its title, as there.
                body(letter, LONGEST_SHOWN).join("\n").trim_start_matches("> ")
            )
        };
        letters.iter().take(5).map(lines).collect::<String>()
    };
    format!(
        "=== BROADCAST MESSAGES ===\n{}\n=== DIRECT MESSAGES ===\n{}",
        newest_five(&mut broadcast),
        newest_five(&mut direct)
    )
}
