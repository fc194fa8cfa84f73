//! How the program is linked.
//!
//! Agents start the program before and after each of their edits, and finding libraries and moving addresses to where the
//! loader chose took a fifth of its time. So a release for Linux brings glibc along, and lies where it was linked to lie.
//! None of its own code can write where it should not, so that this place is no secret worth the time.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    // With `crt-static` the compiler does all of this, but that cannot be asked for here.
    let is_static = env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|features| features.contains("crt-static"));
    if !is("CARGO_CFG_TARGET_OS", "linux")
        || !is("CARGO_CFG_TARGET_ENV", "gnu")
        || !is("PROFILE", "release")
        || is_static
    {
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
