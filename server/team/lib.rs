//! The registry that a team on many machines shares: a [`Store`](deconflict_registry::Store) over an etcd cluster.
//!
//! It speaks to etcd's own JSON gateway, which every etcd has on its ordinary client port, one blocking request after
//! another. Nothing of it is contacted before the first verb that is about the team.

mod access;
mod address;
mod fence;
mod gateway;
mod keys;
mod kv;
mod lifetime;
mod names;
mod snapshot;
mod store;
mod watching;

pub use access::{EtcdAccess, User};
pub use address::{Address, AddressError};
pub use fence::{LeftContent, NotAdmitted};
pub use names::{clone_digest, id_in_team};
pub use store::{Etcd, Health};
