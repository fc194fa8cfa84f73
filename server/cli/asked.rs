//! What a RESOURCE on the command line means: `[ENV=]NAME[*N]` or `[ENV=]TYPE:NAME[*N]`.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use deconflict_protocol::text::quoted;
use deconflict_protocol::{Resource, ResourceType, Want};
use deconflict_workspace::{DECLARATIONS, Declared, DeclaredResource, Repository, Scope, WrongLine, port_range};

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::{scope, words};

/// Where any port will do, one of these is taken: above those of well-known services, below those that systems give to
/// programs which ask for none.
const ANY_PORT: (u16, u16) = (10_000, 32_000);

/// Something that a command needs.
#[derive(Debug)]
pub(super) struct Asked {
    /// As it was typed, without the variable.
    pub(super) typed: String,
    /// Which variable tells the command what it got.
    pub(super) variable: Option<String>,
    pub(super) want: Want,
    pub(super) scope: Scope,
    pub(super) is_port: bool,
}

/// What the file at the root of this worktree says.
pub(super) fn declared(context: &Context) -> Result<Declared, Failure> {
    let location = context.location()?;
    Ok(Declared::read(location.repository.as_ref().map_or_else(|| location.parent(), Repository::root)))
}

/// What is wrong in that file, and where.
pub(super) fn wrong_line(wrong: &WrongLine) -> String {
    format!("{DECLARATIONS}, line {}: {}", wrong.line, wrong.message)
}

/// What all of these words mean. What is wrong in `deconflict.toml` is said, and the rest of it counts.
pub(super) fn asked(words: &[String], scope: Option<Scope>, context: &Context) -> Result<Vec<Asked>, Failure> {
    let declared = declared(context)?;
    declared.wrong.iter().for_each(|wrong| Output::remark(&wrong_line(wrong)));
    let words = words.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
    let asked = words.map(|word| one(word, scope, &declared, context)).collect::<Result<Vec<_>, _>>()?;
    if asked.is_empty() {
        return Err(Failure::usage("Which resource? Name it.").advise(EXAMPLE));
    }
    Ok(asked)
}

const EXAMPLE: &str = "For example: deconflict run --with db,port:any -- npm test";

fn one(word: &str, scope: Option<Scope>, declared: &Declared, context: &Context) -> Result<Asked, Failure> {
    let wrong = |what: &str| {
        Failure::usage(format!("{} is not a resource: {what}.", quoted(word, words::PHRASE))).advise(EXAMPLE)
    };
    let (variable, typed) = match word.split_once('=') {
        Some((variable, rest)) if is_variable(variable) => (Some(variable.to_owned()), rest),
        Some(_) => return Err(wrong("what is before the = is not a variable's name")),
        None => (None, word),
    };
    let (name, count) = match typed.rsplit_once('*') {
        Some((name, count)) => match count.parse::<usize>() {
            Ok(count @ 1..=1000) => (name, count),
            _ => return Err(wrong("after the * comes a number from 1 to 1000")),
        },
        None => (typed, 1),
    };
    if name.is_empty() {
        return Err(wrong("it is empty"));
    }
    let asked = |want, by_default, is_port| Asked {
        typed: typed.to_owned(),
        variable: variable.clone(),
        want,
        scope: scope.unwrap_or(by_default),
        is_port,
    };
    if let Some(known) = declared.resource(name) {
        let is_port = known.kind == ResourceType::port();
        let by_default = known.scope.unwrap_or_else(|| scope::by_default(&known.kind, context));
        return Ok(asked(want_of(known, count)?, by_default, is_port));
    }
    let (kind, name) = match name.split_once(':') {
        Some((kind, name)) => (ResourceType::new(kind)?, name),
        None => (ResourceType::resource(), name),
    };
    if let Some(known) = declared.resource(name).filter(|known| known.kind == kind) {
        let is_port = known.kind == ResourceType::port();
        let by_default = known.scope.unwrap_or_else(|| scope::by_default(&known.kind, context));
        return Ok(asked(want_of(known, count)?, by_default, is_port));
    }
    let by_default = scope::by_default(&kind, context);
    if kind == ResourceType::port() {
        let range = if name == "any" { Some(ANY_PORT) } else { port_range(name) };
        let Some((from, to)) = range else {
            return Err(wrong("a port is any, a number, or a range such as 3000-3010"));
        };
        check_places(typed, count, usize::from(to - from) + 1)?;
        return Ok(asked(Want::ports(&kind, from, to, count), by_default, true));
    }
    if matches!(kind.as_str(), "file" | "directory") && scope.is_some_and(|scope| scope != Scope::Clone) {
        return Err(wrong("files and directories belong to the clone"));
    }
    check_places(typed, count, 1)?;
    Ok(asked(Want::one(&context.resource(&kind, name)?), by_default, false))
}

/// So many of what `deconflict.toml` names.
pub(super) fn want_of(known: &DeclaredResource, count: usize) -> Result<Want, Failure> {
    if let Some((from, to)) = known.ports {
        check_places(&known.name, count, usize::from(to - from) + 1)?;
        return Ok(Want::ports(&known.kind, from, to, count));
    }
    check_places(&known.name, count, known.count)?;
    Ok(Want::places(&Resource::new(known.kind.clone(), &known.name)?, known.count, count))
}

/// Nothing listens on a port that can be had on all addresses.
pub(super) fn is_usable(resource: &Resource) -> bool {
    if *resource.resource_type() != ResourceType::port() {
        return true;
    }
    let Ok(port) = resource.name().parse::<u16>() else { return true };
    let is_taken = |bound: std::io::Result<TcpListener>| {
        bound.is_err_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied)
        })
    };
    !is_taken(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        && !is_taken(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))
}

fn check_places(name: &str, wanted: usize, there_are: usize) -> Result<(), Failure> {
    if wanted <= there_are {
        return Ok(());
    }
    let name = name.split('*').next().unwrap_or(name);
    Err(Failure::usage(format!(
        "{} has {there_are} of the {wanted} places that you asked for.",
        quoted(name, words::PHRASE)
    ))
    .advise(format!("deconflict.toml says how many it has: [resources.{name}] count = {wanted}")))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
