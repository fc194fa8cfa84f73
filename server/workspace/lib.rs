//! Where people work: which coordination directory is theirs, what a path in it is called, what git says of it.
//!
//! [`locate`] answers "Where it is" of the protocol page, [`Namer`] "What a resource is called" and the way back,
//! [`Ignored`] and [`Exclusions`] what is never claimed by itself, and [`committed`] how a saved file differs from
//! the last commit; [`commits`] says what a commit or a push contains, and [`committing`] makes a commit.
//!
//! Nothing here looks into the coordination directory beyond asking whether it is one. Git's files are read directly:
//! no git command runs, except in [`committed`], [`commits`] and [`committing`], which nobody calls on the way to a claim.

mod adoption;
mod blame;
mod branches;
mod changed_files;
pub mod commits;
pub mod committed;
mod committed_tree;
pub mod committing;
mod converted;
mod declared;
mod discovery;
mod exclusions;
mod git;
pub mod git_hooks;
mod git_settings;
mod group_sharing;
mod ignored;
pub mod last_commit;
mod lockable;
mod machine;
mod naming;
mod packing;
mod person;
mod private_folder;
mod repository;
mod root_commit;
pub mod swept;
mod team_helper;
mod team_settings;
mod user_settings;
mod versions;
mod when_written;
mod written_files;

pub use adoption::Adoptions;
pub use blame::{CommittedLine, blame};
pub use branches::Branches;
pub use changed_files::{
    ChangedFile, changed_among, changed_since, differing, differing_at, left_out_since, seen_contents, seen_contents_at,
};
pub use converted::{converted, converted_content};
pub use declared::{DECLARATIONS, Declared, DeclaredResource, Scope, WrongLine, port_range};
pub use discovery::{
    DIRECTORY_VARIABLE, DirectoryState, DiscoveryError, Location, PassedOver, Reason, adopt, exclude, is_adopted,
    locate, locate_for, looks_like_one, nested,
};
pub use exclusions::{DEFAULT_EXCLUSIONS, Exclusions};
pub use git::GitError;
pub use git_settings::{git_alias, stashes_by_itself};
pub use group_sharing::make_shared;
pub use ignored::Ignored;
pub use lockable::Lockable;
pub use machine::machine_directory;
pub use naming::{CLONES_OF_TEAM, Kind, Located, Namer, NamingError, link_above};
pub use packing::pack_objects;
pub use person::person;
pub use private_folder::{FolderEntry, Lock, LockedFile, PrivateFolder};
pub use repository::{HeadMove, Repository, TrackedFile};
pub use root_commit::RootCommit;
pub use team_helper::{TEAM_VARIABLE, may_have_team, start_team_helper};
pub use team_settings::TeamSettings;
pub use user_settings::UserSettings;
pub use versions::{has_version, version_now};
pub use written_files::{WrittenFiles, WrittenFilesWatch};
