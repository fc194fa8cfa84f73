//! The ways in which something is wired, a file each: whether it is on this machine, and what should be on the disk.

mod by_hand;
mod extension;
mod hooks;
mod neovim;
mod program;

use std::path::{Path, PathBuf};

use crate::Assets;
use crate::carried::Carried;
use crate::desired::Desired;
use crate::error::Error;
use crate::places::Places;
use crate::target::{Method, SetupTarget};

pub(super) use program::program_place;

/// True unless its user still has to tell it that it may run our hooks.
pub(super) fn is_trusted(target: &SetupTarget, places: &Places) -> bool {
    if let Method::Hooks(hooks) = &target.method { hooks::is_trusted(hooks, places) } else { true }
}

/// True if it is on this machine: its program is on the `PATH`, or it left its settings behind.
pub(super) fn is_found(target: &SetupTarget, places: &Places) -> bool {
    let has_settings = || match &target.method {
        Method::Program => true,
        Method::NeovimPackage => neovim::has_settings(places),
        Method::Extension(host) => extension::is_found(host, places),
        Method::ByHand(guide) => by_hand::has_settings(guide, places),
        Method::Hooks(hooks) => places.folder(&hooks.settings).is_dir(),
    };
    places.program(target.commands).is_some() || has_settings()
}

/// What should be on the disk for it, with the program in its lasting place.
pub(super) fn desired(
    target: &SetupTarget,
    places: &Places,
    program: &Path,
    assets: &Assets,
) -> Result<Desired, Error> {
    let carried = assets.carried;
    match &target.method {
        Method::Program => program::desired(places, &assets.shell),
        Method::NeovimPackage => Ok(neovim::desired(places, carried)),
        Method::Extension(host) => extension::desired(target, host, places, program, carried),
        Method::ByHand(guide) => Ok(by_hand::desired(target, guide, places, program, carried)),
        Method::Hooks(hooks) => Ok(hooks::desired(hooks, places, program, carried)),
    }
}

/// The folder of the extension in an editor that takes one, if it is installed there.
pub(super) fn installed_extension(target: &SetupTarget, places: &Places, carried: Carried) -> Option<PathBuf> {
    let Method::Extension(host) = &target.method else { return None };
    extension::installed(host, places, carried)
}
