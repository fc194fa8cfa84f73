//! The command lines that GNU `parallel` runs.

use super::words::Word;

/// Nothing is said of a command that runs more.
const MOST_LINES: usize = 100;

const WITH_VALUE: &[&str] = &["-a", "-C", "-I", "-j", "-n", "-N", "-S", "--colsep", "--delay", "--jobs", "--timeout"];

/// What a shell gets to run, for each of what stands behind `:::`, or else for each line on standard input.
pub(super) fn lines(arguments: &[Word], input: Option<&str>) -> Vec<String> {
    const NAMES: &str = ":::";
    let behind = arguments.iter().position(|word| word.text == NAMES).unwrap_or(arguments.len());
    let (words, names) = arguments.split_at(behind);
    let command: Vec<&str> = words[options_in(words)..].iter().map(|word| word.text.as_str()).collect();
    let names: Vec<&str> = match names.split_first() {
        Some((_, names)) => names.iter().map(|word| word.text.as_str()).collect(),
        None => input.unwrap_or_default().lines().collect(),
    };
    if command.is_empty() || names.len() > MOST_LINES || !arguments.iter().all(Word::is_literal) {
        return Vec::new();
    }
    let command = command.join(" ");
    let quoted = names.into_iter().map(|name| format!("'{}'", name.replace('\'', r"'\''")));
    let line = |name: String| {
        if command.contains("{}") { command.replace("{}", &name) } else { format!("{command} {name}") }
    };
    quoted.map(line).collect()
}

/// How many words in front are options, and the values of these.
fn options_in(words: &[Word]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.text.starts_with('-')) {
        at += 1 + usize::from(WITH_VALUE.contains(&word.text.as_str()));
    }
    at.min(words.len())
}
