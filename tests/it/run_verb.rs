//! `deconflict run`: what a command needs is its own while it runs, and nothing else is different for it.

#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::support::{Running, Screen, Terminal, Workspace, report_missing, wait_for, wait_within};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_deconflict");

/// A test machine may be busy with many others.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn prompt(workspace: &Workspace) -> Terminal {
    Terminal::on(workspace).env("PATH", format!("{}:/usr/bin:/bin", Path::new(PROGRAM).parent().unwrap().display()))
}

pub(crate) fn files_in(workspace: &Workspace, folder: &str) -> Vec<String> {
    let found = fs::read_dir(workspace.root().join("COORDINATION").join(folder));
    let mut names: Vec<String> =
        found.into_iter().flatten().map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(crate) fn wait_for_tickets(workspace: &Workspace, number: usize) {
    wait_within(PATIENCE, "the tickets", || (files_in(workspace, ".queue").len() == number).then_some(()));
}

pub(crate) fn wait_for_file(path: &Path) -> String {
    wait_within(PATIENCE, "the command to begin", || fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')))
}

/// The process group of the command that holds the database.
fn group_in_claim(workspace: &Workspace) -> i64 {
    let claim = workspace.root().join("COORDINATION/claims/resource-db.claim");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(claim).unwrap()).unwrap();
    record["process"]["process_group"].as_i64().unwrap()
}

/// True if a process group runs in the foreground of its terminal.
fn has_terminal(group: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{group}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    // State, parent, group, session, terminal, and the group that has it.
    matches!(fields[..], ["S" | "R", _, _, _, _, foreground, ..] if foreground.parse() == Ok(group))
}

pub(crate) fn signal(name: &str, target: i64) {
    let killed = Command::new("kill").args([format!("-{name}"), "--".to_owned(), target.to_string()]).status();
    assert!(killed.unwrap().success(), "{name} {target}");
}

/// A command that holds these until it is told to end, and the file with its process's number.
pub(crate) fn holding(terminal: &Terminal, workspace: &Workspace, with: &str, name: &str) -> (Running, PathBuf) {
    let told = workspace.root().join(format!(".{name}"));
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", told.display());
    let running = terminal.spawn(["run", "--with", with, "--wait", "5m", "--", "sh", "-c", &script]);
    (running, told)
}

#[test]
fn the_commands_end_is_the_answer_and_frees_what_it_held() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    for code in 0..=255 {
        terminal.run(["run", "--with", "db", "--", "sh", "-c", &format!("exit {code}")]).expect_code(code);
    }
    for (name, number) in [("TERM", 15), ("INT", 2), ("KILL", 9), ("USR1", 10), ("HUP", 1), ("PIPE", 13), ("ABRT", 6)] {
        let script = format!("ulimit -c 0; deconflict run --with db -- sh -c 'kill -{name} $$'; echo ended with $?");
        let mut shell = terminal.command([] as [&str; 0]);
        let mut shell = replaced(&mut shell, "sh", &["-c", &script]);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&format!("ended with {}", 128 + number)), "{name}: {said}");
    }
    let missing = terminal.run(["run", "--with", "db", "--", "no-such-command"]).expect_code(127);
    assert!(missing.stderr.contains("deconflict: no-such-command: "), "{missing:?}");
    terminal.run(["run", "--with", "db", "--", "/"]).expect_code(126);
    assert_eq!(files_in(&workspace, "claims"), [] as [String; 0]);
    assert_eq!(files_in(&workspace, ".queue"), [] as [String; 0]);
}

/// Another program in the surroundings of a prompt.
fn replaced(command: &mut Command, program: &str, arguments: &[&str]) -> Command {
    let mut other = Command::new(program);
    other.args(arguments).env_clear().current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            other.env(name, value);
        }
    }
    other
}

