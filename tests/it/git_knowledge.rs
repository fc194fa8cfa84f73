//! What git ignores and what was changed since the last commit, held against git's own answers.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use deconflict_workspace::{Ignored, committed, last_commit};

use super::support::{CodingAgent, NON_ASCII, SPACED, Terminal, Workspace, clean_environment};

/// Git's own answer.
fn git_ignores(workspace: &Workspace, path: &str) -> bool {
    let mut git = Command::new("git");
    clean_environment(&mut git, workspace.home());
    let status = git.args(["check-ignore", "--quiet", "--", path]).current_dir(workspace.root()).status().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "git check-ignore {path}");
    status.success()
}

#[test]
fn ignored_is_what_git_ignores() {
    let workspace = Workspace::realistic();
    workspace.write(".git/info/exclude", "# a comment\nmine.txt\n/only-here/*.o\n");
    workspace.write("web/.gitignore", "*.css\n!style.css\n/generated/\n");
    workspace.write("web/src/.gitignore", "!*.log\nnotes\\ \n");
    workspace.write("logs/.gitignore", "*\n!.gitignore\n!kept.txt\n");
    workspace.write("tracked.log", "tracked all the same");
    workspace.git(&["add", "--force", "tracked.log"]);
    let ignored = Ignored::new();
    let paths = [
        "README.md",
        "target/debug/shop",
        "target/not/there",
        "sub/target/a",
        "web/dist/bundle.js",
        "shop.log",
        "services/api/deep.log",
        "tracked.log",
        ".env",
        "web/.env",
        "mine.txt",
        "web/mine.txt",
        "only-here/a.o",
        "only-here/deep/a.o",
        "web/theme.css",
        "web/src/style.css",
        "web/generated/a.ts",
        "web/src/generated/a.ts",
        "web/src/a.log",
        "web/src/views/b.log",
        "logs/a.txt",
        "logs/kept.txt",
        "logs/deep/kept.txt",
        SPACED,
        NON_ASCII,
    ];
    let mut both = [false, false];
    for path in paths {
        let expected = git_ignores(&workspace, path);
        both[usize::from(expected)] = true;
        assert_eq!(ignored.is_ignored(&workspace.path(path)), expected, "{path}");
    }
    assert_eq!(both, [true, true]);
    assert!(ignored.is_ignored_directory(&workspace.path("target")));
    assert!(!ignored.is_ignored_directory(&workspace.path("web")));
}

#[test]
fn changed_ignore_files_count_at_once() {
    let workspace = Workspace::small();
    let ignored = Ignored::new();
    let file = workspace.path("src/generated.rs");
    assert!(!ignored.is_ignored(&file));
    workspace.write("src/.gitignore", "generated.rs\n");
    assert!(ignored.is_ignored(&file));
    workspace.write("src/.gitignore", "!generated.rs\n");
    assert!(!ignored.is_ignored(&file));
    workspace.write(".git/info/exclude", "src/\n");
    assert!(ignored.is_ignored(&file), "a folder that is ignored as a whole");
    fs::remove_file(workspace.path(".git/info/exclude")).unwrap();
    assert!(!ignored.is_ignored(&file));
}

#[test]
fn a_worktree_has_its_own_ignore_files_and_shares_the_clones() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    fs::write(feature.join(".gitignore"), "only-in-feature\n").unwrap();
    workspace.write(".git/info/exclude", "everywhere\n");
    let ignored = Ignored::new();
    assert!(ignored.is_ignored(&feature.join("only-in-feature")));
    assert!(!ignored.is_ignored(&workspace.path("only-in-feature")));
    assert!(ignored.is_ignored(&feature.join("everywhere")) && ignored.is_ignored(&workspace.path("everywhere")));
    let plain = Workspace::plain();
    plain.write(".gitignore", "*\n");
    assert!(!ignored.is_ignored(&plain.path("a.txt")), "no repository, no git to ignore it");
}

