//! What was counted before, and with what.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::Command;

/// What counts depend on beside the code.
#[derive(PartialEq, Eq)]
pub(crate) struct Circumstances(String);

impl Circumstances {
    /// `None` if valgrind is not here.
    pub(crate) fn here() -> Option<Self> {
        let valgrind = said(Command::new("valgrind").arg("--version"))?;
        let rustc = said(Command::new("rustc").arg("--version"))?;
        Some(Self(format!("{rustc}, {valgrind}, {}", std::env::consts::ARCH)))
    }
}

impl fmt::Display for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Counts by what was counted.
pub(crate) struct Baseline {
    pub(crate) circumstances: Circumstances,
    pub(crate) counts: Vec<(String, f64)>,
}

impl Baseline {
    pub(crate) fn read(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        let mut lines = text.lines();
        let circumstances = Circumstances(lines.next()?.to_owned());
        let count = |line: &str| {
            let (name, count) = line.rsplit_once(": ")?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Some(Self { circumstances, counts: lines.filter_map(count).collect() })
    }

    pub(crate) fn write(&self, file: &Path) {
        let mut text = format!("{}\n", self.circumstances);
        for (name, count) in &self.counts {
            writeln!(text, "{name}: {count:.0}").unwrap();
        }
        std::fs::write(file, text).unwrap();
    }

    pub(crate) fn count_of(&self, name: &str) -> Option<f64> {
        self.counts.iter().find(|(of, _)| of == name).map(|(_, count)| *count)
    }
}
