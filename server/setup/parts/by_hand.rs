//! Editors whose configuration is a text or a program of the user's own, which nobody else can extend safely: what they
//! need is put in a folder of ours, and the user is told what to write.

use std::borrow::Cow;
use std::path::Path;

use super::super::carried;
use super::super::places::Places;
use super::super::wish::Wish;
use super::{Part, Way, own_files};

pub(super) fn is_found(part: Part, places: &Places) -> bool {
    let (commands, settings): (&[&str], &str) = match part {
        Part::Helix => (&["hx", "helix"], "helix"),
        Part::Emacs => (&["emacs"], "emacs"),
        Part::Kakoune => (&["kak"], "kak"),
        _ => (&["zed", "zeditor"], "zed"),
    };
    let is_emacs_in_home = part == Part::Emacs && places.home().join(".emacs.d").is_dir();
    places.program(commands).is_some() || places.configuration().join(settings).is_dir() || is_emacs_in_home
}

pub(super) fn way(part: Part, places: &Places, program: &Path) -> Way {
    let root = places.data().join("deconflict").join("editors").join(part.name());
    let files = carried::folder(part.name()).into_iter().map(|(name, content)| (name, calling(&content, program)));
    let files = own_files(files.collect(), &root);
    let at = |name: &str| places.shortened(&root.join(name));
    let by_hand = match part {
        Part::Helix => format!(
            "Copy these into your configuration, or add what is in them to yours:\n\n    {} → \
             ~/.config/helix/languages.toml\n    {} → ~/.config/helix/config.toml\n",
            at("languages.toml"),
            at("config.toml")
        ),
        Part::Emacs => format!(
            "Add this to your init file, after your own Eglot settings:\n\n    (load \"{}\")\n",
            at("deconflict.el")
        ),
        Part::Kakoune => format!(
            "Add this to your kakrc, after kakoune-lsp and before lsp-enable:\n\n    source \"{}\"\n",
            root.join("deconflict.kak").display()
        ),
        // Zed builds what is in the folder itself, with the user's own Rust.
        _ => format!(
            "Open the command palette, choose \"zed: install dev extension\", and then this folder:\n\n    {}\n",
            places.shortened(&root)
        ),
    };
    Way::wish(Wish { own_folder: Some(root), files, by_hand: Some(by_hand), ..Wish::default() })
}

/// The same file, with the program called by its path where it has one for that.
fn calling(content: &[u8], program: &Path) -> Cow<'static, [u8]> {
    let text = String::from_utf8_lossy(content);
    let path = program.to_string_lossy().replace('\\', r"\\").replace('"', r#"\""#);
    let text = text
        .replace("command = \"deconflict\"", &format!("command = \"{path}\""))
        .replace("(\"deconflict\" \"lsp\")", &format!("(\"{path}\" \"lsp\")"));
    Cow::Owned(text.into_bytes())
}
