//! What the user excludes from being claimed by itself.

use std::path::Path;

use deconflict_workspace::Exclusions;

#[test]
fn lock_files_are_excluded_by_default() {
    let exclusions = Exclusions::default();
    for path in ["Cargo.lock", "deep/er/package-lock.json", "go.sum"] {
        assert!(exclusions.contains(Path::new(path)), "{path}");
    }
    for path in ["Cargo.toml", "src/Cargo.lock.rs", "my-Cargo.lock", "package-lock.json5"] {
        assert!(!exclusions.contains(Path::new(path)), "{path}");
    }
}

#[test]
fn globs_count_as_editors_write_them() {
    let cases = [
        ("*.snap", "a/b.snap", true),
        ("*.snap", "b.snap", true),
        ("generated", "src/generated/deep/a.rs", true),
        ("generated/", "generated/a.rs", true),
        ("/generated", "src/generated/a.rs", false),
        ("src/*.rs", "src/a.rs", true),
        ("src/*.rs", "src/deep/a.rs", false),
        ("src/**/*.rs", "src/deep/a.rs", true),
        ("**/*.{png,svg}", "a/b.svg", true),
    ];
    for (pattern, path, expected) in cases {
        let exclusions = Exclusions::new(&[pattern]).unwrap();
        assert_eq!(exclusions.contains(Path::new(path)), expected, "{pattern} on {path}");
    }
}

#[test]
fn a_wrong_glob_is_named() {
    for pattern in ["a[", "{a", "", "/"] {
        assert!(Exclusions::new(&["fine", pattern]).is_none(), "{pattern}");
    }
}
