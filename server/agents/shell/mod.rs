//! What a shell command would do to files, read conservatively: the common ways to write a file, and of these only what
//! is certain. An unknown variable, a pattern, a program that nobody here knows: about these nothing is said.

mod alias;
mod braces;
mod effect;
mod formatters;
mod found;
mod git;
mod input;
mod parallel;
mod patching;
mod programs;
mod submodules;
mod summary;
mod words;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::thread;

use rable::{Node, NodeKind};

use super::patch;
use effect::Effects;
pub(super) use effect::{Deed, Effect, Target, When};
use found::{Find, FindDeed};
pub(super) use summary::Summary;
use words::{Given, Word, WordKind, program_name, redirects};

/// No longer command line is read, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Nor one with more brackets in one another: substitutions in substitutions take the parser ever longer.
const MOST_BRACKETS: usize = 40;

/// Commands in commands are followed so far down.
const DEEPEST: usize = 4;

/// A loop over more values is read as one over a value that nobody knows.
const MOST_ROUNDS: usize = 100;

/// Who writes more files than this by one command doesn't claim them one by one.
const MOST_WRITTEN: usize = 20;

/// The parser follows lists of commands by recursion; the longest line fits into this, in bytes.
const STACK: usize = 64 * 1024 * 1024;

/// What a command line would do to files when it runs in a folder.
pub(super) fn effects(line: &str, folder: &Path) -> Vec<Effect> {
    scan(line, folder).effects
}

/// The files that a command line will certainly write, move or delete when it runs in a folder. Nothing where these are too
/// many to be one's task.
pub(super) fn written(line: &str, folder: &Path) -> Vec<PathBuf> {
    let is_meant = |effect: &Effect| match effect.deed {
        Deed::Overwrite | Deed::Move | Deed::Delete => !effect.only_changed,
        Deed::Discard | Deed::Stash | Deed::Stage | Deed::Commit => false,
    };
    let effects = effects(line, folder).into_iter().filter(is_meant);
    let paths = effects.filter_map(|effect| match effect.target {
        Target::Path(path) if !path.is_dir() => Some(path),
        Target::Path(_) | Target::Repository(_) => None,
    });
    let mut paths: Vec<PathBuf> = paths.collect();
    if paths.len() > MOST_WRITTEN {
        paths.clear();
    }
    paths
}

/// The commands of a command line that runs in a folder, each as its words, where all of these are known. What one of
/// them runs in its turn is another of them, if that is a shell or one of the programs that only run others.
pub(super) fn commands(line: &str, folder: &Path) -> Vec<Vec<String>> {
    scan(line, folder).commands
}

/// What a command line is called that runs in a folder, and whether it changes anything.
pub(super) fn summary(line: &str, folder: &Path) -> Summary {
    if line.len() > LONGEST_LINE || has_too_many_brackets(line) {
        return Summary::default();
    }
    let read = || rable::parse(line, false).map(|nodes| summary::of(&nodes, folder)).unwrap_or_default();
    with_room(read).unwrap_or_default()
}

/// Reads a command line. Where it cannot be read, it would do nothing.
fn scan(line: &str, folder: &Path) -> Scanner {
    let mut shell = Shell { folder: Some(folder.to_owned()), ..Shell::default() };
    let read = || {
        let mut scanner = Scanner::default();
        scanner.line(line, &mut shell);
        scanner
    };
    with_room(read).unwrap_or_default()
}

/// Parses on a stack that is large enough. `None` where there is no thread to spare, or the parser gives up on the line.
fn with_room<T: Send>(parse: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let parsing = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        parsing.ok()?.join().ok()
    })
}

/// What a shell knows where it stands.
#[derive(Clone, Default)]
struct Shell {
    folder: Option<PathBuf>,
    variables: HashMap<String, String>,
    /// What earlier commands of the line told git to go by, each as `-c` says it.
    git_settings: Vec<String>,
    /// What stands on its standard input, where that is known.
    input: Option<String>,
}

#[derive(Default)]
struct Scanner {
    effects: Vec<Effect>,
    commands: Vec<Vec<String>>,
    /// Where the line itself makes repositories.
    made_repositories: Vec<PathBuf>,
    depth: usize,
}

impl Scanner {
    fn line(&mut self, line: &str, shell: &mut Shell) {
        if line.len() > LONGEST_LINE || self.depth > DEEPEST || has_too_many_brackets(line) {
            return;
        }
        self.depth += 1;
        rable::parse(line, false).unwrap_or_default().iter().for_each(|node| self.node(node, shell));
        self.depth -= 1;
    }

