//! The words of a command, as far as they can be known without running it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rable::{Node, NodeKind};

use super::braces;

/// A word of a command line.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// What it says, without quotes.
    pub(super) text: String,
    pub(super) kind: WordKind,
}

/// How a word comes to be what a program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordKind {
    /// As it stands there.
    Literal,
    /// The shell makes names of it: those of the files that it matches.
    Pattern,
    /// It is the name of a file that a pattern matches.
    Matched,
    /// It is what a command prints, and the shell makes any number of words of it.
    Printed,
    /// The shell makes something of it that nobody knows: an unknown variable, the output of a command.
    Unknown,
}

/// The name of a program, without the folder that it is in.
pub(super) fn program_name(word: &Word) -> &str {
    word.text.rsplit('/').next().unwrap_or_default()
}

/// A pattern that matches more names than this is not looked into.
const MOST_MATCHED: usize = 200;

impl Word {
    /// Reads a word, with the variables that are known. `printed` says what a command in it prints, where that is known.
    pub(super) fn read(
        node: &Node,
        variables: &HashMap<String, String>,
        printed: &dyn Fn(&Node) -> Option<String>,
    ) -> Self {
        let mut word = Self { text: String::new(), kind: WordKind::Literal };
        if let [part] = parts(node)
            && let NodeKind::CommandSubstitution { command, .. } = &part.kind
            && let Some(text) = printed(command)
            && (text.is_empty() || text.contains(char::is_whitespace))
            && !text.contains(['*', '?', '[', '"', '\\'])
        {
            return Self { text, kind: WordKind::Printed };
        }
        let mut is_quoted = false;
        let is_plain =
            |value: &&String, is_quoted: bool| is_quoted || !value.contains([' ', '\t', '\n', '*', '?', '[']);
        for part in parts(node) {
            match &part.kind {
                NodeKind::WordLiteral { value } => word.add(value, &mut is_quoted),
                NodeKind::AnsiCQuote { decoded, .. } => word.text.push_str(decoded),
                NodeKind::ParamExpansion { param, op: None, .. } => {
                    word.add_known(variables.get(param).filter(|value| is_plain(value, is_quoted)));
                }
                NodeKind::CommandSubstitution { command, .. } => {
                    let printed = printed(command);
                    word.add_known(printed.as_ref().filter(|text| is_plain(text, is_quoted)));
                }
                _ => word.kind = WordKind::Unknown,
            }
        }
        word
    }

    fn add_known(&mut self, text: Option<&String>) {
        if text.is_none() {
            self.kind = WordKind::Unknown;
        }
        self.text.push_str(text.map_or("", String::as_str));
    }

    /// True if its text is what the program gets.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self.kind, WordKind::Literal | WordKind::Matched)
    }

    /// What the shell makes of it in a folder: a pattern becomes the names that it matches, and what a command prints the
    /// words of it.
    pub(super) fn expanded(self, folder: Option<&Path>) -> Vec<Self> {
        if self.kind == WordKind::Printed {
            let words = self.text.split_whitespace();
            return words.map(|text| Self { text: text.to_owned(), kind: WordKind::Matched }).collect();
        }
        if self.kind != WordKind::Pattern {
            return vec![self];
        }
        let Some(folder) = folder else { return vec![self] };
        let mut names = vec![String::new()];
        let mut rest = self.text.as_str();
        while !rest.is_empty() {
            let end = rest.find('/').map_or(rest.len(), |end| end + 1);
            let (part, after) = rest.split_at(end);
            names = names.iter().flat_map(|name| matching(folder, name, part)).take(MOST_MATCHED + 1).collect();
            rest = after;
        }
        // What matches nothing stays as it is: it may be a name.
        if names.is_empty() && folder.join(&self.text).symlink_metadata().is_ok() {
            return vec![Self { kind: WordKind::Literal, ..self }];
        }
        if names.is_empty() || names.len() > MOST_MATCHED {
            return vec![self];
        }
        names.into_iter().map(|text| Self { text, kind: WordKind::Matched }).collect()
    }

    /// Takes the quotes out of a text without expansions (POSIX 2.2, "Quoting").
    fn add(&mut self, text: &str, is_quoted: &mut bool) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => *is_quoted = !*is_quoted,
                '\'' if !*is_quoted => self.text.extend(chars.by_ref().take_while(|c| *c != '\'')),
                '\\' => {
                    let next = chars.next();
                    if *is_quoted && !matches!(next, Some('"' | '\\' | '$' | '`' | '\n')) {
                        self.text.push('\\');
                    }
                    self.text.extend(next.filter(|c| *c != '\n'));
                }
                _ => {
                    let is_home = c == '~' && (self.text.is_empty() || self.text.ends_with('='));
                    match c {
                        _ if *is_quoted => {}
                        _ if is_home => self.kind = WordKind::Unknown,
                        '*' | '?' | '[' if self.kind == WordKind::Literal => self.kind = WordKind::Pattern,
                        _ => {}
                    }
                    self.text.push(c);
                }
            }
        }
    }
}

