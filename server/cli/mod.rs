//! The terminal: one file a verb.
//!
//! A verb gets its own arguments and the [`Context`](context::Context) that all of them share, asks the registry,
//! and prints one answer to the [`Output`](output::Output). What keeps it from doing so is a [`Failure`](failure::Failure).
//! Each flag is told once, in the arguments of its verb; help, completions and the man page are made from there.

#![allow(clippy::format_push_string, reason = "answers are short, and read best in the order in which they are told")]

mod acting;
mod asked;
mod candidates;
mod completions;
mod context;
mod failure;
mod held;
mod identity;
mod in_line;
mod interrupts;
mod keeper;
mod kept_in;
mod losses;
mod machine;
mod man;
mod output;
mod overlaps;
mod ownership;
mod pager;
mod patch;
mod processes;
mod recording;
mod standing_in;
mod style;
mod table;
mod team_access;
mod team_files;
mod team_keeper;
mod team_session;
mod upkeep;
mod values;
mod wanted;
mod words;

mod blame;
mod check;
mod claim;
mod commit;
mod demo;
mod doctor;
mod end;
mod guard;
mod hand_off;
mod heartbeat;
mod history;
mod hook;
mod init;
mod lsp;
mod mcp;
mod messages;
mod mute;
mod release;
mod resources;
mod restore;
mod run;
mod scope;
mod send;
mod setup;
mod start;
mod status;
mod team;
mod undo;
mod unmute;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use deconflict_workspace::NamingError;

use context::{Context, Shared};
use failure::{Exit, Failure};
use output::Output;

/// Keeps people and coding agents that share one clone from overwriting each other.
#[derive(Debug, Parser)]
#[command(
    name = "deconflict",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    args_override_self = true,
    after_help = "Variables: DECONFLICT_SESSION and DECONFLICT_DIR stand for --session and --dir, DECONFLICT_TEAM for team set.\n\
                  Exit codes: 0 done, 1 refused (another session holds it), 2 wrong usage, 3 could not tell or could \
                  not do it."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Start(start::Arguments),
    Heartbeat(heartbeat::Arguments),
    Claim(claim::Arguments),
    Run(run::Arguments),
    Resources(resources::Arguments),
    Team(team::Arguments),
    Release(release::Arguments),
    Status(status::Arguments),
    Check(check::Arguments),
    Send(send::Arguments),
    Messages(messages::Arguments),
    Mute(mute::Arguments),
    Unmute(unmute::Arguments),
    HandOff(hand_off::Arguments),
    History(history::Arguments),
    Restore(restore::Arguments),
    Undo(undo::Arguments),
    Blame(blame::Arguments),
    Commit(commit::Arguments),
    End(end::Arguments),
    Init(init::Arguments),
    Guard(guard::Arguments),
    Setup(setup::Arguments),
    Doctor(doctor::Arguments),
    Demo(demo::Arguments),
    Lsp(lsp::Arguments),
    Mcp(mcp::Arguments),
    Hook(hook::Arguments),
    #[command(hide = true)]
    Upkeep(upkeep::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Verb {
    /// True for a verb that looks first whether somebody lost something, as each event of an agent does.
    fn looks(&self) -> bool {
        self.says_losses() || matches!(self, Self::Status(_) | Self::Messages(_) | Self::Commit(_) | Self::End(_))
    }

    /// True for a verb of a session, unless it tells of losses itself or ends the session.
    fn says_losses(&self) -> bool {
        matches!(
            self,
            Self::Heartbeat(_)
                | Self::Claim(_)
                | Self::Release(_)
                | Self::Check(_)
                | Self::Send(_)
                | Self::Mute(_)
                | Self::Unmute(_)
                | Self::HandOff(_)
                | Self::History(_)
                | Self::Restore(_)
                | Self::Undo(_)
                | Self::Blame(_)
        )
    }
}

/// Does what the command line says and tells how it ended.
pub(crate) fn run(command_line: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = command_line.collect();
    if completions::answer(|| command_to_complete(&words), &words) {
        return Exit::Done.into();
    }
    let arguments = match parse_frequent(&words).map_or_else(|| parse(&words), Ok) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, &words),
    };
    let output = Output::new(arguments.shared.json);
    let says_losses = arguments.verb.says_losses();
    let ended = Context::new(arguments.shared, output.clone()).and_then(|context| {
        let ended = act(arguments.verb, &context);
        if says_losses {
            losses::say(&context);
        }
        ended
    });
    ended.unwrap_or_else(|failure| output.failure(&failure)).into()
}

/// What may be typed, with what stands for a name after the words before it, and the sessions that there are. The context,
/// in which they are looked for, knows nothing of them.
fn command_to_complete(words: &[OsString]) -> Command {
    let first = completions::first_word(Arguments::command(), words);
    let name = |verb, candidates: ArgValueCompleter| {
        move |command: Command| {
            command.mut_subcommand(verb, |verb| verb.mut_arg("name", |argument| argument.add(candidates)))
        }
    };
    let command = Arguments::command().mut_arg("session", |argument| argument.add(candidates::sessions()));
    let command = name("claim", candidates::to_claim_after(first.clone()))(command);
    let command = name("release", candidates::to_release_after(first.clone()))(command);
    name("hand-off", candidates::to_release_after(first))(command)
}

/// Reads the command line. What verbs are described by is left to the end of the process: taking it apart takes as long as
/// a claim.
fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut command = ManuallyDrop::new(Arguments::command());
    let mut matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// What adds a verb's arguments to what the parser knows of it.
