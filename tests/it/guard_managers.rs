//! The guard beside the real managers of hooks: each in every order, installed again, and gone again.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::{Committer, Outcome, Workspace, say_skipped, timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Husky,
    Lefthook,
    PreCommit,
    /// git-hooks.nix writes no hooks itself: it links the configuration to one in its store and lets pre-commit install it.
    GitHooksNix,
    SimpleGitHooks,
}

use Manager::{GitHooksNix, Husky, Lefthook, PreCommit, SimpleGitHooks};

/// A repository with a manager's configuration, and whoever works in it.
struct Case {
    manager: Manager,
    workspace: Workspace,
    person: Committer,
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".editors/git-tools")
}

impl Case {
    fn new(manager: Manager) -> Option<Self> {
        let deconflict = Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap().to_owned();
        let folders = [deconflict, tools().join("managers/node_modules/.bin"), tools().join("pre-commit/bin")];
        if !["managers", "pre-commit"].iter().all(|of| tools().join(of).join(".complete").is_file()) {
            say_skipped("managers of git hooks are not here; tests/git-tools/fetch fetches them");
            return None;
        }
        let workspace = Workspace::small();
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
        let path = std::env::join_paths(folders.into_iter().chain(path)).unwrap();
        let person = Committer::person(&workspace).env("PATH", path);
        let log = workspace.beside("log");
        let say = |hook: &str| format!("echo {hook} >> {}", log.display());
        let (one, two) = (say("pre-commit"), say("pre-push"));
        workspace.write("package.json", "{\"name\": \"x\"}\n");
        match manager {
            Husky => {
                workspace.write(".husky/pre-commit", format!("{one}\n"));
                workspace.write(".husky/pre-push", format!("{two}\n"));
            }
            Lefthook => {
                workspace.write("lefthook.yml", lefthook(&[("pre-commit", &one), ("pre-push", &two)]));
            }
            PreCommit => workspace.write(".pre-commit-config.yaml", pre_commit(&one, &two)),
            GitHooksNix => {
                let store = workspace.beside("store");
                fs::create_dir_all(&store).unwrap();
                fs::write(store.join("pre-commit.json"), pre_commit(&one, &two)).unwrap();
                fs::set_permissions(store.join("pre-commit.json"), fs::Permissions::from_mode(0o444)).unwrap();
                let link = workspace.path(".pre-commit-config.yaml");
                std::os::unix::fs::symlink(store.join("pre-commit.json"), link).unwrap();
                workspace.write(".gitignore", ".pre-commit-config.yaml\n");
            }
            SimpleGitHooks => workspace.write(
                "package.json",
                json!({"name": "x", "simple-git-hooks": {"pre-commit": one, "pre-push": two}}).to_string(),
            ),
        }
        workspace.commit_all("Use a manager of hooks");
        workspace.add_remote("origin");
        Some(Self { manager, workspace, person })
    }

    fn all() -> impl Iterator<Item = Self> {
        [Husky, Lefthook, PreCommit, GitHooksNix, SimpleGitHooks].into_iter().map_while(Self::new)
    }

    fn install_manager(&self) {
        let commands: &[(&str, &[&str])] = match self.manager {
            Husky => &[("husky", &[])],
            Lefthook => &[("lefthook", &["install"])],
            PreCommit | GitHooksNix => &[("pre-commit", &["install", "-t", "pre-commit", "-t", "pre-push"])],
            SimpleGitHooks => &[("simple-git-hooks", &[])],
        };
        for (program, arguments) in commands {
            self.person.run(Path::new(program), arguments).expect_code(0);
        }
    }

    fn uninstall_manager(&self) {
        match self.manager {
            Husky => drop(self.person.git(&["config", "--unset", "core.hooksPath"]).expect_code(0)),
            Lefthook => drop(self.person.run(Path::new("lefthook"), &["uninstall", "--keep-config"])),
            PreCommit | GitHooksNix => {
                let words = ["uninstall", "-t", "pre-commit", "-t", "pre-push"];
                self.person.run(Path::new("pre-commit"), &words).expect_code(0);
            }
            SimpleGitHooks => drop(
                self.person
                    .run(
                        Path::new("node"),
                        &[tools().join("managers/node_modules/simple-git-hooks/uninstall.js").to_str().unwrap()],
                    )
                    .expect_code(0),
            ),
        }
    }

    fn guard(&self, option: &str) -> Outcome {
        self.person.deconflict(&["guard", option]).expect_code(0)
    }

