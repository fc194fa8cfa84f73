//! What may stand on a command line here and now, for completions. Whatever fails is no candidate.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use clap::builder::StyledStr;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use deconflict_protocol::BROADCAST;
use deconflict_protocol::text::one_line;
use deconflict_registry::{Claim, Registry, Session};
use deconflict_workspace::DeclaredResource;

use super::context::{Context, Shared};
use super::failure::Failure;
use super::output::Output;
use super::{asked, identity};

/// So much is told beside a candidate, in characters.
const LONGEST_HELP: usize = 60;

/// Live sessions by their names.
pub(super) fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| known(|_, registry| Some(named(&registry.live_sessions().ok()?))))
}

/// Those that this session muted.
pub(super) fn muted() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        known(|context, registry| {
            let own = identity::find(context, registry).ok()??;
            let mut sessions = registry.sessions().ok()?;
            sessions.retain(|session| own.mutes(&session.id, context.now()));
            Some(named(&sessions))
        })
    })
}

/// Live sessions by their names, and everybody.
pub(super) fn recipients() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let mut found = known(|_, registry| Some(named(&registry.live_sessions().ok()?)));
        found.push(candidate(BROADCAST, "everybody"));
        found
    })
}

/// Messages of this session, the newest first.
pub(super) fn messages() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        known(|context, registry| {
            let own = identity::find(context, registry).ok()??;
            let mut messages = registry.messages(&own.id).ok()?;
            messages.reverse();
            messages.sort_by_key(|message| !message.unread);
            let told = |message: &deconflict_registry::Message| {
                let headline = message.headline(LONGEST_HELP);
                candidate(message.id.as_str(), &format!("{}{headline}", if message.unread { "unread: " } else { "" }))
            };
            Some(messages.iter().map(told).collect())
        })
    })
}

/// What `deconflict.toml` names, and ports.
pub(super) fn to_run_with() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let mut found = vec![candidate("port:any", "a port on which nothing listens")];
        found.extend(declared().iter().map(by_name));
        found
    })
}

/// A type, or a path.
pub(super) fn to_claim() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut types = claimed_types(&all_claims(|_| true));
        let built_in = [("file", "a path"), ("directory", "a path and everything below it"), ("task", "any name")];
        let built_in = built_in.map(|(word, help)| (word.to_owned(), help.to_owned()));
        let declared = declared();
        let shared = declared.iter().map(|one| (one.kind.as_str().to_owned(), format!("such as {}", one.name)));
        for (word, help) in built_in.into_iter().chain(shared) {
            if !types.iter().any(|known| known.get_value() == word.as_str()) {
                types.push(candidate(&word, &help));
            }
        }
        with(types, &PathCompleter::any(), typed)
    })
}

/// What may be claimed after this word. Without one, and after a path, it is paths; after a type what is called so.
pub(super) fn to_claim_after(first: Option<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| match first.as_deref() {
        Some("directory") => with(claimed("directory"), &PathCompleter::dir(), typed),
        Some(kind) if kind != "file" && !Path::new(kind).exists() => {
            let mut names: Vec<CompletionCandidate> =
                declared().iter().filter(|known| known.kind.as_str() == kind).map(by_name).collect();
            for claimed in claimed(kind) {
                if !names.iter().any(|known| known.get_value() == claimed.get_value()) {
                    names.push(claimed);
                }
            }
            beginning_so(names, typed)
        }
        _ => with(claimed("file"), &PathCompleter::any(), typed),
    })
}

/// What this session holds, by its type or its name.
pub(super) fn to_release() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let own = own_claims();
        beginning_so(claimed_types(&own).into_iter().chain(names(&own)).collect(), typed)
    })
}

