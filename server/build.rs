//! How the program is linked.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=server/build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    let is_static = env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|features| features.contains("crt-static"));
    // Agents run the program before each of their edits, and a tenth of its time went into moving addresses that the
    // loader had chosen. Where it lies is no secret worth that: none of its own code can write where it should not.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && is("PROFILE", "release") && !is_static
    {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