#[test]
fn nothing_else_is_different_for_the_command() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut cat = terminal.command(["run", "--with", "db", "--", "cat"]);
    let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = cat.stdin.take().unwrap();
    let writing = std::thread::spawn({
        let bytes = bytes.clone();
        move || input.write_all(&bytes).unwrap()
    });
    assert_eq!(cat.wait_with_output().unwrap().stdout, bytes, "every byte comes through");
    writing.join().unwrap();

    let closed = terminal.run(["run", "--with", "db", "--", "cat"]).expect_code(0);
    assert_eq!(closed.stdout, "");
    let mut shell = terminal.command([] as [&str; 0]);
    let output = replaced(&mut shell, "sh", &["-c", "deconflict run --with db -- cat <&-"]).output().unwrap();
    assert!(output.status.success(), "standard input may be closed: {output:?}");

    // What a process inherits, told by the same program with and without: signals, open files, variables. The signals above
    // 28 are the C library's own.
    if cfg!(target_os = "linux") {
        let tell = "sed -nE 's/^Sig(Blk|Ign|Cgt):.*(.{7})$/\\1 \\2/p' /proc/self/status; ls /proc/self/fd; pwd; env | grep -v ^DECONFLICT_HELD= | sort";
        let mut shell = terminal.command([] as [&str; 0]);
        let bare = replaced(&mut shell, "sh", &["-c", tell]).stdin(Stdio::null()).output().unwrap();
        let run = terminal.run(["run", "--with", "db", "--", "sh", "-c", tell]).expect_code(0);
        assert_eq!(run.stdout, String::from_utf8_lossy(&bare.stdout));
    }
}

/// Whoever starts it may hold back signals, not hear of its children's ends, or want it to outlive the terminal.
#[test]
#[cfg(target_os = "linux")]
fn what_whoever_starts_it_made_of_signals_stays_so() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let under = |env: &[&str], words: &[&str]| {
        let mut command = terminal.command([] as [&str; 0]);
        replaced(&mut command, "env", &[env, &["deconflict", "run", "--with", "db"], words].concat())
    };
    let deaf = under(&["--ignore-signal=CHLD"], &["--", "sh", "-c", "exit 7"]).output().unwrap();
    assert_eq!(deaf.status.code(), Some(7), "{deaf:?}");
    // USR1 and INT, which a run takes for itself while it holds something, are 10 and 2.
    let tell = ["--", "sed", "-n", "s/^SigBlk:\t//p", "/proc/self/status"];
    let held_back = under(&["--block-signal=USR1"], &tell).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&held_back.stdout).trim(), "0000000000000200", "{held_back:?}");

    let (_holder, told) = holding(&terminal, &workspace, "db", "held");
    let held = wait_for_file(&told);
    let mut waiting = under(&["--ignore-signal=HUP"], &["--wait", "5m", "--", "true"]).spawn().unwrap();
    wait_for_tickets(&workspace, 1);
    signal("HUP", waiting.id().into());
    signal("TERM", held.trim().parse().unwrap());
    assert!(waiting.wait().unwrap().success(), "it gave up");
}

#[test]
fn every_wrong_line_is_told_and_the_others_count() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let declared = "[resources.db]\ncount = = 2\n\n[resources.web]\nports = \"3000-3010\"\ncount = 2\n\n\
        [resources.slot]\ncount = 3\n";
    fs::write(workspace.root().join("deconflict.toml"), declared).unwrap();
    let document = terminal.run(["resources", "--json"]).expect_code(0).json();
    let lines: Vec<u64> = document["wrong"].as_array().unwrap().iter().filter_map(|it| it["line"].as_u64()).collect();
    assert_eq!(lines, [2, 6], "{document}");
    let counts = document["resources"].as_array().unwrap().iter().map(|it| (it["name"].as_str(), it["count"].as_u64()));
    let expected = [("db", 1), ("slot", 3), ("web", 1)].map(|(name, count)| (Some(name), Some(count)));
    assert_eq!(counts.collect::<Vec<_>>(), expected, "{document}");
}

