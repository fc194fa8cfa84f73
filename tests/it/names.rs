//! Names of sessions and resources, the keys of claims that are made of them, and what covers what.

use deconflict_protocol::{ClaimKey, Naming, Resource, ResourceType, SessionId};

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn directory(name: &str) -> Resource {
    Resource::directory(name).unwrap()
}

fn key(resource: &Resource) -> ClaimKey {
    Naming::default().key(resource)
}

#[test]
fn plain_names_are_the_originals() {
    let cases = [
        ("file", "CONSCIOUSNESS.md", "file-CONSCIOUSNESS.md"),
        ("droplet", "church-guidance", "droplet-church-guidance"),
        ("file", "src/a b.rs", "file-src%2Fa b.rs"),
        ("file", ".gitignore", "file-%2Egitignore"),
        ("file", "a. ", "file-a.%20"),
        ("file", "50%/é\u{7}", "file-50%25%2Fé%07"),
        ("task", "a:b*c?\"<>|\\", "task-a%3Ab%2Ac%3F%22%3C%3E%7C%5C"),
        ("file", "//feature-x/src/a.rs", "file-%2F%2Ffeature-x%2Fsrc%2Fa.rs"),
    ];
    for (kind, name, expected) in cases {
        let resource = Resource::new(ResourceType::new(kind).unwrap(), name).unwrap();
        let key = key(&resource);
        assert_eq!(key.as_str(), expected);
        assert_eq!(key.resource(None), resource, "decodes again");
    }
}

#[test]
fn long_names_are_cut_on_a_boundary_and_stay_distinct() {
    for filler in ["a", "é", "/", "a/"] {
        let names: Vec<String> = (150..420).map(|n| filler.repeat(n)).collect();
        let keys: std::collections::HashSet<_> = names.iter().map(|name| key(&file(name))).collect();
        assert_eq!(keys.len(), names.len());
        for (name, found) in names.iter().map(|name| (name, key(&file(name)))) {
            assert!(found.as_str().len() <= "file-".len() + 200);
            assert_eq!(found.resource(Some(("file", name))), file(name));
        }
    }
}

#[test]
fn no_type_of_another_program_makes_a_name_too_long_for_a_file() {
    for length in [1, 40, 48, 49, 100, 200] {
        let kind = ResourceType::foreign(&"t-".repeat(100)[..length]).unwrap();
        let keys = ["x".repeat(300), "x".repeat(301), "é/".repeat(150)]
            .map(|name| key(&Resource::new(kind.clone(), &name).unwrap()));
        assert!(keys.iter().all(|file| file.as_str().len() <= 255 - ".claim".len()), "{keys:?}");
        assert_ne!(keys[0], keys[1]);
    }
}

#[test]
fn a_record_that_says_something_else_does_not_change_what_is_excluded() {
    let found = key(&file("src/a.rs"));
    assert_eq!(found.resource(Some(("file", "src/b.rs"))), file("src/a.rs"));
}

#[test]
fn claims_below_a_directory_are_found_by_the_start_of_their_names() {
    let deep = format!("src/{}", "x".repeat(300));
    for (above, below) in
        [("src", "src/a.rs"), ("src", deep.as_str()), (".", "a"), (deep.as_str(), &format!("{deep}/y"))]
    {
        let [files, _] = Naming::default().beginnings_below(&directory(above));
        let below = key(&file(below));
        assert!(below.as_str().starts_with(&files), "{files} {below}");
    }
}

#[test]
fn where_case_is_ignored_names_that_differ_in_it_are_one() {
    let ignoring = Naming { ignores_case: true };
    assert_eq!(ignoring.key(&file("Lib/X")), ignoring.key(&file("lib/x")));
    assert_eq!(ignoring.key(&file("Lib/X")).as_str(), "file-Lib%2FX", "it stays spelled as it was");
    assert_ne!(key(&file("Lib/X")), key(&file("lib/x")));
    let [files, _] = ignoring.beginnings_below(&directory("LIB"));
    let below = ignoring.key(&file("Lib/x"));
    assert!(below.begins_with(&files), "{files} {below}");
    for (above, below) in [("new", "New/a"), ("LIB", "lib/x")] {
        assert!(ignoring.overlap(&directory(above), &file(below)));
        assert!(!Naming::default().overlap(&directory(above), &file(below)));
    }
}

#[test]
fn session_ids_that_we_write() {
    for good in ["session-1763200000", "a", "A.b_c-9", "con-1", "com10", "a.con", &"x".repeat(64)] {
        assert!(SessionId::new(good).is_ok(), "{good}");
    }
    for bad in
        ["", "-a", ".a", "a.", "a/b", "a b", "é", "broadcast", "Broadcast", "con", "Nul.1", "COM1", &"x".repeat(65)]
    {
        assert!(SessionId::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn foreign_session_ids_stay_plain_names() {
    for good in ["é", "a b", "session 001", "a."] {
        assert!(SessionId::foreign(good).is_ok(), "{good}");
    }
    for bad in ["", ".", "..", ".hidden", "../x", "a/b", "a\\b", "a\nb", "a\0b", "broadcast", &"x".repeat(201)] {
        assert!(SessionId::foreign(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn resource_types_that_we_write() {
    for good in ["file", "droplet", "task_2"] {
        assert!(ResourceType::new(good).is_ok(), "{good}");
    }
    for bad in ["", "File", "2a", "a-b", "a/b", "_a"] {
        assert!(ResourceType::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn directories_cover_what_is_below_them_but_no_worktree() {
    let cases = [
        (".", "src/a.rs", true),
        ("src", "src/a.rs", true),
        ("src", "src/deep/er/a.rs", true),
        ("src", "srcs/a.rs", false),
        ("src", "src", false),
        (".", "//feature/src/a.rs", false),
        ("//feature", "//feature/src/a.rs", true),
        ("//feature/src", "//feature/src/a.rs", true),
        ("//feature", "//other/src/a.rs", false),
        ("//repo//feature", "//repo//feature/src/a.rs", true),
        ("//repo", "//repo//feature/src/a.rs", false),
    ];
    for (above, below, expected) in cases {
        let below = file(below);
        assert_eq!(directory(above).covers(&below), expected, "{above} and {below}");
        assert_eq!(below.covering_directories().contains(&directory(above)), expected, "{above} above {below}");
    }
    assert_eq!(
        file("a/b/c.rs").covering_directories(),
        [directory("a/b"), directory("a"), directory(".")],
        "nearest first"
    );
    assert_eq!(directory(".").covering_directories(), []);
    assert_eq!(directory("//feature").covering_directories(), []);
}

#[test]
fn names_for_people_tell_the_worktree() {
    assert_eq!(file("//feature-x/src/a.rs").display_name(), "src/a.rs (worktree feature-x)");
    assert_eq!(file("//code/main//feature-x/src/a.rs").display_name(), "src/a.rs (worktree feature-x)");
    assert_eq!(file("src/a.rs").display_name(), "src/a.rs");
    assert_eq!(file("//x/src/a.rs").path_in_any_worktree(), file("src/a.rs").path_in_any_worktree());
    for (name, in_main) in [("//x/src/a", "src/a"), ("//code/main//x/src/a", "code/main/src/a"), ("src/a", "src/a")] {
        assert_eq!(file(name).path_in_main_worktree().as_deref(), Some(in_main));
    }
}
