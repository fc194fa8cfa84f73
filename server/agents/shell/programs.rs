//! What programs other than git would do to files.

use std::fs;
use std::path::Path;

use super::effect::{Deed, Effects, Target};
use super::formatters;
use super::words::{Given, Word, WordKind, program_name};

/// Programs that run another one: their options that take a word, and how many words come before the other's name.
const RUNNERS: &[(&str, &[&str], usize)] = &[
    ("builtin", &[], 0),
    ("busybox", &[], 0),
    ("choom", &["-n", "--adjust"], 0),
    ("chrt", &["-T", "-P", "-D"], 1),
    ("command", &[], 0),
    ("env", &["-u", "--unset"], 0),
    ("doas", &["-u"], 0),
    ("exec", &["-a"], 0),
    ("flock", &["-w", "--wait", "-E"], 1),
    ("ionice", &["-c", "-n"], 0),
    ("nice", &["-n", "--adjustment"], 0),
    ("nohup", &[], 0),
    ("prlimit", &[], 0),
    // Of zsh.
    ("repeat", &[], 1),
    ("setpriv", &["--reuid", "--regid", "--groups"], 0),
    ("setsid", &[], 0),
    ("stdbuf", &["-i", "-o", "-e"], 0),
    ("sudo", &["-u", "--user", "-g", "--group"], 0),
    ("taskset", &[], 1),
    ("timeout", &["-k", "--kill-after", "-s", "--signal"], 1),
];

/// A command without the programs that only run it, and what they are told.
pub(super) fn without_runners(words: &[Word]) -> &[Word] {
    let mut words = words;
    while let Some(first) = words.first()
        && let Some((_, with_value, before)) = RUNNERS.iter().find(|(name, ..)| *name == program_name(first))
    {
        // Where it runs elsewhere, nothing is known of the paths.
        if program_name(first) == "env" && words[1..].iter().any(|word| runs_elsewhere(&word.text)) {
            return words;
        }
        let mut position = 1;
        while let Some(word) = words.get(position)
            && (word.text.starts_with('-') || is_assignment(&word.text))
        {
            position += 1 + usize::from(with_value.contains(&word.text.as_str()));
        }
        words = words.get(position + before..).unwrap_or_default();
    }
    words
}

/// True for the options of `env` that change the folder, or hold a command in one word.
fn runs_elsewhere(option: &str) -> bool {
    let is_long = |name: &str| option.split('=').next().is_some_and(|long| long.len() > 3 && name.starts_with(long));
    is_long("--chdir") || is_long("--split-string") || short_of_env(option).is_some()
}

/// The option of `env` among several short ones that takes a value, if it is one of these two, and where the value begins.
fn short_of_env(option: &str) -> Option<(char, usize)> {
    let letters = option.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let (at, letter) = letters.char_indices().find(|(_, letter)| "uCS".contains(*letter))?;
    (letter != 'u').then_some((letter, at + 2))
}

/// A call of `env` with the command in it that one of its words holds; `None` where there is none, or it is not known.
pub(super) fn split_by_env(words: &[Word]) -> Option<Vec<Word>> {
    if program_name(words.first()?) != "env" {
        return None;
    }
    let mut at = 1;
    let held = loop {
        let text = &words.get(at)?.text;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if let Some(('S', begin)) = short_of_env(text) {
            break text[begin..].to_owned();
        }
        if name.len() > 3 && "--split-string".starts_with(name) {
            break value.to_owned();
        }
        if !text.starts_with('-') && !is_assignment(text) {
            return None;
        }
        at += 1 + usize::from(matches!(text.as_str(), "-u" | "--unset" | "-C" | "--chdir"));
    };
    let is_behind = held.is_empty();
    let held = if is_behind { words.get(at + 1)?.text.clone() } else { held };
    let after = words.get(at + 1 + usize::from(is_behind)..).unwrap_or_default();
    if !words[..=at + usize::from(is_behind)].iter().all(Word::is_literal) {
        return None;
    }
    Some([&words[..at], &split(&held)[..], after].concat())
}