/// True if this process ignores a signal, and so all that it starts.
fn is_ignored(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[test]
fn signals_to_the_one_who_started_it_reach_the_command() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let signals =
        [("HUP", 1), ("INT", 2), ("QUIT", 3), ("USR1", 10), ("USR2", 12), ("ALRM", 14), ("TERM", 15), ("WINCH", 28)];
    // What whoever started the tests ignores, as a shell does for what runs in the background, stays ignored.
    for (name, _) in signals.into_iter().filter(|(_, number)| !is_ignored(*number)) {
        let told = workspace.root().join(format!(".{name}"));
        let script = format!(
            "trap 'echo {name}; exit 7' {name}; echo ready > {0}.new; mv {0}.new {0}; while :; do sleep 0.05; done",
            told.display()
        );
        let running = terminal.spawn(["run", "--with", "db", "--wait", "1m", "--", "bash", "-c", &script]);
        wait_for_file(&told);
        let id = running.id();
        signal(name, id.into());
        // Once in forty runs on a busy machine the first one had no effect, and nobody knows on whom it was lost.
        let (ended, ends) = mpsc::channel::<()>();
        let again = std::thread::spawn(move || {
            while ends.recv_timeout(Duration::from_secs(5)) == Err(RecvTimeoutError::Timeout) {
                signal(name, id.into());
            }
        });
        let outcome = running.wait_for_at_most(PATIENCE);
        drop(ended);
        again.join().unwrap();
        assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (7, &*format!("{name}\n")), "{outcome:?}");
    }
    assert_eq!(files_in(&workspace, "claims"), [] as [String; 0]);
}

#[test]
fn who_cannot_have_it_is_told_before_anything_runs() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_running, told) = holding(&terminal, &workspace, "db", "first");
    wait_for_file(&told);
    let refused = terminal.run(["run", "--with", "db", "--", "touch", "ran"]).expect_code(1);
    assert!(refused.stderr.starts_with("deconflict: "), "{refused:?}");
    assert!(refused.stderr.contains("deconflict run --wait 10m --with db -- touch ran"), "{refused:?}");
    assert!(!workspace.root().join("ran").exists());
    let by_hand = Terminal::with_new_session(&workspace).0;
    by_hand.run(["claim", "resource", "db"]).expect_code(1);

    for wrong in [&["run", "--with", "db", "ls"][..], &["run", "--", "ls"], &["run", "--with", "db*2", "--", "ls"]] {
        let usage = terminal.run(wrong.iter().copied()).expect_code(2);
        assert!(usage.stderr.contains("deconflict: "), "{usage:?}");
    }
    let late = terminal.run(["run", "--with", "db", "--wait", "1s", "--", "touch", "ran"]).expect_code(1);
    assert!(late.stderr.contains("was not free within"), "{late:?}");
    assert_eq!(files_in(&workspace, ".queue"), [] as [String; 0]);
}

#[test]
fn whoever_waits_goes_on_waiting_where_others_keep_the_lock() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    terminal.run(["start"]).expect_code(0);
    let lock = fs::File::options().write(true).open(workspace.path("COORDINATION/.lock")).unwrap();
    lock.lock().unwrap();
    let waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "echo", "served"]);
    // Those that don't wait give up meanwhile.
    terminal.run(["run", "--with", "db", "--", "true"]).expect_code(3);
    terminal.run(["run", "--with", "db", "--", "true"]).expect_code(3);
    drop(lock);
    assert_eq!(waiting.wait_for_at_most(PATIENCE).expect_code(0).stdout, "served\n");
}

#[test]
fn a_killed_run_frees_nothing_that_its_command_still_uses() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (mut running, told) = holding(&terminal, &workspace, "db", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    running.kill();
    terminal.run(["run", "--with", "db", "--", "true"]).expect_code(1);
    // A session that began later ends, and a clean-up passes: it is in use all the same.
    terminal.run(["status"]).expect_code(0);
    terminal.run(["run", "--with", "db", "--", "true"]).expect_code(1);

    let waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "echo", "mine"]);
    wait_for_tickets(&workspace, 1);
    signal("KILL", -group);
    let served = waiting.wait_for_at_most(PATIENCE);
    assert_eq!((served.exit_code, served.stdout.as_str()), (0, "mine\n"), "{served:?}");
}

#[test]
fn what_a_command_leaves_running_goes_on_holding() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let script = "sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!";
    let left = terminal.run(["run", "--with", "db", "--", "sh", "-c", script]).expect_code(0);
    terminal.run(["run", "--with", "db", "--", "true"]).expect_code(1);
    signal("KILL", left.stdout.trim().parse().unwrap());
    wait_for("the resource to be free", || {
        (terminal.run(["run", "--with", "db", "--", "true"]).exit_code == 0).then_some(())
    });
}

