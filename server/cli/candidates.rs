//! What may stand on a command line here and now, for completions. Whatever fails is no candidate.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::builder::StyledStr;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use deconflict_protocol::BROADCAST;
use deconflict_protocol::text::one_line;
use deconflict_registry::{Claim, Registry, Session};

use super::context::{Context, Shared};
use super::identity;
use super::output::Output;

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
        let context = Context::new(Shared::default(), Output::new(false));
        let declared = context.and_then(|context| super::asked::declared(&context));
        found.extend(declared.unwrap_or_default().resources.iter().map(|resource| {
            candidate(&resource.name, resource.description.as_deref().unwrap_or(resource.kind.as_str()))
        }));
        found
    })
}

/// A type, or a path.
pub(super) fn to_claim() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut types = known(|_, registry| Some(types(&registry.claims().ok()?)));
        for (built_in, help) in
            [("file", "a path"), ("directory", "a path and everything below it"), ("task", "any name")]
        {
            if !types.iter().any(|known| known.get_value() == built_in) {
                types.push(candidate(built_in, help));
            }
        }
        with_paths(types, typed)
    })
}

/// What this session holds, by its type or its name.
pub(super) fn to_release() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let held = known(|context, registry| {
            let own = identity::find(context, registry).ok()??;
            let mut claims = registry.claims().ok()?;
            claims.retain(|claim| claim.held_by(&own.id));
            Some(types(&claims).into_iter().chain(claims.iter().map(|claim| held(context, claim))).collect())
        });
        beginning_so(held, typed)
    })
}

/// The name of something that is claimed, or a path.
pub(super) fn names() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let claimed =
            known(|context, registry| Some(registry.claims().ok()?.iter().map(|claim| held(context, claim)).collect()));
        with_paths(claimed, typed)
    })
}

fn known(find: impl FnOnce(&Context, &Registry) -> Option<Vec<CompletionCandidate>>) -> Vec<CompletionCandidate> {
    let found = || {
        let context = Context::new(Shared::default(), Output::new(false)).ok()?;
        let registry = context.existing_registry().ok()??;
        find(&context, &registry)
    };
    found().unwrap_or_default()
}

fn named(sessions: &[Session]) -> Vec<CompletionCandidate> {
    let told = |session: &Session| candidate(&session.label(), session.work().unwrap_or_default());
    sessions.iter().map(told).collect()
}

fn types(claims: &[Claim]) -> Vec<CompletionCandidate> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for claim in claims {
        *counted.entry(claim.resource.resource_type().as_str()).or_default() += 1;
    }
    counted.into_iter().map(|(word, count)| candidate(word, &super::words::count(count, "claim"))).collect()
}

fn held(context: &Context, claim: &Claim) -> CompletionCandidate {
    let path = context.namer().ok().and_then(|namer| namer.path_of(&claim.resource));
    let relative =
        path.as_ref().and_then(|path| path.strip_prefix(context.folder()).ok()).map(std::path::Path::as_os_str);
    let name = relative.map_or_else(|| claim.resource.name().into(), OsStr::to_os_string);
    CompletionCandidate::new(name).help(help(claim.phase().unwrap_or_default()))
}

fn candidate(value: &str, told: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(help(told))
}

fn help(told: &str) -> Option<StyledStr> {
    Some(one_line(told, LONGEST_HELP)).filter(|told| !told.is_empty()).map(StyledStr::from)
}

fn with_paths(candidates: Vec<CompletionCandidate>, typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning_so(candidates, typed).into_iter().chain(PathCompleter::any().complete(typed)).collect()
}

fn beginning_so(mut candidates: Vec<CompletionCandidate>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    candidates.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(&*typed));
    candidates
}
