//! `deconflict guard`

mod after_commit;
mod commit;
mod committer;
mod fence;
mod finding;
mod hooks;
mod large_commit;
mod owned;
mod push;
mod stash;

use clap::ValueEnum;
use deconflict_platform as platform;
use deconflict_registry::Registry;
use deconflict_workspace::{self as workspace, DiscoveryError, Reason, git_hooks};
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::{GOOD, WARNING};
use super::words;
use finding::{CheckResult, HeldChanges, OwnedChanges};

pub(super) use after_commit::release_committed;

/// Keep other sessions' files out of your commits with git hooks
///
/// Refuses a commit of files that another session holds, and a push of such commits. Exits with 0 if allowed, 1 if
/// refused, 3 if it could not tell. A repository where nobody coordinates is never held up.
///
/// The session of the terminal is the one that commits, as with every verb. Without one it is a person, unless a coding
/// agent runs the command. What that person is editing in their own editors on this machine never stops them; an
/// agent's files do, and a person's editor always stops an agent.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Arguments {
    /// Which hook calls it, by git's name
    #[arg(value_enum, default_value = "pre-commit")]
    moment: Moment,
    /// What git passes to the hook: for pre-push the remote's name and address, for reference-transaction the state
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// What to do with a commit or push when it is unclear [default: exit code 3, which git takes as a refusal; `allow`
    /// in the hooks that --install writes]
    #[arg(long, value_name = "POLICY", value_enum)]
    when_unsure: Option<Policy>,
    /// As a repository's pre-receive hook: take no push that changes files that cannot be merged, unless their holder in the
    /// team pushes it
    #[arg(long, conflicts_with_all = ["install", "uninstall", "moment"])]
    receive: bool,
    /// Print nothing if nothing is in the way
    #[arg(long)]
    quiet: bool,
    /// Add the guard to this repository's hooks, alongside any that are there
    #[arg(long, conflicts_with_all = ["uninstall", "moment"])]
    install: bool,
    /// Remove the guard from this repository's hooks, and leave everything else as it was
    #[arg(long, conflicts_with_all = ["moment", "when_unsure"])]
    uninstall: bool,
}

/// When git asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Moment {
    /// Before a commit
    PreCommit,
    /// Before a push; git passes the commits on standard input
    PrePush,
    /// After a commit: releases the automatic claims that are no longer needed
    PostCommit,
    /// Before refs change; git passes them on standard input. Only stashes are looked at
    ReferenceTransaction,
    /// When another program wrote hooks anew: what is left of the guard puts it back into them
    #[value(hide = true)]
    ComeBack,
}

/// More would fill a screen, or an agent's context.
const MOST_TOLD: usize = 10;

/// What becomes of something of which it cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Policy {
    /// Let it go on, with a warning
    Allow,
    /// Stop it
    Deny,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.install {
        let deny = arguments.when_unsure == Some(Policy::Deny);
        return hooks::install(deny, context);
    }
    if arguments.uninstall {
        return hooks::uninstall(context);
    }
    if arguments.receive {
        return fence::receive(context).or_else(|failure| {
            if failure.exit == Exit::Failed && arguments.when_unsure == Some(Policy::Allow) {
                Output::remark(&format!("deconflict: could not tell whether this may be pushed. {}", failure.message));
                return Ok(Exit::Done);
            }
            Err(failure)
        });
    }
    if arguments.moment == Moment::ComeBack {
        return hooks::come_back(context);
    }
    if has_looked(arguments.moment) {
        return Ok(Exit::Done);
    }
    if arguments.moment == Moment::PostCommit {
        let Some(registry) = registry(context)? else { return Ok(Exit::Done) };
        return after_commit::run(arguments.quiet, context, &registry);
    }
    match check(arguments, context) {
        Ok(verdict) => tell(&verdict, arguments, context),
        Err(failure) => unsure(failure, arguments, context),
    }
}

/// True if the guard's own lines in the hook that runs this have looked already: whoever calls it in a hook by hand, too,
/// gets one word, not two.
fn has_looked(moment: Moment) -> bool {
    let (Some(looked), Some(hook)) = (std::env::var_os(git_hooks::LOOKED), moment.to_possible_value()) else {
        return false;
    };
    git_above().is_some_and(|git| looked.to_str() == Some(&format!("{}:{}", hook.get_name(), git.pid)))
}

/// The git that runs this hook.
fn git_above() -> Option<platform::Ancestor> {
    let is_git = |process: &platform::Ancestor| process.command().first().is_some_and(|program| is_git(program));
    platform::ancestors().find(is_git)
}

/// True for the program of a command that is git.
fn is_git(program: &str) -> bool {
    matches!(program.rsplit(['/', '\\']).next(), Some("git" | "git.exe"))
}

