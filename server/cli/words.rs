//! What the terminal says of times, sessions and claims: the words that all front ends share, and lists.

use chrono::{DateTime, Utc};

use deconflict_protocol::Resource;
pub(super) use deconflict_protocol::text::{count, shell_word};
use deconflict_registry::{Claim, Session};
pub(super) use deconflict_words::{
    PHRASE, ask_command, clock_with_seconds, held, left, local_clock, moment, only_advice, short_distance,
    taken_over_from, term, who,
};

use super::context::Context;
use super::recording::path_from;
use super::style::{FAINT, NAME};

/// What is claimed, as the last words of a command line that is typed in this folder.
pub(super) fn typed(context: &Context, resource: &Resource) -> String {
    let kind = resource.resource_type();
    match context.namer() {
        Ok(namer) if resource.is_file() || resource.is_directory() => {
            format!("{kind} {}", path_from(context.folder(), &namer, resource))
        }
        _ if resource.name().starts_with('-') => format!("{kind} -- {}", shell_word(resource.name())),
        _ => format!("{kind} {}", shell_word(resource.name())),
    }
}

pub(super) fn in_order(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by(|a, b| a.resource.cmp(&b.resource));
    claims
}

pub(super) fn list_of_resources(claims: &[Claim]) -> String {
    /// More would hide what the sentence is about.
    const MOST: usize = 5;
    let named: Vec<String> = claims.iter().take(MOST).map(|claim| claim.resource.in_a_sentence()).collect();
    match claims.len() {
        more if more > MOST => format!("{} and {} more", named.join(", "), more - MOST),
        _ => named.join(", "),
    }
}

/// A list of sessions to choose from, a line each.
pub(super) fn choices(sessions: &[Session], now: DateTime<Utc>) -> Vec<String> {
    let line = |session: &Session| {
        let started = moment(session.started_at(), now);
        format!("{NAME}{}{NAME:#}  {FAINT}started {started}{FAINT:#}", session.label_and_id())
    };
    sessions.iter().map(line).collect()
}
