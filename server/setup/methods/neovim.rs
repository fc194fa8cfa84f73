//! Neovim: the plugin as a package, which Neovim loads by itself.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::carried::{Carried, CarriedFile};
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
    let files = carried("nvim");
    let tags = help_tags(&files);
    let mut files = own_files(files, &root);
    files.push(OwnFile {
        // Neovim writes it anew when somebody asks it to.
        is_always_ours: true,
        ..OwnFile::new(joined(&root, "doc/tags"), Cow::Owned(tags.into_bytes()))
    });
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

/// The index of the help, as `:helptags` makes it: `*tag*` at its place in a help file, in the order of the bytes.
fn help_tags(files: &[CarriedFile]) -> String {
    let mut lines = Vec::new();
    for (name, content) in files {
        let path = Path::new(name);
        if !path.starts_with("doc") || path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let (Some(file), Ok(text)) = (path.file_name(), std::str::from_utf8(content)) else { continue };
        for tag in text.lines().flat_map(str::split_whitespace).filter_map(tag) {
            let pattern = tag.replace('\\', r"\\").replace('/', r"\/");
            lines.push(format!("{tag}\t{}\t/*{pattern}*\n", file.display()));
        }
    }
    lines.sort_unstable();
    lines.concat()
}

fn tag(word: &str) -> Option<&str> {
    let tag = word.strip_prefix('*')?.strip_suffix('*')?;
    (!tag.is_empty() && !tag.contains(['*', '|'])).then_some(tag)
}
