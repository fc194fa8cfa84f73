//! The programs whose runs are measured.
//!
//! They are copies, as an installer writes them: what a linker wrote through a mapping lies in the page cache in single
//! pages instead of large ones, and the page faults of that take up to a fifth of a short run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `deconflict` itself.
pub(crate) fn deconflict() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/figures");
        fs::create_dir_all(&folder).unwrap();
        install(Path::new(env!("CARGO_BIN_EXE_deconflict")), &folder.join("deconflict"))
    })
}

/// Builds the program that does nothing.
pub(crate) fn empty_program(folder: &Path) -> PathBuf {
    small_program(folder, "empty", "fn main() {}\n")
}

/// Builds a program of one file.
pub(crate) fn small_program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let source = folder.join(name).with_extension("rs");
    fs::write(&source, text).unwrap();
    let linked = folder.join(name).with_extension("linked");
    let built = Command::new("rustc").args(["-O", "-o"]).arg(&linked).arg(&source).status().unwrap();
    assert!(built.success(), "rustc builds a small program");
    install(&linked, &folder.join(name))
}

fn install(linked: &Path, installed: &Path) -> PathBuf {
    // Whoever still runs the last one keeps it.
    let _ = fs::remove_file(installed);
    let program = fs::read(linked).unwrap();
    fs::write(installed, program).unwrap();
    fs::set_permissions(installed, fs::metadata(linked).unwrap().permissions()).unwrap();
    installed.to_owned()
}
