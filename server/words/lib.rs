//! How sessions, claims and messages are told, once for terminal, editors and coding agents: sentences for people, and
//! [`documents`] for programs. Everything that comes from a record is made safe to show here.

mod claims;
pub mod documents;
mod failures;
mod moments;

pub use claims::{ask_command, held, in_clone, on_branch, only_advice, purpose, taken_over_from, term};
pub use failures::{FEWER_OPEN_FILES, failure, remedy, sentence};
pub use moments::{clock, clock_with_seconds, left, local_clock, moment, short_distance};

use deconflict_protocol::SessionId;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_registry::Session;

/// How much of somebody's phase, subject or current work stands in a sentence, in characters.
pub const PHRASE: usize = 80;

/// A session's name is cut after so many characters.
const LONGEST_NAME: usize = 128;

/// What helps wherever somebody takes more than their own changes.
pub const COMMIT_OWN: &str = "To commit your own changes and nobody else's: deconflict commit -m MESSAGE";

/// A session by the name that people know and commands take: `"Ada's Claude Code"`; its id where it has no record.
pub fn who(session: Option<&Session>, id: &SessionId) -> String {
    match session {
        Some(session) if session.is_own() && !session.is_named() => one_line(&session.label(), LONGEST_NAME),
        Some(session) => quoted(&session.label(), LONGEST_NAME),
        None => quoted(id.as_str(), PHRASE),
    }
}
