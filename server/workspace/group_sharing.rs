//! A clone that several users share (git-config(1), `core.sharedRepository`).

use super::{Location, Repository};
use deconflict_platform::make_folder_of_group;

/// Makes the directory for everybody who may write to a shared clone, where it is one and that can be done.
pub fn make_shared(location: &Location) {
    let Ok(Some(repository)) = Repository::containing(location.parent()) else { return };
    if let Some(access) = repository.configuration().value("core", "sharedrepository").and_then(Access::parse) {
        let _ = make_folder_of_group(&location.directory, |mode| access.folder_mode(mode));
    }
}

/// Which rights files in a shared repository have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// These, beside what the user's own defaults give.
    Added(u32),
    /// Exactly these.
    Exactly(u32),
}

impl Access {
    /// Understands what the configuration says; `None` if the user's own defaults count.
    fn parse(value: &str) -> Option<Self> {
        match value.to_ascii_lowercase().as_str() {
            "group" | "true" | "yes" | "on" | "1" => Some(Self::Added(0o660)),
            "all" | "world" | "everybody" | "2" => Some(Self::Added(0o664)),
            other => u32::from_str_radix(other, 8)
                .ok()
                .filter(|mode| mode & 0o600 == 0o600)
                // A directory that everyone may write to is used only when it is named.
                .map(|mode| Self::Exactly(mode & 0o664)),
        }
    }

    /// The mode of a folder that would have this one.
    fn folder_mode(self, mode: u32) -> u32 {
        let mode = match self {
            Self::Added(access) => mode | access,
            Self::Exactly(access) => mode & !0o777 | access,
        };
        let enter = (mode & 0o444) >> 2;
        // What is made in it later is the group's too.
        let keep_group = if mode & 0o060 == 0 { 0 } else { 0o2000 };
        mode | enter | keep_group
    }
}
