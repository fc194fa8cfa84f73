//! How an agent's session, its turns and its sub-agents begin and end, and what becomes of what they hold.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{CodingAgent, Coordination, Editor, Terminal, Workspace, hook, wait_for};

const FILE: &str = "src/main.rs";

/// How long a claim lasts from now on.
#[track_caller]
fn time_left(coordination: &Coordination, file: &str) -> TimeDelta {
    let claim = coordination.claim(file).unwrap();
    let end: DateTime<Utc> = claim["expires_at"].as_str().unwrap().parse().unwrap();
    end - Utc::now()
}

fn lists(record: &Value, file: &str) -> bool {
    record["files_touched"].as_array().is_some_and(|files| files.contains(&json!(file)))
}

#[test]
fn a_session_starts_with_who_else_is_here() {
    let workspace = Workspace::small();
    let (holder, id) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "file", FILE, "--phase", "rewriting it"]).expect_code(0);
    let agent = CodingAgent::on(&workspace, "one");
    workspace.coordination().write_message(&id, &agent.id(), "Welcome", "Mind the parser", json!({}));
    let told = agent.start();
    for part in ["1 other session", "\"Ada\"", FILE, "Welcome", "Mind the parser"] {
        assert!(told.context().contains(part), "{part:?} is missing: {told:?}");
    }
    let session = workspace.coordination().session(&agent.id()).unwrap();
    assert_eq!((session["client"].as_str(), session["branch"].as_str()), (Some("claude-code"), Some("main")));
    // Nobody hears of itself.
    agent.before_edit("README.md").expect_silence();
    assert!(!agent.start().context().contains("claude-code"), "the model knows who it is");
}

#[test]
fn the_end_of_a_turn_gives_back_what_is_as_it_was_committed() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    let committed = workspace.read("src/lib.rs");
    agent.edit(FILE, "fn main() { changed(); }\n").expect_no_denial();
    agent.edit("src/lib.rs", "changed and changed back").expect_no_denial();
    agent.edit("src/lib.rs", &committed).expect_no_denial();
    agent.edit("new.rs", "new\n").expect_no_denial();
    agent.before_edit("never-written.rs").expect_silence();
    assert!(time_left(&coordination, FILE) > TimeDelta::minutes(239));
    agent.stop().expect_silence();
    assert_eq!(coordination.holder("src/lib.rs"), None);
    assert_eq!(coordination.holder("never-written.rs"), None, "what was not made is as it was");
    for file in [FILE, "new.rs"] {
        let left = time_left(&coordination, file);
        assert!(left > TimeDelta::minutes(13) && left <= TimeDelta::minutes(15), "{file}: {left}");
    }
    // The next turn goes on with it.
    agent.prompt().expect_silence();
    assert!(time_left(&coordination, FILE) > TimeDelta::minutes(239));
    agent.before_edit("src/lib.rs").expect_silence();
    assert_eq!(coordination.holder("src/lib.rs"), Some(agent.id()));
}

#[test]
fn what_was_committed_meanwhile_is_given_back() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() { changed(); }\n").expect_no_denial();
    workspace.commit_all("Change it");
    agent.stop().expect_silence();
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
}

