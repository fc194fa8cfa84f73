//! Where the coordination directory of a workspace is, on real repositories.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use deconflict_workspace::{
    Adoptions, DirectoryState, DiscoveryError, Location, Reason, Repository, adopt, exclude, is_adopted, locate_for,
    nested, seen_contents,
};

use super::support::{Coordination, Workspace};

fn search(workspace: &Workspace, folder: &Path, named: Option<&Path>) -> Result<Location, DiscoveryError> {
    let home = workspace.beside("");
    let adoptions = Adoptions::in_folder(&workspace.home().join("adopted"));
    locate_for(folder, named, Some(&home), adoptions)
}

fn locate(workspace: &Workspace, folder: &Path) -> Location {
    search(workspace, folder, None).unwrap()
}

fn directory_for(workspace: &Workspace, folder: &Path) -> PathBuf {
    locate(workspace, folder).directory
}

#[test]
fn a_repository_has_one_directory_however_deep_the_folder() {
    let workspace = Workspace::small();
    let own = workspace.path("COORDINATION");
    for folder in [workspace.root().to_owned(), workspace.path("src"), workspace.path("src/../src")] {
        let location = locate(&workspace, &folder);
        assert_eq!((location.directory.as_path(), location.state), (own.as_path(), DirectoryState::Missing));
        assert!(location.may_be_made_unasked() && location.may_be_joined() && !location.named);
    }
    Coordination::at(&own).create();
    assert_eq!(locate(&workspace, &workspace.path("src")).state, DirectoryState::Untracked);
}

#[test]
fn outside_of_repositories_the_folder_has_its_own_unless_one_is_above_it() {
    let workspace = Workspace::plain();
    workspace.write("deep/er/a.txt", "");
    let deeper = workspace.path("deep/er");
    let location = locate(&workspace, &deeper);
    assert_eq!(location.directory, deeper.join("COORDINATION"));
    assert!(!location.may_be_made_unasked());

    workspace.coordination().create();
    assert_eq!(directory_for(&workspace, &deeper), workspace.path("COORDINATION"));
    let inside = workspace.path("COORDINATION/claims");
    assert_eq!(directory_for(&workspace, &inside), workspace.path("COORDINATION"), "not one within another");

    Coordination::at(&deeper.join("COORDINATION")).create();
    assert_eq!(directory_for(&workspace, &deeper), deeper.join("COORDINATION"), "the nearest counts");
    assert_eq!(nested(&locate(&workspace, workspace.root())), [deeper.join("COORDINATION")]);
}

#[test]
fn nothing_at_the_home_directory_or_above_it_is_found() {
    let workspace = Workspace::plain();
    // The folder that holds the workspace plays the home directory.
    Coordination::at(&workspace.beside("COORDINATION")).create();
    assert_eq!(directory_for(&workspace, workspace.root()), workspace.path("COORDINATION"));
    let home = workspace.beside("");
    assert_eq!(directory_for(&workspace, &home), home.join("COORDINATION"), "but it has its own");
}

#[test]
fn a_repository_at_the_home_directory_is_not_coordinated_unasked() {
    let workspace = Workspace::plain();
    let home = workspace.beside("");
    workspace.git_in(&home, &["init", "--quiet"]);
    assert!(!locate(&workspace, workspace.root()).may_be_made_unasked());
}

#[test]
fn a_folder_of_that_name_is_no_directory_until_it_has_sessions_or_claims() {
    let workspace = Workspace::plain();
    workspace.write("COORDINATION/notes.md", "about something else");
    workspace.write("deep/a.txt", "");
    let deep = workspace.path("deep");
    assert_eq!(directory_for(&workspace, &deep), deep.join("COORDINATION"));
    fs::create_dir(workspace.path("COORDINATION/claims")).unwrap();
    assert_eq!(directory_for(&workspace, &deep), workspace.path("COORDINATION"));
}

