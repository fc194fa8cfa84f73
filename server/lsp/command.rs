//! The commands that an editor can have executed, each with one object as its argument.
//!
//! What a menu starts carries `interactive: true`, so that a refusal is shown, and `expected`, the claim as it was when
//! the menu was made: if another claim is there by now, nothing is done. Wherever a command takes the `uri` of a
//! document, that of a folder will do, and so will a claim's `resource`, such as `task/deploy`. A palette gives no
//! argument at all: then the only open document is meant, and where more is needed, the choices are listed.

use std::path::PathBuf;
use std::str::FromStr;

use ropey::Rope;
use serde::de::{Deserializer, Error as _, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::{Map, Value};
use tower_lsp::ls_types::Uri;

use super::diagnostic_code::Code;
use super::spelling;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::Claim;

/// What every command's name begins with.
const PREFIX: &str = "deconflict.";

/// A session is muted for so long if nothing else is said.
const DEFAULT_MUTE_MINUTES: u32 = 60;
/// Nobody means to mute a session for ever.
const LONGEST_MUTE_MINUTES: u32 = 7 * 24 * 60;

/// A command with its argument. Its name is that of the variant, after `deconflict.`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EditorCommand {
    /// `{uri}`: claims the document by hand.
    Claim(#[serde(deserialize_with = "or_default")] About),
    /// `{uri}`: releases the document.
    Release(#[serde(deserialize_with = "or_default")] About),
    /// `{}`: releases everything that the session holds.
    ReleaseAll(IgnoredAny),
    /// `{uri, force?}`: takes a claim over.
    TakeOver(#[serde(deserialize_with = "or_default")] TakeOver),
    /// `{uri, message?}`: asks the holder to release.
    RequestRelease(#[serde(deserialize_with = "or_default")] ReleaseRequest),
    /// `{to, subject, message, uri?, inReplyTo?}`: writes to a session. For an editor that asks for the text itself, a
    /// menu adds the selected text as `quotation`, which the editor appends to the message.
    SendMessage(Option<Box<MessageToSend>>),
    /// `{unreadOnly?, with?}`: lists messages; with one session, also what this one wrote to it.
    Messages(#[serde(deserialize_with = "or_default")] MessageFilter),
    /// `{ids}`: marks messages as read.
    MarkRead(MessagesRead),
    /// `{uri, to, notes?}`: gives a claim to another session.
    HandOff(Option<Box<HandOff>>),
    /// `{target, phase?, progress?, nextAction?, estimatedCompletion?}`: says what the session works on.
    SetWork(Option<Box<Work>>),
    /// `{action?}`: gives a sign of life.
    Heartbeat(#[serde(deserialize_with = "or_default")] SignOfLife),
    /// `{}`: returns sessions, claims, messages and findings.
    Status(IgnoredAny),
    /// `{session, minutes?}`: keeps quiet about a session for an hour, or as long as told; 0 ends it. Returns `until`.
    Mute(Option<Mute>),
    /// `{}`: opens the status board.
    ShowBoard(IgnoredAny),
    /// `{uri, machine?}`: tells the user once the document comes free, open or not; with `machine: true` what the machine has
    /// once. Only in menus.
    TellWhenFree(#[serde(deserialize_with = "or_default")] AwaitedResource),
    /// `{ticket}`: ends the wait of somebody whose session is the user's own. Only in menus.
    LeaveQueue(WaitToEnd),
    /// `{uri, entry?, texts?}`: shows what a change in the journal changed, or the saved text against the last commit; with
    /// `texts: true` returns both texts and shows nothing. Only in menus.
    ShowChanges(#[serde(deserialize_with = "or_default")] AboutEntry),
    /// `{uri, entry?}`: brings back what stood there before a change: by default before the newest one that was not the
    /// user's own.
    Restore(#[serde(deserialize_with = "or_default")] AboutEntry),
    /// `{uri}`: puts what stands on disk and the unsaved text together.
    Merge(#[serde(deserialize_with = "or_default")] AboutText),
    /// `{uri?, entry?, session?}`: lists changes, newest first, of one file or of all; of a file also one alone, with the
    /// `texts` that stood there `before` and `after` it, or those of one session alone, with the last commit's text as
    /// what stood `before`.
    History(#[serde(deserialize_with = "or_default")] HistoryOf),
    /// `{uri, line?}`: says whose each line is, or one of them, counted from 1.
    Blame(#[serde(deserialize_with = "or_default")] AboutLine),
    /// `{uri, code?}`: takes note of a diagnostic, so that it warns no more, or of all that the document has. Only in
    /// menus.
    Acknowledge(Acknowledgement),
}

/// The document that a command is about, and the claim of it that the menu showed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "AboutFields")]
pub(crate) struct About {
    pub(crate) target: Target,
    pub(crate) expected: Option<Expected>,
}

/// Which document is meant, or what else can be claimed.
#[derive(Debug, Clone, Default)]
pub(crate) enum Target {
    /// The document or folder of this name.
    Uri(Uri),
    /// Whatever is called so in the directory.
    Resource(Resource),
    /// The only open one.
    #[default]
    OnlyDocument,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct TakeOver {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) force: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AwaitedResource {
    #[serde(flatten)]
    pub(crate) about: About,
    /// It is something of the machine, not of the clone.
    #[serde(default)]
    pub(crate) machine: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AboutEntry {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) entry: Option<String>,
    /// The editor shows the texts by itself.
    pub(crate) texts: Option<bool>,
    /// What stands in the editor if that is unsaved, and the editor lets it be changed.
    #[serde(skip)]
    pub(crate) unsaved: Option<Rope>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AboutText {
    #[serde(flatten)]
    pub(crate) about: About,
    /// What stands in the editor, and the last text that it and its file both had.
    #[serde(skip)]
    pub(crate) texts: Option<(Rope, Rope)>,
    /// Nothing happens if both sides changed the same lines.
    #[serde(skip)]
    pub(crate) only_if_clean: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct HistoryOf {
    #[serde(default, deserialize_with = "optional_uri")]
    pub(crate) uri: Option<Uri>,
    pub(crate) entry: Option<String>,
    pub(crate) session: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AboutLine {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) line: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ReleaseRequest {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageToSend {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) message: String,
    #[serde(default, deserialize_with = "optional_uri")]
    pub(crate) uri: Option<Uri>,
    pub(crate) in_reply_to: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageFilter {
    pub(crate) unread_only: Option<bool>,
    /// The session that they are exchanged with.
    pub(crate) with: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MessagesRead {
    pub(crate) ids: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HandOff {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) to: String,
    pub(crate) notes: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Work {
    pub(crate) target: String,
    pub(crate) phase: Option<String>,
    pub(crate) progress: Option<String>,
    pub(crate) next_action: Option<String>,
    pub(crate) estimated_completion: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SignOfLife {
    pub(crate) action: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mute {
    pub(crate) session: String,
    #[serde(default = "default_mute", deserialize_with = "mute_minutes")]
    pub(crate) minutes: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Acknowledgement {
    #[serde(deserialize_with = "uri")]
    pub(crate) uri: Uri,
    pub(crate) code: Option<Code>,
    pub(crate) expected: Option<Expected>,
}

/// A wait in line.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WaitToEnd {
    /// The ticket, as the status names it.
    pub(crate) ticket: String,
    /// The folder whose directory it is in.
    pub(crate) repository: Option<PathBuf>,
    /// It is for something of the machine, not of the clone.
    #[serde(default)]
    pub(crate) machine: bool,
}

/// A claim as it was when a menu was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expected {
    session: Option<String>,
    resource: Option<String>,
    id: Option<String>,
    /// Not a number: an editor that counts in floating point would give back another one.
    generation: Option<String>,
}

impl Expected {
    /// The claim as it is now.
    pub(crate) fn of(claim: &Claim) -> Self {
        let holding = claim.holding();
        Self {
            session: claim.holder().map(SessionId::to_string),
            resource: Some(claim.resource.spelled()),
            id: holding.as_ref().and_then(|holding| holding.id.clone()),
            generation: holding.and_then(|holding| holding.generation).map(|generation| generation.to_string()),
        }
    }

    /// True if the claim is still this one.
    pub(crate) fn is(&self, claim: &Claim) -> bool {
        Self { resource: self.resource.clone(), ..Self::of(claim) } == *self
    }

    /// What it was a claim of.
    pub(crate) fn resource(&self) -> Option<Resource> {
        Resource::parse(self.resource.as_deref()?)
    }
}

impl EditorCommand {
    /// Understands a command. Returns it with whether a refusal is to be shown.
    pub(crate) fn parse(name: &str, arguments: &[Value]) -> Result<(Self, bool), String> {
        let wrong = |error: serde_json::Error| format!("{name}: {error}");
        let (argument, is_interactive) = match arguments {
            [] | [Value::Null] => (Value::Null, true),
            [Value::Object(fields)] => {
                let interactive = fields.get("interactive").map(Option::<bool>::deserialize).transpose();
                (Value::Object(fields.clone()), interactive.map_err(wrong)?.flatten().unwrap_or(false))
            }
            _ => return Err(format!("{name} takes one object as its argument")),
        };
        let variant = name.strip_prefix(PREFIX).filter(|variant| variants().contains(variant));
        let variant = variant.ok_or_else(|| format!("there is no command \"{name}\""))?;
        let tagged = Map::from_iter([(variant.to_owned(), argument)]);
        Ok((Self::deserialize(Value::Object(tagged)).map_err(wrong)?, is_interactive))
    }

    /// The names of all commands.
    pub(crate) fn names() -> Vec<String> {
        variants().iter().map(|variant| full_name(variant)).collect()
    }
}

/// The name that an editor calls a command by.
pub(crate) fn full_name(variant: &str) -> String {
    format!("{PREFIX}{variant}")
}

/// The names of the variants, as serde knows them.
fn variants() -> &'static [&'static str] {
    struct Listing(&'static [&'static str]);

    impl<'de> Deserializer<'de> for &mut Listing {
        type Error = serde::de::value::Error;

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            self.0 = variants;
            Err(Self::Error::custom("there is no value"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("there is no value"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut listing = Listing(&[]);
    // It lists them and gives no value.
    let _ = EditorCommand::deserialize(&mut listing);
    listing.0
}

#[derive(Deserialize)]
struct AboutFields {
    #[serde(default, deserialize_with = "optional_uri")]
    uri: Option<Uri>,
    resource: Option<String>,
    expected: Option<Expected>,
}

impl TryFrom<AboutFields> for About {
    type Error = String;

    fn try_from(fields: AboutFields) -> Result<Self, String> {
        let target = match (fields.uri, fields.resource) {
            (Some(uri), _) => Target::Uri(uri),
            (None, Some(resource)) => Resource::parse(&resource)
                .map(Target::Resource)
                .ok_or_else(|| format!("\"{resource}\" is not a resource, such as \"task/deploy\""))?,
            (None, None) => return Err("missing field `uri`".to_owned()),
        };
        Ok(Self { target, expected: fields.expected })
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uri, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Uri::from_str(&text) {
        // What is no URI at all came through the pipe under another spelling.
        Ok(uri) if !spelling::is_unusable(&uri) => Ok(uri),
        _ => Err(D::Error::custom("\"uri\" is not a URI")),
    }
}

fn optional_uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uri>, D::Error> {
    #[derive(Deserialize)]
    struct Given(#[serde(deserialize_with = "uri")] Uri);

    Ok(Option::<Given>::deserialize(deserializer)?.map(|Given(uri)| uri))
}

fn default_mute() -> u32 {
    DEFAULT_MUTE_MINUTES
}

fn mute_minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match Option::<u32>::deserialize(deserializer)?.unwrap_or(DEFAULT_MUTE_MINUTES) {
        minutes if minutes > LONGEST_MUTE_MINUTES => {
            Err(D::Error::custom(format!("\"minutes\" is at most {LONGEST_MUTE_MINUTES}, a week")))
        }
        minutes => Ok(minutes),
    }
}
