//! What breaks the story off: something was not seen in time, or went wrong.

use std::time::{Duration, Instant};
use std::{io, thread};

use thiserror::Error;

/// Nothing in the demonstration should take longer; what does was not seen.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Looks again and again; `None` if there is nothing in time.
pub(super) fn poll<T>(mut look: impl FnMut() -> Result<Option<T>, Problem>) -> Result<Option<T>, Problem> {
    let start = Instant::now();
    loop {
        let found = look()?;
        if found.is_some() || start.elapsed() > DEADLINE {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("{who} did not get to see {what}{}", if *.ended { ", because the language server ended" } else { "" })]
    Unseen { who: &'static str, what: String, ended: bool },
    #[error("{who} was refused {what}: {message}")]
    Refused { who: &'static str, what: String, message: String },
    #[error("could not {0}: {1}")]
    Io(&'static str, io::Error),
    #[error("could not print what happened")]
    Silent,
    #[error("interrupted")]
    Interrupted,
}