/// The words in a text, as `env` and `xargs` read it: they know quotes, and no shell's expansions.
fn split(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut quote, mut is_open) = (None, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if quote.is_none() && letter.is_whitespace() {
            is_open = false;
            continue;
        }
        if !is_open {
            words.push(Word { text: String::new(), kind: WordKind::Literal });
            is_open = true;
        }
        let Some(word) = words.last_mut() else { continue };
        match letter {
            '\'' | '"' if quote.is_none() => quote = Some(letter),
            _ if quote == Some(letter) => quote = None,
            '\\' if quote != Some('\'') => match letters.next() {
                Some('_') if quote.is_none() => is_open = false,
                Some('_') => word.text.push(' '),
                Some('n') => word.text.push('\n'),
                Some('t') => word.text.push('\t'),
                escaped => word.text.extend(escaped),
            },
            '$' if quote != Some('\'') => word.kind = WordKind::Unknown,
            _ => word.text.push(letter),
        }
    }
    words
}

/// Adds what a program would do with its arguments.
pub(super) fn effects(program: &str, arguments: &[Word], effects: &mut Effects) {
    let given = Given::new(arguments, &[]);
    match program {
        "tee" | "sponge" => effects.words(&given.all(), Deed::Overwrite),
        "sed" | "gsed" => edited_in_place(&Given::new(arguments, &["-e", "-f", "--expression", "--file"]), effects),
        "perl" | "ruby" => edited_in_place(&Given::new(arguments, &["-e", "-E"]), effects),
        "awk" | "gawk" => {
            let given = Given::new(arguments, &["-i", "--include", "-f", "--file", "-F", "-v", "--assign"]);
            let is_in_place =
                |(option, value): &(&str, &Word)| matches!(*option, "-i" | "--include") && value.text == "inplace";
            if given.values.iter().any(is_in_place) || given.options.contains(&"--include=inplace") {
                let has_script = given.values.iter().any(|(option, _)| matches!(*option, "-f" | "--file"));
                let names = given.all().into_iter().skip(usize::from(!has_script));
                effects.words(&names.collect::<Vec<_>>(), Deed::Overwrite);
            }
        }
        "rm" | "unlink" | "shred" => effects.words(&given.all(), Deed::Delete),
        "truncate" => {
            let given = Given::new(arguments, &["-s", "-r", "--size", "--reference"]);
            effects.words(&given.all(), Deed::Overwrite);
        }
        "sort" => {
            let given = Given::new(arguments, &["-o", "--output", "-k", "-t", "-S", "-T"]);
            output_by_option(&given, 'o', "--output", effects);
        }
        "uniq" => effects.words(&given.all().into_iter().skip(1).collect::<Vec<_>>(), Deed::Overwrite),
        "curl" => {
            let with_value = ["-o", "--output", "-H", "--header", "-d", "--data", "-X", "--request", "-u", "-A", "-e"];
            output_by_option(&Given::new(arguments, &with_value), 'o', "--output", effects);
        }
        "wget" => {
            let given = Given::new(arguments, &["-O", "--output-document", "-P", "-U", "-o"]);
            output_by_option(&given, 'O', "--output-document", effects);
        }
        "gh" => {
            let given = Given::new(arguments, &["-b", "--branch", "-R", "--repo"]);
            let is_checkout = given.names.iter().map(|word| word.text.as_str()).take(2).eq(["pr", "checkout"]);
            if is_checkout && given.has("f", &["--force"]) {
                effects.everything(Deed::Discard);
            }
        }
        "rsync" if !given.has("n", &["--dry-run", "--list-only"]) => synchronised(arguments, effects),
        "mv" => transferred(arguments, true, effects),
        "cp" | "install" => transferred(arguments, false, effects),
        "ln" if given.has("f", &["--force"]) => transferred(arguments, false, effects),
        "dd" => {
            for word in arguments {
                if let Some(path) = word.text.strip_prefix("of=") {
                    effects.words(&[&Word { text: path.to_owned(), kind: word.kind }], Deed::Overwrite);
                }
            }
        }
        _ => formatters::effects(program, arguments, effects),
    }
}

