//! What a command prints, and what the next one in a pipeline reads, where that can be known without running it.

use std::fs;
use std::path::Path;

use super::found::{Find, MOST_FOUND};
use super::words::{Given, Word, program_name};
use deconflict_workspace::{Repository, swept};

/// No longer text is read, in bytes.
const LONGEST_TEXT: u64 = 256 * 1024;

/// What a program prints that runs in a folder.
pub(super) fn printed(words: &[Word], folder: &Path) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    if !words.iter().all(Word::is_literal) {
        return None;
    }
    let given = Given::new(arguments, &[]);
    match program_name(program) {
        "pwd" => folder.to_str().map(str::to_owned),
        "echo" if !given.has("eE", &[]) => Some(lines_of(&[joined(&given.all())])),
        "printf" => match arguments {
            [text] if !text.text.contains('%') => unescaped(&text.text),
            [form, rest @ ..] if matches!(form.text.as_str(), "%s\\n" | "%s\n") => {
                Some(lines_of(&rest.iter().map(|word| word.text.clone()).collect::<Vec<_>>()))
            }
            [form, rest @ ..] if form.text == "%s\\0" => {
                Some(rest.iter().flat_map(|word| [word.text.as_str(), "\0"]).collect())
            }
            _ => None,
        },
        "cat" if given.options.is_empty() && !given.names.is_empty() => {
            given.all().iter().map(|word| text_in(&folder.join(&word.text))).collect()
        }
        "ls" => {
            let names = given.all();
            let is_file = |word: &&Word| folder.join(&word.text).is_file();
            let is_plain = !names.is_empty() && names.iter().all(is_file) && !given.has("ls", &[]);
            is_plain.then(|| lines_of(&names.iter().map(|word| word.text.clone()).collect::<Vec<_>>()))
        }
        "find" => {
            let find = Find::read(arguments).filter(|find| find.deeds.is_empty())?;
            let end = if given.options.contains(&"-print0") { "\0" } else { "\n" };
            Some(find.found(folder)?.iter().flat_map(|name| [name.as_str(), end]).collect())
        }
        "git" if arguments.iter().map(|word| word.text.as_str()).eq(["rev-parse", "--show-toplevel"]) => {
            worktree_above(folder)?.to_str().map(str::to_owned)
        }
        "git" => {
            let arguments: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
            gits_own_place(&arguments, folder).or_else(|| listed_by_git(&arguments, folder))
        }
        _ => None,
    }
}

/// Where git keeps what is its own, if it is asked for that.
fn gits_own_place(arguments: &[&str], folder: &Path) -> Option<String> {
    let directory = || Repository::containing(folder).ok().flatten();
    let path = match arguments {
        ["rev-parse", "--git-dir" | "--absolute-git-dir"] => directory()?.git_directory().to_owned(),
        ["rev-parse", "--git-common-dir"] => directory()?.common_directory().to_owned(),
        // What all worktrees share lies there, else in the worktree's own.
        ["rev-parse", "--git-path", name] => directory()?.common_directory().join(name),
        _ => return None,
    };
    path.to_str().map(str::to_owned)
}

/// The names of files that git prints, if it does nothing but list them. Its plumbing is asked, which does no more than that.
fn listed_by_git(arguments: &[&str], folder: &Path) -> Option<String> {
    const OF_THE_INDEX: [&str; 2] = ["--cached", "--staged"];
    /// They change only which names are listed, and what stands behind each.
    const OTHERS: [&str; 7] =
        ["--name-only", "--relative", "--no-renames", "--modified", "--others", "--deleted", "--exclude-standard"];
    let (verb, arguments) = arguments.split_first()?;
    let dashes = arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len());
    let (words, paths) = arguments.split_at(dashes);
    let (options, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with('-'));
    let (of_the_index, mut options): (Vec<&str>, Vec<&str>) =
        options.into_iter().partition(|option| OF_THE_INDEX.contains(option));
    let is_known =
        |option: &&str| OTHERS.contains(option) || option[1..].chars().all(|letter| "cdmoz".contains(letter));
    if !options.iter().all(is_known) {
        return None;
    }
    let mut asked = match (*verb, &names[..]) {
        ("ls-files", _) => vec!["ls-files"],
        ("diff", _) if !options.contains(&"--name-only") => return None,
        ("diff", []) if of_the_index.is_empty() => vec!["diff-files"],
        ("diff", [] | ["HEAD"]) => vec!["diff-index", "HEAD"],
        _ => return None,
    };
    options.extend(of_the_index.first().map(|_| "--cached"));
    asked.splice(1..1, options);
    if *verb == "ls-files" {
        asked.extend(names);
    }
    asked.extend(paths);
    let text = swept::listed(folder, &asked).ok()?;
    (text.split(['\n', '\0']).count() <= MOST_FOUND).then_some(text)
}

/// The text in a file, if it is one of a few lines.
pub(super) fn text_in(path: &Path) -> Option<String> {
    let is_short = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LONGEST_TEXT);
    if is_short { fs::read_to_string(path).ok() } else { None }
}

/// The root of the worktree that a folder is in.
pub(super) fn worktree_above(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())
}

/// What `printf` makes of the common escapes in a text.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut made = parts.next()?.to_owned();
    for part in parts {
        let mut chars = part.chars();
        made.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            '0' if !chars.as_str().starts_with(|c: char| c.is_ascii_digit()) => '\0',
            _ => return None,
        });
        made.push_str(chars.as_str());
    }
    Some(made)
}

fn joined(words: &[&Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn lines_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
