//! What should be on the disk for one target.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::carried::CarriedFile;
use crate::extension::Extension;
use crate::files::Access;
use crate::places::joined;

/// What should be on the disk, whatever is there now.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// A folder that nobody else puts anything into.
    pub(super) own_folder: Option<PathBuf>,
    pub(super) files: Vec<OwnFile>,
    /// Links of our own, with what they lead to.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    pub(super) hooks: Option<(PathBuf, Value)>,
    pub(super) extension: Option<Extension>,
    pub(super) remarks: Vec<String>,
    pub(super) by_hand: Option<String>,
    pub(super) remark_after_change: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct OwnFile {
    pub(super) path: PathBuf,
    pub(super) content: Cow<'static, [u8]>,
    pub(super) access: Access,
    /// It is replaced and removed whatever is in it.
    pub(super) is_always_ours: bool,
}

impl OwnFile {
    /// A file that is ours as long as nobody changes it.
    pub(super) fn new(path: PathBuf, content: Cow<'static, [u8]>) -> Self {
        Self { path, content, access: Access::Shared, is_always_ours: false }
    }
}

/// A folder of `editors/` on the disk, without what is told to people who install by hand.
pub(super) fn own_files(files: impl IntoIterator<Item = CarriedFile>, root: &Path) -> Vec<OwnFile> {
    let is_wanted = |name: &str| !matches!(name, "README.md" | ".claude-plugin/marketplace.json");
    let files = files.into_iter().filter(|(name, _)| is_wanted(name));
    files.map(|(name, content)| OwnFile::new(joined(root, &name), content)).collect()
}
