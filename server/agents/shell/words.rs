//! The words of a command, as far as they can be known without running it.

use std::collections::HashMap;

use rable::{Node, NodeKind};

/// A word of a command line.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// What it says, without quotes.
    pub(super) text: String,
    /// False if the shell would make something else of it: an unknown variable, a pattern, the output of a command.
    pub(super) is_literal: bool,
}

impl Word {
    /// Reads a word, with the variables that are known.
    pub(super) fn read(node: &Node, variables: &HashMap<String, String>) -> Self {
        let mut word = Self { text: String::new(), is_literal: true };
        let mut is_quoted = false;
        for part in parts(node) {
            match &part.kind {
                NodeKind::WordLiteral { value } => word.add(value, &mut is_quoted),
                NodeKind::AnsiCQuote { decoded, .. } => word.text.push_str(decoded),
                NodeKind::ParamExpansion { param, op: None, .. } => {
                    let is_plain = |value: &&String| is_quoted || !value.contains([' ', '\t', '\n', '*', '?', '[']);
                    let value = variables.get(param).filter(is_plain);
                    word.is_literal &= value.is_some();
                    word.text.push_str(value.map_or("", String::as_str));
                }
                _ => word.is_literal = false,
            }
        }
        word
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
                    self.is_literal &= *is_quoted || !(is_home || matches!(c, '*' | '?' | '['));
                    self.text.push(c);
                }
            }
        }
    }
}

/// The parts of a word: texts, expansions, commands.
pub(super) fn parts(word: &Node) -> &[Node] {
    if let NodeKind::Word { parts, .. } = &word.kind { parts } else { &[] }
}

/// The arguments of a command: options, and names that are none.
pub(super) struct Given<'a> {
    pub(super) options: Vec<&'a str>,
    /// The options whose value is the word behind them, with it.
    pub(super) values: Vec<(&'a str, &'a Word)>,
    pub(super) names: Vec<&'a Word>,
    /// The names behind `--`.
    pub(super) after_dashes: Vec<&'a Word>,
}

impl<'a> Given<'a> {
    /// `with_value` are the options that take the next word, a short one also as the last of several.
    pub(super) fn new(words: &'a [Word], with_value: &[&str]) -> Self {
        let mut given = Self { options: Vec::new(), values: Vec::new(), names: Vec::new(), after_dashes: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "--" => given.after_dashes.extend(words.by_ref()),
                option if option.starts_with('-') && option.len() > 1 => {
                    given.options.push(option);
                    let is_last = |short: &&&str| !option.starts_with("--") && option.ends_with(&short[1..]);
                    let takes_value = with_value.contains(&option)
                        || with_value.iter().filter(|known| known.len() == 2).any(|short| is_last(&short));
                    if takes_value && let Some(value) = words.next() {
                        given.values.push((option, value));
                    }
                }
                _ => given.names.push(word),
            }
        }
        given
    }

    /// True if one of these options was given, the short ones also as a part of several, the long ones with a value.
    pub(super) fn has(&self, short: &str, long: &[&str]) -> bool {
        self.options.iter().any(|option| match option.strip_prefix("--") {
            Some(_) => long.contains(&option.split('=').next().unwrap_or_default()),
            None => option.contains(|c| short.contains(c)),
        })
    }

    /// All names, before `--` and behind it.
    pub(super) fn all(&self) -> Vec<&'a Word> {
        self.names.iter().chain(&self.after_dashes).copied().collect()
    }
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
