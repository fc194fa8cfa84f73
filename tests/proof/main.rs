//! Evidence that the promises are kept under faults. What is shown, and how to run it, is told in `PROOF.md`.
//!
//! All of it needs a build that can be told to fail, so that it is not among the ordinary tests:
//! `tests/proof/run` builds and runs it, and with `--long` it takes its time.

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(clippy::needless_pass_by_value, reason = "JSON literals read better without a reference")]

#[allow(dead_code, unused_imports, reason = "it needs a part of the tests' vocabulary")]
#[path = "../it/support/mod.rs"]
mod support;

mod all_or_none;
mod crashes;
mod few_files;
mod invariant;
mod journal;
mod linearizability;
mod race;
mod surroundings;
mod take_over_model;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// A minute or two, before every change.
    Short,
    /// As long as the figures in `PROOF.md` need.
    Long,
}

fn scale() -> Scale {
    if std::env::var_os("DECONFLICT_PROOF_LONG").is_some() { Scale::Long } else { Scale::Short }
}
