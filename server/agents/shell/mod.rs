//! What a shell command would do to files, read conservatively: the common ways to write a file, and of these only what
//! is certain. A variable, a pattern, a program that nobody here knows: about these nothing is said.

mod git;
mod tokens;

use std::path::{Path, PathBuf};

use tokens::{Token, Word};

/// Something that a command would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    /// To what.
    pub(super) target: Target,
    /// What it would do.
    pub(super) deed: Deed,
    /// It concerns only files that differ from the last commit.
    pub(super) only_changed: bool,
}

/// What a command would do something to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A file, or a directory and all that is in it.
    Path(PathBuf),
    /// Everything in the worktree that this folder is in.
    Repository(PathBuf),
}

/// What a command would do to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Overwrite,
    Move,
    Delete,
    Discard,
    Stash,
    Stage,
    Commit,
}

impl Deed {
    /// As it is told: "this command would …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::Discard => "throw away the unsaved work in",
            Self::Stash => "stash away the unfinished work in",
            Self::Stage => "stage the unfinished work in",
            Self::Commit => "commit the unfinished work in",
        }
    }
}

/// No longer command line is read, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Commands in commands are followed so far down.
const DEEPEST: usize = 4;

/// What a command line would do to files when it runs in a folder.
pub(super) fn effects(line: &str, folder: &Path) -> Vec<Effect> {
    let mut reader = Reader { effects: Vec::new() };
    reader.line(line, Some(folder.to_owned()), 0);
    reader.effects
}

/// The path that a word names; `None` for a relative one in a folder that nobody knows, and for devices.
fn path(text: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let path = Path::new(text);
    if text.is_empty() || text == "-" || path.starts_with("/dev") {
        return None;
    }
    if path.is_absolute() { Some(path.to_owned()) } else { folder.map(|folder| folder.join(path)) }
}

struct Reader {
    effects: Vec<Effect>,
}