#[test]
fn a_dead_waiter_leaves_a_stopped_one_is_passed_and_an_interrupted_one_leaves_nothing() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_holding, told) = holding(&terminal, &workspace, "db", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    let mut waiting = Vec::new();
    for number in 0..4 {
        let arguments = ["run", "--with", "db", "--wait", "5m", "--", "echo", "served"];
        waiting.push(terminal.spawn(arguments));
        wait_for_tickets(&workspace, number + 1);
    }
    let interrupted = waiting.remove(2);
    signal("INT", interrupted.id().into());
    assert_eq!(interrupted.wait_for_at_most(PATIENCE).exit_code, -1, "by the signal");
    wait_for_tickets(&workspace, 3);
    let mut dead = waiting.remove(0);
    dead.kill();
    signal("STOP", waiting[0].id().into());
    signal("KILL", -group);
    let stopped = waiting.remove(0);
    let last = waiting.remove(0).wait_for_at_most(PATIENCE);
    assert_eq!((last.exit_code, last.stdout.as_str()), (0, "served\n"), "{last:?}");
    signal("CONT", stopped.id().into());
    let stopped = stopped.wait_for_at_most(PATIENCE);
    assert_eq!((stopped.exit_code, stopped.stdout.as_str()), (0, "served\n"), "{stopped:?}");
    assert_eq!(files_in(&workspace, ".queue"), [] as [String; 0]);
}

#[test]
fn a_newcomer_by_hand_does_not_pass_who_waits() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_holding, told) = holding(&terminal, &workspace, "db", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    let waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "echo", "served"]);
    wait_for_tickets(&workspace, 1);
    signal("STOP", waiting.id().into());
    signal("KILL", -group);
    let (hand, _) = Terminal::with_new_session(&workspace);
    let refused = wait_for("the holder to be gone", || {
        let refused = hand.run(["claim", "resource", "db", "--json"]).expect_code(1).json();
        (refused["reason"] == "queued").then_some(refused)
    });
    assert!(refused["message"].as_str().unwrap().contains("waited for it first"), "{refused}");
    signal("CONT", waiting.id().into());
    assert_eq!(waiting.wait_for_at_most(PATIENCE).exit_code, 0);
    hand.run(["claim", "resource", "db"]).expect_code(0);
}

#[test]
fn runs_inside_of_a_run_share_and_those_that_would_wait_for_each_other_are_refused() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let terminal = terminal.env("PATH", format!("{}:/usr/bin:/bin", Path::new(PROGRAM).parent().unwrap().display()));
    let nested = ["run", "--with", "a", "--", "deconflict", "run", "--with", "a", "--wait", "1m", "--", "echo", "in"];
    assert_eq!(terminal.run(nested).expect_code(0).stdout, "in\n");

    // Another one of the same session waits, because each is a holding of its own.
    let (_a, told) = holding(&terminal, &workspace, "a", "first");
    wait_for_file(&told);
    terminal.run(["run", "--with", "a", "--", "true"]).expect_code(1);
    // What the session holds by hand would not come free before its own command ends.
    terminal.run(["claim", "resource", "b"]).expect_code(0);
    let own = terminal.run(["run", "--with", "b", "--wait", "1m", "--", "true"]).expect_code(1);
    assert!(own.stderr.contains("would never end"), "{own:?}");
    terminal.run(["release", "resource", "b"]).expect_code(0);

    let other = prompt(&workspace);
    let inner = "exec deconflict run --with d --wait 5m -- echo done";
    let (d, told) = holding(&other, &workspace, "d", "d");
    wait_for_file(&told);
    let waiting = other.spawn(["run", "--with", "c", "--", "sh", "-c", inner]);
    wait_for_tickets(&workspace, 1);
    drop(d);
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    signal("KILL", -group);
    assert_eq!(waiting.wait_for_at_most(PATIENCE).exit_code, 0);

    let inner = "echo > .one; while [ ! -e .two ]; do sleep 0.05; done; exec deconflict run --with f --wait 5m -- echo";
    let one = other.spawn(["run", "--with", "e", "--", "sh", "-c", inner]);
    let inner = "echo > .two; while [ ! -e .one ]; do sleep 0.05; done; exec deconflict run --with e --wait 5m -- echo";
    let two = other.spawn(["run", "--with", "f", "--", "sh", "-c", inner]);
    let ends = [one.wait_for_at_most(PATIENCE), two.wait_for_at_most(PATIENCE)];
    let mut codes: Vec<i32> = ends.iter().map(|end| end.exit_code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "one is refused, so that the other gets it: {ends:?}");
    assert!(ends.iter().any(|end| end.stderr.contains("would never end")), "{ends:?}");
}

