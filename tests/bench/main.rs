//! Figures for speed and size, each beside a floor that is measured in the same run: what the operating system alone
//! takes for the same work. `cargo bench` prints a table; nothing here fails for being slow.
//!
//! Every figure is taken twice: with ten claims in the directory, and with 10,000 claims of 1,000 sessions.

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

mod figures;
mod in_process;
mod populate;
mod servers;
mod whole_process;

use figures::{Figure, print};
use populate::Size;

/// Takes some figures with so much in the directory.
type Measure = fn(Size) -> Vec<Figure>;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let groups: [(&str, Measure); 4] = [
        ("claim in process", in_process::measure),
        ("whole process", whole_process::measure),
        ("propagation", servers::measure_propagation),
        ("idle server", servers::measure_idle),
    ];
    let mut figures = Vec::new();
    for (name, measure) in groups {
        if is_wanted(name) {
            for size in [Size::Ten, Size::TenThousand] {
                eprintln!("measuring: {name}, {size}");
                figures.extend(measure(size));
            }
        }
    }
    print(&figures);
}
