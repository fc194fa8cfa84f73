//! What is fuzzed. Each function takes any bytes and panics if a promise is broken. The fuzz targets call them, and so
//! do the ordinary tests, with the seeds and with every case that was found.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a broken promise is told by panicking")]

#[path = "directory.rs"]
mod directory_target;
#[allow(clippy::duplicate_mod, reason = "the ordinary tests, which share it, include this package too")]
#[path = "../../it/support/hook_answers.rs"]
mod hook_answers;
mod hooks;
mod names;
mod quotations;
mod records;
mod session;

pub use directory_target::directory;
pub use hooks::hooks;
pub use names::names;
pub use quotations::quotations;
pub use records::records;
pub use session::session;

/// True if a terminal or an editor would take a part of it for more than text.
fn steers(text: &str) -> bool {
    let reverses = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || reverses(c))
}
