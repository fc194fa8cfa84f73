//! The arguments of commands, as what is wished. What is missing or wrong is told in words.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::ls_types::Uri;

use super::command_names as name;
use super::present::diagnostics::Code;
use super::spelling;
use super::worker::{Command, Expected, Purpose, Subject};
use deconflict_protocol::Resource;
use deconflict_registry::Activity;

/// A session is muted for so long if nothing else is said.
const DEFAULT_MUTE_MINUTES: u32 = 60;
/// Nobody means to mute a session for ever.
const LONGEST_MUTE_MINUTES: u32 = 7 * 24 * 60;

/// A command that was understood.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// Something is to be done about a document.
    Document(Target, AboutDocument),
    /// The session says what it works on; without a target, on the only open document.
    SetWork(Activity),
    /// The session says that it works.
    Heartbeat(Activity),
    /// A message is to be sent.
    Send { to: String, subject: String, message: String, uri: Option<Uri>, in_reply_to: Option<String> },
    /// To whom could something be sent or given?
    ListSessions(Purpose),
    /// The status board is to be shown.
    ShowBoard,
    /// Something is to be done in each directory.
    Everywhere(Command),
    /// Nothing of a session is to be shown for so many minutes.
    Mute { session: String, minutes: u32 },
    /// The user has taken note of a diagnostic.
    Acknowledge { uri: Uri, code: Code, expected: Option<Expected> },
}

/// Which document is meant, or what else can be claimed.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// The document or folder of this name.
    Uri(Uri),
    /// Whatever is called so in the directory.
    Resource(Resource),
    /// The only open one.
    OnlyDocument,
}

/// What is to be done about a document, once it is known where it is.
#[derive(Debug, Clone)]
pub(super) enum AboutDocument {
    Claim,
    Release(Option<Expected>),
    TakeOver { force: bool, expected: Option<Expected> },
    RequestRelease { message: Option<String>, expected: Option<Expected> },
    HandOff { to: String, notes: Option<String>, expected: Option<Expected> },
    ShowChanges,
    TellWhenFree,
}

impl AboutDocument {
    /// The command about this.
    pub(super) fn with(self, subject: Subject) -> Command {
        match self {
            Self::Claim => Command::Claim { subject },
            Self::Release(expected) => Command::Release { subject, expected },
            Self::TakeOver { force, expected } => Command::TakeOver { subject, force, expected },
            Self::RequestRelease { message, expected } => Command::RequestRelease { subject, message, expected },
            Self::HandOff { to, notes, expected } => Command::HandOff { subject, to, notes, expected },
            Self::ShowChanges => Command::ShowChanges { subject },
            Self::TellWhenFree => Command::TellWhenFree { subject },
        }
    }
}

/// Understands a command. Returns what is wished and whether a refusal is to be shown.
pub(super) fn parse(command: &str, arguments: &[Value]) -> Result<(Wish, bool), String> {
    let arguments = match arguments {
        [] | [Value::Null] => return bare(command).map(|wish| (wish, true)),
        [object @ Value::Object(_)] => object,
        _ => return Err(format!("{command} takes one object as its argument")),
    };
    let Menu { interactive } = read(command, arguments)?;
    let wish = match command {
        name::CLAIM => Wish::Document(target(command, arguments)?, AboutDocument::Claim),
        name::RELEASE => {
            let Claimed { expected } = read(command, arguments)?;
            Wish::Document(target(command, arguments)?, AboutDocument::Release(expected))
        }
        name::TAKE_OVER => {
            let TakeOver { force, expected } = read(command, arguments)?;
            let force = force.unwrap_or(false);
            Wish::Document(target(command, arguments)?, AboutDocument::TakeOver { force, expected })
        }
        name::REQUEST_RELEASE => {
            let RequestRelease { message, expected } = read(command, arguments)?;
            Wish::Document(target(command, arguments)?, AboutDocument::RequestRelease { message, expected })
        }
        name::HAND_OFF => {
            let HandOff { to, notes, expected } = read(command, arguments)?;
            Wish::Document(target(command, arguments)?, AboutDocument::HandOff { to, notes, expected })
        }
        name::SHOW_CHANGES => Wish::Document(target(command, arguments)?, AboutDocument::ShowChanges),
        name::TELL_WHEN_FREE => Wish::Document(target(command, arguments)?, AboutDocument::TellWhenFree),
        name::ACKNOWLEDGE => {
            let Acknowledge { uri, code, expected } = read(command, arguments)?;
            let code = Code::parse(&code).ok_or_else(|| format!("{command}: there is no diagnostic \"{code}\""))?;
            Wish::Acknowledge { uri: uri.0, code, expected }
        }
        name::SEND_MESSAGE => {
            let Send { to, subject, message, uri, in_reply_to } = read(command, arguments)?;
            Wish::Send { to, subject, message, uri: uri.map(|uri| uri.0), in_reply_to }
        }
        name::MESSAGES => {
            let Messages { unread_only } = read(command, arguments)?;
            Wish::Everywhere(Command::Messages { unread_only: unread_only.unwrap_or(false) })
        }
        name::MARK_READ => {
            let MarkRead { ids } = read(command, arguments)?;
            Wish::Everywhere(Command::MarkRead { ids })
        }
        name::SET_WORK => {
            let SetWork { target, phase, progress, next_action, estimated_completion } = read(command, arguments)?;
            let activity = Activity::new("working", Some(target));
            Wish::SetWork(Activity { phase, progress, next_action, estimated_completion, ..activity })
        }
        name::HEARTBEAT => {
            let Heartbeat { action } = read(command, arguments)?;
            Wish::Heartbeat(Activity::new(action.as_deref().unwrap_or("working"), None))
        }
        name::MUTE => {
            let Mute { session, minutes } = read(command, arguments)?;
            let minutes = minutes.unwrap_or(DEFAULT_MUTE_MINUTES);
            if minutes > LONGEST_MUTE_MINUTES {
                return Err(format!("{command}: \"minutes\" is at most {LONGEST_MUTE_MINUTES}, a week"));
            }
            Wish::Mute { session, minutes }
        }
        name::RELEASE_ALL => Wish::Everywhere(Command::ReleaseAll),
        name::STATUS => Wish::Everywhere(Command::Status),
        name::SHOW_BOARD => Wish::ShowBoard,
        _ => return Err(format!("there is no command \"{command}\"")),
    };
    Ok((wish, interactive.unwrap_or(false)))
}