#[test]
fn an_interrupted_turn_is_settled_by_what_the_agent_tells_next() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let terminal = Terminal::on(&workspace);
    let (root, file) = (workspace.root(), workspace.path(FILE));
    let like_claude =
        |name: &str, more: Value| merged(json!({"session_id": "s", "cwd": root, "hook_event_name": name}), more);
    let like_cursor = |name: &str, more: Value| {
        merged(json!({"conversation_id": "s", "workspace_roots": [root], "hook_event_name": name}), more)
    };
    let like_opencode =
        |name: &str, more: Value| merged(json!({"sessionID": "s", "directory": root, "event": name}), more);
    let patch = format!("*** Begin Patch\n*** Update File: {}\n*** End Patch\n", file.display());
    let edit = |tool: &str| json!({"tool_name": tool, "tool_input": {"file_path": file}});
    let prompt = json!({"prompt": "not so"});
    let cases = [
        (
            "claude-code",
            like_claude("PreToolUse", edit("Edit")),
            like_claude("Notification", json!({"notification_type": "idle_prompt"})),
        ),
        ("claude-code", like_claude("PreToolUse", edit("Edit")), like_claude("UserPromptSubmit", prompt.clone())),
        (
            "codex",
            like_claude("PreToolUse", json!({"tool_name": "apply_patch", "tool_input": {"command": patch}})),
            like_claude("Interrupt", json!({"turn_id": "1"})),
        ),
        (
            "codex",
            like_claude("PreToolUse", json!({"tool_name": "apply_patch", "tool_input": {"command": patch}})),
            like_claude("UserPromptSubmit", prompt.clone()),
        ),
        ("gemini", like_claude("BeforeTool", edit("replace")), like_claude("BeforeAgent", prompt.clone())),
        ("cursor", like_cursor("preToolUse", edit("Write")), like_cursor("stop", json!({"status": "aborted"}))),
        ("cursor", like_cursor("preToolUse", edit("Write")), like_cursor("beforeSubmitPrompt", prompt)),
        (
            "opencode",
            like_opencode("tool.execute.before", json!({"tool": "edit", "args": {"filePath": file}})),
            like_opencode("session.idle", json!({})),
        ),
    ];
    for (agent, before_edit, next) in cases {
        hook(&terminal, agent, &before_edit);
        assert_eq!(coordination.holder(FILE), Some(format!("{agent}-s")));
        hook(&terminal, agent, &next);
        assert_eq!(coordination.holder(FILE), None, "{agent}: {next}");
    }
}

#[test]
fn what_an_interrupted_turn_has_changed_stays_claimed() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() { changed(); }\n").expect_no_denial();
    agent.before_edit("src/lib.rs").expect_silence();
    agent.waits_for_its_user().expect_silence();
    assert_eq!(coordination.holder("src/lib.rs"), None);
    assert!(time_left(&coordination, FILE) <= TimeDelta::minutes(15));
    agent.before_edit("src/lib.rs").expect_silence();
    agent.prompt().expect_silence();
    assert_eq!(coordination.holder("src/lib.rs"), None);
    assert!(time_left(&coordination, FILE) > TimeDelta::minutes(239), "the next turn goes on with it");
}

fn merged(mut event: Value, more: Value) -> Value {
    if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
        event.extend(more);
    }
    event
}

#[test]
fn edits_are_told_in_heartbeats_that_gather() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "1").expect_no_denial();
    let told = |file: &str| coordination.heartbeats(&agent.id()).iter().filter(|it| lists(it, file)).count();
    assert_eq!(told(FILE), 1);
    agent.edit("a.rs", "2").expect_no_denial();
    agent.edit("b.rs", "3").expect_no_denial();
    assert_eq!(told("b.rs"), 0, "at most once in 15 seconds");
    agent.stop().expect_silence();
    let last = coordination.heartbeats(&agent.id()).pop().unwrap();
    assert!(lists(&last, "a.rs") && lists(&last, "b.rs") && !lists(&last, FILE), "{last}");
    // The board is written at most once a second.
    wait_for("the board to tell of it", || {
        agent.stop().expect_silence();
        coordination.board().contains("b.rs").then_some(())
    });
}

#[test]
fn the_end_of_a_session_releases_everything_and_it_can_go_on() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "1").expect_no_denial();
    agent.shell().run(["claim", "task", "login"]).expect_code(0);
    agent.end().expect_silence();
    assert_eq!(coordination.claims(), Vec::<Value>::new());
    assert_eq!(coordination.session(&agent.id()).unwrap()["status"], "completed");
    // An end that comes twice, or to a session that never took part, is nothing.
    agent.end().expect_silence();
    agent.stop().expect_silence();
    CodingAgent::on(&workspace, "never").end().expect_silence();
    assert_eq!(coordination.sessions().len(), 1);
    agent.start();
    assert_eq!(coordination.session(&agent.id()).unwrap()["status"], "active");
    agent.before_edit(FILE).expect_no_denial();
    assert_eq!(coordination.holder(FILE), Some(agent.id()));
}