#[test]
fn linked_worktrees_share_the_main_worktrees_directory() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature-x");
    let location = locate(&workspace, &feature.join("src"));
    assert_eq!(location.directory, workspace.path("COORDINATION"));
    let repository = location.repository.unwrap();
    assert_eq!(repository.worktree(), Some("feature-x"));
    assert_eq!(repository.branch().as_deref(), Some("feature-x"));
    assert_eq!(repository.root_of_worktree("feature-x"), Some(feature.clone()));

    workspace.git_in(&feature, &["checkout", "--quiet", "--detach"]);
    assert_eq!(Repository::at(&feature).unwrap().unwrap().branch(), None);
    assert_eq!(Repository::at(workspace.root()).unwrap().unwrap().branch().as_deref(), Some("main"));
}

#[test]
fn worktrees_with_relative_links_are_understood() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    fs::write(feature.join(".git"), "gitdir: ../project/.git/worktrees/feature\n").unwrap();
    workspace.write(".git/worktrees/feature/gitdir", "../../../../feature/.git\n");
    workspace.git_in(&feature, &["status"]);
    assert_eq!(directory_for(&workspace, &feature), workspace.path("COORDINATION"));
}

#[test]
fn a_linked_worktree_is_believed_only_if_the_main_repository_points_back() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    let copy = workspace.beside("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(feature.join(".git"), copy.join(".git")).unwrap();

    let location = locate(&workspace, &copy);
    assert_eq!(location.directory, copy.join("COORDINATION"));
    assert_eq!(location.repository, None);
    assert_eq!(location.passed_over.iter().map(|over| over.reason).collect::<Vec<_>>(), [Reason::UnconfirmedWorktree]);
    assert_eq!(locate(&workspace, &feature).passed_over, []);
}

#[test]
fn submodules_belong_to_the_outermost_superproject() {
    let workspace = Workspace::small();
    let (middle, inner) = (Workspace::small(), Workspace::small());
    add_submodule(&middle, middle.root(), inner.root(), "inner");
    middle.commit_all("Add the inner one");
    add_submodule(&workspace, workspace.root(), middle.root(), "vendor/middle");
    workspace.commit_all("Add the middle one");
    workspace.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"]);
    let own = workspace.path("COORDINATION");
    assert_eq!(directory_for(&workspace, &workspace.path("vendor/middle/src")), own);
    assert_eq!(directory_for(&workspace, &workspace.path("vendor/middle/inner/src")), own);

    // A clone of its own inside a repository is no submodule.
    workspace.git(&["clone", "--quiet", inner.root().to_str().unwrap(), "target/clone"]);
    let clone = workspace.path("target/clone");
    assert_eq!(directory_for(&workspace, &clone), clone.join("COORDINATION"));

    // A worktree of a submodule, and a submodule in a worktree.
    let elsewhere = workspace.beside("elsewhere");
    let inside = workspace.path("vendor/middle");
    workspace.git_in(&inside, &["worktree", "add", "--quiet", elsewhere.to_str().unwrap()]);
    assert_eq!(directory_for(&workspace, &elsewhere), own);
    let feature = workspace.add_worktree("feature");
    workspace.git_in(&feature, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init"]);
    assert_eq!(directory_for(&workspace, &feature.join("vendor/middle/src")), own);
}

#[test]
fn a_submodule_that_keeps_its_own_git_directory_belongs_too() {
    let workspace = Workspace::small();
    let library = Workspace::small();
    workspace.git(&["clone", "--quiet", library.root().to_str().unwrap(), "library"]);
    workspace.git(&["submodule", "--quiet", "add", library.root().to_str().unwrap(), "library"]);
    assert!(workspace.path("library/.git").is_dir());
    assert_eq!(directory_for(&workspace, &workspace.path("library")), workspace.path("COORDINATION"));
}

fn add_submodule(workspace: &Workspace, folder: &Path, source: &Path, path: &str) {
    let source = source.to_str().unwrap();
    workspace.git_in(folder, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", source, path]);
}

#[test]
fn a_bare_repositorys_worktrees_share_the_folder_that_holds_it() {
    let workspace = Workspace::small();
    for (folder, name) in [("shop", "shop.git"), ("hidden", ".bare"), ("plain", ".git")] {
        let folder = workspace.beside(folder);
        let bare = folder.join(name);
        workspace.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        if name == ".bare" {
            fs::write(folder.join(".git"), "gitdir: ./.bare\n").unwrap();
        }
        let feature = folder.join("trees/feature");
        workspace.git_in(&bare, &["worktree", "add", "--quiet", "-b", "feature", feature.to_str().unwrap()]);
        assert_eq!(directory_for(&workspace, &feature), folder.join("COORDINATION"), "{name}");
        assert_eq!(directory_for(&workspace, &folder), folder.join("COORDINATION"), "{name}");
        let holder_is_a_worktree = name != "shop.git";
        assert_eq!(exclude(&locate(&workspace, &feature)).unwrap(), holder_is_a_worktree, "{name}");
    }
}

#[test]
fn what_the_caller_names_wins_if_it_covers_the_workspace() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let shared = workspace.beside("COORDINATION");
    let location = search(&workspace, &workspace.path("src"), Some(&shared)).unwrap();
    assert_eq!((location.directory.as_path(), location.named), (shared.as_path(), true));

    let relative = search(&workspace, &workspace.path("src"), Some(Path::new("../COORDINATION"))).unwrap();
    assert_eq!(relative.directory, workspace.path("COORDINATION"));

    let elsewhere = workspace.home().join("COORDINATION");
    let error = search(&workspace, workspace.root(), Some(&elsewhere)).unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, DiscoveryError::DoesNotContain { .. }), "{error:?}");
    assert!(words.contains(elsewhere.to_str().unwrap()) && words.contains(workspace.root().to_str().unwrap()));

    let feature = workspace.add_worktree("feature");
    let own = workspace.path("COORDINATION");
    assert_eq!(search(&workspace, &feature, Some(&own)).unwrap().directory, own, "a linked worktree is covered");
}

