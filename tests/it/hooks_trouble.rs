//! What a hook says when much is in the way, or the directory cannot be locked.

use std::fs::File;
use std::time::Duration;

use serde_json::json;

use crate::support::hook_answers::denial;
use crate::support::{CodingAgent, Terminal, Told, Workspace, hook};

#[test]
fn a_held_file_stays_held_while_the_lock_is_busy() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "src/parser.rs"]).expect_code(0);
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    let lock = File::options().read(true).write(true).open(workspace.coordination().directory().join(".lock")).unwrap();
    lock.lock().unwrap();
    let told = agent.before_edit("src/parser.rs");
    assert!(told.expect_denial().contains("Ada"), "{told:?}");
    let told = agent.before_command("sed -i s/a/b/ src/parser.rs");
    assert!(told.expect_denial().contains("Ada"), "{told:?}");
    // What nobody holds can be edited; that it was not claimed is said.
    let told = agent.before_edit("src/main.rs").expect_no_denial();
    assert!(told.context().contains("neither claimed nor checked"), "{told:?}");
}

/// As a machine that sleeps, or is busy with something else, suspends it.
#[cfg(target_os = "linux")]
#[test]
fn a_hook_that_was_suspended_for_longer_than_its_limit_still_answers() {
    use std::fs;
    use std::io::Write as _;
    use std::process::Stdio;
    use std::time::Instant;

    use rustix::process::{Pid, Signal, kill_process};

    use crate::support::wait_for;

    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "src/parser.rs"]).expect_code(0);
    let agent = CodingAgent::on(&workspace, "one");
    let event = agent.event(
        "PreToolUse",
        json!({"tool_name": "Bash", "tool_input": {"command": "rm src/parser.rs"}, "tool_use_id": "toolu_01"}),
    );
    let mut command = Terminal::on(&workspace).command(["hook", "claude-code"]);
    let mut hook = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = hook.stdin.take().unwrap();
    let tasks = format!("/proc/{}/task", hook.id());
    wait_for("the hook to watch its time", || (fs::read_dir(&tasks).unwrap().count() > 1).then_some(()));
    let pid = Pid::from_child(&hook);
    kill_process(pid, Signal::STOP).unwrap();
    let suspended = Instant::now();
    input.write_all(event.to_string().as_bytes()).unwrap();
    drop(input);
    wait_for("the limit to pass", || (suspended.elapsed() > Duration::from_secs(6)).then_some(()));
    kill_process(pid, Signal::CONT).unwrap();
    let output = hook.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("deny") && told.contains("Ada"), "{output:?}");
}

#[test]
fn a_refusal_names_ten_files_and_one_way_to_ask_each_holder() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "Ben");
    let files: Vec<String> = (1..=30).map(|number| format!("file-{number:02}.txt")).collect();
    for (number, file) in files.iter().enumerate() {
        let holder = if number % 2 == 0 { &ada } else { &ben };
        holder.run(["claim", "file", file]).expect_code(0);
    }
    let updates: String = files.iter().map(|file| ["*** Update File: ", file, "\n"].concat()).collect();
    let patch = format!("*** Begin Patch\n{updates}*** End Patch");
    let event = json!({
        "session_id": "c1", "cwd": workspace.root(), "hook_event_name": "PreToolUse", "tool_name": "apply_patch",
        "tool_input": {"command": patch}, "turn_id": "t1",
    });
    let told = hook(&Terminal::on(&workspace), "codex", &event);
    let patched = denial("codex", &told.answer).unwrap().to_owned();
    let command = format!("rm {}", files.join(" "));
    let told = CodingAgent::on(&workspace, "one").before_command(&command);
    for refusal in [patched.as_str(), told.expect_denial()] {
        assert_eq!(
            files.iter().filter(|file| refusal.contains(&format!("\"{file}\" has been claimed"))).count(),
            10,
            "{refusal}"
        );
        assert!(refusal.contains("And 20 more."), "{refusal}");
        assert_eq!(refusal.matches("deconflict send").count(), 2, "{refusal}");
    }
}

#[test]
fn damaged_records_never_flood_a_model() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "file", "src/parser.rs"]).expect_code(0);
    let coordination = workspace.coordination();
    for number in 0..300 {
        let damaged = format!("{{ \"status\": \"damaged {number}\", ");
        for record in
            ["claims/file-src%2Flost-NUMBER.rs.claim", "sessions/lost-NUMBER.json", "heartbeats/lost-NUMBER.json"]
        {
            coordination.write_text(&record.replace("NUMBER", &number.to_string()), &damaged);
            coordination.age(&record.replace("NUMBER", &number.to_string()), Duration::from_mins(1));
        }
        coordination.write_text(&format!("messages/broadcast/lost-{number}.json"), &damaged);
        coordination.write(&format!("sessions/odd-{number}.json"), &json!({"session_id": number, "status": "damaged"}));
    }
    let agent = CodingAgent::on(&workspace, "one");
    let is_short = |told: &Told| {
        let said = told.context().len() + told.notice().len() + told.denial().unwrap_or_default().len();
        assert!(said < 4000, "{said}: {told:?}");
    };
    is_short(&agent.start());
    is_short(&agent.prompt());
    let told = agent.before_edit("src/main.rs").expect_no_denial();
    is_short(&told);
    let told = agent.before_edit("src/parser.rs");
    assert!(told.expect_denial().contains("Ada"), "{told:?}");
    is_short(&told);
    let told = agent.before_command("rm -rf src");
    assert!(told.expect_denial().contains("Ada"), "{told:?}");
    is_short(&told);
    agent.before_command("make").expect_no_denial();
    is_short(&agent.after_command("make"));
    is_short(&agent.stop());
    let status = agent.shell().run(["status"]).expect_code(0).stdout;
    assert!(status.len() < 30_000, "{}", status.len());
}