#[test]
fn a_session_that_holds_much_ends_in_time_and_its_sub_agents_with_it() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "1").expect_no_denial();
    let helpers: Vec<CodingAgent> = (0..20).map(|number| agent.helper(&format!("h{number}"))).collect();
    for (number, helper) in helpers.iter().enumerate() {
        helper.before_edit(format!("helped-{number}.rs")).expect_silence();
    }
    coordination.write_session("session-ada", json!({"name": "Ada"}));
    for number in 0..10_000 {
        let holder = match number % 10 {
            0 if number % 100 == 0 => helpers[number % helpers.len()].id(),
            0 => agent.id(),
            _ => "session-ada".to_owned(),
        };
        let name = format!("part-{}/{number}.rs", number % 97);
        coordination.write_claim(&holder, "file", &name, json!({"automatic": true}));
    }
    let start = Instant::now();
    agent.end().expect_silence();
    // The hook may declare more, but this is all that Claude Code waits for.
    assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
    // What there was no time to release is free all the same, because its holder has ended.
    let mut others = 0;
    for claim in coordination.claims() {
        let holder = claim["claimed_by"].as_str().unwrap();
        if holder == "session-ada" {
            others += 1;
        } else {
            assert_eq!(coordination.session(holder).unwrap()["status"], "completed", "{claim}");
        }
    }
    assert_eq!(others, 9_000, "nobody else lost anything");
    let next = CodingAgent::on(&workspace, "two");
    for file in [FILE, "helped-19.rs", "part-0/0.rs", "part-10/10.rs"] {
        next.before_edit(file).expect_no_denial();
    }
}

#[test]
fn sub_agents_are_told_apart_and_what_they_held_goes_to_their_agent() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    let (helper, sibling) = (agent.helper("h1"), agent.helper("h2"));
    agent.edit(FILE, "1").expect_no_denial();
    // It asked for that work itself, so its sub-agent goes on with it.
    helper.edit(FILE, "2").expect_silence();
    helper.edit("src/lib.rs", "2").expect_silence();
    assert_eq!(coordination.holder(FILE), Some(helper.id()));
    assert!(coordination.messages_to(&agent.id()).is_empty());
    assert_eq!(coordination.session(&helper.id()).unwrap()["sub_agent"], "Explore");
    assert!(sibling.before_edit("src/lib.rs").expect_denial().contains(&helper.id()));
    agent.before_edit("src/lib.rs").expect_denial();
    agent.stop().expect_silence();
    assert_eq!(coordination.holder("src/lib.rs"), Some(helper.id()), "it works on when its agent's turn ends");

    helper.stop().expect_silence();
    assert_eq!(coordination.holder(FILE), Some(agent.id()));
    assert_eq!(coordination.holder("src/lib.rs"), Some(agent.id()));
    assert_eq!(coordination.session(&helper.id()).unwrap()["status"], "completed");
    agent.edit("src/lib.rs", "3").expect_silence();
    sibling.edit("src/lib.rs", "4").expect_silence();
    agent.end().expect_silence();
    assert_eq!(coordination.claims(), Vec::<Value>::new(), "a sub-agent ends with its agent");
}

#[test]
fn a_sub_agent_that_only_reads_takes_no_part() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.before_edit(FILE).expect_silence();
    let helper = agent.helper("h1");
    helper.before_command("ls").expect_silence();
    helper.stop().expect_silence();
    assert_eq!(workspace.coordination().sessions().len(), 1);
}

#[test]
fn a_directory_that_was_deleted_is_made_again_by_the_next_edit() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "1").expect_no_denial();
    workspace.coordination().delete();
    agent.prompt().expect_silence();
    agent.stop().expect_silence();
    assert!(!workspace.coordination().exists());
    agent.edit(FILE, "2").expect_no_denial();
    assert_eq!(workspace.coordination().holder(FILE), Some(agent.id()));
}