#[test]
fn a_named_path_that_is_something_else_is_refused() {
    let workspace = Workspace::small();
    for named in ["src", "README.md", "src/.."] {
        let error = search(&workspace, workspace.root(), Some(Path::new(named))).unwrap_err();
        assert!(matches!(error, DiscoveryError::NotOne { .. }), "{named}: {error:?}");
    }
    let error = search(&workspace, workspace.root(), Some(Path::new("gone/COORDINATION"))).unwrap_err();
    assert!(matches!(error, DiscoveryError::NoParent { .. }), "{error:?}");
    let error = search(&workspace, &workspace.beside("gone"), None).unwrap_err();
    assert!(matches!(error, DiscoveryError::NoWorkspace { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn what_others_may_have_put_there_is_used_only_when_named() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let workspace = Workspace::plain();
    workspace.write("deep/a.txt", "");
    let deep = workspace.path("deep");
    let own = workspace.path("COORDINATION");
    let real = workspace.beside("real");
    Coordination::at(&real).create();
    let check = |expected: Reason| {
        let error = search(&workspace, workspace.root(), None).unwrap_err();
        let DiscoveryError::Unsuitable { directory, reason } = &error else { panic!("{error:?}") };
        assert_eq!((directory, *reason), (&own, expected));
        if expected != Reason::NotADirectory {
            assert_eq!(search(&workspace, workspace.root(), Some(&own)).unwrap().directory, own);
            let above = locate(&workspace, &deep);
            assert_eq!(above.directory, deep.join("COORDINATION"));
            assert_eq!((&above.passed_over[0].path, above.passed_over[0].reason), (&own, expected));
        }
    };

    symlink(&real, &own).unwrap();
    check(Reason::Symlink);
    fs::remove_file(&own).unwrap();

    Coordination::at(&own).create();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    check(Reason::WritableByEveryone);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(directory_for(&workspace, &deep), own, "a group may share it");

    // Only root can give files away.
    if std::os::unix::fs::chown(&own, Some(65_534), None).is_ok() {
        check(Reason::AnotherOwner);
    }
    fs::remove_dir_all(&own).unwrap();
    fs::write(&own, "a file").unwrap();
    check(Reason::NotADirectory);
}

/// A temporary folder is everyone's, and so may a repository at its top be.
#[cfg(unix)]
#[test]
fn a_repository_that_another_user_put_above_is_not_believed() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet"]);
    workspace.write("mine/a.txt", "");
    let mine = workspace.path("mine");
    fs::set_permissions(workspace.root(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(directory_for(&workspace, &mine), workspace.path("COORDINATION"), "it is the user's own");
    // Only root can give files away.
    if chown(workspace.path(".git"), Some(65_534), None).is_ok() {
        assert_eq!(directory_for(&workspace, &mine), mine.join("COORDINATION"));
        fs::set_permissions(workspace.root(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(directory_for(&workspace, &mine), workspace.path("COORDINATION"), "nobody else could put it there");
    }
}

#[test]
fn a_tracked_directory_is_joined_only_after_it_was_adopted() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    workspace.write("COORDINATION/sessions/alice.json", "{}");
    assert_eq!(locate(&workspace, workspace.root()).state, DirectoryState::Untracked);
    workspace.git(&["add", "--force", "COORDINATION"]);

    // All ways in which git writes its index.
    let formats: &[&[&str]] = &[
        &["--index-version", "2"],
        &["--index-version", "3"],
        &["--index-version", "4"],
        &["--index-version", "2", "--split-index"],
        &["--no-split-index"],
    ];
    for format in formats {
        workspace.git(&[&["update-index"], *format].concat());
        let location = locate(&workspace, workspace.root());
        assert_eq!(location.state, DirectoryState::Tracked, "{format:?}");
        assert!(!location.may_be_joined() && location.is_tracked() && location.exists());
    }

    let location = locate(&workspace, workspace.root());
    assert!(!exclude(&location).unwrap(), "it is kept as its owners want it");
    adopt(&location).unwrap();
    assert!(is_adopted(&location));
    let location = locate(&workspace, workspace.root());
    assert_eq!(location.state, DirectoryState::Adopted);
    assert!(location.may_be_joined());

    workspace.git(&["rm", "--quiet", "-r", "--cached", "COORDINATION"]);
    assert_eq!(locate(&workspace, workspace.root()).state, DirectoryState::Untracked);
}

#[test]
fn the_index_of_a_large_repository_tells_what_is_tracked() {
    let workspace = Workspace::realistic();
    let repository = Repository::at(workspace.root()).unwrap().unwrap();
    for version in ["2", "4"] {
        workspace.git(&["update-index", "--index-version", version]);
        let listed = workspace.git(&["ls-files", "-z"]);
        let names: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
        assert!(names.len() > 200);
        for name in names {
            assert!(repository.tracks(name).unwrap(), "{name} in version {version}");
            assert!(!repository.tracks(&format!("{name}/")).unwrap());
            assert!(!repository.tracks(&format!("{name}.not")).unwrap());
            if let Some((folder, _)) = name.rsplit_once('/') {
                assert!(repository.tracks(&format!("{folder}/")).unwrap());
                assert!(!repository.tracks(folder).unwrap());
            }
        }
        assert!(!repository.tracks("shop.log").unwrap());
    }
    workspace.write(".git/index", "damaged");
    assert!(repository.tracks("README.md").is_err());
}

/// What it leaves out of the shared one, has otherwise, and has beside it.
#[test]
fn a_split_index_tells_all_that_git_tracks_and_how_git_saw_it() {
    for (version, format) in [("2", "sha1"), ("4", "sha1"), ("4", "sha256")] {
        let workspace = Workspace::plain();
        workspace.git(&["init", "--quiet", &format!("--object-format={format}")]);
        for number in 0..300 {
            workspace.write(format!("src/{}/{number}.rs", number % 7), format!("{number}\n"));
        }
        workspace.commit_all("Files");
        workspace.git(&["update-index", "--index-version", version]);
        let repository = Repository::at(workspace.root()).unwrap().unwrap();
        let expect_what_git_says = |moment: &str| {
            let listed = workspace.git(&["ls-files", "-z", "--format=%(path) %(objectname)"]);
            let listed: BTreeMap<&str, &str> = listed.split('\0').filter_map(|line| line.split_once(' ')).collect();
            let tracked = repository.tracked_files().unwrap();
            let names: Vec<&str> = tracked.iter().map(|file| std::str::from_utf8(&file.path).unwrap()).collect();
            assert_eq!(names, listed.keys().copied().collect::<Vec<_>>(), "{moment}, {version}, {format}");
            let seen = seen_contents(&repository, &names).unwrap();
            for (path, content) in seen {
                assert_eq!(content, listed[path.as_str()], "{path} {moment}");
            }
            for name in ["src/0/0.rs", "src/3/3.rs", "src/new.rs", "zz.rs"] {
                assert_eq!(repository.tracks(name).unwrap(), listed.contains_key(name), "{name} {moment}");
            }
        };
        workspace.git(&["update-index", "--split-index"]);
        expect_what_git_says("split");
        for number in [0, 9, 64, 65, 200, 299] {
            workspace.write(format!("src/{}/{number}.rs", number % 7), "another\n");
        }
        workspace.git(&["add", "--update"]);
        expect_what_git_says("with others in their places");
        workspace.git(&["rm", "--quiet", "--cached", "src/3/3.rs", "src/1/64.rs", "src/2/2.rs"]);
        workspace.write("src/new.rs", "new\n");
        workspace.write("a.rs", "new\n");
        workspace.write("zz.rs", "new\n");
        workspace.git(&["add", "src/new.rs", "a.rs", "zz.rs", "src/2/2.rs"]);
        expect_what_git_says("with some gone and some new");
        workspace.git(&["config", "core.splitIndex", "true"]);
        workspace.git(&["add", "--all"]);
        expect_what_git_says("by its setting");
        workspace.git(&["update-index", "--no-split-index"]);
        workspace.git(&["config", "core.splitIndex", "false"]);
        expect_what_git_says("whole again, beside what is left of the shared one");
    }
}

#[test]
fn repositories_with_long_hashes_are_read_too() {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet", "--object-format=sha256"]);
    for name in ["A.md", "COORDINATION/claims/file-a.claim", "b.md"] {
        workspace.write(name, name);
    }
    workspace.commit_all("Start");
    let repository = Repository::at(workspace.root()).unwrap().unwrap();
    assert!(repository.tracks("b.md").unwrap() && !repository.tracks("c.md").unwrap());
    assert_eq!(locate(&workspace, workspace.root()).state, DirectoryState::Tracked);
}

#[test]
fn excluding_adds_one_line_unless_it_is_ignored_already() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    workspace.write("COORDINATION/sessions/alice.json", "{}");
    let excluded = workspace.path(".git/info/exclude");
    fs::write(&excluded, "*.tmp").unwrap();
    let feature = workspace.add_worktree("feature");

    assert!(exclude(&locate(&workspace, &feature)).unwrap());
    assert_eq!(fs::read_to_string(&excluded).unwrap(), "*.tmp\nCOORDINATION/\n");
    assert_eq!(workspace.git(&["status", "--porcelain"]), "");
    assert!(!exclude(&locate(&workspace, workspace.root())).unwrap());
    assert_eq!(fs::read_to_string(&excluded).unwrap(), "*.tmp\nCOORDINATION/\n");

    fs::remove_dir_all(workspace.path(".git/info")).unwrap();
    assert!(exclude(&locate(&workspace, workspace.root())).unwrap());
    assert_eq!(workspace.git(&["status", "--porcelain"]), "");

    fs::remove_file(&excluded).unwrap();
    workspace.write(".gitignore", "/COORDINATION\n");
    assert!(!exclude(&locate(&workspace, workspace.root())).unwrap());
    assert!(!excluded.exists());

    let plain = Workspace::plain();
    assert!(!exclude(&locate(&plain, plain.root())).unwrap());
}

#[test]
fn a_damaged_index_is_an_error_and_an_empty_one_lists_nothing() {
    let workspace = Workspace::small();
    let tracks = |index: &[u8]| {
        workspace.write(".git/index", index);
        Repository::at(workspace.root()).unwrap().unwrap().tracks("a")
    };
    let mut version_4 = b"DIRC\0\0\0\x04\0\0\0\x01".to_vec();
    version_4.extend([0; 62]);
    version_4.extend([0xff; 9]);
    for damaged in [&b""[..], b"DIRC", b"DIRC\0\0\0\x09\0\0\0\0", b"DIRC\0\0\0\x02\0\0\0\x05short", &version_4] {
        assert!(tracks(damaged).is_err(), "{damaged:?}");
    }
    assert!(!tracks(b"DIRC\0\0\0\x02\0\0\0\0").unwrap());
}
