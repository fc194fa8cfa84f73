//! What the clones of a team know of each other's files beside claims: uncommitted changes.

#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

#[cfg(target_os = "linux")]
use crate::support::team::helpers_of;
use crate::support::team::{PATIENCE, Team};
use crate::support::{CodingAgent, Editor, wait_within};

impl Team {
    /// What is known in Anna's clone of the file with this name in Berta's.
    fn of_bertas(&self, file: &str) -> Option<Value> {
        let status = self.anna.run(["--json", "status"]).expect_code(0).json();
        let begins = |claim: &Value| {
            let name = claim["display_name"].as_str().unwrap_or_default();
            name.starts_with(file) && name.ends_with(":second)")
        };
        status["claims"].as_array().unwrap().iter().find(|claim| begins(claim)).cloned()
    }
}

/// What an agent left uncommitted in one clone is told in the others when it holds nothing any more, until it is committed.
#[test]
fn uncommitted_changes_of_one_clone_are_told_in_the_others() {
    let Some(team) = Team::meet() else { return };
    let agent = CodingAgent::on(&team.workspace, "b").in_folder(&team.second);
    agent.start();
    agent.edit("src/lib.rs", "pub fn changed() {}\n").expect_no_denial();
    let known = |standing: &str| team.of_bertas("src/lib.rs").filter(|claim| claim["standing"] == standing);
    wait_within(PATIENCE, "the agent's claim to be known", || known("active"));
    let shell = agent.shell();
    shell.run(["release", "--all"]).expect_code(0);
    let told = wait_within(PATIENCE, "its uncommitted changes to be known", || known("uncommitted"));
    assert_eq!(told["branch"], "main", "{told}");
    assert_eq!(told["holder"], "Berta's Claude Code", "{told}");
    // They outlive the session.
    shell.run(["end"]).expect_code(0);

    let shown = team.anna.run(["status"]).expect_code(0).stdout;
    assert!(shown.contains("uncommitted") && shown.contains("Berta's Claude Code"), "{shown}");
    let words = "uncommitted changes of Berta's Claude Code (last changed ";
    let board = team.workspace.coordination();
    board.wait_for("the board to tell it", |it| it.board().contains(words).then_some(()));
    let claimed = team.anna.run(["claim", "src/lib.rs"]).expect_code(0).stdout;
    let words = "The same path has uncommitted changes of \"Berta's Claude Code\" in the clone ";
    assert!(claimed.contains(words) && claimed.contains("on the branch \"main\""), "{claimed}");
    team.anna.run(["check", "src/lib.rs"]).expect_code(0);
    team.anna.run(["release", "src/lib.rs"]).expect_code(0);

    let annas = CodingAgent::on(&team.workspace, "a");
    annas.start();
    let context = annas.before_edit("src/lib.rs").expect_no_denial().context().to_owned();
    assert!(context.contains("has uncommitted changes of \"Berta's Claude Code\""), "{context}");
    annas.shell().run(["end"]).expect_code(0);

    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open("src/lib.rs");
    let told = document.wait_for_diagnostic("claimed-elsewhere");
    let text = told["message"].as_str().unwrap();
    let words = "The same file has uncommitted changes of \"Berta's Claude Code\" in the clone ";
    assert!(text.contains(words) && text.contains(":second") && text.contains("last changed"), "{told}");
    assert_eq!(told["severity"], 3, "{told}");

    team.workspace.git_in(&team.second, &["commit", "--quiet", "--all", "--message", "Done"]);
    wait_within(PATIENCE, "nothing to be told of it", || document.codes().is_empty().then_some(()));
    assert_eq!(team.of_bertas("src/lib.rs"), None);
    assert_eq!(fs::read_to_string(team.workspace.path("src/lib.rs")).unwrap(), document.text());
}

/// Cut off from the team, a clone says since when it has heard nothing, what of the team cannot be told, and what to do. Back
/// again everything is right, and nothing is told twice.
#[test]
fn cut_off_it_is_said_how_old_is_what_is_known() {
    let Some(mut team) = Team::meet() else { return };
    team.berta.run(["claim", "src/lib.rs"]).expect_code(0);
    wait_within(PATIENCE, "Anna to see Berta's claim", || team.of_bertas("src/lib.rs"));
    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open("src/lib.rs");
    let told = document.wait_for_diagnostic("claimed-elsewhere");
    assert!(!told["message"].as_str().unwrap().contains("answered"), "{told}");
    team.node.kill();
    let known_at = || {
        let status = team.anna.run(["--json", "status"]).expect_code(0).json();
        status["team"]["known_at"].is_string().then_some(())
    };
    wait_within(PATIENCE, "the clone to notice it", known_at);
    let shown = team.anna.run(["status"]).expect_code(0).stdout;
    assert!(shown.contains("What is known of the other clones is from "), "{shown}");
    let told = team.anna.run(["team"]).expect_code(3).stderr;
    assert!(told.contains("What is known of the other clones is from "), "{told}");
    let is_aged = |told: &Value| told["message"].as_str().unwrap().contains("since when the team has not answered");
    let told = document.wait_for_diagnostic_where("its age", is_aged);
    assert_eq!(told["code"], "claimed-elsewhere", "{told}");
    expect_few_attempts(&team);
    assert!(team.of_bertas("src/lib.rs").is_some());
    let told = team.anna.run(["claim", "deploy", "production"]).expect_code(3).stderr;
    assert!(told.contains("no answer") && told.contains("deconflict doctor"), "{told}");
    team.anna.run(["send", "Berta", "Still there?", "I am offline."]).expect_code(0);
    team.anna.run(["claim", "src/main.rs"]).expect_code(0);
    team.berta.run(["release", "src/lib.rs"]).expect_code(0);

    team.node.run();
    let back = Instant::now();
    let is_right = || {
        let seen = team.berta.run(["--json", "status"]).expect_code(0).json();
        let claims = seen["claims"].as_array().unwrap();
        let has_annas =
            claims.iter().any(|it| it["display_name"].as_str().unwrap_or_default().starts_with("src/main.rs ("));
        (has_annas && team.of_bertas("src/lib.rs").is_none()).then_some(())
    };
    wait_within(PATIENCE, "both clones to be right again", is_right);
    document.wait_until_clear();
    eprintln!("right again after {:?}", back.elapsed());
    let status = team.anna.run(["--json", "status"]).expect_code(0).json();
    assert_eq!((&status["team"]["known_at"], &status["team"]["trouble"]), (&Value::Null, &Value::Null));
    let letters = || {
        let read = team.berta.run(["--json", "messages"]).expect_code(0).json();
        let read = read["messages"].as_array().unwrap().len();
        (read > 0).then_some(read)
    };
    assert_eq!(wait_within(PATIENCE, "Anna's message", letters), 1);
    let again = team.berta.run(["--json", "messages"]).expect_code(0).json();
    assert_eq!(again["messages"].as_array().unwrap().len(), 0, "{again}");
}

