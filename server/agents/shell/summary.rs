//! What a command line is called in the journal, with everything left out that may be secret, and whether it can change
//! files at all.

use std::collections::HashMap;
use std::path::Path;

use rable::{Node, NodeKind};

use super::programs::without_runners;
use super::words::{Word, WordKind, parts, program_name, raw, redirects};

/// A command line in short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Programs and paths; `None` if not even these can be told.
    pub(crate) words: Option<String>,
    /// True if nothing in it changes a file.
    pub(crate) only_reads: bool,
}

/// What stands for what is left out.
const LEFT_OUT: &str = "…";

/// No summary is longer, in characters.
const LONGEST: usize = 200;

/// Programs that change no file, whatever they are told.
const READERS: &[&str] = &[
    "[", "basename", "cat", "cd", "cmp", "cut", "date", "df", "diff", "dirname", "du", "echo", "egrep", "false",
    "fgrep", "file", "grep", "head", "id", "jq", "ls", "nl", "printf", "ps", "pwd", "readlink", "realpath", "rg",
    "sleep", "stat", "tail", "test", "tr", "true", "type", "uname", "wc", "which", "whoami",
];

/// What git does without changing a file.
const GIT_READERS: &[&str] = &["blame", "diff", "log", "ls-files", "rev-parse", "show", "status"];

/// Programs whose first word says what they do.
const WITH_VERBS: &[&str] = &[
    "bun", "bundle", "cargo", "deno", "docker", "dotnet", "git", "go", "gradle", "just", "make", "mvn", "npm", "npx",
    "pip", "pnpm", "poetry", "uv", "yarn",
];

/// How options begin that let a program run another one, or write a file.
const WRITING_OPTIONS: &[&str] =
    &["--ou", "--ext", "--textc", "--pre", "--hostname-bin", "-delete", "-exec", "-ok", "-fprint", "-fls"];

/// Summarises commands that run in a folder.
pub(super) fn of(commands: &[Node], folder: &Path) -> Summary {
    let mut reading = Reading { folder, words: Vec::new(), only_reads: true };
    for command in commands {
        reading.node(command);
    }
    let mut words = reading.words.join("; ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.replace_range(end.., LEFT_OUT);
    }
    Summary { words: Some(words).filter(|words| !words.is_empty()), only_reads: reading.only_reads }
}

struct Reading<'a> {
    folder: &'a Path,
    words: Vec<String>,
    only_reads: bool,
}

impl Reading<'_> {
    fn node(&mut self, node: &Node) {
        for redirect in redirects(&node.kind) {
            self.redirect(redirect);
        }
        match &node.kind {
            NodeKind::Command { assignments, words, redirects } => {
                assignments.iter().chain(words).for_each(|word| self.inner(word));
                self.command(assignments, words, redirects);
            }
            NodeKind::Pipeline { commands, .. } => commands.iter().for_each(|node| self.node(node)),
            NodeKind::List { items } => items.iter().for_each(|item| self.node(&item.command)),
            NodeKind::If { condition, then_body, else_body, .. } => {
                [condition, then_body].into_iter().chain(else_body).for_each(|node| self.node(node));
            }
            NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
                self.node(condition);
                self.node(body);
            }
            NodeKind::For { words, body, .. } => {
                words.iter().flatten().for_each(|word| self.inner(word));
                self.node(body);
            }
            NodeKind::Subshell { body, .. } | NodeKind::BraceGroup { body, .. } => self.node(body),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => self.node(pipeline),
            NodeKind::Empty | NodeKind::Comment { .. } => {}
            _ => self.only_reads = false,
        }
    }

    fn redirect(&mut self, redirect: &Node) {
        match &redirect.kind {
            NodeKind::HereDoc { content, quoted: false, .. } => {
                self.only_reads &= !["$(", "${", "`"].iter().any(|begin| content.contains(begin));
            }
            NodeKind::Redirect { target, .. } => {
                self.only_reads &= !writes(redirect);
                self.inner(target);
            }
            _ => {}
        }
    }

    /// Commands whose output is a part of a word are not told, but they may change files.
    fn inner(&mut self, word: &Node) {
        for part in parts(word) {
            match &part.kind {
                NodeKind::CommandSubstitution { command, .. } | NodeKind::ProcessSubstitution { command, .. } => {
                    let mut inner = Reading { folder: self.folder, words: Vec::new(), only_reads: true };
                    inner.node(command);
                    self.only_reads &= inner.only_reads;
                }
                NodeKind::WordLiteral { .. }
                | NodeKind::AnsiCQuote { .. }
                | NodeKind::ParamExpansion { op: None, .. } => {}
                NodeKind::BraceExpansion { content } if !content.contains(['$', '`', '(']) => {}
                _ => self.only_reads = false,
            }
        }
    }

    fn command(&mut self, assignments: &[Node], words: &[Node], redirects: &[Node]) {
        let read: Vec<Word> = words.iter().map(|word| Word::read(word, &HashMap::new(), &|_| None)).collect();
        let run = without_runners(&read);
        let by_runners = read[..read.len() - run.len()].iter().map(|word| word.text.as_str());
        let mut variables = assignments.iter().map(raw).chain(by_runners);
        // Of the programs that run others, one alone does nothing; the others may take a command from elsewhere.
        let is_nothing = run.is_empty()
            && read.first().is_none_or(|program| program_name(program) == "env")
            && !assignments.iter().any(|word| raw(word).starts_with("PATH="));
        self.only_reads &= is_nothing || (is_reader(run) && !variables.any(may_run_something));
        let mut told: Vec<String> = assignments.iter().map(|word| shown_assignment(raw(word))).collect();
        let mut is_value = false;
        for (index, word) in words.iter().enumerate() {
            let text = raw(word);
            let is_verb = index == 1 && WITH_VERBS.contains(&program_name(&read[0]));
            let is_first = index == 0 && is_plain(text);
            told.push(if is_first { text.to_owned() } else { self.shown(text, is_verb, is_value) });
            is_value = text.starts_with('-') && !text.contains('=');
        }
        for redirect in redirects {
            if let NodeKind::Redirect { op, target, .. } = &redirect.kind
                && writes(redirect)
            {
                told.extend([op.clone(), self.shown(raw(target), false, false)]);
            }
        }
        told.dedup_by(|one, before| one == LEFT_OUT && before == LEFT_OUT);
        if !told.is_empty() {
            self.words.push(told.join(" "));
        }
    }

    /// An argument as it is told.
    fn shown(&self, text: &str, is_verb: bool, is_value: bool) -> String {
        let is_there = || is_plain(text) && self.folder.join(text).symlink_metadata().is_ok();
        if let Some((name, _)) = text.split_once('=').filter(|(name, _)| is_plain(name)) {
            return format!("{name}={LEFT_OUT}");
        }
        if !is_plain(text) {
            return LEFT_OUT.to_owned();
        }
        if text.starts_with("--") || (text.starts_with('-') && text.len() <= 3) {
            return text.to_owned();
        }
        if let Some(short) = text.get(..2).filter(|short| short.starts_with('-')) {
            return format!("{short}{LEFT_OUT}");
        }
        let is_word =
            |text: &str| text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if is_there() || (!is_value && (looks_like_path(text) || (is_verb && is_word(text)))) {
            return text.to_owned();
        }
        LEFT_OUT.to_owned()
    }
}