type Describe = fn(Command) -> Command;

/// The verbs that programs run at each of their steps, and what describes them.
const FREQUENT: [(&str, Describe); 8] = [
    ("check", check::Arguments::augment_args),
    ("claim", claim::Arguments::augment_args),
    ("guard", guard::Arguments::augment_args),
    ("heartbeat", heartbeat::Arguments::augment_args),
    ("hook", hook::Arguments::augment_args),
    ("release", release::Arguments::augment_args),
    ("run", run::Arguments::augment_args),
    ("status", status::Arguments::augment_args),
];

/// The same for one of these: to describe all others first would take a fifth of its time. `None` for any other, and for
/// whatever has to be explained.
fn parse_frequent(words: &[OsString]) -> Option<Arguments> {
    let frequent = |word: &OsString| FREQUENT.iter().find(|(name, _)| *word == *name);
    let (name, describe) = words.iter().skip(1).find_map(frequent)?;
    let command = Shared::augment_args(Command::new("deconflict").args_override_self(true));
    let mut command = ManuallyDrop::new(command.subcommand(describe(Command::new(*name))));
    let mut matches = command.try_get_matches_from_mut(words).ok()?;
    Arguments::from_arg_matches_mut(&mut matches).ok()
}

fn act(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    if verb.looks() {
        losses::look(context);
    }
    match verb {
        Verb::Start(arguments) => start::run(arguments, context),
        Verb::Heartbeat(arguments) => heartbeat::run(arguments, context),
        Verb::Claim(arguments) => claim::run(arguments, context),
        Verb::Run(arguments) => run::run(&arguments, context),
        Verb::Resources(arguments) => resources::run(&arguments, context),
        Verb::Team(arguments) => team::run(&arguments, context),
        Verb::Release(arguments) => release::run(&arguments, context),
        Verb::Status(arguments) => status::run(&arguments, context),
        Verb::Check(arguments) => check::run(arguments, context),
        Verb::Send(arguments) => send::run(arguments, context),
        Verb::Messages(arguments) => messages::run(&arguments, context),
        Verb::Mute(arguments) => mute::run(&arguments, context),
        Verb::Unmute(arguments) => unmute::run(&arguments, context),
        Verb::HandOff(arguments) => hand_off::run(&arguments, context),
        Verb::History(arguments) => history::run(&arguments, context),
        Verb::Restore(arguments) => restore::run(&arguments, context),
        Verb::Undo(arguments) => undo::run(&arguments, context),
        Verb::Blame(arguments) => blame::run(&arguments, context),
        Verb::Commit(arguments) => commit::run(&arguments, context),
        Verb::End(arguments) => end::run(arguments, context),
        Verb::Init(arguments) => init::run(&arguments, context),
        Verb::Guard(arguments) => guard::run(&arguments, context),
        Verb::Setup(arguments) => setup::run(&arguments, Arguments::command(), context.output.clone()),
        Verb::Doctor(arguments) => doctor::run(&arguments, context),
        Verb::Lsp(arguments) => lsp::run(&arguments, context),
        Verb::Mcp(arguments) => {
            mcp::run(&arguments, mcp::Verbs { command: Arguments::command(), run: act_on }, context)
        }
        Verb::Hook(arguments) => hook::run(&arguments, context),
        Verb::Upkeep(_) => upkeep::run(context),
        Verb::Demo(arguments) => demo::run(&arguments, context.output.clone()),
        Verb::Completions(arguments) => completions::run(&arguments, &context.output),
        Verb::Man(arguments) => man::run(&arguments, Arguments::command(), &context.output),
    }
}

/// Does what a tool was asked for, in the words of a command line. Only what is wrong with it is told, not its usage.
fn act_on(words: &[String], context: &Context) -> Result<Exit, Failure> {
    let arguments = Arguments::try_parse_from(words).map_err(|error| {
        let message = error.render().to_string();
        let message = message.split("\n\n").next().unwrap_or_default();
        Failure::usage(failure::sentence(message.trim_start_matches("error: ")))
    })?;
    act(arguments.verb, context)
}

/// Says what is wrong with the command line, or prints the help that was asked for.
fn explain(error: &clap::Error, words: &[OsString]) -> ExitCode {
    // The command line could not be read, so whether it asks for JSON is only to be seen in its words.
    let output = Output::new(words.iter().take_while(|word| *word != "--").any(|word| word == "--json"));
    let is_name = |word: &&OsString| word.to_str().is_none() && !word.to_string_lossy().starts_with('-');
    if error.kind() == ErrorKind::InvalidUtf8
        && !hook::is_meant(words)
        && let Some(name) = words.iter().find(is_name)
    {
        return output.failure(&NamingError::NotUtf8(name.into()).into()).into();
    }
    let mut explanation = error.render().ansi().to_string();
    if words.get(1).is_some_and(|verb| verb == "run") {
        // What a command says looks much the same.
        explanation = explanation.replacen("error:", "deconflict:", 1);
    }
    let ended = if error.use_stderr() {
        if output.is_json() {
            let message = error.render().to_string();
            let _ = output.document(Failure::usage(message.trim().trim_start_matches("error: ")).document());
        }
        Output::remark(&explanation);
        // A coding agent takes the code for wrong usage for a refusal, and would do nothing any more.
        Ok(if hook::is_meant(words) { Exit::Failed } else { Exit::Usage })
    } else {
        Output::text(&explanation).map(|_| Exit::Done)
    };
    ended.unwrap_or_else(|failure| output.failure(&failure)).into()
}
