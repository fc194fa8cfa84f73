//! Neovim: the plugin as a package, which Neovim loads by itself.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::carried::Carried;
use crate::desired::{Desired, OwnFile, own_files};
use crate::places::{Places, joined};

/// Loads the plugin where a plugin manager has turned packages off.
const LOADER: &str = include_str!("neovim/loader.lua");

pub(super) fn has_settings(places: &Places) -> bool {
    places.configuration().join(app_name()).is_dir()
}

pub(super) fn desired(places: &Places, carried: Carried) -> Desired {
    let site = site(places);
    let root = site.join("pack").join("deconflict").join("start").join("deconflict");
    let mut files = own_files(carried("nvim"), &root);
    // Neovim writes the index of the help anew when somebody asks it to.
    let index = joined(&root, "doc/tags");
    files.iter_mut().filter(|file| file.path == index).for_each(|file| file.is_always_ours = true);
    files.push(OwnFile::new(joined(&site, "plugin/deconflict.lua"), Cow::Borrowed(LOADER.as_bytes())));
    Desired { own_folder: Some(root), files, ..Desired::default() }
}

/// Where Neovim looks for what a user or a program installed for all its configurations of this name.
fn site(places: &Places) -> PathBuf {
    let app = app_name();
    let folder = if cfg!(windows) { format!("{}-data", app.display()) } else { app.display().to_string() };
    places.data().join(folder).join("site")
}

/// Which of several configurations is meant, as Neovim itself decides it.
fn app_name() -> PathBuf {
    std::env::var_os("NVIM_APPNAME").filter(|name| !name.is_empty()).map_or_else(|| "nvim".into(), PathBuf::from)
}
