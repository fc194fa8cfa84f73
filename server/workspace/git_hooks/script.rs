//! What the guard's lines in a hook say, and finding them again.
//!
//! They are written for every shell that a hook may name: POSIX, with `set -e` and `set -u` or without.

use crate::DIRECTORY_VARIABLE;
use deconflict_protocol::DIRECTORY_NAME;

/// The hooks that the guard is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    PreCommit,
    PostCommit,
    PrePush,
    ReferenceTransaction,
}

/// How the lines stand in their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The file was made for them.
    Own,
    /// After the first line of somebody's shell script.
    Inserted,
    /// In a file of their own that runs somebody's hook, which was moved.
    Before,
}

/// Where somebody's hook is moved that is no shell script; its name stays, since a hook may look at it.
pub(super) const MOVED_TO: &str = "deconflict.before";

/// The first line of a file of our own.
pub(super) const SHEBANG: &[u8] = b"#!/bin/sh\n";

/// The variable that says, to what a hook runs after the guard's lines, in which hook of which git process the guard has
/// looked.
pub const LOOKED: &str = "DECONFLICT_LOOKED";

const BEGIN: &str = "# >>> deconflict guard";
const END: &str = "# <<< deconflict guard <<<\n";

impl Hook {
    pub(super) const ALL: [Self; 4] = [Self::PreCommit, Self::PostCommit, Self::PrePush, Self::ReferenceTransaction];

    /// What git calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PostCommit => "post-commit",
            Self::PrePush => "pre-push",
            Self::ReferenceTransaction => "reference-transaction",
        }
    }
}

impl Layout {
    fn mark(self) -> &'static str {
        match self {
            Self::Own => "in a file of its own",
            Self::Inserted => "in your hook",
            Self::Before => "before your hook",
        }
    }
}

/// How the guard is run from a hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// A path or a name.
    pub(super) program: &'a str,
    /// What becomes of what cannot be told.
    pub(super) deny_when_unsure: bool,
    /// The lines look whether the guard is still in the other hooks.
    pub(super) comes_back: bool,
    /// Others may get the file, with deconflict or without.
    pub(super) is_committed: bool,
}

/// The guard's lines.
pub(super) fn lines(hook: Hook, layout: Layout, terms: &Terms) -> String {
    let begin = format!("{BEGIN}, {}; `deconflict guard --uninstall` takes it out >>>\n", layout.mark());
    if hook == Hook::ReferenceTransaction {
        let come_back = if terms.comes_back { come_back(terms.program) } else { String::new() };
        return format!("{begin}{}{come_back}{}{END}", stash_lines(layout, terms.program), run_moved(hook, layout));
    }
    // What git says on standard input is for the rest of the hook too, so it is kept and given again.
    let (keep_input, give_input_again) = match hook {
        Hook::PrePush => (
            "deconflict_refs=$(cat)\n",
            "if [ -n \"$deconflict_refs\" ]; then\n    exec <<deconflict_end\n$deconflict_refs\ndeconflict_end\n\
             else\n    exec </dev/null\nfi\n",
        ),
        Hook::PreCommit | Hook::PostCommit | Hook::ReferenceTransaction => ("", ""),
    };
    let name = program_lines(terms.program);
    let nobody = nobody_lines();
    let policy = if terms.deny_when_unsure { "deny" } else { "allow" };
    // Only its word stops git: not that it could not be started, or ended otherwise than it should.
    let word = if terms.deny_when_unsure { "1) exit 1 ;; 3) exit 3" } else { "1) exit 1" };
    let run = match hook {
        Hook::PreCommit => {
            format!(
                "    \"$deconflict_guard\" guard pre-commit --quiet --when-unsure {policy} </dev/null ||\n        case $? in {word} ;; esac\n"
            )
        }
        Hook::PostCommit | Hook::ReferenceTransaction => {
            "    \"$deconflict_guard\" guard post-commit --quiet </dev/null || :\n".to_owned()
        }
        Hook::PrePush => format!(
            "    printf '%s\\n' \"$deconflict_refs\" |\n        \"$deconflict_guard\" guard pre-push --quiet \
             --when-unsure {policy} -- \"$@\" || case $? in {word} ;; esac\n"
        ),
    };
    // What runs after it in the same hook, and may call it too, has its word already.
    let has_looked = match hook {
        Hook::PreCommit | Hook::PrePush => format!("    export {LOOKED}={}:$PPID\n", hook.name()),
        Hook::PostCommit | Hook::ReferenceTransaction => String::new(),
    };
    let lfs = lfs(hook, layout);
    let run_moved = run_moved(hook, layout);
    let otherwise = if terms.is_committed { String::new() } else { otherwise(hook, terms.deny_when_unsure) };
    format!(
        "{begin}{keep_input}{nobody}{name}if [ -n \"$deconflict_nobody\" ]; then\n    :\n\
         elif command -v \"$deconflict_guard\" >/dev/null 2>&1; then\n\
         {run}{has_looked}{otherwise}fi\n{give_input_again}{lfs}{run_moved}{END}"
    )
}