    fn node(&mut self, node: &Node, shell: &mut Shell) {
        self.redirections(redirects(&node.kind), shell);
        match &node.kind {
            NodeKind::Command { assignments, words, redirects } => self.command(assignments, words, redirects, shell),
            // Each runs in a shell of its own, and reads what the one before it prints.
            NodeKind::Pipeline { commands, .. } => {
                let mut input = shell.input.clone();
                for command in commands {
                    self.node(command, &mut Shell { input, ..shell.clone() });
                    input = printed_by(command, shell);
                }
            }
            NodeKind::List { items } => items.iter().for_each(|item| self.node(&item.command, shell)),
            NodeKind::If { condition, then_body, else_body, .. } => {
                [condition, then_body].into_iter().chain(else_body).for_each(|node| self.node(node, shell));
            }
            NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
                self.node(condition, shell);
                self.node(body, shell);
            }
            NodeKind::For { var, words, body, .. } => self.loop_over(var, words.as_deref(), body, shell),
            NodeKind::ForArith { body, .. } | NodeKind::Select { body, .. } | NodeKind::BraceGroup { body, .. } => {
                self.node(body, shell);
            }
            NodeKind::Case { patterns, .. } => {
                patterns.iter().filter_map(|it| it.body.as_ref()).for_each(|body| self.node(body, &mut shell.clone()));
            }
            NodeKind::Subshell { body, .. } => self.node(body, &mut shell.clone()),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => self.node(pipeline, shell),
            NodeKind::Coproc { command, .. } => self.node(command, &mut shell.clone()),
            _ => {}
        }
    }

    fn loop_over(&mut self, variable: &str, words: Option<&[Node]>, body: &Node, shell: &mut Shell) {
        let values = self.words(words.unwrap_or_default(), shell);
        if values.is_empty() || values.len() > MOST_ROUNDS || !values.iter().all(Word::is_literal) {
            shell.variables.remove(variable);
            return self.node(body, shell);
        }
        for value in values {
            shell.variables.insert(variable.to_owned(), value.text);
            self.node(body, shell);
        }
    }

    fn command(&mut self, assignments: &[Node], words: &[Node], redirects: &[Node], shell: &mut Shell) {
        let assigned: Vec<Word> = assignments.iter().map(|word| self.word(word, shell)).collect();
        let words = self.words(words, shell);
        if words.is_empty() {
            shell.assign(&assigned);
        }
        let input = self.input_of(redirects, shell).or_else(|| shell.input.clone());
        let configured = git::configured_by(&assigned);
        if configured.is_empty() {
            return self.run(&words, input.as_deref(), shell);
        }
        // It holds for this command alone.
        let before = shell.git_settings.len();
        shell.git_settings.extend(configured);
        self.run(&words, input.as_deref(), shell);
        shell.git_settings.truncate(before);
    }

    /// A command of which all words are known, and perhaps what stands on its standard input.
    fn run(&mut self, words: &[Word], input: Option<&str>, shell: &mut Shell) {
        let words = programs::without_runners(words);
        let Some((program, arguments)) = words.split_first().filter(|(program, _)| program.is_literal()) else {
            return;
        };
        if self.depth > DEEPEST {
            return;
        }
        if let Some(words) = programs::split_by_env(words) {
            self.depth += 1;
            self.run(&words, input, shell);
            self.depth -= 1;
            return;
        }
        if words.iter().all(Word::is_literal) {
            self.commands.push(words.iter().map(|word| word.text.clone()).collect());
        }
        let given = Given::new(arguments, &[]);
        let mut effects = Effects { folder: shell.folder.as_deref(), found: &mut self.effects };
        match program_name(program) {
            "cd" | "pushd" => shell.folder = given.names.first().and_then(|word| effects.path(word)),
            "popd" => shell.folder = None,
            "export" | "declare" | "local" | "readonly" | "typeset" => shell.assign(arguments),
            "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" if only_reads(arguments) => {}
            "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" => self.inner_shell(&given, input, shell),
            "eval" if arguments.iter().all(Word::is_literal) => {
                let line = arguments.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                self.line(&line, shell);
            }
            "trap" => {
                if let Some(line) = given.names.first().filter(|line| line.is_literal()) {
                    self.line(&line.text, &mut shell.clone());
                }
            }
            "find" => self.find(arguments, shell),
            "parallel" => {
                for line in parallel::lines(arguments, input) {
                    self.line(&line, &mut Shell { input: None, ..shell.clone() });
                }
            }
            "xargs" => self.run_for_each(arguments, input, shell),
            "apply_patch" | "applypatch" => {
                for path in effects.folder.map(|it| patch::paths(input.unwrap_or_default(), it)).unwrap_or_default() {
                    effects.add(Target::Path(path), Deed::Overwrite, false, WordKind::Literal);
                }
            }
            "patch" => patching::patch(arguments, input, &mut effects),
            "git" if given.names.first().is_some_and(|verb| verb.text == "apply") => {
                patching::git_apply(arguments.get(1..).unwrap_or_default(), input, &mut effects);
            }
            "git" if submodules::is_run_in_each(&given) => self.run_in_submodules(&given, shell),
            "git" => {
                let Some(call) = git::Call::read(arguments, shell.folder.as_deref(), &shell.git_settings) else {
                    return;
                };
                if let Some((line, folder)) = alias::meaning(&call) {
                    let input = input.map(str::to_owned);
                    self.line(&line, &mut Shell { folder: Some(folder), input, ..shell.clone() });
                } else {
                    self.made_repositories.extend(call.makes_repository());
                    if !is_in_one_of(&self.made_repositories, call.folder.as_deref()) {
                        git::effects(&call, input, &mut effects);
                    }
                    shell.git_settings.extend(git::configured(&call));
                }
            }
            name => programs::effects(name, arguments, &mut effects),
        }
    }

    /// A shell that is given its commands as an argument, or as a text on its standard input.
    fn inner_shell(&mut self, given: &Given, input: Option<&str>, shell: &Shell) {
        let mut inner = Shell { input: None, ..shell.clone() };
        match given.names.first() {
            Some(line) if line.is_literal() && given.has("c", &[]) => self.line(&line.text, &mut inner),
            Some(_) if !given.has("s", &[]) => {}
            _ => self.line(input.unwrap_or_default(), &mut inner),
        }
    }

    /// What a command reads that is redirected to it.
    fn input_of(&mut self, redirects: &[Node], shell: &Shell) -> Option<String> {
        redirects.iter().rev().find_map(|redirect| match &redirect.kind {
            NodeKind::HereDoc { content, .. } => Some(content.clone()),
            NodeKind::Redirect { op, target, .. } if op == "<<<" => {
                Some(self.word(target, shell)).filter(Word::is_literal).map(|word| word.text)
            }
            NodeKind::Redirect { op, target, .. } if op == "<" => {
                let word = self.word(target, shell);
                let path = shell.folder.as_ref()?.join(&word.text);
                if word.is_literal() { input::text_in(&path) } else { None }
            }
            _ => None,
        })
    }

    /// What `find` does with what it finds.
    fn find(&mut self, arguments: &[Word], shell: &Shell) {
        let Some((find, folder)) = Find::read(arguments).zip(shell.folder.as_deref()) else { return };
        if find.deeds.is_empty() {
            return;
        }
        let found = find.found(folder).unwrap_or_default();
        let found: Vec<Word> = found.into_iter().map(|text| Word { text, kind: WordKind::Matched }).collect();
        for deed in &find.deeds {
            match deed {
                FindDeed::Delete => {
                    let mut effects = Effects { folder: Some(folder), found: &mut self.effects };
                    effects.words(&found.iter().collect::<Vec<_>>(), Deed::Delete);
                }
                FindDeed::Run { command, is_for_each: false } if !found.is_empty() => {
                    self.run_with(command, "{}", &found, shell);
                }
                FindDeed::Run { is_for_each: false, .. } => {}
                FindDeed::Run { command, is_for_each: true } => {
                    for found in &found {
                        self.run_with(command, "{}", std::slice::from_ref(found), shell);
                    }
                }
            }
        }
    }

    /// `xargs`: the words on its standard input become arguments of a command.
    fn run_for_each(&mut self, arguments: &[Word], input: Option<&str>, shell: &Shell) {
        const WITH_VALUE: &[&str] = &["-a", "-d", "-E", "-I", "-L", "-n", "-P", "-s"];
        let is_option = |index: usize| {
            let before = index.checked_sub(1).and_then(|index| arguments.get(index));
            let is_value = before.is_some_and(|before| WITH_VALUE.contains(&before.text.as_str()));
            arguments[index].text.starts_with('-') || is_value
        };
        let first = (0..arguments.len()).find(|index| !is_option(*index)).unwrap_or(arguments.len());
        let (options, command) = arguments.split_at(first);
        let given = Given::new(options, WITH_VALUE);
        let value_of = |name: &str| given.values.iter().find(|(option, _)| *option == name).map(|(_, value)| *value);
        let text = match value_of("-a") {
            Some(file) => shell.folder.as_ref().and_then(|folder| input::text_in(&folder.join(&file.text))),
            None => input.map(str::to_owned),
        };
        let attached = given.options.iter().find_map(|option| option.strip_prefix("-I"));
        let place = value_of("-I").map(|word| word.text.as_str()).or(attached).filter(|place| !place.is_empty());
        let place = place.unwrap_or_default();
        let runs_anyway = place.is_empty() && !given.has("r", &["--no-run-if-empty"]);
        let Some(text) = text else {
            // What it does whatever it is given is certain.
            if runs_anyway {
                self.run_with(command, place, &[Word { text: String::new(), kind: WordKind::Unknown }], shell);
            }
            return;
        };
        let names: Vec<&str> = if given.has("0", &["--null"]) {
            text.split('\0').collect()
        } else if text.contains(['"', '\'', '\\']) {
            return;
        } else {
            text.split_whitespace().collect()
        };
        let names = names.into_iter().filter(|name| !name.is_empty());
        let names: Vec<Word> = names.map(|name| Word { text: name.to_owned(), kind: WordKind::Matched }).collect();
        if !names.is_empty() || runs_anyway {
            self.run_with(command, place, &names, shell);
        }
    }

    /// Runs a command with these in the place of a word, or behind all others.
    fn run_with(&mut self, command: &[Word], place: &str, names: &[Word], shell: &Shell) {
        let mut words = Vec::new();
        for word in command {
            if !place.is_empty() && word.text == place {
                words.extend(names.iter().cloned());
            } else {
                words.push(word.clone());
            }
        }
        if place.is_empty() {
            words.extend(names.iter().cloned());
        }
        self.depth += 1;
        self.run(&words, None, &mut Shell { input: None, ..shell.clone() });
        self.depth -= 1;
    }

    /// `git submodule foreach`.
    fn run_in_submodules(&mut self, given: &Given, shell: &Shell) {
        let line: Vec<&str> = given.names.iter().skip(2).map(|word| word.text.as_str()).collect();
        for folder in shell.folder.as_deref().map(submodules::folders).unwrap_or_default() {
            self.line(&line.join(" "), &mut Shell { folder: Some(folder), input: None, ..shell.clone() });
        }
    }

    fn redirections(&mut self, redirects: &[Node], shell: &Shell) {
        for redirect in redirects {
            let NodeKind::Redirect { op, target, .. } = &redirect.kind else { continue };
            let word = self.word(target, shell);
            // Onto another descriptor, unless a file follows.
            let is_descriptor = word.text == "-" || word.text.chars().all(|c| c.is_ascii_digit());
            if op.contains('>') && !(op == ">&" && is_descriptor) {
                let mut effects = Effects { folder: shell.folder.as_deref(), found: &mut self.effects };
                effects.words(&[&word], Deed::Overwrite);
            }
        }
    }

    /// Reads a word, and the commands in it, each of which runs in a shell of its own.
    fn word(&mut self, word: &Node, shell: &Shell) -> Word {
        self.commands_in(word, shell);
        read_word(word, shell)
    }

    /// The same with several, and what the shell makes of them.
    fn words(&mut self, words: &[Node], shell: &Shell) -> Vec<Word> {
        for word in words {
            self.commands_in(word, shell);
        }
        read_words(words, shell)
    }

    fn commands_in(&mut self, word: &Node, shell: &Shell) {
        for part in words::parts(word) {
            if let NodeKind::CommandSubstitution { command, .. } | NodeKind::ProcessSubstitution { command, .. } =
                &part.kind
            {
                self.node(command, &mut shell.clone());
            }
        }
    }
}

