//! What files and directories are called, and where a name leads, on real repositories.

use std::fs;
use std::path::{Path, PathBuf};

use deconflict_protocol::{Resource, ResourceType};
use deconflict_workspace::{Adoptions, Kind, Location, Namer, NamingError, locate_for};

use super::support::{NON_ASCII, SPACED, Workspace};

fn locate(workspace: &Workspace, folder: &Path, named: Option<&Path>) -> Location {
    let adoptions = Adoptions::in_folder(&workspace.home().join("adopted"));
    locate_for(folder, named, None, adoptions).unwrap()
}

fn namer_in(workspace: &Workspace, folder: &Path) -> Namer {
    Namer::new(&locate(workspace, folder, None))
}

/// What a file is called, having checked that the name leads back to it.
#[track_caller]
fn file_name(namer: &Namer, path: impl AsRef<Path>) -> String {
    let resource = namer.resource(path.as_ref(), Kind::File).unwrap();
    assert_eq!(namer.path_of(&resource), Some(namer.real_path(path.as_ref()).unwrap()), "{resource} leads back");
    resource.name().to_owned()
}

#[track_caller]
fn directory_name(namer: &Namer, path: impl AsRef<Path>) -> String {
    let resource = namer.resource(path.as_ref(), Kind::Directory).unwrap();
    assert_eq!(namer.path_of(&resource), Some(namer.real_path(path.as_ref()).unwrap()), "{resource} leads back");
    resource.name().to_owned()
}

#[test]
fn a_name_is_the_path_from_the_directorys_parent() {
    let workspace = Workspace::realistic();
    let namer = namer_in(&workspace, workspace.root());
    for name in [SPACED, NON_ASCII, "docs/100% done.md", "README.md", "not/there/yet.rs", ".env"] {
        assert_eq!(file_name(&namer, name), name);
        assert_eq!(file_name(&namer, workspace.path(name)), name);
        assert_eq!(namer.resource_at(&workspace.path(name)).unwrap(), Resource::file(name).unwrap());
    }
    assert_eq!(directory_name(&namer, ""), ".");
    assert_eq!(directory_name(&namer, workspace.root()), ".");
    assert_eq!(directory_name(&namer, "docs/guide/"), "docs/guide");
    assert_eq!(directory_name(&namer, "not/there"), "not/there");
    assert_eq!(namer.resource_at(Path::new("docs")).unwrap(), Resource::directory("docs").unwrap());
}

#[test]
fn relative_paths_count_from_the_folder_that_is_worked_in() {
    let workspace = Workspace::small();
    let namer = namer_in(&workspace, &workspace.path("src"));
    assert_eq!(file_name(&namer, "parser.rs"), "src/parser.rs");
    assert_eq!(file_name(&namer, "../README.md"), "README.md");
    assert_eq!(file_name(&namer, "./new/../lib.rs"), "src/lib.rs");
    assert_eq!(file_name(&namer, "new/../other/a.rs"), "src/other/a.rs");
    assert_eq!(file_name(&namer, "new/../../README.md"), "README.md");
    assert_eq!(directory_name(&namer, ".."), ".");
    assert_eq!(file_name(&namer.relative_to(workspace.root()), "README.md"), "README.md");
}

#[test]
fn what_is_outside_is_refused() {
    let workspace = Workspace::small();
    fs::write(workspace.beside("other.txt"), "").unwrap();
    let namer = namer_in(&workspace, workspace.root());
    for path in ["../other.txt", "../not-there.txt", "src/../../other.txt", "new/../../other.txt", "/", "../.."] {
        let kind = Kind::at(&workspace.path(path));
        let error = namer.resource(Path::new(path), kind).unwrap_err();
        assert!(matches!(error, NamingError::Outside { .. }), "{path}: {error:?}");
    }
}

