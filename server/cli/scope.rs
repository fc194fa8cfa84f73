//! Whose registry a verb is about: this clone's, or this machine's.

use clap::ValueEnum;
use deconflict_registry::{Registry, Session};
use deconflict_workspace::{Declared, Scope};

use super::context::Context;
use super::failure::Failure;
use super::wanted::Wanted;
use super::{identity, machine};

/// Whose registry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeWord {
    /// Everyone in this clone.
    Clone,
    /// Everyone on this machine, in any clone.
    Machine,
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Clone => Self::Clone,
            ScopeWord::Machine => Self::Machine,
        }
    }
}

/// The scope of what is named: as was said, else as deconflict.toml says, else as its kind has it. All or none can be given
/// in one registry only.
pub(super) fn of(wanted: &[Wanted], said: Option<ScopeWord>, declared: &Declared) -> Result<Scope, Failure> {
    let mut scopes = wanted.iter().map(|wanted| match said {
        Some(word) => word.into(),
        None => wanted.declared(declared).map_or(Scope::of_type(&wanted.resource_type), |known| known.scope),
    });
    let first = scopes.next().unwrap_or(said.map_or(Scope::Clone, Scope::from));
    if scopes.any(|scope| scope != first) {
        return Err(Failure::usage("Some of these belong to this clone, and some to this machine.")
            .advise("Use a separate command for each."));
    }
    let is_file = |wanted: &Wanted| matches!(wanted.resource_type.as_str(), "file" | "directory");
    if first == Scope::Machine && wanted.iter().any(is_file) {
        return Err(Failure::usage("Files and directories belong to the clone, not to the machine."));
    }
    Ok(first)
}

/// The registry, and the caller's session in it.
pub(super) fn enter(scope: Scope, context: &Context) -> Result<(Registry, Session), Failure> {
    match scope {
        Scope::Clone => identity::enter(context),
        Scope::Machine => machine::enter(context),
    }
}