/// Reads words in a shell that knows something, each as what the shell makes of it.
fn read_words(words: &[Node], shell: &Shell) -> Vec<Word> {
    let made = words.iter().flat_map(|word| match words::alternatives(word) {
        Some(alternatives) => alternatives.iter().map(|word| read_word(word, shell)).collect(),
        None => vec![read_word(word, shell)],
    });
    made.flat_map(|word| word.expanded(shell.folder.as_deref())).collect()
}

/// Reads a word in a shell that knows something.
fn read_word(word: &Node, shell: &Shell) -> Word {
    Word::read(word, &shell.known(), &|command| {
        let printed = printed_by(command, shell)?;
        Some(printed.trim_end_matches('\n').to_owned())
    })
}

/// What a command prints, where that can be known.
fn printed_by(command: &Node, shell: &Shell) -> Option<String> {
    let NodeKind::Command { words, redirects, .. } = &command.kind else { return None };
    let folder = shell.folder.as_deref()?;
    let writes = |redirect: &Node| matches!(&redirect.kind, NodeKind::Redirect { op, .. } if op.contains('>'));
    if redirects.iter().any(writes) {
        return None;
    }
    input::printed(&read_words(words, shell), folder)
}

impl Shell {
    /// The variables that are known.
    fn known(&self) -> HashMap<String, String> {
        let mut known = self.variables.clone();
        if let Some(folder) = self.folder.as_deref().and_then(Path::to_str) {
            known.entry("PWD".to_owned()).or_insert_with(|| folder.to_owned());
        }
        known
    }