/// After refs changed: looks, by nothing but the shell's own commands, whether the guard is still in the second line of the
/// other hooks, and puts it back where another program wrote them anew.
fn come_back(program: &str) -> String {
    format!(
        "if [ \"$1\" = committed ]; then\ndeconflict_lost=\nfor deconflict_hook in pre-commit post-commit pre-push; do\n    \
         deconflict_line=\n    if [ -r \"${{0%/*}}/$deconflict_hook\" ]; then\n        {{ read -r deconflict_line && read -r \
         deconflict_line; }} <\"${{0%/*}}/$deconflict_hook\" || :\n    fi\n    case $deconflict_line in *'deconflict guard'*) \
         ;; *) deconflict_lost=1 ;; esac\ndone\n\
         if [ -n \"$deconflict_lost\" ]; then\n{}if command -v \"$deconflict_guard\" >/dev/null 2>&1; then\n    \
         \"$deconflict_guard\" guard come-back </dev/null || :\nfi\nfi\nfi\n",
        program_lines(program)
    )
}

/// Git LFS adds its own hooks only where none is, and without them it uploads nothing, so a hook of our own does what they
/// would.
fn lfs(hook: Hook, layout: Layout) -> String {
    if layout != Layout::Own || !matches!(hook, Hook::PrePush | Hook::PostCommit) {
        return String::new();
    }
    format!(
        "deconflict_git=${{0%/*}}/..\n[ -d \"$deconflict_git/objects\" ] || deconflict_git=$(git rev-parse --git-common-dir)\n\
         if [ -d \"$deconflict_git/lfs\" ] && command -v git-lfs >/dev/null 2>&1; then\n    \
         git lfs {} \"$@\" || exit\nfi\n",
        hook.name()
    )
}

/// Runs somebody's hook that was moved.
fn run_moved(hook: Hook, layout: Layout) -> String {
    match layout {
        Layout::Before => format!(
            "deconflict_before=\"$(dirname \"$0\")/{MOVED_TO}/{}\"\n\
             if [ -x \"$deconflict_before\" ]; then \"$deconflict_before\" \"$@\" || exit; fi\n",
            hook.name()
        ),
        Layout::Own | Layout::Inserted => String::new(),
    }
}

/// Where the program is.
fn program_lines(program: &str) -> String {
    let else_by_path =
        if program.contains('/') { "[ -x \"$deconflict_guard\" ] || deconflict_guard=deconflict\n" } else { "" };
    format!("deconflict_guard={}\n{else_by_path}", quoted(program))
}

/// Sees by nothing but the shell's own commands that nobody coordinates here, so that no program has to be started. It may
/// only be sure where the program would find nothing either: in a main worktree, with no directory in it or anywhere
/// above. Anything else, a depth that is none of a project's included, is left to the program.
fn nobody_lines() -> String {
    const DEEPEST: usize = 24;
    let folders: Vec<String> = (0..DEEPEST).map(|depth| format!(".{}", "/..".repeat(depth))).collect();
    format!(
        "deconflict_nobody=\nif [ -d .git ] && [ ! -L .git ] && [ -z \"${{{DIRECTORY_VARIABLE}-}}\" ]; then\n    for \
         deconflict_folder in {}; do\n        if [ -e \"$deconflict_folder/{DIRECTORY_NAME}\" ] || [ -L \
         \"$deconflict_folder/{DIRECTORY_NAME}\" ]; then break; fi\n        if [ \"$deconflict_folder\" -ef / ] \
         2>/dev/null; then\n            deconflict_nobody=1\n            break\n        fi\n    done\nfi\n",
        folders.join(" ")
    )
}