/// Whoever shares a clone with a team that does not answer asks seldom: two processes, each about once a second.
fn expect_few_attempts(team: &Team) {
    let port: u16 = team.node.address().split([':', '/']).find_map(|part| part.parse().ok()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    // How much is asked in a time is seen only by letting it pass. At first it is asked sooner.
    let (start, mut attempts) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_secs(7) {
        let Ok((mut asked, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let mut words = [0; 40];
        asked.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let read = asked.read(&mut words).unwrap_or_default();
        if start.elapsed() > Duration::from_secs(3) {
            attempts.push(String::from_utf8_lossy(&words[..read]).into_owned());
        }
    }
    assert!((1..=16).contains(&attempts.len()), "{attempts:?}");
}

/// Where only hooks live one process shares the clone, is started again if it is killed, and ends a minute after the last session.
#[cfg(target_os = "linux")]
#[test]
fn one_helper_serves_a_clone_and_ends_after_its_last_session() {
    let Some(team) = Team::meet() else { return };
    team.berta.run(["end"]).expect_code(0);
    let agents = ["a", "b"].map(|name| CodingAgent::on(&team.workspace, name).in_folder(&team.second));
    for agent in &agents {
        agent.start();
        agent.prompt();
    }
    let only = || match helpers_of(&team.second)[..] {
        [only] => Some(only),
        _ => None,
    };
    let first = wait_within(PATIENCE, "one helper", only);
    let process = rustix::process::Pid::from_raw(first.cast_signed()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    wait_within(PATIENCE, "it to be gone", || (only() != Some(first)).then_some(()));
    agents[0].prompt();
    wait_within(PATIENCE, "another one", only);
    agents[0].edit("src/lib.rs", "pub fn changed() {}\n").expect_no_denial();
    wait_within(PATIENCE, "Anna to see the agent's claim", || team.of_bertas("src/lib.rs"));
    for agent in &agents {
        agent.shell().run(["end"]).expect_code(0);
    }
    let ended = Instant::now();
    wait_within(2 * PATIENCE, "the helper to end", || helpers_of(&team.second).is_empty().then_some(()));
    assert!(ended.elapsed() > Duration::from_secs(45), "{:?}", ended.elapsed());
    // What lies there uncommitted is told on.
    assert_eq!(team.of_bertas("src/lib.rs").unwrap()["standing"], "uncommitted");
}

/// Each message goes to the other clone once and at once, the later ones of a conversation too, and a claim that changes is told
/// as it is.
#[test]
fn what_changes_is_told_again_and_each_message_is_sent_once() {
    let Some(team) = Team::meet() else { return };
    let until = || team.of_bertas("src/lib.rs").map(|claim| claim["expires_at"].clone());
    team.berta.run(["claim", "--for", "1h", "src/lib.rs"]).expect_code(0);
    let before = wait_within(PATIENCE, "Anna to see Berta's claim", until);
    team.berta.run(["claim", "--for", "3h", "src/lib.rs"]).expect_code(0);
    wait_within(PATIENCE, "Anna to see it renewed", || until().filter(|after| *after != before));

    for number in 1..=4 {
        team.anna.run(["send", "Berta", "Another", &format!("message {number}")]).expect_code(0);
        let start = Instant::now();
        let has_come = || {
            let read = team.berta.run(["messages"]).expect_code(0).stdout;
            read.contains(&format!("message {number}")).then_some(())
        };
        wait_within(PATIENCE, "Anna's message", has_come);
        assert!(start.elapsed() < Duration::from_secs(8), "message {number} took {:?}", start.elapsed());
    }
    let all =
        team.node.ask("/v3/kv/range", &serde_json::json!({ "key": "AA==", "range_end": "AA==", "keys_only": true }));
    let direct = |key: &Value| {
        // "messages/direct/" at each of the three places where its encoding may begin.
        let key = key["key"].as_str().unwrap();
        ["bWVzc2FnZXMvZGlyZWN0", "1lc3NhZ2VzL2RpcmVjdC", "tZXNzYWdlcy9kaXJlY3Qv"].iter().any(|part| key.contains(part))
    };
    let sent = all["kvs"].as_array().unwrap().iter().filter(|key| direct(key)).count();
    assert_eq!(sent, 4, "{all}");
}
