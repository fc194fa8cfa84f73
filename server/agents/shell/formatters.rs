//! Programs that write the files anew that they are given: formatters, and what mends or converts files in place.

use super::effect::{Deed, Effects};
use super::words::{Given, Word};

/// When a program writes the files that it is given.
enum Writes {
    /// Only with one of these options.
    With(&'static [&'static str]),
    /// Unless it has one of these options.
    Without(&'static [&'static str]),
}

const FORMATTERS: &[(&str, Writes)] = &[
    ("autopep8", Writes::With(&["-i", "--in-place"])),
    ("biome", Writes::With(&["--write", "--fix"])),
    ("black", Writes::Without(&["--check", "--diff"])),
    ("clang-format", Writes::With(&["-i"])),
    ("deno fmt", Writes::Without(&["--check"])),
    ("dos2unix", Writes::Without(&["-i", "--info", "-n", "--newfile"])),
    ("eslint", Writes::With(&["--fix"])),
    ("gofmt", Writes::With(&["-w"])),
    ("goimports", Writes::With(&["-w"])),
    ("isort", Writes::Without(&["-c", "--check", "--check-only", "--diff", "-d", "--stdout"])),
    ("nixfmt", Writes::Without(&["-c", "--check"])),
    ("prettier", Writes::With(&["-w", "--write"])),
    ("rubocop", Writes::With(&["-a", "-A", "--autocorrect", "--autocorrect-all"])),
    ("ruff format", Writes::Without(&["--check", "--diff"])),
    ("ruff check", Writes::With(&["--fix"])),
    ("rustfmt", Writes::Without(&["--check", "--emit", "--print-config"])),
    ("sd", Writes::Without(&["-p", "--preview"])),
    ("shfmt", Writes::With(&["-w", "--write"])),
    ("stylelint", Writes::With(&["--fix"])),
    ("unix2dos", Writes::Without(&["-i", "--info", "-n", "--newfile"])),
    ("yapf", Writes::With(&["-i", "--in-place"])),
    ("yq", Writes::With(&["-i", "--inplace", "--in-place"])),
];

/// Options whose value is a file that is only read.
const WITH_VALUE: &[&str] = &["--config", "--config-path", "--ignore-path", "--settings-path", "--rcfile", "--style"];

/// Programs that run another one out of a project.
const RUNNERS: &[&str] = &["bunx", "npx", "uvx"];

/// The same with a verb.
const RUNNERS_WITH_VERB: &[(&str, &str)] = &[
    ("bundle", "exec"),
    ("npm", "exec"),
    ("pipx", "run"),
    ("pnpm", "exec"),
    ("poetry", "run"),
    ("uv", "run"),
    ("yarn", "run"),
];

/// Adds what such a program would do with its arguments. A folder is passed over: which files in it change is not certain.
pub(super) fn effects(program: &str, arguments: &[Word], effects: &mut Effects) {
    let (program, arguments) = without_runner(program, arguments);
    let given = Given::new(arguments, WITH_VALUE);
    let with_verb = given.names.first().map(|verb| format!("{program} {}", verb.text));
    let is_it = |name: &str| name == program || with_verb.as_deref() == Some(name);
    let Some((_, writes)) = FORMATTERS.iter().find(|(name, _)| is_it(name)) else { return };
    let has = |options: &[&str]| {
        given.options.iter().any(|option| options.contains(&option.split('=').next().unwrap_or_default()))
    };
    let is_written = match writes {
        Writes::With(options) => has(options),
        Writes::Without(options) => !has(options),
    };
    if is_written {
        let is_file = |word: &&Word| effects.path(word).is_some_and(|path| path.is_file());
        let files: Vec<&Word> = given.all().into_iter().filter(is_file).collect();
        effects.words(&files, Deed::Overwrite);
    }
}

/// What a runner runs, with its arguments.
fn without_runner<'a>(program: &'a str, arguments: &'a [Word]) -> (&'a str, &'a [Word]) {
    let verb = RUNNERS_WITH_VERB.iter().find(|(runner, _)| *runner == program).map(|(_, verb)| *verb);
    let is_python = program.starts_with("python");
    if verb.is_none() && !is_python && !RUNNERS.contains(&program) {
        return (program, arguments);
    }
    let is_before = |word: &&Word| match verb {
        Some(verb) if word.text == verb => true,
        _ => word.text.starts_with('-'),
    };
    let before = arguments.iter().take_while(is_before).count();
    let names_module = arguments.get(..before).and_then(<[Word]>::last).is_some_and(|word| word.text == "-m");
    match arguments.get(before) {
        // Python runs a file otherwise.
        Some(other) if other.is_literal() && (!is_python || names_module) => (&other.text, &arguments[before + 1..]),
        _ => (program, arguments),
    }
}
