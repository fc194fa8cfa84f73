//! The line ends of what git keeps.

/// What is committed, with the line ends of the newest text: git may keep texts with Unix' line ends that have Windows' on
/// disk.
pub fn with_line_ends_of(newest: &[u8], committed: Vec<u8>) -> Vec<u8> {
    let unix_ends = |text: &[u8]| {
        let after_return = |index: usize| index.checked_sub(1).is_some_and(|before| text[before] == b'\r');
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.clone().count() - ends.filter(|(index, _)| after_return(*index)).count()
    };
    let is_windows = newest.contains(&b'\n') && unix_ends(newest) == 0;
    if !is_windows || committed.contains(&0) || unix_ends(&committed) == 0 {
        return committed;
    }
    let mut converted = Vec::with_capacity(committed.len() + committed.len() / 16);
    for byte in committed {
        if byte == b'\n' && converted.last() != Some(&b'\r') {
            converted.push(b'\r');
        }
        converted.push(byte);
    }
    converted
}