#[test]
fn an_agent_that_told_of_work_since_its_turn_ended_does_not_wait() {
    let workspace = Workspace::small();
    let one = CodingAgent::on(&workspace, "one");
    let (person, _) = Terminal::with_new_session(&workspace);
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    one.stop().expect_silence();
    // Its hook could not write into the session's record that it works on, but a sign of it is there.
    Terminal::on(&workspace).session(&one.id()).run(["heartbeat", "editing", FILE, "drafting"]).expect_code(0);
    assert_eq!(workspace.coordination().session(&one.id()).unwrap()["turn"], "waiting");
    person.run(["claim", "file", FILE]).expect_code(1);
    one.stop().expect_silence();
    person.run(["claim", "file", FILE]).expect_code(0);
}

/// Waits until the journal knows that an editor saved what stands in a file. Who looks first need not know yet.
#[track_caller]
fn wait_for_its_author(workspace: &Workspace, file: &str, editor: &Editor) {
    wait_for("the save in the journal", || {
        let history = Terminal::on(workspace).run(["history", file, "--json"]).expect_code(0).json();
        (history["entries"][0]["session"] == editor.session_id().as_str()).then_some(())
    });
}

/// A person reviews what their agent wrote, and corrects it.
#[test]
fn a_turn_begins_with_what_was_corrected_meanwhile_and_else_in_silence() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    agent.after_read("src/lib.rs").expect_silence();
    agent.stop().expect_silence();
    agent.prompt().expect_silence();
    agent.stop().expect_silence();

    let ada = Editor::start(&workspace, "ada");
    for file in [FILE, "src/lib.rs"] {
        let document = ada.open(file);
        document.type_text("// corrected\n");
        workspace.coordination().wait_for_holder(file, &ada.session_id());
        document.save();
        wait_for_its_author(&workspace, file, &ada);
    }
    let told = agent.prompt();
    let context = told.context();
    assert!(context.contains("While you waited, files that you had edited were changed:"), "{told:?}");
    assert!(context.contains("changed \"src/main.rs\""), "{told:?}");
    assert!(!context.contains("lib.rs"), "what it only read is not its work: {told:?}");
    agent.stop();
    agent.prompt().expect_silence();
    // It is told, and still has to look before it writes.
    ada.quit();
    let refused = agent.before_edit(FILE);
    assert!(refused.expect_denial().contains("after you last looked"), "{refused:?}");
}

#[test]
fn who_cannot_be_told_at_the_prompt_is_told_at_the_first_answer_after_it() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let event = |name: &str, fields: Value| {
        let mut event = json!({
            "conversation_id": "c1", "generation_id": "g1", "hook_event_name": name, "cursor_version": "3.18.25",
            "workspace_roots": [workspace.root()], "model": "auto",
        });
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        hook(&terminal, "cursor", &event)
    };
    let tool = |name: &str, tool: &str, file: &str| {
        event(name, json!({"tool_name": tool, "tool_input": {"file_path": workspace.path(file)}, "tool_use_id": "t1"}))
    };
    tool("preToolUse", "Write", FILE);
    workspace.write(FILE, "fn main() { one(); }\n");
    tool("postToolUse", "Write", FILE);
    event("stop", json!({"status": "completed", "loop_count": 0}));
    let ada = Editor::start(&workspace, "ada");
    let document = ada.open(FILE);
    document.type_text("// corrected\n");
    workspace.coordination().wait_for_holder(FILE, &ada.session_id());
    document.save();
    wait_for_its_author(&workspace, FILE, &ada);
    event("beforeSubmitPrompt", json!({"prompt": "go on"}));
    let told = tool("postToolUse", "Read", "README.md").answer.to_string();
    assert!(told.contains("While you waited"), "{told}");
    let told = tool("postToolUse", "Read", "README.md").answer.to_string();
    assert!(!told.contains("While you waited"), "{told}");
}