/// `sed -i` and what works like it: the first name is the script, unless an option brings it.
fn edited_in_place(given: &Given, effects: &mut Effects) {
    if given.has("i", &["--in-place"]) {
        let has_script = !given.values.is_empty() || given.has("", &["--expression", "--file"]);
        let names = given.all().into_iter().filter(|word| !word.text.is_empty());
        effects.words(&names.skip(usize::from(!has_script)).collect::<Vec<_>>(), Deed::Overwrite);
    }
}

/// `mv` and `cp`: the last name is where all others go, unless an option says it.
fn transferred(arguments: &[Word], moves: bool, effects: &mut Effects) {
    let given = Given::new(arguments, &["-t", "--target-directory", "-S", "--suffix", "-m", "-o", "-g"]);
    let leaves_what_is_there = |option: &&str| matches!(*option, "--update=none" | "--update=none-fail");
    if given.has("n", &["--no-clobber"]) || given.options.iter().any(leaves_what_is_there) {
        return;
    }
    let mut sources = given.all();
    let named = given.values.iter().find(|(option, _)| option.ends_with('t') || *option == "--target-directory");
    let Some(target) = named.map(|(_, target)| *target).or_else(|| sources.pop()) else { return };
    if moves {
        effects.words(&sources, Deed::Move);
    }
    let Some(into) = effects.path(target) else { return };
    let is_folder = target.text.ends_with('/') || into.is_dir() || sources.len() > 1;
    for source in sources {
        let name = Path::new(&source.text).file_name().filter(|_| source.is_literal());
        let path = if is_folder { name.map(|name| into.join(name)) } else { Some(into.clone()) };
        if let Some(path) = path {
            effects.add(Target::Path(path), Deed::Overwrite, false, source.kind);
        }
    }
}

/// The file that an option names for what is printed: behind it, or as a part of it.
fn output_by_option(given: &Given, short: char, long: &str, effects: &mut Effects) {
    let is_meant = |option: &str| option == long || (!option.starts_with("--") && option.ends_with(short));
    let behind = given.values.iter().filter(|(option, _)| is_meant(option)).map(|(_, value)| (*value).clone());
    let attached = given.options.iter().filter_map(|option| {
        let is_long = option.starts_with("--");
        let value = if is_long {
            option.strip_prefix(long)?.strip_prefix('=')
        } else {
            option.strip_prefix(['-'])?.strip_prefix(short)
        };
        value.filter(|value| !value.is_empty()).map(|text| Word { text: text.to_owned(), kind: WordKind::Literal })
    });
    let outputs: Vec<Word> = behind.chain(attached).collect();
    effects.words(&outputs.iter().collect::<Vec<_>>(), Deed::Overwrite);
}

/// `rsync` on this machine: of a folder with a slash at its end what is in it is copied, else the folder itself.
fn synchronised(arguments: &[Word], effects: &mut Effects) {
    let given = Given::new(arguments, &["-e", "-f", "--exclude", "--include", "--exclude-from", "--filter", "-T"]);
    let mut sources = given.all();
    let Some(target) = sources.pop() else { return };
    let is_remote = |word: &&Word| word.text.contains(':');
    let Some(into) = effects.path(target).filter(|_| !is_remote(&target) && !sources.iter().any(is_remote)) else {
        return;
    };
    let is_folder = target.text.ends_with('/') || into.is_dir() || sources.len() > 1;
    for source in sources {
        let Some(from) = effects.path(source) else { continue };
        if source.text.ends_with('/') {
            for entry in fs::read_dir(&from).into_iter().flatten().flatten() {
                effects.add(Target::Path(into.join(entry.file_name())), Deed::Overwrite, false, WordKind::Matched);
            }
        } else if let Some(name) = from.file_name() {
            let path = if is_folder { into.join(name) } else { into.clone() };
            effects.add(Target::Path(path), Deed::Overwrite, false, source.kind);
        }
    }
}

fn is_assignment(text: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    text.split_once('=').is_some_and(|(name, _)| is_name(name))
}
