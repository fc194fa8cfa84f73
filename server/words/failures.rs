//! What went wrong, in sentences, and what helps.

use deconflict_registry::Error;

/// Makes a sentence of an error's words: a capital at its beginning, unless that is a path, and a full stop.
pub fn sentence(words: &str) -> String {
    let first_word = words.split_whitespace().next().unwrap_or_default();
    let starts_with_a_word = !first_word.is_empty() && first_word.chars().all(|c| c.is_ascii_lowercase());
    let mut sentence = words.to_owned();
    if starts_with_a_word {
        sentence[..1].make_ascii_uppercase();
    }
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// What helps where too many files are open.
pub const FEWER_OPEN_FILES: &str = "Close programs that you don't need, or raise the limit: ulimit -n 4096";

/// What helps against an error of the registry, in whatever front end it is told.
pub fn remedy(error: &Error) -> Option<&'static str> {
    match error {
        Error::ReadOnly { .. } => Some("Change its permissions to take part."),
        Error::Full { .. } => Some("Make room there."),
        Error::TooManyFiles { .. } => Some(FEWER_OPEN_FILES),
        Error::Busy { .. } => Some("Try again."),
        Error::CutOff { .. } => {
            Some("Try again; what belongs to this clone goes on meanwhile. To see what is wrong: deconflict doctor")
        }
        Error::Declined { .. } => Some("To see what is wrong: deconflict doctor"),
        Error::TooLarge { .. } => Some("Send a shorter one, or the path of a file."),
        _ => None,
    }
}

/// What went wrong and what helps, where there is one text for both.
pub fn failure(error: &Error) -> String {
    let sentence = sentence(&error.to_string());
    remedy(error).map_or_else(|| sentence.clone(), |remedy| format!("{sentence} {remedy}"))
}