fn check(arguments: &Arguments, context: &Context) -> Result<CheckResult, Failure> {
    let Some(registry) = registry(context)? else { return Ok(CheckResult::default()) };
    match arguments.moment {
        Moment::PrePush => push::check(context, &registry),
        Moment::ReferenceTransaction => {
            stash::check(arguments.words.first().map_or("", String::as_str), context, &registry)
        }
        Moment::PreCommit | Moment::PostCommit | Moment::ComeBack => commit::check(context, &registry),
    }
}

/// The registry of a directory that the user takes part in; `None` where there is none, so that nobody is in the way.
fn registry(context: &Context) -> Result<Option<Registry>, Failure> {
    let location = match context.find_location() {
        Ok(location) => location,
        // Something else that is called like the directory is none.
        Err(DiscoveryError::Unsuitable { directory, reason })
            if reason == Reason::NotADirectory || !workspace::looks_like_one(&directory) =>
        {
            return Ok(None);
        }
        // Whoever names a directory means another repository than this one.
        Err(DiscoveryError::DoesNotContain { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // What came with a clone has no say until its user joins it.
    if !location.exists() || context.check_joined().is_err() {
        return Ok(None);
    }
    context.existing_registry()
}

fn tell(verdict: &CheckResult, arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let documents = |findings: &[HeldChanges]| findings.iter().map(HeldChanges::document).collect::<Vec<_>>();
    let owned_documents = |owned: &[OwnedChanges]| owned.iter().map(OwnedChanges::document).collect::<Vec<_>>();
    if let Some(waits) = &verdict.waits {
        return Err(Failure::refused("lockable", waits.clone()).fact("outcome", "refused"));
    }
    if verdict.findings.is_empty() && verdict.owned.is_empty() && verdict.taken.is_none() {
        for warning in verdict.warnings.iter().filter(|_| !context.output.is_json()) {
            Output::remark(&format!("{WARNING}deconflict:{WARNING:#} {}", warning.sentence(context.now())));
        }
        for warning in verdict.named.iter().filter(|_| !context.output.is_json()) {
            Output::remark(&format!("{WARNING}deconflict:{WARNING:#} {}", warning.sentence()));
        }
        if !arguments.quiet || context.output.is_json() {
            context.output.answer(
                || json!({"outcome": "allowed", "looked_at": verdict.checked, "held": [], "owned": owned_documents(&verdict.named), "warnings": documents(&verdict.warnings)}),
                || match verdict.checked {
                    0 => format!("{GOOD}Nothing{GOOD:#} to check."),
                    paths => format!("{GOOD}Allowed:{GOOD:#} nobody else holds any of {}.", words::count(paths, "file")),
                },
            )?;
        }
        return Ok(Exit::Done);
    }
    let (reason, has) = match &verdict.taken {
        Some(_) => ("directory", "would take away the directory through which everybody here sees the others"),
        None if verdict.findings.is_empty() => ("owned", "has uncommitted changes of others"),
        None => ("claimed", "contains what others hold"),
    };
    let mut message = format!("{} {has}.", verdict.what);
    if let Some(directory) = &verdict.taken {
        message.push_str(&format!("\n  That is {}.", directory.display()));
    }
    let findings = verdict.findings.iter().map(|found| found.sentence(context.now()));
    let owned = verdict.owned.iter().map(OwnedChanges::sentence);
    for sentence in findings.chain(owned).take(MOST_TOLD) {
        message.push_str(&format!("\n  {sentence}"));
    }
    let more = (verdict.findings.len() + verdict.owned.len()).saturating_sub(MOST_TOLD);
    if more > 0 {
        message.push_str(&format!("\n  And {more} more."));
    }
    let failure = Failure::refused(reason, message)
        .fact("outcome", "refused")
        .fact("held", documents(&verdict.findings))
        .fact("owned", owned_documents(&verdict.owned))
        .fact("warnings", documents(&verdict.warnings));
    Err(verdict.advice.iter().fold(failure, Failure::advise))
}

/// It could not be told: the policy decides, and it is said in any case.
fn unsure(failure: Failure, arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let what = match arguments.moment {
        Moment::PrePush => "push",
        Moment::ReferenceTransaction => "stash",
        Moment::PreCommit | Moment::PostCommit | Moment::ComeBack => "commit",
    };
    let message = format!("Could not tell whether others hold what this {what} contains. {}", failure.message);
    if arguments.when_unsure == Some(Policy::Allow) {
        if context.output.is_json() {
            let facts = || json!({"outcome": "could_not_tell", "reason": failure.reason, "message": message});
            context.output.answer(facts, String::new)?;
        }
        Output::remark(&format!("{WARNING}deconflict:{WARNING:#} {message}"));
        Output::remark("  It goes on, as the policy says. To see what is wrong and how to fix it: deconflict doctor");
        return Ok(Exit::Done);
    }
    Err(Failure { exit: Exit::Failed, message, ..failure }
        .fact("outcome", "could_not_tell")
        .advise("To see what is wrong and how to fix it: deconflict doctor")
        .advise(format!("To {what} anyway: git {what} --no-verify")))
}