/// A command from a palette, which gives no arguments.
fn bare(command: &str) -> Result<Wish, String> {
    let about_document = |about| Wish::Document(Target::OnlyDocument, about);
    Ok(match command {
        name::CLAIM => about_document(AboutDocument::Claim),
        name::RELEASE => about_document(AboutDocument::Release(None)),
        name::TAKE_OVER => about_document(AboutDocument::TakeOver { force: false, expected: None }),
        name::REQUEST_RELEASE => about_document(AboutDocument::RequestRelease { message: None, expected: None }),
        name::SHOW_CHANGES => about_document(AboutDocument::ShowChanges),
        name::TELL_WHEN_FREE => about_document(AboutDocument::TellWhenFree),
        name::HAND_OFF => Wish::ListSessions(Purpose::HandOff),
        name::SEND_MESSAGE => Wish::ListSessions(Purpose::Message),
        name::MUTE => Wish::ListSessions(Purpose::Mute),
        name::SET_WORK => Wish::SetWork(Activity::new("working", None)),
        name::HEARTBEAT => Wish::Heartbeat(Activity::new("working", None)),
        name::MESSAGES => Wish::Everywhere(Command::Messages { unread_only: false }),
        name::RELEASE_ALL => Wish::Everywhere(Command::ReleaseAll),
        name::STATUS => Wish::Everywhere(Command::Status),
        name::SHOW_BOARD => Wish::ShowBoard,
        name::MARK_READ => return Err(format!("{command} needs the \"ids\" of the messages")),
        name::ACKNOWLEDGE => return Err(format!("{command} needs \"uri\" and \"code\"")),
        _ => return Err(format!("there is no command \"{command}\"")),
    })
}

fn read<T: DeserializeOwned>(command: &str, arguments: &Value) -> Result<T, String> {
    T::deserialize(arguments).map_err(|error| format!("{command}: {error}"))
}

/// What a command is about: its `uri`, or its `resource` as a claim names it.
fn target(command: &str, arguments: &Value) -> Result<Target, String> {
    let Document { uri, resource } = read(command, arguments)?;
    match (uri, resource) {
        (Some(uri), _) => Ok(Target::Uri(uri.0)),
        (None, Some(resource)) => Resource::parse(&resource)
            .map(Target::Resource)
            .ok_or_else(|| format!("{command}: \"{resource}\" is no resource, such as \"task/deploy\"")),
        (None, None) => Err(format!("{command}: missing field `uri`")),
    }
}

/// A URI in an argument.
#[derive(Debug, Clone)]
struct UriArgument(Uri);

impl<'de> Deserialize<'de> for UriArgument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Uri::from_str(&text) {
            // What is no URI at all came through the pipe under another spelling.
            Ok(uri) if !spelling::is_unusable(&uri) => Ok(Self(uri)),
            _ => Err(serde::de::Error::custom("\"uri\" is not a URI")),
        }
    }
}

#[derive(Deserialize)]
struct Menu {
    interactive: Option<bool>,
}

#[derive(Deserialize)]
struct Document {
    uri: Option<UriArgument>,
    resource: Option<String>,
}

#[derive(Deserialize)]
struct Claimed {
    expected: Option<Expected>,
}

#[derive(Deserialize)]
struct TakeOver {
    force: Option<bool>,
    expected: Option<Expected>,
}

#[derive(Deserialize)]
struct RequestRelease {
    message: Option<String>,
    expected: Option<Expected>,
}

#[derive(Deserialize)]
struct HandOff {
    to: String,
    notes: Option<String>,
    expected: Option<Expected>,
}

#[derive(Deserialize)]
struct Acknowledge {
    uri: UriArgument,
    code: String,
    expected: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send {
    to: String,
    subject: String,
    message: String,
    uri: Option<UriArgument>,
    in_reply_to: Option<String>,
}

#[derive(Deserialize)]
struct Mute {
    session: String,
    minutes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Messages {
    unread_only: Option<bool>,
}

#[derive(Deserialize)]
struct MarkRead {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetWork {
    target: String,
    phase: Option<String>,
    progress: Option<String>,
    next_action: Option<String>,
    estimated_completion: Option<String>,
}

#[derive(Deserialize)]
struct Heartbeat {
    action: Option<String>,
}
