//! The state of the server, and the only thing that changes it.
//!
//! [`ServerState::handle`] takes an event and returns what is to be done about it. It never waits, touches no disk and
//! reads no clock but the one that it was given. What is known stands in [`server_state`], below the handlers, and
//! [`dispatch`] calls them.

mod announcing;
mod claiming;
mod commands;
mod contending;
mod damage;
mod directories;
mod directory;
mod dispatch;
mod document;
mod editing;
mod ending;
mod losing;
mod losses;
mod messages;
mod muting;
mod publishing;
mod rate_limit;
mod renaming;
mod requests;
mod server_state;
mod starting;
mod status;
#[cfg(test)]
mod tests;
mod text_edits;
mod timers;
mod upkeep;

pub(crate) use server_state::ServerState;
