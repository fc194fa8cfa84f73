//! The program itself: in a place where it stays when the checkout that it was built in is gone.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use crate::carried::CarriedFile;
use crate::desired::{Desired, OwnFile, own_files};
use crate::error::Error;
use crate::files::Access;
use crate::places::Places;

const NAME: &str = if cfg!(windows) { "deconflict.exe" } else { "deconflict" };

pub(crate) fn program_place(places: &Places) -> PathBuf {
    places.data().join("deconflict").join("bin").join(NAME)
}

pub(super) fn desired(places: &Places, shell: &[CarriedFile]) -> Result<Desired, Error> {
    let place = program_place(places);
    let mut desired = Desired::default();
    let running =
        std::env::current_exe().map_err(Error::io("find the file of the running program, to put it at", &place))?;
    desired.files.push(OwnFile {
        path: place.clone(),
        content: Cow::Owned(fs::read(&running).map_err(Error::io("read", running))?),
        access: Access::Program,
        is_always_ours: true,
    });
    if cfg!(windows) {
        if let Some(folder) = place.parent().filter(|folder| !places.is_on_path(folder)) {
            desired.remarks.push(format!("Add {} to your PATH to call it by its name.", folder.display()));
        }
        return Ok(desired);
    }
    // A remark is made where a shell does not look there by itself.
    desired.files.extend(own_files(shell.iter().cloned(), &places.data()));
    if places.program(&["zsh"]).is_some() {
        let folder = places.shortened(&places.data().join("zsh/site-functions"));
        desired.remarks.push(format!("For completions in zsh, in ~/.zshrc before compinit: fpath+=({folder})"));
    }
    // The folder for a user's own programs, by the XDG rules.
    let folder = places.home().join(".local/bin");
    let link = folder.join(NAME);
    let is_free = fs::symlink_metadata(&link).is_err() || fs::read_link(&link).is_ok_and(|to| to == place);
    if is_free {
        desired.links.push((link, place));
        if !places.is_on_path(&folder) {
            let remark = "~/.local/bin is not on your PATH. Add this to your shell's profile: \
                          export PATH=\"$HOME/.local/bin:$PATH\"";
            desired.remarks.push(remark.to_owned());
        }
    } else {
        desired
            .remarks
            .push("~/.local/bin/deconflict was already there, and not from setup. It stays as it is.".to_owned());
    }
    if let Some(first) = places.program(&["deconflict"]).filter(|first| *first != folder.join(NAME)) {
        let is_another =
            deconflict_platform::canonical(&first).ok() != deconflict_platform::canonical(&program_place(places)).ok();
        if is_another && first.exists() {
            desired.remarks.push(format!(
                "Your shell finds another copy first, {}. Update it too, or remove it.",
                places.shortened(&first)
            ));
        }
    }
    Ok(desired)
}