#[test]
fn changes_are_those_of_the_saved_text_against_the_last_commit() {
    let workspace = Workspace::realistic();
    let file = workspace.path(NON_ASCII);
    assert_eq!(committed::changes(&file).unwrap(), "");
    assert!(committed::equals_last_commit(&file).unwrap());

    workspace.write(NON_ASCII, "# Größen\n\nEinheit: Elle\n");
    // What is staged makes no difference.
    workspace.git(&["add", "--all"]);
    assert_eq!(
        committed::changes(&file).unwrap(),
        "--- größe – 寸法.md (last commit)\n+++ größe – 寸法.md (saved)\n@@ -1,3 +1,3 @@\n # Größen\n \n-Einheit: 寸 😀\n\
         +Einheit: Elle\n"
    );
    assert!(!committed::equals_last_commit(&file).unwrap());

    workspace.write("new.txt", "one\n");
    assert!(committed::changes(&workspace.path("new.txt")).unwrap().ends_with("@@ -0,0 +1 @@\n+one\n"));
    assert!(!committed::equals_last_commit(&workspace.path("new.txt")).unwrap());
    workspace.remove("README.md");
    assert!(committed::changes(&workspace.path("README.md")).unwrap().contains("\n-# Shop\n"));
    assert!(!committed::equals_last_commit(&workspace.path("README.md")).unwrap());
    assert!(committed::equals_last_commit(&workspace.path("in-neither.txt")).unwrap());

    workspace.write("web/package.json", "{\r\n  \"name\": \"shop\",\r\n  \"private\": true\r\n}\r\n");
    assert!(committed::equals_last_commit(&workspace.path("web/package.json")).unwrap(), "only other line ends");
    assert_eq!(committed::changes(&workspace.path("web/package.json")).unwrap(), "");

    workspace.write("scripts/empty", [0, 1, 2, 0]);
    assert_eq!(committed::changes(&workspace.path("scripts/empty")).unwrap(), "Binary file empty was changed.\n");
}

#[test]
fn a_repository_without_commits_and_a_folder_without_one_have_answers() {
    let workspace = Workspace::plain();
    workspace.write("a.txt", "one\n");
    let file = workspace.path("a.txt");
    assert!(matches!(committed::changes(&file), Err(committed::CommittedError::NotInRepository { .. })));
    workspace.git(&["init", "--quiet"]);
    assert!(committed::changes(&file).unwrap().ends_with("+one\n"));
    assert!(!committed::equals_last_commit(&file).unwrap());
    workspace.write("large.txt", "x".repeat(6 << 20));
    let large = committed::changes(&workspace.path("large.txt"));
    assert!(matches!(large, Err(committed::CommittedError::TooLarge { .. })), "{large:?}");
}

