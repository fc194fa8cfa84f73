//! Figures for speed and size, each beside a floor that is measured in the same run: what the operating system alone
//! takes for the same work. `cargo bench --bench figures` prints tables and draws a picture of them, both kept in
//! `target/figures`; words after `--` choose groups. With `--keep` they also take the place of the last figures beside
//! this file. That a change made something dearer is shown by `instructions`; nothing here fails for being slow, except with
//! `--check`, where the slowest of a hundred has to meet its goal in one of three attempts.
//!
//! Every figure is taken with 10, 100, 1,000 and 10,000 claims in the directory, of a tenth as many sessions, except where
//! the journal alone counts.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints figures, and ends when it cannot take them"
)]
#![allow(clippy::needless_pass_by_value, reason = "JSON literals read better without a reference")]

#[allow(dead_code, unused_imports, reason = "it needs a part of the tests' vocabulary")]
#[path = "../it/support/mod.rs"]
mod support;

mod documents;
mod figures;
mod floors;
mod guard;
mod in_process;
mod journal;
mod pipe;
mod plot;
mod populate;
mod programs;
mod propagation;
mod rest;
mod waiting;
mod whole_process;

use std::fs;
use std::path::Path;

use figures::{Figure, tables};
use populate::Size;

/// A machine may be busy for a moment.
const ATTEMPTS: usize = 3;

/// How figures are taken.
enum Measure {
    /// With each amount in the directory, one after the other.
    Each(fn(Size) -> Vec<Figure>),
    /// With all amounts together.
    All(fn() -> Vec<Figure>),
}

const GROUPS: [(&str, Measure); 15] = [
    ("in process", Measure::All(in_process::measure)),
    ("whole process", Measure::Each(whole_process::measure)),
    ("pace", Measure::All(whole_process::measure_pace)),
    ("propagation", Measure::Each(propagation::measure)),
    ("keystroke", Measure::Each(documents::measure_keystroke)),
    ("start", Measure::Each(documents::measure_start)),
    ("run", Measure::Each(waiting::measure_run)),
    ("waiting", Measure::All(waiting::measure_crowd)),
    ("rest", Measure::All(rest::measure)),
    ("clean-up", Measure::All(rest::measure_clean_up)),
    ("guard", Measure::All(guard::measure)),
    ("journal, edits", Measure::Each(journal::measure_edits)),
    ("journal, commands", Measure::All(journal::measure_commands)),
    ("journal, questions", Measure::All(journal::measure_questions)),
    ("journal, a day", Measure::All(journal::measure_day)),
];

fn main() {
    floors::play_role();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_checked = arguments.iter().any(|argument| argument == "--check");
    let mut figures = measured(&wanted);
    for _ in 1..ATTEMPTS {
        if !is_checked || figures::missed(&figures).is_empty() {
            break;
        }
        figures = measured(&wanted);
    }
    let (tables, picture) = (tables(&figures), plot::svg(&figures));
    println!("{tables}");
    let missed = figures::missed(&figures);
    if is_checked && !missed.is_empty() {
        eprintln!("too slow: {}", missed.join("; "));
        std::process::exit(1);
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    write(&package.join("target/figures"), &tables, &picture);
    if arguments.iter().any(|argument| argument == "--keep") {
        let heading = format!("# Last figures\n\n{}\n\n![The same as curves](figures.svg)\n\n", circumstances());
        write(&package.join("tests/bench"), &(heading + &tables), &picture);
    }
}

/// The figures of the groups that are wanted; of all without any.
fn measured(wanted: &[&String]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, measure) in GROUPS {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        match measure {
            Measure::All(measure) => {
                eprintln!("measuring: {name}");
                figures.extend(measure());
            }
            Measure::Each(measure) => {
                for size in Size::ALL {
                    eprintln!("measuring: {name}, {size}");
                    figures.extend(measure(size));
                }
            }
        }
    }
    figures
}

fn write(folder: &Path, tables: &str, picture: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("figures.md"), tables).unwrap();
    fs::write(folder.join("figures.svg"), picture).unwrap();
    eprintln!("kept in {}", folder.display());
}

/// When the figures were taken, and on what kind of machine.
fn circumstances() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let (system, date) = (std::env::consts::OS, chrono::Utc::now().format("%Y-%m-%d"));
    let virtual_machine = if cpus.contains(" hypervisor ") { ", a virtual machine" } else { "" };
    format!(
        "Taken on {date} by `cargo bench --bench figures -- --keep`: {cores} cores of {model}{virtual_machine}, \
         {system} {kernel}, load {load} at the end. Floors are of the same run."
    )
}