#[test]
fn a_name_may_have_places_and_a_port_is_one_that_nobody_uses() {
    let workspace = Workspace::small();
    let declared = "[resources.emulator]\ncount = 3\n[resources.web]\nports = \"23870-23872\"\nscope = \"clone\"\n";
    fs::write(workspace.root().join("deconflict.toml"), declared).unwrap();
    let terminal = prompt(&workspace);
    let (_two, told) = holding(&terminal, &workspace, "emulator*2", "two");
    wait_for_file(&told);
    terminal.run(["run", "--with", "emulator*2", "--", "true"]).expect_code(1);
    let one = terminal.run(["run", "--with", "DEVICE=emulator", "--", "sh", "-c", "echo $DEVICE"]).expect_code(0);
    assert_eq!(one.stdout, "emulator#3\n");
    assert_eq!(files_in(&workspace, "claims"), ["resource-emulator#2.claim", "resource-emulator.claim"]);

    // Whatever address a program listens on.
    for address in ["127.0.0.1:23870", "0.0.0.0:23870", "[::1]:23870", "[::]:23870"] {
        let Ok(_outside) = TcpListener::bind(address) else {
            assert!(address.starts_with('['), "this machine may have no addresses of version 6, but {address}");
            continue;
        };
        let port = terminal.run(["run", "--with", "web", "--", "sh", "-c", "echo $PORT"]).expect_code(0);
        assert_eq!(port.stdout, "23871\n", "something listens on {address}");
    }
    let outside = TcpListener::bind("127.0.0.1:23870").unwrap();
    let port = terminal.run(["run", "--with", "web", "--", "sh", "-c", "echo $PORT"]).expect_code(0);
    assert_eq!(port.stdout, "23871\n", "something listens on the first");
    let all = terminal.run(["run", "--with", "web*2,API=port:any", "--", "sh", "-c", "echo $PORT $PORT_2 $API"]);
    let all = all.expect_code(0).stdout;
    assert!(all.starts_with("23871 23872 1"), "{all}");
    let taken = terminal.run(["run", "--with", "port:23870", "--", "true"]).expect_code(1);
    assert!(taken.stderr.contains("doesn't know uses"), "{taken:?}");
    drop(outside);
    terminal.run(["run", "--with", "port:23870", "--", "true"]).expect_code(0);
}