#[test]
fn files_and_directories_are_not_mixed_up() {
    let workspace = Workspace::small();
    let namer = namer_in(&workspace, workspace.root());
    let error = namer.resource(Path::new("src"), Kind::File).unwrap_err();
    assert!(matches!(error, NamingError::IsDirectory { .. }), "{error:?}");
    let error = namer.resource(Path::new("README.md"), Kind::Directory).unwrap_err();
    assert!(matches!(error, NamingError::IsFile { .. }), "{error:?}");
    let error = namer.resource(Path::new("README.md/below"), Kind::File).unwrap_err();
    assert!(matches!(error, NamingError::Unresolvable { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn links_are_resolved_and_dangling_ones_refused() {
    use std::os::unix::fs::symlink;

    let workspace = Workspace::realistic();
    let namer = namer_in(&workspace, workspace.root());
    assert_eq!(file_name(&namer, "docs/current.md"), "docs/guide/chapter-03.md");
    assert_eq!(file_name(&namer, "api-sources/lib.rs"), "services/api/src/lib.rs");
    assert_eq!(file_name(&namer, "api-sources/new/file.rs"), "services/api/src/new/file.rs");
    assert_eq!(file_name(&namer, "api-sources/../Cargo.toml"), "services/api/Cargo.toml", "as the system resolves it");

    symlink("loop", workspace.path("loop")).unwrap();
    symlink("/", workspace.path("everything")).unwrap();
    for link in ["docs/dangling.md", "docs/dangling.md/below"] {
        let error = namer.resource(Path::new(link), Kind::File).unwrap_err();
        let NamingError::DanglingLink(path) = &error else { panic!("{link}: {error:?}") };
        assert_eq!(*path, workspace.path("docs/dangling.md"));
    }
    assert!(matches!(namer.resource(Path::new("loop"), Kind::File), Err(NamingError::Unresolvable { .. })));
    let escaped = Path::new("everything/not-there");
    assert!(matches!(namer.resource(escaped, Kind::File), Err(NamingError::Outside { .. })));

    // A workspace that is reached through a link has the same names.
    let alias = workspace.beside("alias");
    symlink(workspace.root(), &alias).unwrap();
    assert_eq!(file_name(&namer_in(&workspace, &alias), alias.join("README.md")), "README.md");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let workspace = Workspace::small();
    let namer = namer_in(&workspace, workspace.root());
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    for exists in [false, true] {
        if exists {
            fs::write(workspace.path(name), "").unwrap();
        }
        assert!(matches!(namer.resource(Path::new(name), Kind::File), Err(NamingError::NotUtf8 { .. })));
    }
}

#[test]
fn linked_worktrees_are_named_as_git_names_them() {
    let workspace = Workspace::small();
    let beside = workspace.add_worktree("feature-x");
    let inside = workspace.path("trees/inner");
    workspace.git(&["worktree", "add", "--quiet", "-b", "inner", inside.to_str().unwrap()]);
    // A folder of the same name makes git choose another name.
    let second = workspace.beside("second/inner");
    workspace.git(&["worktree", "add", "--quiet", "-b", "second", second.to_str().unwrap()]);

    for folder in [workspace.root().to_owned(), beside.clone(), inside.clone()] {
        let namer = namer_in(&workspace, &folder);
        assert_eq!(file_name(&namer, beside.join("src/lib.rs")), "//feature-x/src/lib.rs");
        assert_eq!(file_name(&namer, beside.join("src/new/a.rs")), "//feature-x/src/new/a.rs");
        assert_eq!(directory_name(&namer, &beside), "//feature-x");
        assert_eq!(file_name(&namer, inside.join("src/lib.rs")), "//inner/src/lib.rs", "wherever the worktree lies");
        assert_eq!(directory_name(&namer, &inside), "//inner");
        assert_eq!(directory_name(&namer, workspace.path("trees")), "trees");
        assert_eq!(file_name(&namer, second.join("src/lib.rs")), "//inner1/src/lib.rs");
        assert_eq!(file_name(&namer, workspace.path("src/lib.rs")), "src/lib.rs");
    }
    assert_eq!(file_name(&namer_in(&workspace, &beside), "src/lib.rs"), "//feature-x/src/lib.rs");
}

#[test]
fn a_worktree_of_another_repository_has_no_name_here() {
    let (workspace, other) = (Workspace::small(), Workspace::small());
    let foreign = other.add_worktree("foreign");
    let namer = namer_in(&workspace, workspace.root());
    assert!(matches!(namer.resource(&foreign.join("src/lib.rs"), Kind::File), Err(NamingError::Outside { .. })));

    let guest = workspace.path("guest");
    other.git(&["worktree", "add", "--quiet", "-b", "guest", guest.to_str().unwrap()]);
    assert_eq!(file_name(&namer, guest.join("src/lib.rs")), "guest/src/lib.rs", "just a folder of ours");
}

#[test]
fn a_copied_worktree_is_just_a_folder() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    workspace.write("copy/a.txt", "");
    fs::copy(feature.join(".git"), workspace.path("copy/.git")).unwrap();
    assert_eq!(file_name(&namer_in(&workspace, workspace.root()), "copy/a.txt"), "copy/a.txt");
}

#[test]
fn repositories_that_share_a_directory_tell_their_worktrees_apart() {
    let workspace = Workspace::plain();
    let template = Workspace::small();
    let source = template.root().to_str().unwrap();
    let shared = workspace.path("COORDINATION");
    let mut worktrees: Vec<(PathBuf, String)> = Vec::new();
    for (repository, bare) in [("one", false), ("group/two", false), ("three.git", true), ("four.git", true)] {
        let folder = workspace.path(repository);
        let clone = if bare { "--bare" } else { "--no-tags" };
        workspace.git(&["clone", "--quiet", clone, source, folder.to_str().unwrap()]);
        let feature = workspace.beside(&repository.replace('/', "-")).join("feature");
        workspace.git_in(&folder, &["worktree", "add", "--quiet", "-b", "feature", feature.to_str().unwrap()]);
        worktrees.push((feature, format!("//{repository}//feature/src/lib.rs")));
    }
    for (folder, _) in &worktrees {
        let namer = Namer::new(&locate(&workspace, folder, Some(&shared)));
        for (feature, expected) in &worktrees {
            assert_eq!(file_name(&namer, feature.join("src/lib.rs")), *expected);
        }
        assert_eq!(file_name(&namer, workspace.path("group/two/src/lib.rs")), "group/two/src/lib.rs");
    }
    let name = Resource::file(&worktrees[1].1).unwrap();
    assert_eq!(name.display_name(), "src/lib.rs (worktree feature)");
}

#[test]
fn worktrees_of_one_bare_repository_have_short_names() {
    let workspace = Workspace::small();
    for (folder, bare) in [("shop", "shop.git"), ("hidden", ".bare"), ("plain", ".git")] {
        let folder = workspace.beside(folder);
        let bare = folder.join(bare);
        workspace.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        if bare.ends_with(".bare") {
            fs::write(folder.join(".git"), "gitdir: ./.bare\n").unwrap();
        }
        let feature = folder.join("feature");
        workspace.git_in(&bare, &["worktree", "add", "--quiet", "-b", "feature", feature.to_str().unwrap()]);
        for start in [&folder, &feature] {
            let namer = namer_in(&workspace, start);
            assert_eq!(file_name(&namer, feature.join("src/lib.rs")), "//feature/src/lib.rs");
            assert_eq!(file_name(&namer, folder.join("notes.md")), "notes.md");
        }
        let storage = bare.file_name().unwrap().to_str().unwrap();
        let config = Resource::file(&format!("{storage}/config")).unwrap();
        assert!(namer_in(&workspace, &feature).is_internal(&config));
    }
}

#[test]
fn submodules_are_part_of_the_worktree_that_they_are_in() {
    let (workspace, library) = (Workspace::small(), Workspace::small());
    let allow = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
    workspace.git(&[&allow[..], &["add", library.root().to_str().unwrap(), "vendor/library"]].concat());
    workspace.commit_all("Add the library");
    let feature = workspace.add_worktree("feature");
    workspace.git_in(&feature, &[&allow[..], &["update", "--init"]].concat());
    let inside = workspace.path("vendor/library");
    let elsewhere = workspace.beside("elsewhere");
    workspace.git_in(&inside, &["worktree", "add", "--quiet", elsewhere.to_str().unwrap()]);

    for folder in [workspace.root(), &inside, &feature, &elsewhere] {
        let namer = namer_in(&workspace, folder);
        assert_eq!(file_name(&namer, inside.join("src/lib.rs")), "vendor/library/src/lib.rs");
        let in_feature = feature.join("vendor/library/src/lib.rs");
        assert_eq!(file_name(&namer, in_feature), "//feature/vendor/library/src/lib.rs");
        assert_eq!(file_name(&namer, elsewhere.join("src/lib.rs")), "//vendor/library//elsewhere/src/lib.rs");
    }
}

#[test]
fn a_made_up_name_leads_nowhere() {
    let workspace = Workspace::small();
    workspace.add_worktree("feature");
    let namer = namer_in(&workspace, workspace.root());
    let made_up = [
        "../other.txt",
        "src/../../other.txt",
        "/etc/passwd",
        "src//lib.rs",
        "./src/lib.rs",
        "..",
        "//gone/a.rs",
        "//../a.rs",
        "//feature/../a.rs",
        "//..//feature/a.rs",
        "//src//feature/a.rs",
        "////feature/a.rs",
        "//",
        "///",
    ];
    for name in made_up {
        assert_eq!(namer.path_of(&Resource::file(name).unwrap()), None, "{name}");
        assert_eq!(namer.path_of(&Resource::directory(name).unwrap()), None, "{name}");
    }
    let droplet = ResourceType::new("droplet").unwrap();
    assert_eq!(namer.path_of(&Resource::new(droplet, "README.md").unwrap()), None);
}

#[test]
fn what_belongs_to_git_or_to_the_directory_is_internal() {
    let workspace = Workspace::small();
    workspace.add_worktree("feature");
    let namer = namer_in(&workspace, workspace.root());
    let cases = [
        (".git/config", true),
        ("COORDINATION/claims/file-a.claim", true),
        ("//feature/.git", true),
        ("vendor/library/.git/HEAD", true),
        (".gitignore", false),
        ("docs/COORDINATION/a.md", false),
        ("COORDINATION.md", false),
        ("//feature/src/lib.rs", false),
    ];
    for (name, expected) in cases {
        assert_eq!(namer.is_internal(&Resource::file(name).unwrap()), expected, "{name}");
    }
    assert!(namer.is_internal(&Resource::directory("COORDINATION").unwrap()));
}
