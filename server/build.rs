//! How the program is linked.
//!
//! Agents start the program before and after each of their edits, and finding libraries and moving addresses to where the
//! loader chose took a fifth of its time. So a release for Linux brings glibc along, and lies where it was linked to lie.
//! None of its own code can write where it should not, so that this place is no secret worth the time.
//!
//! Another tenth went into page faults of functions that lay all over the program, so that those which such a short run
//! needs lie together, where the linker can order them.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The functions that short runs need, written by `tests/bench/order`. Names that are not in the program are passed over.
const ORDER: &str = "server/order.txt";

/// What the standard library links by name, and what stands for it in a program that brings it along.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("gcc_s", &["gcc_eh", "gcc", "c"]),
    ("util", &["util"]),
    ("rt", &["rt"]),
    ("pthread", &["pthread"]),
    ("m", &["m"]),
    ("dl", &["dl"]),
    ("c", &["c", "gcc_eh", "gcc"]),
];

fn main() {
    println!("cargo::rerun-if-changed=server/build.rs");
    println!("cargo::rerun-if-changed={ORDER}");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("PROFILE", "release") {
        return;
    }
    if let Some(arguments) = ordering().filter(|arguments| is_taken(arguments)) {
        for argument in arguments {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
    // With `crt-static` the compiler does all that follows, but that cannot be asked for here.
    let is_static = env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|features| features.contains("crt-static"));
    if !is("CARGO_CFG_TARGET_ENV", "gnu") || is_static {
        return;
    }
    match stand_ins() {
        Some(folder) => {
            println!("cargo::rustc-link-arg-bins=-static");
            println!("cargo::rustc-link-arg-bins=-L{}", folder.display());
        }
        // Where glibc's archive is not installed, or for another machine than this one.
        None => println!("cargo::rustc-link-arg-bins=-no-pie"),
    }
}

/// What tells the linker in which order functions lie.
fn ordering() -> Option<[String; 4]> {
    let file = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join(ORDER);
    let ordered = format!("--symbol-ordering-file={}", file.to_str()?);
    Some(["-Xlinker".to_owned(), ordered, "-Xlinker".to_owned(), "--no-warn-symbol-ordering".to_owned()])
}

/// Whether the linker that will be used takes these arguments: lld does, and most others end with an error.
fn is_taken(arguments: &[String]) -> bool {
    let try_it = || {
        let folder = PathBuf::from(env::var_os("OUT_DIR")?);
        let source = folder.join("empty.rs");
        fs::write(&source, "fn main() {}\n").ok()?;
        let mut rustc = Command::new(env::var_os("RUSTC")?);
        rustc.arg("--target").arg(env::var_os("TARGET")?).arg("-o").arg(folder.join("empty")).arg(&source);
        if let Some(linker) = env::var_os("RUSTC_LINKER") {
            rustc.arg("-C").arg(format!("linker={}", linker.to_str()?));
        }
        let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
        rustc.args(arguments.iter().map(|argument| format!("-Clink-arg={argument}")));
        Some(rustc.output().ok()?.status.success())
    };
    try_it().unwrap_or(false)
}

/// Makes the folder in which the linker finds archives where the compiler asks for shared libraries.
fn stand_ins() -> Option<PathBuf> {
    let is_for_this_machine = env::var("HOST").ok()? == env::var("TARGET").ok()?;
    let folder = PathBuf::from(env::var_os("OUT_DIR")?).join("archives");
    (is_for_this_machine && write_stand_ins(&folder).is_ok()).then_some(folder)
}

fn write_stand_ins(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, archives) in LIBRARIES {
        let archives = archives.iter().map(|name| archive(name)).collect::<io::Result<Vec<_>>>()?;
        fs::write(folder.join(format!("lib{name}.so")), format!("GROUP({})\n", archives.join(" ")))?;
    }
    Ok(())
}

/// Where an archive lies, as whoever links finds it.
fn archive(name: &str) -> io::Result<String> {
    let file = format!("lib{name}.a");
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let answer = Command::new(linker).arg(format!("-print-file-name={file}")).output()?;
    let path = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    // A name that it does not find is given back as it was.
    if path == file || !Path::new(&path).exists() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(path)
}
