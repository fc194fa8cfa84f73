//! What the fuzz targets check, without a fuzzer: every seed and every case that was found once, and those with some
//! bytes changed.
//!
//! `tests/fuzz/run TARGET SECONDS` looks for new ones; what it finds it leaves among the seeds.

#![cfg(target_os = "linux")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::is_long;

#[allow(unreachable_pub, reason = "it is a library of its own for the fuzzer")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

/// So long changed cases are tried after those that are kept.
const SHORT: Duration = Duration::from_secs(5);
/// At most so many, so that a faster machine tries nothing that this one did not.
const FEW: usize = 2_000;
const LONG: Duration = Duration::from_mins(5);

/// Tries a target with all that is kept for it, and then with changes of it, the same ones in each run.
fn try_out(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for (seed, path) in seeds.iter().zip(&paths) {
        assert!(catch_unwind(|| target(seed)).is_ok(), "{} fails", path.display());
    }
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (start, time) = (Instant::now(), if is_long() { LONG } else { SHORT });
    let most = if is_long() { usize::MAX } else { FEW };
    for _ in (0..most).take_while(|_| start.elapsed() < time) {
        let case = chance.change(&seeds);
        assert!(catch_unwind(|| target(&case)).is_ok(), "a changed case fails: {}", case.escape_ascii());
    }
}

#[test]
fn records_of_any_bytes_are_read_without_harm() {
    try_out("records", targets::records);
}

#[test]
fn names_of_any_text_stay_one_component() {
    try_out("names", targets::names);
}

#[test]
fn other_peoples_text_stays_in_its_quotation() {
    try_out("quotations", targets::quotations);
}

#[test]
fn a_directory_of_any_bytes_can_be_worked_in() {
    try_out("directory", targets::directory);
}

#[test]
fn hook_events_of_any_text_are_answered_in_the_agents_form() {
    try_out("hooks", targets::hooks);
}

#[test]
fn sessions_of_any_messages_end_well() {
    try_out("session", targets::session);
}

/// Numbers that look random, the same ones in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    /// One of the seeds with some bytes changed, added, left out or put in from another.
    fn change(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut case = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(case.len() + 1);
            match self.below(5) {
                0 if at < case.len() => case[at] = u8::try_from(self.below(256)).unwrap(),
                1 if at < case.len() => case[at] ^= 1 << self.below(8),
                2 => case.insert(at, u8::try_from(self.below(256)).unwrap()),
                3 => case.truncate(at),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len() + 1);
                    let length = self.below(32).min(other.len() - from);
                    case.splice(at..at, other[from..from + length].iter().copied());
                }
            }
        }
        case
    }
}
