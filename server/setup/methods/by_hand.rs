//! Editors whose configuration belongs to the user alone: what they need is put in a folder of ours, and the user is told
//! what to write.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

use crate::carried::Carried;
use crate::desired::{Desired, own_files};
use crate::error::Error;
use crate::extension::run;
use crate::places::Places;
use crate::target::{Guide, SetupTarget};

pub(super) fn has_settings(guide: &Guide, places: &Places) -> bool {
    let in_home = guide.in_home.is_some_and(|folder| places.home().join(folder).is_dir());
    in_home || places.configuration().join(guide.settings).is_dir()
}

pub(super) fn desired(
    target: &SetupTarget,
    guide: &Guide,
    places: &Places,
    program: &Path,
    carried: Carried,
) -> Desired {
    let name = target.name;
    let root = places.data().join("deconflict").join("editors").join(name);
    // A published crate has no folder with a manifest of its own in it, so the manifest has another name until here.
    let named = |name: String| name.strip_suffix(".in").map(str::to_owned).unwrap_or(name);
    let files = carried(name).into_iter().map(|(name, content)| (named(name), calling(&content, program)));
    let files = own_files(files, &root);
    let text = guide.text.replace("{folder}", &places.shortened(&root)).replace("{path}", &root.to_string_lossy());
    let remarks = lacking(target, guide, places).map(str::to_owned).into_iter().collect();
    Desired { own_folder: Some(root), files, by_hand: Some(text), remarks, ..Desired::default() }
}

/// What the editor on this machine has not; nothing where it cannot be asked.
fn lacking(target: &SetupTarget, guide: &Guide, places: &Places) -> Option<&'static str> {
    let (need, editor) = (guide.needs.as_ref()?, places.program(target.commands)?);
    let mut command = Command::new(&editor);
    command.args(need.arguments);
    matches!(run(&editor, command), Err(Error::Command(..))).then_some(need.lacking)
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