#[test]
fn what_is_shared_is_listed_with_who_has_it_and_who_waits() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let nothing = terminal.run(["resources"]).expect_code(0).stdout;
    assert!(nothing.starts_with("Only files are shared here so far."), "{nothing}");
    let declared =
        "[resources.db]\ndescription = \"The test database\"\ncolour = \"red\"\n\n[resources.slot]\ncount = 2\n";
    fs::write(workspace.root().join("deconflict.toml"), declared).unwrap();

    let (_running, told) = holding(&terminal, &workspace, "db", "held");
    wait_for_file(&told);
    let _waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "true"]);
    wait_for_tickets(&workspace, 1);
    let (_other, told) = holding(&terminal, &workspace, "licence", "licence");
    wait_for_file(&told);
    let listed = terminal.run(["resources"]).expect_code(0);
    for line in [
        "db  The test database\n  held by ",
        "\n  number 1 in line: ",
        "slot (2 places)\n  free\n",
        "licence\n  held by ",
    ] {
        assert!(listed.stdout.contains(line), "no {line:?} in {listed:?}");
    }
    let status = terminal.run(["status"]).expect_code(0).stdout;
    let section: Vec<&str> = status.lines().skip_while(|line| *line != "Waiting").take(2).collect();
    assert!(section.len() == 2 && section[1].contains("\"db\"") && section[1].contains("number 1 in line"), "{status}");
    let status = terminal.run(["status", "--json"]).expect_code(0).json();
    let told = &status["waiting"][0];
    assert_eq!((&told["resource"], &told["place"]), (&"db".into(), &1.into()), "{status}");
    let wrong = "deconflict.toml, line 3: A resource has no \"colour\".";
    assert!(listed.stderr.contains(wrong), "{listed:?}");
    assert!(terminal.run(["run", "--with", "slot", "--", "true"]).expect_code(0).stderr.contains(wrong));
    let doctor = terminal.run(["doctor"]);
    assert!(doctor.stdout.contains(wrong), "{doctor:?}");

    let document = terminal.run(["resources", "--json"]).expect_code(0).json();
    let names: Vec<&str> =
        document["resources"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["db", "slot", "licence"], "{document}");
    assert_eq!(document["resources"][0]["waiting"][0]["place"], 1, "{document}");
    assert_eq!(document["resources"][0]["holders"][0]["resource_name"], "db", "{document}");
    assert_eq!(document["resources"][1]["count"], 2, "{document}");
    assert_eq!(document["wrong"][0]["line"], 3, "{document}");
}

#[test]
fn a_program_in_a_terminal_notices_nothing() {
    notices_nothing(&["bash", "--norc", "-i"], "Stopped");
}

#[test]
fn a_program_in_a_terminal_of_zsh_notices_nothing() {
    if Command::new("zsh").arg("--version").output().is_err() {
        report_missing("zsh is not here");
        return;
    }
    notices_nothing(&["zsh", "-f", "-i"], "suspended");
}

/// Plays a user of a shell with job control, which says so of what Ctrl-Z paused.
fn notices_nothing(shell: &[&str], paused: &str) {
    let workspace = Workspace::small();
    let place = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap_or_default());
    let Some(screen) = Screen::on(&workspace) else { return };
    let screen = screen.env("PATH", path).env("PS1", "prompt> ").start((80, 24), shell);
    screen.wait_for("prompt>");
    screen.type_text("deconflict run --with db -- bash --norc -i");
    screen.press(&["Enter"]);
    // The inner shell has job control, so that it has the terminal.
    screen.type_text("echo in=$((20 + 3))");
    screen.press(&["Enter"]);
    screen.wait_for("in=23");
    screen.resize((100, 30));
    screen.type_text("stty size");
    screen.press(&["Enter"]);
    screen.wait_for("30 100");
    screen.type_text("exit 9");
    screen.press(&["Enter"]);
    screen.type_text("echo inner=$?");
    screen.press(&["Enter"]);
    screen.wait_for("inner=9");

    screen.type_text("deconflict run --with db -- sleep 1000");
    screen.press(&["Enter"]);
    wait_for("the claim", || (!files_in(&workspace, "claims").is_empty()).then_some(()));
    screen.press(&["C-z"]);
    screen.wait_for(paused);
    assert_eq!(files_in(&workspace, "claims"), ["resource-db.claim"]);
    let group = group_in_claim(&workspace);
    screen.type_text("fg");
    screen.press(&["Enter"]);
    wait_for("the command to have the terminal again", || has_terminal(group).then_some(()));
    screen.press(&["C-c"]);
    screen.type_text("echo ended=$?");
    screen.press(&["Enter"]);
    screen.wait_for("ended=130");
    wait_for("the claim to go", || files_in(&workspace, "claims").is_empty().then_some(()));

    // As one of several in a pipe, which the shell pauses together. The screen is cleared before.
    screen.press(&["C-l"]);
    screen.type_text("deconflict run --with db -- sleep 1000 | cat");
    screen.press(&["Enter"]);
    wait_for("the claim", || (!files_in(&workspace, "claims").is_empty()).then_some(()));
    screen.press(&["C-z"]);
    screen.wait_for(paused);
    screen.type_text("kill %1; fg; echo \"piped \"ended");
    screen.press(&["Enter"]);
    screen.wait_for("piped ended");
    wait_for("the claim to go", || files_in(&workspace, "claims").is_empty().then_some(()));
}
