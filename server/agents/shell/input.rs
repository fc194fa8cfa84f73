//! What a command prints, and what the next one in a pipeline reads, where that can be known without running it.

use std::fs;
use std::path::Path;

use super::found::Find;
use super::words::{Given, Word, program_name};

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
            [text] if !text.text.contains(['%', '\\']) => Some(text.text.clone()),
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
        "git" if arguments.iter().map(|word| word.text.as_str()).eq(["rev-parse", "--git-dir"]) => {
            let directory = worktree_above(folder)?.join(".git");
            directory.to_str().filter(|_| directory.is_dir()).map(str::to_owned)
        }
        _ => None,
    }
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

fn joined(words: &[&Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn lines_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
