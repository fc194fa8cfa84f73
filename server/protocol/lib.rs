//! The records and names of the coordination directory, as plain values.
//!
//! Nothing here does I/O, reads a clock or knows an editor: whoever calls brings bytes and times.
//! The rules are those of the protocol page, section by section: names ([`Resource`], [`SessionId`]),
//! records ([`ClaimRecord`], [`SessionRecord`], [`HeartbeatRecord`], [`MessageRecord`], [`HandOffRecord`]),
//! times ([`time`]) and foreign text made safe to show ([`text`]).

mod claim;
mod claim_key;
mod hand_off;
mod heartbeat;
mod layout;
mod message;
mod name;
mod process;
mod record;
mod resource;
mod session;
mod session_name;
pub mod text;
mod ticket;
pub mod time;

pub use claim::{ClaimRecord, DEFAULT_LEASE, LONGEST_LEASE, lease_end};
pub use claim_key::{ClaimKey, Naming};
pub use hand_off::HandOffRecord;
pub use heartbeat::HeartbeatRecord;
pub use layout::{DIRECTORY_NAME, is_coordination_directory};
pub use message::{MessageKind, MessageRecord};
pub use name::{BROADCAST, NameError, ResourceType, SessionId, is_broadcast};
pub use process::ProcessRecord;
pub use record::{RecordError, overlay, parse, to_bytes};
pub use resource::Resource;
pub use session::{SessionOfClone, SessionRecord};
pub use ticket::{TicketRecord, Want};
