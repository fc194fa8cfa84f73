//! Keeps people and coding agents that share one clone from overwriting each other.

pub mod agents;
pub mod clock;
mod faults;
pub mod git_hooks;
pub mod lsp;
pub mod platform;
pub mod protocol;
pub mod registry;
pub mod setup;
pub mod workspace;
