//! The real coding agents, driven by a scripted model: what their users and their models see when somebody else is there.
//!
//! Each agent is wired once, since its first start takes long, and goes through all its cases in turn, each in a repository
//! of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::scripted_model::{LAST_SESSION, Step, edit, patch, read, shell, task, tool, write};
use crate::support::{CodingAgent, Product, RealAgent, Terminal, Workspace, say_skipped, wait_for, wait_within};

const FREE: &str = "src/main.rs";
const HELD: &str = "src/parser.rs";
const OTHER: &str = "src/lib.rs";

/// One repository in which an agent works, and Ada at a terminal.
struct Case {
    agent: Arc<RealAgent>,
    workspace: Workspace,
    ada: Terminal,
}

impl Case {
    fn new(agent: &Arc<RealAgent>) -> Self {
        let workspace = Workspace::small();
        let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
        Self { agent: Arc::clone(agent), workspace, ada }
    }

    /// Ada holds a file.
    fn ada_holds(&self, file: &str) {
        self.ada.run(["claim", "file", file, "--phase", "rewriting the parser"]).expect_code(0);
    }

    /// Teaches the model to read a file and to put a line above its first one.
    fn teach_edit(&self, script: &str, file: &str) {
        let path = self.workspace.path(file);
        let old = self.first_line(file);
        self.agent.model().teach(script, [read(&path), edit(&path, &old, &format!("// by the agent\n{old}"))]);
    }

    fn first_line(&self, file: &str) -> String {
        self.workspace.read(file).lines().next().unwrap().to_owned()
    }

    #[track_caller]
    fn run(&self, script: &str) -> String {
        let ran = self.agent.run(self.workspace.root(), script);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self.agent.model().told(script)
    }

    #[track_caller]
    fn expect_edited(&self, file: &str) {
        let text = self.workspace.read(file);
        assert!(text.contains("by the agent"), "{:?}: {text}", self.agent.product());
    }

    #[track_caller]
    fn expect_as_committed(&self, file: &str) {
        assert_eq!(self.workspace.read(file), self.workspace.git(&["show", &format!("HEAD:{file}")]));
    }

    /// The agent's session, by its record. There is only one.
    #[track_caller]
    fn session(&self) -> serde_json::Value {
        let mut sessions = self.workspace.coordination().sessions();
        sessions.retain(|session| session["agent"].is_string() && session["sub_agent"].is_null());
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions.remove(0)
    }

    /// Fails unless the newest change of a file is known to be the agent's.
    #[track_caller]
    fn expect_owned_by_the_agent(&self, file: &str) {
        let history = self.ada.run(["history", file, "--json"]).expect_code(0).json();
        let session = self.session();
        assert_eq!(history["entries"][0]["session"], session["session_id"], "{history}");
    }
}

