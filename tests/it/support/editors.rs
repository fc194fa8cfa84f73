//! The editors that `tests/editors/fetch` fetched, or that whoever runs the tests names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

/// An editor's command. Nothing where it is missing: that is said aloud, and is a failure where
/// `DECONFLICT_REQUIRE_EDITORS` is set, as `tests/run` does.
pub(crate) fn installed(editor: &str, command: &str) -> Option<PathBuf> {
    let variable = format!("DECONFLICT_{}", editor.to_uppercase().replace(['-', '.'], "_"));
    let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".editors/{editor}/bin/{command}"));
    let binary = std::env::var_os(variable).map_or_else(fetched, PathBuf::from);
    if binary.is_file() {
        return Some(binary);
    }
    report_missing(&format!("{editor} is not here; tests/editors/fetch fetches it"));
    None
}

/// Says that this test was skipped, or fails it where nothing may be skipped.
pub(crate) fn report_missing(what: &str) {
    assert!(std::env::var_os("DECONFLICT_REQUIRE_EDITORS").is_none(), "{what}");
    say_skipped(what);
}

/// Says that this test was skipped, for want of something that cannot be fetched everywhere.
pub(crate) fn say_skipped(what: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    // Not by a macro, whose output is shown only when a test fails.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what}");
}
