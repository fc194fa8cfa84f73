//! Whose registry a verb is about: this clone's, this machine's, or the team's.

use clap::ValueEnum;
use deconflict_protocol::ResourceType;
use deconflict_workspace::{Declared, Scope};

use super::context::Context;
use super::failure::Failure;
use super::wanted::Wanted;

/// Whose registry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeWord {
    /// Everyone in this clone.
    Clone,
    /// Everyone on this machine, in any clone.
    Machine,
    /// Everyone in the team, on all machines.
    Team,
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Clone => Self::Clone,
            ScopeWord::Machine => Self::Machine,
            ScopeWord::Team => Self::Team,
        }
    }
}

/// The scope of what is named: as was said, else as deconflict.toml says, else as its kind has it. All or none can be given
/// in one registry only.
pub(super) fn of(
    wanted: &[Wanted],
    said: Option<ScopeWord>,
    declared: &Declared,
    context: &Context,
) -> Result<Scope, Failure> {
    let mut scopes = wanted.iter().map(|wanted| {
        let declared = wanted.declared(declared).and_then(|known| known.scope);
        said.map(Scope::from).or(declared).unwrap_or_else(|| by_default(&wanted.resource_type, context))
    });
    let first = scopes.next().unwrap_or(said.map_or(Scope::Clone, Scope::from));
    if scopes.any(|scope| scope != first) {
        return Err(Failure::usage("Some of these belong to this clone, and some to this machine or to the team.")
            .advise("Use a separate command for each."));
    }
    let is_file = |wanted: &Wanted| matches!(wanted.resource_type.as_str(), "file" | "directory");
    if first != Scope::Clone && wanted.iter().any(is_file) {
        return Err(Failure::usage(format!(
            "Files and directories belong to the clone, not to the {}.",
            first.as_str()
        )));
    }
    Ok(first)
}

/// The scope of a kind of resource where nothing else is said.
pub(super) fn by_default(kind: &ResourceType, context: &Context) -> Scope {
    Scope::of_type(kind, || context.has_team())
}