fn an_edit_of_a_free_file_is_its_own(case: &Case) {
    case.teach_edit("free", FREE);
    case.run("free");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn an_edit_of_a_held_file_is_refused(case: &Case) {
    case.ada_holds(HELD);
    case.teach_edit("held", HELD);
    let told = case.run("held");
    case.expect_as_committed(HELD);
    for word in ["Ada", "rewriting the parser", "until", "--type release_request"] {
        assert!(told.contains(word), "{word} is missing: {told}");
    }
}

fn a_patch_with_one_held_file_changes_none(case: &Case) {
    if !matches!(case.agent.product(), Product::Codex | Product::CodexInCodeMode) {
        return;
    }
    case.ada_holds(HELD);
    let hunk = |file: &str| {
        let old = case.first_line(file);
        format!("*** Update File: {}\n@@\n-{old}\n+// by the agent\n+{old}\n", case.workspace.path(file).display())
    };
    let whole = format!("*** Begin Patch\n{}{}*** End Patch", hunk(FREE), hunk(HELD));
    case.agent.model().teach("several", [patch(&whole)]);
    let told = case.run("several");
    case.expect_as_committed(FREE);
    case.expect_as_committed(HELD);
    assert!(told.contains("Ada"), "{told}");
}

fn a_shell_edit_counts_as_an_edit(case: &Case) {
    case.ada_holds(HELD);
    let held = shell(&format!("sed -i '1i // by the agent' {HELD}"));
    let free = shell(&format!("sed -i '1i // by the agent' {FREE}"));
    case.agent.model().teach("shell", [held, free]);
    let told = case.run("shell");
    case.expect_as_committed(HELD);
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
    assert!(told.contains("Ada"), "{told}");
}

fn a_message_comes_in_the_middle_of_a_turn(case: &Case) {
    let ada = case.ada.clone();
    let coordination = case.workspace.coordination();
    let send = move || {
        let sessions = coordination.sessions();
        let agent = sessions.iter().find(|session| session["agent"].is_string()).unwrap();
        let id = agent["session_id"].as_str().unwrap();
        ada.run(["send", id, "Lunch", "the soup is ready"]).expect_code(0);
    };
    let path = case.workspace.path(FREE);
    let old = case.first_line(FREE);
    let steps = [read(&path), edit(&path, &old, &format!("// by the agent\n{old}")), shell("true").after(send)];
    case.agent.model().teach("message", steps);
    let told = case.run("message");
    assert!(told.contains("the soup is ready"), "{told}");
}

fn two_agents_on_one_file_see_each_other(case: &Case) {
    let path = case.workspace.path(FREE);
    let old = case.first_line(FREE);
    let (other, root) = (Arc::clone(&case.agent), case.workspace.root().to_owned());
    let second = edit(&path, &old, &format!("// by the other\n{old}"));
    case.agent.model().teach("second", [read(&path), second]);
    let run_second = move || assert_eq!(other.run(&root, "second").code, Some(0));
    let first = edit(&path, &old, &format!("// by the agent\n{old}"));
    case.agent.model().teach("first", [read(&path), first, shell("true").after(run_second)]);
    case.run("first");
    case.expect_edited(FREE);
    assert!(!case.workspace.read(FREE).contains("by the other"), "{}", case.workspace.read(FREE));
    let told = case.agent.model().told("second");
    assert!(told.contains("deconflict"), "the second one was told: {told}");
}

fn a_sub_agent_is_bound_as_its_agent_is(case: &Case) {
    case.ada_holds(HELD);
    let (free, held) = (case.workspace.path(FREE), case.workspace.path(HELD));
    let (old, old_held) = (case.first_line(FREE), case.first_line(HELD));
    let mut steps = vec![
        read(&free),
        edit(&free, &old, &format!("// by the agent\n{old}")),
        read(&held),
        edit(&held, &old_held, &format!("// by the agent\n{old_held}")),
    ];
    if case.agent.product() == Product::Gemini {
        // There a sub-agent says by a tool that it is done.
        steps.push(tool("complete_task", json!({"result": {"response": "done"}})));
    }
    case.agent.model().teach("helper", steps);
    // Some agents don't wait for their sub-agents.
    let agent = Arc::clone(&case.agent);
    let helper_is_done = move || {
        wait_within(Duration::from_mins(1), "the sub-agent to be told", || {
            agent.model().told("helper").contains("rewriting the parser").then_some(())
        });
    };
    case.agent.model().teach("leader", [task("script:helper"), shell("true").after(helper_is_done)]);
    case.run("leader");
    case.expect_edited(FREE);
    case.expect_as_committed(HELD);
    let told = case.agent.model().told("helper");
    assert!(told.contains("Ada"), "{told}");
}

fn a_killed_agent_leaves_its_files_free(case: &Case) {
    let path = case.workspace.path(FREE);
    let old = case.first_line(FREE);
    let (reached, is_reached): (Sender<()>, _) = mpsc::channel();
    let (_until_here, over) = mpsc::channel::<()>();
    let (over, reached) = (Mutex::new(over), Mutex::new(reached));
    let wait = move || {
        let _ = reached.lock().unwrap().send(());
        // Until the case is over.
        let _ = over.lock().unwrap().recv();
    };
    let steps = [read(&path), edit(&path, &old, &format!("// by the agent\n{old}")), shell("true").after(wait)];
    case.agent.model().teach("killed", steps);
    let mut turn = case.agent.start(case.workspace.root(), "killed");
    is_reached.recv_timeout(Duration::from_mins(2)).unwrap();
    case.ada.run(["claim", "file", FREE]).expect_code(1);
    turn.kill();
    expect_free_within_two_seconds(&case.ada, FREE);
    case.expect_edited(FREE);
}

/// Expects that a file comes free: a verb that begins two seconds from now finds it so, however long the verb itself takes.
fn expect_free_within_two_seconds(shell: &Terminal, file: &str) {
    let start = Instant::now();
    wait_for("the file to be free", || {
        let began_after = start.elapsed();
        let answer = shell.run(["claim", "file", file]);
        assert!(answer.exit_code == 0 || began_after < Duration::from_secs(2), "{began_after:?}: {answer:?}");
        (answer.exit_code == 0).then_some(())
    });
}

fn a_resumed_session_is_the_same(case: &Case) {
    case.teach_edit("before", FREE);
    case.run("before");
    let id = case.session()["session_id"].clone();
    case.teach_edit("again", OTHER);
    let ran = case.agent.resume(case.workspace.root(), "again");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    case.expect_edited(OTHER);
    assert_eq!(case.session()["session_id"], id, "{ran:?}");
}

fn a_linked_worktree_has_files_of_its_own(case: &Case) {
    case.ada_holds(HELD);
    let folder = case.workspace.add_worktree("feature");
    let path = folder.join(HELD);
    let old = case.first_line(HELD);
    case.agent.model().teach("worktree", [read(&path), edit(&path, &old, &format!("// by the agent\n{old}"))]);
    let ran = case.agent.run(&folder, "worktree");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(case.workspace.read(&path).contains("by the agent"), "{ran:?}");
    case.expect_as_committed(HELD);
    assert_eq!(case.session()["worktree"], "feature");
    let told = case.agent.model().told("worktree");
    assert!(told.contains("Ada") && told.contains("worktree"), "{told}");
}

fn its_shell_is_its_session(case: &Case) {
    let path = case.workspace.path(FREE);
    let claim = shell(&format!("deconflict claim {OTHER}"));
    case.agent
        .model()
        .teach("verbs", [claim, write(case.workspace.path("src/new.rs"), "// by the agent\n"), read(&path)]);
    case.run("verbs");
    case.expect_edited("src/new.rs");
    let told = case.agent.model().told("verbs");
    // Some agents tell it quoted, and quoted again.
    assert!(told.replace('\\', "").contains(&format!("Claimed \"{OTHER}\"")), "{told}");
    let id = case.session()["session_id"].clone();
    let history = case.ada.run(["history", "src/new.rs", "--json"]).expect_code(0).json();
    assert_eq!(history["entries"][0]["session"], id, "{history}");
}

fn its_shell_in_a_sandbox_is_its_session(case: &Case) {
    if !matches!(case.agent.product(), Product::Codex | Product::CodexInCodeMode) {
        return;
    }
    let claim = shell(&format!("deconflict claim {OTHER}"));
    case.agent.model().teach("sandbox", [claim, shell(&format!("sed -i '1i // by the agent' {FREE}"))]);
    let ran = case.agent.run_in_sandbox(case.workspace.root(), "sandbox");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = case.agent.model().told("sandbox");
    if told.contains("bwrap:") {
        return say_skipped(&format!("no sandbox can be made here: {told}"));
    }
    assert!(told.replace('\\', "").contains(&format!("Claimed \"{OTHER}\"")), "{told}");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn what_is_typed_into_its_shell_is_its_own(case: &Case) {
    if !matches!(case.agent.product(), Product::Codex | Product::CodexInCodeMode) {
        return;
    }
    let typed =
        |text: &str| tool("write_stdin", json!({"session_id": LAST_SESSION, "chars": text, "yield_time_ms": 500}));
    let steps = [
        tool("exec_command", json!({"cmd": "bash", "tty": true, "yield_time_ms": 300})),
        typed(&format!("sed -i '1i // by the agent' {FREE}\n")),
        typed("exit\n"),
        shell("true"),
    ];
    case.agent.model().teach("typed", steps);
    case.run("typed");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn a_command_in_the_background_is_its_own(case: &Case) {
    match case.agent.product() {
        Product::ClaudeCode => what_begins_and_goes_on_is_its_own(case, |command| {
            tool("Bash", json!({"command": command, "description": "scripted", "run_in_background": true}))
        }),
        Product::Codex | Product::CodexInCodeMode => what_begins_and_goes_on_is_its_own(case, |command| {
            tool("exec_command", json!({"cmd": command, "yield_time_ms": 250}))
        }),
        Product::Gemini => what_begins_and_goes_on_is_its_own(case, |command| {
            tool("run_shell_command", json!({"command": command, "description": "x", "is_background": true}))
        }),
        // It waits for all of its commands.
        Product::Opencode => {}
    }
}

fn what_a_monitor_runs_is_a_command(case: &Case) {
    if case.agent.product() == Product::ClaudeCode {
        what_begins_and_goes_on_is_its_own(case, |command| {
            tool("Monitor", json!({"command": command, "description": "scripted", "timeout_ms": 30000}))
        });
    }
}

/// A command that waits for the one after it before it changes a file.
fn what_begins_and_goes_on_is_its_own(case: &Case, begin: impl Fn(String) -> Step) {
    case.ada_holds(HELD);
    // Whoever opens one of these waits until somebody opens its other end.
    let made = Command::new("mkfifo").args([".git/go", ".git/gone"]).current_dir(case.workspace.root()).status();
    assert!(made.unwrap().success());
    let change = |file: &str| {
        begin(format!("read go < .git/go; sed -i '1i // by the agent' {file}; echo > .git/gone; echo changed"))
    };
    let meanwhile = shell("echo > .git/go; read gone < .git/gone");
    case.agent.model().teach("later", [change(HELD), change(FREE), meanwhile, shell("true")]);
    let told = case.run("later");
    case.expect_as_committed(HELD);
    assert!(told.contains("Ada"), "{told}");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn what_a_command_leaves_behind_is_its_own(case: &Case) {
    // The others end with a command what it leaves behind, or tell of it only when it is over.
    if case.agent.product() != Product::ClaudeCode {
        return;
    }
    let later = shell(&format!("(sleep 0.5; sed -i '1i // by the agent' {FREE}) > /dev/null 2>&1 &"));
    let meanwhile = shell("python3 -c 'import time; time.sleep(1.5)'");
    case.agent.model().teach("background", [later, meanwhile, shell("true")]);
    case.run("background");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn a_patch_behind_cd_is_a_patch(case: &Case) {
    if !matches!(case.agent.product(), Product::Codex | Product::CodexInCodeMode) {
        return;
    }
    case.ada_holds(HELD);
    let patch_of = |file: &str| {
        let old = case.first_line(file);
        let name = file.strip_prefix("src/").unwrap();
        shell(&format!(
            "cd src && apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: {name}\n@@\n-{old}\n+// by the agent\n+{old}\n\
             *** End Patch\nEOF"
        ))
    };
    case.agent.model().teach("behind", [patch_of(HELD), patch_of(FREE)]);
    let told = case.run("behind");
    case.expect_as_committed(HELD);
    assert!(told.contains("Ada"), "{told}");
    case.expect_edited(FREE);
    case.expect_owned_by_the_agent(FREE);
}

fn its_own_check_finds_no_fault_with_our_files(case: &Case) {
    let ran = case.agent.own_check();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Codex checks its hooks when it starts, and tells of each that runs.
    case.teach_edit("checked", FREE);
    let ran = case.agent.run(case.workspace.root(), "checked");
    let complains = |line: &&str| line.contains("hook") && (line.contains("rror") || line.contains("ailed"));
    assert_eq!(ran.output.lines().filter(complains).collect::<Vec<_>>(), Vec::<&str>::new(), "{ran:?}");
}

/// Its user hears of it where the agent tells such things.
fn it_works_on_when_the_program_is_gone_or_broken(case: &Case) {
    const CRASHES: &str = "kill -SEGV $$";
    // Longer than any agent waits for the hook before an edit.
    const IS_SLOW: &str = "case $(cat) in *PreToolUse*|*BeforeTool*|*before*) exec sleep 15 ;; esac";
    let program = case.agent.home().path(".local/share/deconflict/bin/deconflict");
    let kept = program.with_extension("kept");
    fs::rename(&program, &kept).unwrap();
    let broken = [
        ("gone", None),
        ("126", Some((CRASHES, 0o644))),
        ("crashed", Some((CRASHES, 0o755))),
        ("slow", Some((IS_SLOW, 0o755))),
    ];
    for (file, (script, program_is)) in [FREE, HELD, OTHER, "README.md"].into_iter().zip(broken) {
        if let Some((line, mode)) = program_is {
            fs::write(&program, format!("#!/bin/sh\n{line}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        }
        case.teach_edit(script, file);
        let ran = case.agent.run(case.workspace.root(), script);
        let _ = fs::remove_file(&program);
        let is_told = match case.agent.product() {
            // In a turn without a screen it says nothing of a hook that took too long.
            Product::ClaudeCode => script == "slow" || ran.output.contains("hook claude-code] failed"),
            Product::Codex | Product::CodexInCodeMode => ran.output.contains("PreToolUse Failed"),
            Product::Gemini => ran.output.contains("Hook(s) [deconflict] failed"),
            // It has no place of its own for that but the screen, so the model says it.
            Product::Opencode => case.agent.model().told(script).contains("deconflict could not be asked"),
        };
        if !is_told || !case.workspace.read(file).contains("by the agent") {
            fs::rename(&kept, &program).unwrap();
            panic!("{script}: {ran:?}");
        }
    }
    fs::rename(&kept, &program).unwrap();
}

fn its_tools_are_the_verbs(case: &Case) {
    case.agent.add_tools();
    case.ada_holds(HELD);
    let path = case.workspace.path(OTHER);
    let old = case.first_line(OTHER);
    let steps = [
        tool("deconflict_status", json!({})),
        tool("deconflict_claim", json!({"type": "file", "name": OTHER})),
        read(&path),
        edit(&path, &old, &format!("// by the agent\n{old}")),
    ];
    case.agent.model().teach("tools", steps);
    let told = case.run("tools");
    assert!(told.contains(HELD) && told.contains("Ada"), "{told}");
    // What it claimed by a tool is its own, and not another session's.
    case.expect_edited(OTHER);
    assert_eq!(case.workspace.coordination().sessions().len(), 2, "Ada's and the agent's: {told}");
    case.expect_owned_by_the_agent(OTHER);
}

/// A case's name, and the case.
type NamedCase = (&'static str, fn(&Case));

const CASES: &[NamedCase] = &[
    ("an edit of a free file is its own", an_edit_of_a_free_file_is_its_own),
    ("an edit of a held file is refused", an_edit_of_a_held_file_is_refused),
    ("a patch with one held file changes none", a_patch_with_one_held_file_changes_none),
    ("a shell edit counts as an edit", a_shell_edit_counts_as_an_edit),
    ("a message comes in the middle of a turn", a_message_comes_in_the_middle_of_a_turn),
    ("two agents on one file see each other", two_agents_on_one_file_see_each_other),
    ("a sub-agent is bound as its agent is", a_sub_agent_is_bound_as_its_agent_is),
    ("a killed agent leaves its files free", a_killed_agent_leaves_its_files_free),
    ("a resumed session is the same", a_resumed_session_is_the_same),
    ("a linked worktree has files of its own", a_linked_worktree_has_files_of_its_own),
    ("its shell is its session", its_shell_is_its_session),
    ("what is typed into its shell is its own", what_is_typed_into_its_shell_is_its_own),
    ("a command in the background is its own", a_command_in_the_background_is_its_own),
    ("what a monitor runs is a command", what_a_monitor_runs_is_a_command),
    ("what a command leaves behind is its own", what_a_command_leaves_behind_is_its_own),
    ("a patch behind cd is a patch", a_patch_behind_cd_is_a_patch),
    ("its shell in a sandbox is its session", its_shell_in_a_sandbox_is_its_session),
    ("it works on when the program is gone or broken", it_works_on_when_the_program_is_gone_or_broken),
    ("its tools are the verbs", its_tools_are_the_verbs),
    ("its own check finds no fault with our files", its_own_check_finds_no_fault_with_our_files),
];

fn goes_through_all_cases(product: Product) {
    let Some(agent) = RealAgent::new(product) else { return };
    agent.set_up();
    let agent = Arc::new(agent);
    // Whoever mends one case needs only that.
    let only = std::env::var("DECONFLICT_CASE").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&only)) {
        let start = Instant::now();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(&Case::new(&agent))));
        eprintln!("{product:?}: {name}: {} in {:.1?}", if ended.is_ok() { "ok" } else { "FAILED" }, start.elapsed());
        if ended.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{product:?}: {failed:?}");
}

#[test]
fn claude_code_goes_through_all_cases() {
    goes_through_all_cases(Product::ClaudeCode);
}

#[test]
fn codex_goes_through_all_cases() {
    goes_through_all_cases(Product::Codex);
}

#[test]
fn codex_in_code_mode_goes_through_all_cases() {
    goes_through_all_cases(Product::CodexInCodeMode);
}

#[test]
fn gemini_goes_through_all_cases() {
    goes_through_all_cases(Product::Gemini);
}

#[test]
fn opencode_goes_through_all_cases() {
    goes_through_all_cases(Product::Opencode);
}

/// One process of Codex serves all windows, and goes on when they are closed.
#[test]
fn a_window_of_codex_that_is_closed_or_killed_leaves_its_files_free() {
    let Some(agent) = RealAgent::new(Product::Codex) else { return };
    let agent = Arc::new(agent);
    agent.set_up();
    let case = Case::new(&agent);
    agent.trust(case.workspace.root());
    // To its own user an agent gives way that waits.
    let other = CodingAgent::on(&case.workspace, "other");
    other.start();
    let other = other.shell();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let open = |script: &str, file: &str| {
            let path = case.workspace.path(file);
            let old = case.first_line(file);
            agent.model().teach(script, [edit(&path, &old, &format!("// by the agent\n{old}"))]);
            let window = agent.open_window(&case.workspace)?;
            window.type_text(&format!("script:{script}"));
            window.wait_for(&format!("script:{script}"));
            window.press(&["Enter"]);
            window.wait_for("done");
            case.expect_edited(file);
            Some(window)
        };
        let (Some(closed), Some(killed)) = (open("closed", FREE), open("killed", OTHER)) else { return };
        let told = case.ada.run(["status"]).expect_code(0).stdout;
        assert!(told.contains("your Codex  ") && told.contains("your Codex 2  "), "{told}");
        for file in [FREE, OTHER] {
            other.run(["claim", "file", file]).expect_code(1);
        }
        closed.close();
        expect_free_within_two_seconds(&other, FREE);
        other.run(["claim", "file", OTHER]).expect_code(1);
        killed.kill_program();
        expect_free_within_two_seconds(&other, OTHER);
    }));
    agent.end_daemon();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}