impl Reader {
    fn line(&mut self, line: &str, folder: Option<PathBuf>, depth: usize) {
        if line.len() > LONGEST_LINE || depth > DEEPEST {
            return;
        }
        // A subshell may go elsewhere, and what follows it is where it was before.
        let mut folders = vec![folder];
        let mut words: Vec<Word> = Vec::new();
        for token in tokens::tokens(line).into_iter().chain([Token::End]) {
            let folder = folders.last().cloned().flatten();
            match token {
                Token::Word(word) => words.push(word),
                Token::Output(word) => self.word(&word, folder.as_deref(), Deed::Overwrite),
                Token::End | Token::Open | Token::Close => {
                    let after = self.command(&std::mem::take(&mut words), folder, depth);
                    if let Some(folder) = folders.last_mut() {
                        folder.clone_from(&after);
                    }
                    match token {
                        Token::Open => folders.push(after),
                        Token::Close if folders.len() > 1 => drop(folders.pop()),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Reads one command, and returns the folder in which the next one runs.
    fn command(&mut self, words: &[Word], folder: Option<PathBuf>, depth: usize) -> Option<PathBuf> {
        let words: Vec<&Word> = words.iter().collect();
        let words = without_prefixes(&words);
        let Some((program, arguments)) = words.split_first().filter(|(program, _)| program.is_literal) else {
            return folder;
        };
        let here = folder.as_deref();
        let name = program.text.rsplit('/').next().unwrap_or_default();
        let given = Given::new(arguments);
        match name {
            "cd" => {
                let to = given.names.first().filter(|word| word.is_literal && word.text != "-")?;
                return path(&to.text, here);
            }
            "pushd" | "popd" => return None,
            "tee" => self.words(&given.names, here, Deed::Overwrite),
            "sed" | "gsed" => {
                self.edited_in_place(arguments, here, &["-i", "--in-place"], &["-e", "-f", "--expression", "--file"]);
            }
            "perl" | "ruby" => self.edited_in_place(arguments, here, &["-i"], &["-e", "-E"]),
            "rm" | "unlink" | "shred" => self.words(&given.names, here, Deed::Delete),
            "truncate" => self.words(
                &Given::with_values(arguments, &["-s", "-r", "--size", "--reference"]).names,
                here,
                Deed::Overwrite,
            ),
            "mv" => self.transferred(arguments, here, true),
            "cp" | "install" => self.transferred(arguments, here, false),
            "ln" if given.has('f') => self.transferred(arguments, here, false),
            "dd" => {
                for word in arguments {
                    if let Some(path) = word.text.strip_prefix("of=") {
                        self.word(&Word { text: path.to_owned(), is_literal: word.is_literal }, here, Deed::Overwrite);
                    }
                }
            }
            "git" => git::effects(arguments, here, &mut self.effects),
            "sh" | "bash" | "zsh" | "dash" | "ksh" if given.has('c') => {
                if let Some(line) = given.names.first().filter(|word| word.is_literal) {
                    self.line(&line.text, folder.clone(), depth + 1);
                }
            }
            "eval" if arguments.iter().all(|word| word.is_literal) => {
                let line = arguments.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                self.line(&line, folder.clone(), depth + 1);
            }
            _ => {}
        }
        folder
    }

    /// `sed -i` and what works like it: the first name is the script, unless an option brings it.
    fn edited_in_place(&mut self, arguments: &[&Word], folder: Option<&Path>, in_place: &[&str], script: &[&str]) {
        let is_in_place = |word: &&&Word| {
            in_place.iter().any(|option| match option.strip_prefix("--") {
                Some(_) => word.text.starts_with(option),
                // Also as a part of several: `-pi`, `-ni.bak`.
                None => word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('i'),
            })
        };
        if !arguments.iter().any(|word| is_in_place(&word)) {
            return;
        }
        let brings_script = |word: &&Word| {
            let several = word.text.starts_with('-') && !word.text.starts_with("--");
            script.contains(&word.text.as_str())
                || script.iter().any(|option| option.starts_with("--") && word.text.starts_with(&format!("{option}=")))
                || (several && word.text.ends_with('e') && word.text.len() > 2)
        };
        let mut names = Vec::new();
        let mut has_script = false;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if brings_script(word) {
                has_script = true;
                if !word.text.contains('=') {
                    words.next();
                }
            } else if !word.text.starts_with('-') && !word.text.is_empty() {
                names.push(*word);
            }
        }
        let files = if has_script { &names[..] } else { names.get(1..).unwrap_or_default() };
        self.words(files, folder, Deed::Overwrite);
    }

    /// `mv` and `cp`: the last name is where all others go, unless an option says it.
    fn transferred(&mut self, arguments: &[&Word], folder: Option<&Path>, moves: bool) {
        let given = Given::with_values(arguments, &["-t", "--target-directory", "-S", "--suffix", "-m", "-o", "-g"]);
        if given.has('n') || given.options.contains(&"--no-clobber") {
            return;
        }
        let (sources, target) = match (given.value_of(&["-t", "--target-directory"]), given.names.split_last()) {
            (Some(target), _) => (given.names.clone(), target),
            (None, Some((target, sources))) if !sources.is_empty() => (sources.to_vec(), *target),
            _ => return,
        };
        if moves {
            self.words(&sources, folder, Deed::Move);
        }
        let Some(into) = path(&target.text, folder).filter(|_| target.is_literal) else { return };
        let is_folder = target.text.ends_with('/') || into.is_dir() || sources.len() > 1;
        for source in sources {
            let name = Path::new(&source.text).file_name().filter(|_| source.is_literal);
            match name {
                Some(name) if is_folder => self.add(into.join(name), Deed::Overwrite),
                _ if !is_folder => self.add(into.clone(), Deed::Overwrite),
                _ => {}
            }
        }
    }

    fn words(&mut self, words: &[&Word], folder: Option<&Path>, deed: Deed) {
        for word in words {
            self.word(word, folder, deed);
        }
    }

    fn word(&mut self, word: &Word, folder: Option<&Path>, deed: Deed) {
        if let Some(path) = path(&word.text, folder).filter(|_| word.is_literal) {
            self.add(path, deed);
        }
    }

    fn add(&mut self, path: PathBuf, deed: Deed) {
        self.effects.push(Effect { target: Target::Path(path), deed, only_changed: false });
    }
}

/// A command without what only leads to it: keywords, assignments, programs that run another one.
fn without_prefixes<'a, 'w>(words: &'a [&'w Word]) -> &'a [&'w Word] {
    const KEYWORDS: &[&str] = &["then", "do", "else", "elif", "if", "while", "until", "!", "{", "time"];
    const RUNNERS: &[&str] = &["sudo", "env", "command", "exec", "nohup", "builtin", "nice"];
    let mut words = words;
    let mut is_behind_runner = false;
    while let Some((first, rest)) = words.split_first() {
        let text = first.text.as_str();
        let is_assignment = text
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let is_runner = RUNNERS.contains(&text);
        let is_runners_option = is_behind_runner && text.starts_with('-');
        if !(is_assignment || is_runner || is_runners_option || KEYWORDS.contains(&text)) {
            break;
        }
        is_behind_runner |= is_runner;
        words = rest;
    }
    words
}

/// The arguments of a command: options, and names that are none.
struct Given<'a> {
    options: Vec<&'a str>,
    values: Vec<(&'a str, &'a Word)>,
    names: Vec<&'a Word>,
}

impl<'a> Given<'a> {
    fn new(words: &[&'a Word]) -> Self {
        Self::with_values(words, &[])
    }

    /// The same where some options take the next word.
    fn with_values(words: &[&'a Word], with_value: &[&str]) -> Self {
        let mut given = Self { options: Vec::new(), values: Vec::new(), names: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "--" => {
                    given.names.extend(words.by_ref());
                    break;
                }
                option if option.starts_with('-') && option.len() > 1 => {
                    given.options.push(option);
                    if with_value.contains(&option)
                        && let Some(value) = words.next()
                    {
                        given.values.push((option, value));
                    }
                }
                _ => given.names.push(word),
            }
        }
        given
    }

    /// True if this letter is one of the short options.
    fn has(&self, letter: char) -> bool {
        self.options.iter().any(|option| !option.starts_with("--") && option.contains(letter))
    }

    fn value_of(&self, names: &[&str]) -> Option<&'a Word> {
        self.values.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each block of the file is a command line after `$ `, then what it does to which path, a line each.
    #[test]
    #[cfg_attr(windows, ignore = "the table's absolute paths are those of Unix")]
    fn commands_do_to_files_what_the_table_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dir")).unwrap();
        std::fs::write(folder.path().join("a.rs"), "").unwrap();
        let told = |effect: &Effect| {
            let name = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).display().to_string();
            let what = match &effect.target {
                Target::Path(path) => name(path),
                Target::Repository(path) => format!("everything in [{}]", name(path)),
            };
            let only = if effect.only_changed { " if changed" } else { "" };
            format!("{:?} {what}{only}", effect.deed).to_lowercase()
        };
        let table = include_str!("commands.txt");
        let mut seen = 0;
        for block in table.split("\n$ ").skip(1) {
            let (line, expected) = block.split_once('\n').unwrap_or((block, ""));
            let line = line.replace("\\n", "\n");
            let expected: Vec<&str> =
                expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            let found: Vec<String> = effects(&line, folder.path()).iter().map(told).collect();
            assert_eq!(found, expected, "{line}");
            seen += 1;
        }
        assert!(seen > 50, "the table was read");
    }
}
