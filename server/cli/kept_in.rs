//! What verbs do differently over the stores in which registries are kept.

use deconflict_registry::{Files, Registry, Store};
use deconflict_team::Etcd;
use deconflict_workspace::machine_directory;

/// A store that verbs are about.
pub(super) trait KeptIn: Store + Sized {
    /// The registry as one of a directory, which has a status board and is about files too; `None` for any other.
    fn in_directory(registry: &Registry<Self>) -> Option<&Registry>;

    /// What `--scope` has to say so that this registry is meant; `None` for that of the clone.
    fn scope(registry: &Registry<Self>) -> Option<&'static str>;
}

impl KeptIn for Files {
    fn in_directory(registry: &Registry) -> Option<&Registry> {
        Some(registry)
    }

    fn scope(registry: &Registry) -> Option<&'static str> {
        machine_directory().filter(|directory| directory == registry.path()).map(|_| "machine")
    }
}

impl KeptIn for Etcd {
    fn in_directory(_: &Registry<Self>) -> Option<&Registry> {
        None
    }

    fn scope(_: &Registry<Self>) -> Option<&'static str> {
        Some("team")
    }
}