fn shown_assignment(text: &str) -> String {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    format!("{name}={LEFT_OUT}")
}

/// True for what has neither quotes nor anything else in it that could bring a secret.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._-/+,@~*?[]".contains(c))
}

/// A path that need not exist: one that says where it begins, or whose name has an ending.
fn looks_like_path(text: &str) -> bool {
    let is_rooted = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    let ending = text.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ending)| ending);
    let is_ending = (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !text.contains('@') && (is_rooted || is_ending)
}

/// True if a redirection writes a file.
fn writes(redirect: &Node) -> bool {
    let NodeKind::Redirect { op, target, .. } = &redirect.kind else { return false };
    let target = raw(target);
    let is_descriptor = op.ends_with('&') && (target == "-" || target.bytes().all(|byte| byte.is_ascii_digit()));
    op.contains('>') && !is_descriptor && target != "/dev/null"
}

/// True for a variable by which a program that only reads may be told to run another one.
fn may_run_something(assignment: &str) -> bool {
    const HARMLESS: &[&str] = &["CLICOLOR", "COLUMNS", "LANG", "LC_", "LINES", "NO_COLOR", "TERM", "TZ"];
    assignment.contains('=')
        && !assignment.starts_with('-')
        && !HARMLESS.iter().any(|name| assignment.starts_with(name))
}

/// True for a command that changes no file. It is said only of what is known for sure.
fn is_reader(words: &[Word]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let writes = |word: &Word| WRITING_OPTIONS.iter().any(|option| word.text.starts_with(option));
    // A script in the project may be called like one.
    let is_elsewhere =
        program.text.contains('/') && !["/bin/", "/usr/bin/"].iter().any(|bin| program.text.starts_with(bin));
    if !program.is_literal() || is_elsewhere || arguments.iter().any(writes) {
        return false;
    }
    match program_name(program) {
        "find" => true,
        "git" => arguments.first().is_some_and(|verb| GIT_READERS.contains(&verb.text.as_str())),
        // A script that only prints lines; others may write files.
        "sed" => {
            let prints = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ",$p; ".contains(c));
            match arguments {
                [option, script, files @ ..] if option.text == "-n" => {
                    let is_file = |word: &Word| word.kind != WordKind::Unknown && !word.text.starts_with('-');
                    script.is_literal() && prints(&script.text) && files.iter().all(is_file)
                }
                _ => false,
            }
        }
        name => READERS.contains(&name),
    }
}