    fn doctor(&self) -> String {
        self.person.deconflict(&["doctor"]).stdout
    }

    /// Commits something that nobody holds, and pushes it.
    #[track_caller]
    fn commit_and_push(&self, text: &str) -> Outcome {
        self.workspace.write("README.md", text);
        let committed = self.person.git(&["commit", "-qm", text, "README.md"]).expect_code(0);
        self.person.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
        committed
    }

    /// The manager's own hooks run, and the guard beside them, each once.
    #[track_caller]
    fn both_run(&self, when: &str) {
        let log = self.workspace.beside("log");
        let _ = fs::remove_file(&log);
        let committed = self.commit_and_push(when);
        let logged = fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(logged, "pre-commit\npre-push\n", "{:?} {when}: {committed:?}", self.manager);
        self.refuses(when);
    }

    #[track_caller]
    fn refuses(&self, when: &str) {
        let coordination = self.workspace.coordination();
        coordination.write_session("agent", json!({"name": "Robin", "client": "claude-code"}));
        fs::write(self.workspace.path(".git/info/exclude"), "COORDINATION/\n").unwrap();
        coordination.write_claim(
            "agent",
            "file",
            "src/lib.rs",
            json!({"claimed_at": timestamp(Utc::now() - TimeDelta::minutes(5))}),
        );
        self.workspace.write("src/lib.rs", format!("// half done, {when}\n"));
        let refused = self.person.git(&["commit", "-m", "Sweep", "src/lib.rs"]).expect_code(1);
        assert_eq!(refused.stderr.matches("contains what others hold").count(), 1, "{when}: {refused:?}");
        // What went past the guard is not pushed.
        self.person.git(&["commit", "--no-verify", "-qm", "Past it", "src/lib.rs"]).expect_code(0);
        let refused = self.person.git(&["push", "--quiet", "origin", "main"]).expect_code(1);
        assert_eq!(refused.stderr.matches("contains what others hold").count(), 1, "{when}: {refused:?}");
        self.person.git(&["reset", "--quiet", "--hard", "HEAD~"]).expect_code(0);
        coordination.remove_claim("file", "src/lib.rs");
    }

    /// After the manager wrote its hooks: the guard is where it was, or `doctor` says which hooks it is missing from, and
    /// the next commit or what `doctor` names brings it back.
    #[track_caller]
    fn nothing_is_lost_in_silence(&self, when: &str) {
        let told = self.doctor();
        let is_told = told.contains("The guard is no longer in") && told.contains("deconflict guard --install");
        assert!(is_told || told.contains("The guard checks commits"), "{:?} {when}: {told}", self.manager);
        if told.contains("reference-transaction") {
            // All are elsewhere or gone, so nothing is left that could notice.
            assert!(is_told && matches!(self.manager, Husky | SimpleGitHooks), "{told}");
            self.guard("--install");
        } else {
            let first = self.commit_and_push(&format!("{when}, the first"));
            let has_come_back = first.stderr.contains("The guard is back in it");
            assert_eq!(has_come_back, is_told, "{:?} {when}: {first:?} {told}", self.manager);
        }
        let told = self.doctor();
        assert!(told.contains("The guard checks commits"), "{:?} {when}: {told}", self.manager);
        self.both_run(when);
    }

    /// No file of the hooks has anything of the guard.
    #[track_caller]
    fn leaves_no_trace(&self) {
        for folder in [".git/hooks", ".git/hooks/deconflict.before", ".husky/_"] {
            let Ok(entries) = fs::read_dir(self.workspace.path(folder)) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                assert!(!text.contains("deconflict guard"), "{:?}: {} {text}", self.manager, path.display());
            }
        }
        let told = self.doctor();
        assert!(told.contains("No guard checks commits here"), "{:?}: {told}", self.manager);
        assert!(!self.workspace.read(".git/config").contains("[deconflict]"));
    }
}

fn lefthook(hooks: &[(&str, &str)]) -> String {
    let one = |(hook, run): &(&str, &str)| format!("{hook}:\n  commands:\n    say:\n      run: {run}\n");
    hooks.iter().map(one).collect::<Vec<_>>().concat()
}

fn pre_commit(one: &str, two: &str) -> String {
    let hook = |id: &str, entry: &str| {
        json!({"id": id, "name": id, "language": "system", "entry": format!("sh -c '{entry}'"), "always_run": true,
               "pass_filenames": false, "stages": [id]})
    };
    json!({"repos": [{"repo": "local", "hooks": [hook("pre-commit", one), hook("pre-push", two)]}]}).to_string()
}