/// What this session holds and may be meant after this word: what is of that type, if it is one.
pub(super) fn to_release_after(first: Option<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let mut own = own_claims();
        let is_of = |claim: &Claim, kind: &str| claim.resource.resource_type().as_str() == kind;
        if let Some(kind) = first.as_deref().filter(|kind| own.iter().any(|claim| is_of(claim, kind))) {
            own.retain(|claim| is_of(claim, kind));
        }
        beginning_so(names(&own), typed)
    })
}

/// What is claimed of this type, by whomever.
fn claimed(kind: &str) -> Vec<CompletionCandidate> {
    names(&all_claims(|claim| claim.resource.resource_type().as_str() == kind))
}

/// What this session holds of this clone, and what the one that stands for it holds of this machine.
fn own_claims() -> Vec<Claim> {
    let own = in_clone(|context, registry| identity::find(context, registry).ok()?);
    own.map(|own| all_claims(|claim| claim.held_by(&own.id))).unwrap_or_default()
}

/// The claims of this clone and of this machine.
fn all_claims(is_meant: impl Fn(&Claim) -> bool) -> Vec<Claim> {
    let Ok(context) = context() else { return Vec::new() };
    let registries = [context.existing_registry(), context.existing_machine_registry()];
    let claims = registries.into_iter().filter_map(|registry| registry.ok()??.claims().ok()).flatten();
    claims.filter(|claim| is_meant(claim)).collect()
}

fn declared() -> Vec<DeclaredResource> {
    let declared = context().and_then(|context| asked::declared(&context));
    declared.unwrap_or_default().resources
}

fn by_name(resource: &DeclaredResource) -> CompletionCandidate {
    candidate(&resource.name, resource.description.as_deref().unwrap_or(resource.kind.as_str()))
}

fn known(find: impl FnOnce(&Context, &Registry) -> Option<Vec<CompletionCandidate>>) -> Vec<CompletionCandidate> {
    in_clone(find).unwrap_or_default()
}

fn in_clone<T>(find: impl FnOnce(&Context, &Registry) -> Option<T>) -> Option<T> {
    let context = context().ok()?;
    let registry = context.existing_registry().ok()??;
    find(&context, &registry)
}

fn context() -> Result<Context, Failure> {
    Context::new(Shared::default(), Output::new(false))
}

fn named(sessions: &[Session]) -> Vec<CompletionCandidate> {
    let told = |session: &Session| candidate(&session.label(), session.work().unwrap_or_default());
    sessions.iter().map(told).collect()
}

fn claimed_types(claims: &[Claim]) -> Vec<CompletionCandidate> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for claim in claims {
        *counted.entry(claim.resource.resource_type().as_str()).or_default() += 1;
    }
    counted.into_iter().map(|(word, count)| candidate(word, &super::words::count(count, "claim"))).collect()
}

/// The names of what is claimed; those of files and directories as seen from here.
fn names(claims: &[Claim]) -> Vec<CompletionCandidate> {
    let Ok(context) = context() else { return Vec::new() };
    let namer = context.namer().ok();
    let name = |claim: &Claim| {
        let path = namer.as_ref().and_then(|namer| namer.path_of(&claim.resource));
        let relative = path.as_ref().and_then(|path| path.strip_prefix(context.folder()).ok()).map(Path::as_os_str);
        let name = relative.map_or_else(|| claim.resource.name().into(), OsStr::to_os_string);
        CompletionCandidate::new(name).help(help(claim.phase().unwrap_or_default()))
    };
    claims.iter().map(name).collect()
}

fn candidate(value: &str, told: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(help(told))
}

fn help(told: &str) -> Option<StyledStr> {
    Some(one_line(told, LONGEST_HELP)).filter(|told| !told.is_empty()).map(StyledStr::from)
}

fn with(candidates: Vec<CompletionCandidate>, paths: &PathCompleter, typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning_so(candidates, typed).into_iter().chain(paths.complete(typed)).collect()
}

fn beginning_so(mut candidates: Vec<CompletionCandidate>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    candidates.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(&*typed));
    candidates
}