    fn assign(&mut self, words: &[Word]) {
        for (word, (name, value)) in words.iter().filter_map(|word| Some((word, word.text.split_once('=')?))) {
            // An array, or what is added to a value, is not known.
            if word.is_literal() && !value.starts_with('(') && !name.ends_with('+') {
                self.variables.insert(name.to_owned(), value.to_owned());
            } else {
                self.variables.remove(name.trim_end_matches('+'));
            }
        }
    }
}

/// True for a folder in one of these.
fn is_in_one_of(repositories: &[PathBuf], folder: Option<&Path>) -> bool {
    let stays_in = |below: &Path| !below.components().any(|part| part == Component::ParentDir);
    let is_in = |made: &PathBuf| folder.is_some_and(|folder| folder.strip_prefix(made).is_ok_and(stays_in));
    repositories.iter().any(is_in)
}

/// True for a shell that is told to run nothing of what it reads.
fn only_reads(arguments: &[Word]) -> bool {
    let mut options = arguments.iter().map(|word| word.text.as_str()).take_while(|option| option.starts_with('-'));
    options.any(|option| option == "--no-execute" || (!option.starts_with("--") && option.contains('n')))
}

/// True for a line with more brackets in one another than people write, quoted or not.
fn has_too_many_brackets(line: &str) -> bool {
    let mut open = 0_usize;
    line.bytes().any(|byte| {
        match byte {
            b'(' | b'{' => open += 1,
            b')' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MOST_BRACKETS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_programs_and_paths_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes"), "").unwrap();
        let cases = [
            ("python3 gen.py", "python3 gen.py", false),
            ("sed -i 's/a/b/' src/a.rs", "sed -i … src/a.rs", false),
            ("printf 'secret' > a.txt", "printf … > a.txt", false),
            ("TOKEN=abc deploy --key=abc -p abc notes abc", "TOKEN=… deploy --key=… -p … notes …", false),
            ("cat <<EOF > x.txt\nsecret\nEOF", "cat > x.txt", false),
            ("curl -uada:secret https://ada:pw@host/x", "curl …", false),
            ("git status && git diff HEAD | head -5 2>&1", "git status; git diff …; head -5", true),
            ("sed -n '1,5p' a.rs; cat a.rs 2>/dev/null", "sed -n … a.rs; cat a.rs", true),
            ("ls $(touch x)", "ls …", false),
            ("find . -name '*.rs' -delete", "find . -n… … -d…", false),
            ("for f in a b; do rm $f; done", "rm …", false),
            ("env -iS 'PATH=/bin rm notes'", "env -iS …", false),
            ("env -i A=1", "env -i A=…", true),
            ("flock notes", "flock notes", false),
            ("./test", "./test", false),
            ("cat {a,b}", "cat …", true),
            ("cat <<EOF\n$(rm notes)\nEOF", "cat", false),
            ("cat <<'EOF'\n$(rm notes)\nEOF", "cat", true),
            ("cat < $(./next)", "cat", false),
            ("sed -n 1p -i notes", "sed -n … -i notes", false),
            ("git diff --outpu=notes", "git diff --outpu=…", false),
            ("PATH=.; ls", "PATH=…; ls", false),
        ];
        for (line, words, only_reads) in cases {
            let found = summary(line, folder.path());
            assert_eq!((found.words.as_deref(), found.only_reads), (Some(words), only_reads), "{line}");
        }
    }

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
            let when = match effect.when {
                When::Always => String::new(),
                When::IsStaged => " if staged".to_owned(),
                When::StashesByItself(verb) => format!(" if {verb} stashes by itself"),
            };
            format!("{:?} {what}{only}{when}", effect.deed).to_lowercase()
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
