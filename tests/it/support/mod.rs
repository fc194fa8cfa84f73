//! The vocabulary of the tests: a workspace, editors and terminals in it, and waiting with a deadline.

mod agent;
mod capabilities;
#[cfg(target_os = "linux")]
mod committer;
mod documents;
mod editor;
mod editors;
mod environment;
pub(crate) mod etcd;
#[cfg(target_os = "linux")]
mod git_monitor;
mod home;
pub(crate) mod hook_answers;
mod neovim;
mod office;
#[cfg(target_os = "linux")]
mod process;
#[cfg(unix)]
pub(crate) mod proxy;
#[cfg(target_os = "linux")]
mod real_agent;
mod repository;
mod screen;
#[cfg(target_os = "linux")]
pub(crate) mod scripted_model;
#[cfg(target_os = "linux")]
mod stand_in;
#[cfg(unix)]
pub(crate) mod team;
mod terminal;
mod wait;
#[cfg(unix)]
pub(crate) mod ways;
mod wire;
mod workspace;

pub(crate) use agent::{CodingAgent, Told, hook};
pub(crate) use capabilities::{bare_capabilities, full_capabilities};
#[cfg(target_os = "linux")]
pub(crate) use committer::{Committer, guarded_workspace, hold_since};
pub(crate) use documents::{Document, Edit, codes, hint_label};
pub(crate) use editor::{Editor, EditorBuilder, RpcError};
pub(crate) use editors::{installed, report_missing, say_skipped};
pub(crate) use environment::clean_environment;
#[cfg(target_os = "linux")]
pub(crate) use git_monitor::GitMonitor;
pub(crate) use home::{Home, Tree};
pub(crate) use neovim::{Neovim, Version};
pub(crate) use office::Office;
#[cfg(target_os = "linux")]
pub(crate) use process::{Kept, processor_time};
#[cfg(target_os = "linux")]
pub(crate) use real_agent::{Product, RealAgent};
#[cfg(unix)]
pub(crate) use repository::LINK;
pub(crate) use repository::{LINKED_FILE, NON_ASCII, SPACED};
pub(crate) use screen::Screen;
#[cfg(target_os = "linux")]
pub(crate) use stand_in::{AgentProcess, StandIn, stand_in_program};
pub(crate) use terminal::{Outcome, Running, Terminal};
pub(crate) use wait::{wait_for, wait_within};
pub(crate) use workspace::{Coordination, Workspace, file_uri, timestamp};

/// True if a proof is to be as long as its figures need, not as short as every change can wait for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("DECONFLICT_PROOF_LONG").is_some()
}
