//! How answers look: colours, closed pipes, and a status that stays and redraws.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Terminal, Workspace, wait_for};

/// A command line that runs on a terminal of its own; what it writes there can be read.
#[cfg(target_os = "linux")]
fn on_a_terminal(terminal: &Terminal, line: &str) -> Child {
    let prompt = terminal.command::<&str>([]);
    let mut script = Command::new("script");
    let program = format!("'{}'", env!("CARGO_BIN_EXE_deconflict").replace('\'', r"'\''"));
    script.args(["-qec", &line.replace("deconflict", &program), "/dev/null"]).env_clear();
    script.env("TERM", "xterm-256color");
    script.envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(prompt.get_current_dir().unwrap());
    script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What a command line writes to its terminal until it ends.
#[cfg(target_os = "linux")]
fn shown_on_a_terminal(terminal: &Terminal, line: &str) -> String {
    String::from_utf8(on_a_terminal(terminal, line).wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_pipe_gets_no_colours() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    for words in [&["status"][..], &["doctor"], &["claim", "file", "src"], &["--help"]] {
        let told = terminal.run(words.iter().copied());
        assert!(!told.stdout.contains('\u{1b}') && !told.stderr.contains('\u{1b}'), "{told:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_unless_it_wants_none() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    assert!(shown_on_a_terminal(&terminal, "deconflict status").contains("\u{1b}[1m"));
    let without = terminal.env("NO_COLOR", "1");
    let shown = shown_on_a_terminal(&without, "deconflict status");
    assert!(shown.contains("Sessions") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_answer_on_a_terminal_is_shown_by_the_users_pager() {
    let workspace = Workspace::small();
    workspace.write("poem.txt", "one\ntwo\n");
    workspace.commit_all("Poem");
    let (terminal, _) = Terminal::with_named_session(&workspace, "Ada");
    terminal.run(["claim", "poem.txt"]).expect_code(0);
    workspace.write("poem.txt", "one\n2\n");
    let lines = ["deconflict history", "deconflict history poem.txt --patch", "deconflict blame poem.txt"];
    for line in lines {
        let shown = shown_on_a_terminal(&terminal.clone().env("PAGER", "sed s/^/paged:/"), line);
        assert!(shown.lines().count() > 0 && shown.lines().all(|line| line.starts_with("paged:")), "{line}: {shown:?}");
        assert!(shown.contains('\u{1b}'), "{line} has colours: {shown:?}");
        let plain = shown_on_a_terminal(&terminal.clone().env("PAGER", "sed s/^/paged:/").env("NO_COLOR", "1"), line);
        assert!(plain.contains("paged:") && !plain.contains('\u{1b}'), "{line}: {plain:?}");
        // Neither a pager that is missing nor one that is closed at once is an error.
        for (pager, is_shown) in [("cat", true), ("no-such-pager", true), ("true", false)] {
            let shown = shown_on_a_terminal(&terminal.clone().env("PAGER", pager), &format!("{line}; echo code $?"));
            assert_eq!(shown.contains("poem.txt") || shown.contains("one"), is_shown, "{pager}: {shown:?}");
            assert!(shown.contains("code 0"), "{pager}: {shown:?}");
        }
        // What another program reads is neither paged nor coloured.
        let piped = terminal.clone().env("PAGER", "sed s/^/paged:/").run(line.split(' ').skip(1)).expect_code(0);
        assert!(!piped.stdout.contains("paged:") && !piped.stdout.contains('\u{1b}'), "{piped:?}");
    }
    let shown = shown_on_a_terminal(&terminal.env("PAGER", "cat"), lines[1]);
    assert!(shown.contains("\u{1b}[32m+2") && shown.contains("\u{1b}[33m-two"), "{shown:?}");
}

/// An editor's shell window, say.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_can_do_nothing_gets_nothing_but_text() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    ben.run(["claim", "resource", "db"]).expect_code(0);
    let dumb = terminal.env("TERM", "dumb");
    for (line, words) in [
        ("deconflict status", "Sessions"),
        ("deconflict run --with free -- echo held", "held"),
        ("deconflict run --with db -- true", "deconflict run --wait 10m --with db -- true"),
        ("deconflict run --wait 2s --with db -- true", "Waiting up to"),
        ("deconflict run", "deconflict: "),
    ] {
        let shown = shown_on_a_terminal(&dumb, line);
        assert!(shown.contains(words) && !shown.contains('\u{1b}'), "{line}: {shown:?}");
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    for words in [&["status"][..], &["status", "--json"], &["man"], &["completions", "bash"], &["--help"], &["doctor"]]
    {
        let mut child =
            terminal.command(words.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{words:?}");
        assert_eq!(ended.status.code(), Some(0), "{words:?}");
    }
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let evil = "evil\u{1b}[2J\u{202e}\nsecond line\u{7}";
    coordination.write_session("session-evil", serde_json::json!({"name": evil, "current_work": evil, "user": evil}));
    coordination.write_claim("session-evil", "file", "README.md", serde_json::json!({"phase": evil}));
    let (terminal, id) = Terminal::with_new_session(&workspace);
    coordination.write_message("session-evil", &id, evil, evil, serde_json::json!({"type": evil}));
    for words in [&["status"][..], &["messages"], &["claim", "file", "README.md"], &["check", "README.md"], &["doctor"]]
    {
        let told = terminal.run(words.iter().copied());
        let all = format!("{}{}", told.stdout, told.stderr);
        assert!(!all.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{words:?}: {all:?}");
    }
}

#[test]
fn a_watched_status_shows_each_change() {
    let workspace = Workspace::small();
    let (terminal, id) = Terminal::with_new_session(&workspace);
    let mut watching = terminal.command(["status", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["session"]["session_id"], id.as_str());
    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    wait_for("the claim to be shown", || (next()["claims"][0]["resource_name"] == "README.md").then_some(()));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn people_read_what_needs_coordinating_by_their_own_clock() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    ada.run(["claim", "README.md"]).expect_code(0);
    ben.run(["send", "Ada", "Please", "--type", "release_request", "--resource", "file", "README.md"]).expect_code(0);
    // Half an hour beside the whole hours of most places.
    let page = ben.env("TZ", "<+0530>-5:30").run(["status"]).expect_code(0).stdout;
    let asked = page.lines().find(|line| line.contains("asked")).unwrap_or_else(|| panic!("{page}"));
    let there = Utc::now() + TimeDelta::minutes(330);
    let times = [there, there - TimeDelta::minutes(1)].map(|at| at.format("%H:%M").to_string());
    assert!(
        times.iter().any(|time| asked.ends_with(&format!("to release \"README.md\" at {time}"))),
        "{asked} {times:?}"
    );
}
