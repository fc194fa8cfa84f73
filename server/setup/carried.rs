//! What the program carries for editors and agents. It is handed in by the program, which is built beside the files.

use std::borrow::Cow;

/// A file, named from the folder that was asked for, with `/`.
pub type CarriedFile = (String, Cow<'static, [u8]>);

/// Gives the files below a folder of `editors/`.
pub type Carried = fn(folder: &str) -> Vec<CarriedFile>;

/// A single file, named from `editors/`; empty if it is not carried.
pub(super) fn file(carried: Carried, path: &str) -> Cow<'static, [u8]> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let found = carried(folder).into_iter().find(|(found, _)| found == name);
    found.map(|(_, content)| content).unwrap_or_default()
}
