//! What a change did to the lines of a file.

use std::time::Duration;

use deconflict_journal::{Entry, FileState, Journal};
use deconflict_protocol::text::printable;
use similar::TextDiff;

use super::style::{FAINT, GOOD, HEADING, WARNING};

/// Whoever asks does not wait longer for the shortest of all descriptions.
const PATIENCE: Duration = Duration::from_millis(500);

/// As far as this a zero byte is looked for, as git does.
const LOOK_AHEAD: usize = 8000;

/// A unified diff, or a line that says why there is none.
pub(super) fn of(journal: &Journal, entry: &Entry) -> String {
    let (Some(before), Some(after)) = (text_of(journal, &entry.before), text_of(journal, &entry.after)) else {
        return "What was there is no longer kept.\n".to_owned();
    };
    if [&before, &after].iter().any(|text| text[..text.len().min(LOOK_AHEAD)].contains(&0)) {
        return format!("Binary contents differ: {} and {} bytes.\n", before.len(), after.len());
    }
    let (before, after) = (String::from_utf8_lossy(&before), String::from_utf8_lossy(&after));
    let name = entry.resource.display_name();
    let side = |state: &FileState, mark: &str| match state {
        FileState::Absent => "/dev/null".to_owned(),
        _ => format!("{mark}/{name}"),
    };
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(&*before, &*after);
    let mut text = format!("--- {}\n+++ {}\n", side(&entry.before, "a"), side(&entry.after, "b"));
    text.push_str(&difference.unified_diff().context_radius(3).to_string());
    text
}

/// The same for a terminal.
pub(super) fn in_colours(patch: &str) -> String {
    let line = |line: &str| {
        let style = match line.as_bytes() {
            [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => HEADING,
            [b'@', ..] => FAINT,
            [b'+', ..] => GOOD,
            [b'-', ..] => WARNING,
            _ => anstyle::Style::new(),
        };
        format!("    {style}{line}{style:#}\n")
    };
    printable(patch).lines().map(line).collect()
}

fn text_of(journal: &Journal, state: &FileState) -> Option<Vec<u8>> {
    match state {
        FileState::Absent => Some(Vec::new()),
        state => journal.content(state.kept()?).ok(),
    }
}