#[test]
fn a_guard_that_was_there_first_goes_on_when_a_manager_comes_and_leaves_nothing_behind() {
    for case in Case::all() {
        case.guard("--install");
        case.install_manager();
        case.nothing_is_lost_in_silence("the manager came");
        case.install_manager();
        case.nothing_is_lost_in_silence("the manager came again");
        case.guard("--uninstall");
        if case.manager == Husky {
            // The hooks that git runs without it are in another folder.
            case.uninstall_manager();
            case.guard("--uninstall");
        }
        case.leaves_no_trace();
    }
}

#[test]
fn a_manager_that_was_there_first_goes_on_and_may_be_installed_again() {
    for case in Case::all() {
        case.install_manager();
        case.guard("--install");
        case.both_run("the guard came");
        case.install_manager();
        case.nothing_is_lost_in_silence("the manager came again");
        case.guard("--uninstall");
        case.leaves_no_trace();
        let log = case.workspace.beside("log");
        let _ = fs::remove_file(&log);
        case.commit_and_push("without the guard");
        assert_eq!(fs::read_to_string(&log).unwrap(), "pre-commit\npre-push\n", "{:?}", case.manager);
    }
}

#[test]
fn a_manager_that_goes_takes_no_guard_with_it_in_silence() {
    for case in Case::all() {
        case.install_manager();
        case.guard("--install");
        case.uninstall_manager();
        let told = case.doctor();
        assert!(
            told.contains("The guard is no longer in") || told.contains("checks commits"),
            "{:?} {told}",
            case.manager
        );
        case.guard("--install");
        case.refuses("the manager went");
        case.guard("--uninstall");
        if case.manager != Husky {
            case.leaves_no_trace();
        }
    }
}

#[test]
fn lefthook_may_write_its_hooks_anew_in_the_middle_of_a_commit() {
    let Some(case) = Case::new(Lefthook) else { return };
    case.install_manager();
    case.guard("--install");
    let line = format!("echo pre-commit >> {}", case.workspace.beside("log").display());
    let push = line.replace("pre-commit", "pre-push");
    let hooks = [("pre-commit", line.as_str()), ("pre-push", push.as_str()), ("commit-msg", "exit 0")];
    case.workspace.write("lefthook.yml", lefthook(&hooks));
    // It looks no closer at what is no newer than what it wrote, in seconds.
    let file = fs::File::options().append(true).open(case.workspace.path("lefthook.yml")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_mins(1)).unwrap();
    case.person.git(&["add", "lefthook.yml"]).expect_code(0);
    let committed = case.person.git(&["commit", "-m", "Change what lefthook does"]).expect_code(0);
    assert!(committed.stderr.contains("lefthook rewrote"), "{committed:?}");
    assert!(case.doctor().contains("The guard checks commits"));
    case.both_run("lefthook wrote them anew");
}

#[test]
fn what_is_advised_for_hooks_that_others_get_covers_pushes_and_harms_nobody_without_deconflict() {
    let Some(case) = Case::new(Husky) else { return };
    case.install_manager();
    let advised = case.guard("--install").stderr;
    for hook in ["pre-commit", "pre-push"] {
        let line = advised.lines().find_map(|line| line.trim_start().strip_prefix(&format!("to .husky/{hook}")));
        let (_, line) = line.unwrap_or_else(|| panic!("{hook}: {advised}")).split_once(": ").unwrap();
        let before = case.workspace.read(format!(".husky/{hook}"));
        case.workspace.write(format!(".husky/{hook}"), format!("{before}{line}\n"));
    }
    case.person.git(&["commit", "-qam", "Look at commits and pushes"]).expect_code(0);
    // Beside the guard's own lines it says nothing twice.
    case.both_run("with both");
    case.guard("--uninstall");
    case.both_run("with the lines alone");
    let said = case.commit_and_push("all is well");
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));

    // As somebody has it who has no deconflict.
    let bare = case.workspace.beside("bare");
    fs::create_dir(&bare).unwrap();
    for tool in ["git", "sh", "env", "dirname", "basename", "cat", "setsid", "mv", "node"] {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), bare.join(tool)).unwrap();
    }
    let without = case.person.clone().env("PATH", bare.as_os_str());
    case.workspace.write("README.md", "by somebody else\n");
    let committed = without.git(&["commit", "-qam", "By somebody else"]).expect_code(0);
    let pushed = without.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert_eq!((committed.stderr.as_str(), pushed.stderr.as_str()), ("", ""));
}