/// Git tells of every change of every ref; only for the stash, before it is made, the program runs. Nothing but a refusal
/// stops it. In a file of our own nobody else reads what git says, and a stash is told alone: the first line is enough, for
/// which no program has to be started.
fn stash_lines(layout: Layout, program: &str) -> String {
    if layout == Layout::Own {
        return format!(
            "if [ \"$1\" = prepared ] && read -r deconflict_refs; then\ncase $deconflict_refs in\n*' refs/stash')\n{}if \
             command -v \"$deconflict_guard\" >/dev/null 2>&1; then\n    printf '%s\\n' \"$deconflict_refs\" |\n        \
             \"$deconflict_guard\" guard reference-transaction --quiet --when-unsure allow -- \"$1\" || [ $? -ne 1 ] || \
             exit 1\nfi ;;\nesac\nfi\n",
            program_lines(program)
        );
    }
    format!(
        "if [ \"$1\" = prepared ]; then\ndeconflict_refs=$(cat)\ncase $deconflict_refs in\n*' refs/stash'*)\n{}if command -v \
         \"$deconflict_guard\" >/dev/null 2>&1; then\n    printf '%s\\n' \"$deconflict_refs\" |\n        \
         \"$deconflict_guard\" guard reference-transaction --quiet --when-unsure allow -- \"$1\" || [ $? -ne 1 ] || exit 1\n\
         fi ;;\nesac\nif [ -n \"$deconflict_refs\" ]; then\n    exec <<deconflict_end\n$deconflict_refs\ndeconflict_end\n\
         else\n    exec </dev/null\nfi\nfi\n",
        program_lines(program)
    )
}

/// Without the program nothing can be told; where nobody coordinates there is nothing to tell.
fn otherwise(hook: Hook, deny: bool) -> String {
    if matches!(hook, Hook::PostCommit | Hook::ReferenceTransaction) {
        return String::new();
    }
    let hold_up = if deny { "    exit 3\n" } else { "" };
    format!(
        "elif [ -d \"$(git rev-parse --git-common-dir)/../COORDINATION\" ]; then\n    echo 'deconflict is no longer installed, so nobody checked whether others hold these files.' >&2\n{hold_up}"
    )
}

/// The guard's lines in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) layout: Layout,
    /// From the first byte of the lines to the first after them.
    pub(super) range: std::ops::Range<usize>,
}

/// Finds the guard's lines in a file.
pub(super) fn find(content: &[u8]) -> Option<Found> {
    let begin = position(content, BEGIN.as_bytes(), 0)?;
    let first_line = &content[begin..];
    let first_line = &first_line[..first_line.iter().position(|byte| *byte == b'\n')?];
    let layouts = [Layout::Own, Layout::Inserted, Layout::Before];
    let layout = layouts.into_iter().find(|layout| position(first_line, layout.mark().as_bytes(), 0).is_some())?;
    let end = position(content, END.as_bytes(), begin)? + END.len();
    Some(Found { layout, range: begin..end })
}

/// True for a script of a shell in which the guard's lines may stand, with a whole first line.
pub(super) fn takes_lines(content: &[u8]) -> bool {
    /// The shells that read POSIX shell.
    const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "env"];
    let Some(end) = content.iter().position(|byte| *byte == b'\n') else { return false };
    let Ok(first_line) = std::str::from_utf8(&content[..end]) else { return false };
    let Some(command) = first_line.strip_prefix("#!") else { return false };
    let program = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = command.split(' ').filter(|word| !word.is_empty()).map(program).peekable();
    let Some(first) = words.peek().cloned() else { return false };
    if first == "env" || first == "busybox" {
        // What it runs is the first word that is neither an option nor a variable.
        return words
            .skip(1)
            .find(|word| !word.starts_with('-') && !word.contains('='))
            .is_some_and(|word| SHELLS.contains(&word.as_str()) && word != "env");
    }
    SHELLS.contains(&first.as_str())
}

/// Where a shell script's second line begins.
pub(super) fn after_first_line(content: &[u8]) -> usize {
    content.iter().position(|byte| *byte == b'\n').map_or(content.len(), |end| end + 1)
}

fn position(content: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    content[from..].windows(wanted.len()).position(|window| window == wanted).map(|found| from + found)
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