/// A clone can bring attributes, and a careless user may have configured what they name.
#[cfg(unix)]
#[test]
fn no_configured_program_runs() {
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::small();
    let trap = workspace.beside("trap.sh");
    let sprung = workspace.beside("sprung");
    fs::write(&trap, format!("#!/bin/sh\ntouch '{}'\ncat\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "filter.trap.clean",
        "filter.trap.smudge",
        "diff.trap.textconv",
        "diff.trap.command",
        "core.sshCommand",
    ] {
        workspace.git(&["config", key, trap]);
    }
    workspace.write(".gitattributes", "*.md filter=trap diff=trap\n");
    workspace.write("README.md", "changed\n");
    let file = workspace.path("README.md");
    assert!(committed::changes(&file).unwrap().contains("+changed\n"));
    assert!(!committed::equals_last_commit(&file).unwrap());
    assert!(!sprung.exists());
    workspace.git(&["diff", "--", "README.md"]);
    assert!(sprung.exists(), "the trap works, had anyone stepped into it");
}

/// Patterns are matched one by one: compiling 20,000 of them into one expression took 1.8 s and 325 MB.
#[cfg(target_os = "linux")]
#[test]
fn many_patterns_cost_little_time_and_memory() {
    let workspace = Workspace::small();
    let patterns: Vec<String> = (0..20_000).map(|number| format!("generated-{number}/**/*.[oa]")).collect();
    workspace.write(".gitignore", patterns.join("\n") + "\n/target\n*.log\n");
    let ignored = Ignored::new();
    let start = std::time::Instant::now();
    assert!(ignored.is_ignored(&workspace.path("src/deep/a.log")));
    assert!(!ignored.is_ignored(&workspace.path("src/deep/a.rs")));
    assert!(ignored.is_ignored(&workspace.path("generated-19999/deep/a.o")));
    let took = start.elapsed();
    assert!(took < std::time::Duration::from_millis(500), "{took:?}");
    Terminal::on(&workspace).spawn_limited(100_000_000, &["start"]).wait().expect_code(0);
}

#[test]
fn included_configuration_names_the_users_ignore_file_too() {
    let settings = "[user]\n\tname = T\n\temail = t@example.org\n";
    let cases: &[(&str, &str)] = &[
        ("[include]\n\tpath = ~/more\n", ""),
        ("[include]\n\tpath = more\n[core]\n\texcludesFile = ~/other\n", ""),
        ("[core]\n\texcludesFile = ~/other\n[include]\n\tpath = more\n", ""),
        ("[include]\n\tpath = nested\n", ""),
        ("[includeIf \"gitdir:~/../project/\"]\n\tpath = more\n", ""),
        ("[includeIf \"gitdir:project/\"]\n\tpath = more\n", ""),
        ("[includeIf \"gitdir:PROJECT/\"]\n\tpath = more\n", ""),
        ("[includeIf \"gitdir/i:**/PROJECT/.git\"]\n\tpath = more\n", ""),
        ("[includeIf \"gitdir:elsewhere/\"]\n\tpath = more\n", ""),
        ("[includeIf \"onbranch:feat*/\"]\n\tpath = more\n", ""),
        ("[includeIf \"onbranch:main\"]\n\tpath = more\n", ""),
        ("[includeIf \"hasconfig:remote.*.url:https://example.org/**\"]\n\tpath = more\n", ""),
        ("[includeIf \"hasconfig:remote.*.url:https://example.com/**\"]\n\tpath = more\n", ""),
        ("[includeIf \"unknown:x\"]\n\tpath = more\n", ""),
        ("[include \"of nothing\"]\n\tpath = more\n", ""),
        ("", "[include]\n\tpath = ../team\n"),
        ("[include]\n\tpath = more\n", "[core]\n\texcludesFile = ~/other\n"),
    ];
    let mut both = [false, false];
    for (global, local) in cases {
        let workspace = Workspace::small();
        let home = workspace.home();
        workspace.git(&["checkout", "--quiet", "-b", "feature/one"]);
        workspace.git(&["remote", "add", "origin", "https://example.org/a/b"]);
        fs::write(home.join("more"), "[core]\n\texcludesFile = ~/mine\n").unwrap();
        fs::write(home.join("nested"), "[include]\n\tpath = more\n").unwrap();
        fs::write(home.join("mine"), "*.mine\n").unwrap();
        fs::write(home.join("other"), "*.other\n").unwrap();
        workspace.write("team", "[core]\n\texcludesFile = ~/mine\n");
        fs::write(home.join(".gitconfig"), format!("{settings}{global}")).unwrap();
        let config = workspace.read(".git/config");
        workspace.write(".git/config", config + local);
        workspace.coordination().create();
        for path in ["a.mine", "a.other"] {
            workspace.write(path, "");
            let expected = git_ignores(&workspace, path);
            both[usize::from(expected)] = true;
            let agent = CodingAgent::on(&workspace, "one");
            agent.before_edit(path).expect_no_denial();
            let is_claimed = workspace.coordination().holder(path).is_some();
            assert_eq!(is_claimed, !expected, "{path} with {global:?} and {local:?}");
        }
    }
    assert_eq!(both, [true, true]);
}

#[test]
fn a_worktrees_own_configuration_counts_there_and_nowhere_else() {
    let workspace = Workspace::small();
    let feature = workspace.add_worktree("feature");
    fs::write(workspace.beside("ours"), "*.ours\n").unwrap();
    let names = format!("[core]\n\texcludesFile = {}\n", workspace.beside("ours").display());
    workspace.write(".git/worktrees/feature/config.worktree", names);
    let both = || [workspace.path("a.ours"), feature.join("a.ours")].map(|path| Ignored::new().is_ignored(&path));
    assert_eq!(both(), [false, false], "only where `extensions.worktreeConfig` says so");
    workspace.git(&["config", "extensions.worktreeConfig", "true"]);
    assert_eq!(both(), [false, true]);
    // Git takes a name in any encoding, and a key without a value for a true one.
    let config =
        [workspace.read(".git/config").as_bytes(), b"[user]\n\tname = Andr\xe9\n[core]\n\tignoreCase\n"].concat();
    workspace.write(".git/config", config);
    assert!(Ignored::new().is_ignored(&feature.join("a.OURS")));
}

#[cfg(target_os = "linux")]
#[test]
fn included_files_that_never_end_are_not_read() {
    let workspace = Workspace::small();
    let pipe = workspace.beside("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::File::create(workspace.beside("huge")).unwrap().set_len(1 << 40).unwrap();
    let included = ["/dev/zero", pipe.to_str().unwrap(), "../../huge", "config", "loop"]
        .map(|path| format!("[include]\n\tpath = {path}\n\tpath = {path}\n"))
        .concat();
    workspace.write(".git/loop", &included);
    workspace.write(".git/config", workspace.read(".git/config") + &included);
    Terminal::on(&workspace).spawn_limited(100_000_000, &["start"]).wait().expect_code(0);
}

#[test]
fn line_ends_and_a_byte_order_mark_make_no_difference() {
    let workspace = Workspace::small();
    let equals = |committed: &[u8], saved: &[u8]| {
        workspace.write("a.txt", committed);
        workspace.git(&["-c", "core.autocrlf=false", "add", "a.txt"]);
        workspace.git(&["commit", "--quiet", "--allow-empty", "--message", "a"]);
        workspace.write("a.txt", saved);
        committed::equals_last_commit(&workspace.path("a.txt")).unwrap()
    };
    assert!(equals(b"a\nb\n", b"\xef\xbb\xbfa\r\nb\r\n"));
    assert!(equals(b"\xef\xbb\xbfa\r\nb\r\n", b"a\nb\n"));
    assert!(!equals(b"a\nb\n\n", b"a\rb\n\r"), "a return alone ends no line");
    assert!(!equals(b"a\n", b""));
}

/// What git says, in this folder; `None` if it fails.
#[cfg(unix)]
fn git_says(workspace: &Workspace, folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut git = Command::new("git");
    clean_environment(&mut git, workspace.home());
    let output = git.args(arguments).current_dir(folder).output().unwrap();
    output.status.success().then_some(output.stdout)
}

#[cfg(unix)]
#[test]
fn what_a_commit_has_is_told_as_git_tells_it_however_git_keeps_it() {
    const PATHS: &[&str] = &[
        "README.md",
        "src/lib.rs",
        "src/none.rs",
        "README.md/below",
        "run.sh",
        "link",
        "deep/er/größe – 寸.txt",
        "line\nbreak.txt",
        "module",
        "module/inside.txt",
        "empty.txt",
    ];
    // Each of these is done in a clone of its own, which then lies in the folder.
    const KEPT: &[(&str, &str)] = &[
        ("", "."),
        ("git gc -q --prune=now", "."),
        ("git repack -dq && git multi-pack-index write && git pack-refs --all", "."),
        ("git checkout -q --detach HEAD~1", "."),
        ("git worktree add -q ../side HEAD~1", "../side"),
        ("git clone -q --shared . ../other", "../other"),
        ("git replace HEAD HEAD~1", "."),
        (
            "git init -q --object-format=sha256 ../longer && cd ../longer && echo a > README.md && git add . && git commit -qm A",
            "../longer",
        ),
        (
            "git init -q --ref-format=reftable ../refs && cd ../refs && echo a > README.md && git add . && git commit -qm A",
            "../refs",
        ),
        ("git init -q ../unborn", "../unborn"),
    ];
    for (line, folder) in KEPT {
        let workspace = Workspace::small();
        workspace.write("deep/er/größe – 寸.txt", "größe\r\n");
        workspace.write("line\nbreak.txt", "broken\n");
        workspace.write("empty.txt", "");
        let prepare = "echo x > run.sh && chmod +x run.sh && ln -s run.sh link && git init -q module && cd module && \
                       echo inside > inside.txt && git add . && git commit -qm Inside && cd .. && git add module 2> /dev/null";
        let shell = |line: &str| {
            let mut shell = Command::new("sh");
            clean_environment(&mut shell, workspace.home());
            assert!(shell.args(["-c", line]).current_dir(workspace.root()).status().unwrap().success(), "{line}");
        };
        shell(prepare);
        workspace.commit_all("More");
        workspace.write("README.md", "newer\n");
        workspace.commit_all("Newer");
        shell(line);
        let root = fs::canonicalize(workspace.path(folder)).unwrap();
        let (mut names, mut modes, mut contents) = (HashMap::new(), HashMap::new(), HashMap::new());
        for path in PATHS {
            let listed = git_says(&workspace, &root, &["--literal-pathspecs", "ls-tree", "-z", "HEAD", "--", path]);
            let listed = String::from_utf8(listed.unwrap_or_default()).unwrap();
            if let Some((mode, rest)) = listed.split_once(' ') {
                modes.insert((*path).to_owned(), mode.to_owned());
                if let Some(name) = rest.strip_prefix("blob ") {
                    names.insert((*path).to_owned(), name.split('\t').next().unwrap().to_owned());
                }
            }
            if let Some(content) = git_says(&workspace, &root, &["cat-file", "blob", &format!("HEAD:{path}")]) {
                contents.insert((*path).to_owned(), content);
            }
        }
        assert_eq!(last_commit::names(&root, "HEAD", PATHS).unwrap(), names, "{line}");
        assert_eq!(last_commit::modes(&root, "HEAD", PATHS).unwrap(), modes, "{line}");
        assert_eq!(last_commit::contents(&root, "HEAD", PATHS).unwrap(), contents, "{line}");
        if let Some(commit) = last_commit::id(&root).unwrap() {
            assert_eq!(last_commit::names(&root, &commit, PATHS).unwrap(), names, "{line}");
        }
    }
}