/// What a part of a pattern, up to a slash, makes of a name that was matched so far.
fn matching(folder: &Path, before: &str, part: &str) -> Vec<String> {
    let pattern = part.trim_end_matches('/');
    if !has_wildcard(pattern) {
        return vec![format!("{before}{part}")];
    }
    let entries = fs::read_dir(folder.join(before)).into_iter().flatten().flatten();
    let names = entries.filter(|entry| !part.ends_with('/') || entry.path().is_dir());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let is_meant = |name: &String| {
        name.starts_with('.') == pattern.starts_with('.')
            && gix_glob::wildmatch(pattern.into(), name.as_str().into(), gix_glob::wildmatch::Mode::empty())
    };
    let slash = &part[pattern.len()..];
    let mut names: Vec<String> = names.filter(is_meant).map(|name| format!("{before}{name}{slash}")).collect();
    names.sort_unstable();
    names
}

/// True for a text with a letter that stands for others.
pub(super) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The parts of a word: texts, expansions, commands.
pub(super) fn parts(word: &Node) -> &[Node] {
    if let NodeKind::Word { parts, .. } = &word.kind { parts } else { &[] }
}

/// What a word is in the command line, quotes and all.
pub(super) fn raw(word: &Node) -> &str {
    if let NodeKind::Word { value, .. } = &word.kind { value } else { "" }
}

/// The words that the shell makes of one with braces in it; `None` where it stays one.
pub(super) fn alternatives(word: &Node) -> Option<Vec<Node>> {
    let made = braces::alternatives(raw(word));
    if made.len() < 2 {
        return None;
    }
    let parsed = made.iter().map(|word| {
        let line = rable::parse(&format!(": {word}"), false).ok()?.into_iter().next()?;
        if let NodeKind::Command { words, .. } = line.kind { Some(words.into_iter().skip(1)) } else { None }
    });
    // An empty one is none.
    Some(parsed.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The arguments of a command: options, and names that are none.
pub(super) struct Given<'a> {
    pub(super) options: Vec<&'a str>,
    /// The options without the values that are written onto short ones.
    flags: Vec<&'a str>,
    /// The options whose value is the word behind them, with it.
    pub(super) values: Vec<(&'a str, &'a Word)>,
    pub(super) names: Vec<&'a Word>,
    /// The names behind `--`.
    pub(super) after_dashes: Vec<&'a Word>,
}

impl<'a> Given<'a> {
    /// `with_value` are the options that take the next word, a short one also as the last of several, unless the value is
    /// written onto it; one that ends with `=` has a value only so.
    pub(super) fn new(words: &'a [Word], with_value: &[&str]) -> Self {
        let (options, flags, values) = (Vec::new(), Vec::new(), Vec::new());
        let mut given = Self { options, flags, values, names: Vec::new(), after_dashes: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "--" => given.after_dashes.extend(words.by_ref()),
                option if option.starts_with('-') && option.len() > 1 => {
                    given.options.push(option);
                    let value = short_with_value(option, with_value);
                    given.flags.push(value.map_or(option, |(at, _)| &option[..at]));
                    let is_behind = value.is_some_and(|(at, is_own_word)| at == option.len() && is_own_word);
                    if (is_behind || with_value.contains(&option))
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

    /// True if one of these options was given, the short ones also as a part of several, the long ones with a value, or cut
    /// short as far as programs understand it.
    pub(super) fn has(&self, short: &str, long: &[&str]) -> bool {
        /// With the dashes.
        const SHORTEST: usize = 4;
        let is_one =
            |name: &str| long.contains(&name) || (name.len() >= SHORTEST && long.iter().any(|it| it.starts_with(name)));
        self.flags.iter().any(|option| match option.strip_prefix("--") {
            Some(_) => is_one(option.split('=').next().unwrap_or_default()),
            None => option.contains(|c| short.contains(c)),
        })
    }

    /// All names, before `--` and behind it.
    pub(super) fn all(&self) -> Vec<&'a Word> {
        self.names.iter().chain(&self.after_dashes).copied().collect()
    }
}

/// Where in an option of one or several letters the value of one of them begins, and whether that may be the next word.
fn short_with_value(option: &str, with_value: &[&str]) -> Option<(usize, bool)> {
    if option.starts_with("--") {
        return None;
    }
    option.char_indices().skip(1).find_map(|(at, letter)| {
        let is_it = |known: &&&str| {
            known.strip_prefix('-').is_some_and(|it| it.strip_suffix('=').unwrap_or(it).chars().eq([letter]))
        };
        let known = with_value.iter().find(is_it)?;
        Some((at + letter.len_utf8(), !known.ends_with('=')))
    })
}

/// What a command, or what several are put together to, is redirected to and from.
pub(super) fn redirects(kind: &NodeKind) -> &[Node] {
    match kind {
        NodeKind::Command { redirects, .. }
        | NodeKind::If { redirects, .. }
        | NodeKind::While { redirects, .. }
        | NodeKind::Until { redirects, .. }
        | NodeKind::For { redirects, .. }
        | NodeKind::ForArith { redirects, .. }
        | NodeKind::Select { redirects, .. }
        | NodeKind::Case { redirects, .. }
        | NodeKind::Subshell { redirects, .. }
        | NodeKind::BraceGroup { redirects, .. }
        | NodeKind::ArithmeticCommand { redirects, .. }
        | NodeKind::ConditionalExpr { redirects, .. } => redirects,
        _ => &[],
    }
}
