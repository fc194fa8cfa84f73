//! Worktrees that git does not know any more: nobody edits in them, and another one may get their name.

use deconflict_protocol::Resource;
use deconflict_registry::{Error, Registry};
use deconflict_workspace::Namer;

/// Ends the claims in linked worktrees that were removed.
pub fn end_removed_worktrees(registry: &Registry, namer: &Namer) -> Result<(), Error> {
    let claims = registry.claims()?;
    let is_in_worktree = |resource: &&Resource| resource.worktree().is_some() && resource.clone_of_team().is_none();
    let in_worktrees = claims.iter().map(|claim| &claim.resource).filter(is_in_worktree);
    let gone: Vec<_> = in_worktrees.filter(|resource| namer.path_of(resource).is_none()).collect();
    if !gone.is_empty() {
        registry.end_where(|resource| gone.contains(&resource))?;
    }
    Ok(())
}
