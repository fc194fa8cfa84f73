//! Cursor's sub-agents: their events name themselves alone, and the conversation that started them tells of them.

use serde_json::{Value, json};

use crate::support::{Terminal, Told, Workspace, hook};

const FILE: &str = "src/main.rs";

/// A conversation of Cursor's agent, as far as its hooks tell of it.
struct Conversation<'a> {
    workspace: &'a Workspace,
    terminal: Terminal,
    id: &'static str,
}

impl<'a> Conversation<'a> {
    fn on(workspace: &'a Workspace, id: &'static str) -> Self {
        Self { workspace, terminal: Terminal::on(workspace), id }
    }

    /// A conversation in which the user has said something.
    fn prompted(workspace: &'a Workspace, id: &'static str) -> Self {
        let conversation = Self::on(workspace, id);
        conversation.tell("beforeSubmitPrompt", json!({"prompt": "go on", "attachments": []}));
        conversation
    }

    /// The id of its session here.
    fn session(&self) -> String {
        format!("cursor-{}", self.id)
    }

    #[track_caller]
    fn tell(&self, name: &str, fields: Value) -> Told {
        let mut event = json!({
            "conversation_id": self.id, "generation_id": "g", "model": "default", "hook_event_name": name,
            "cursor_version": "3.18.25", "workspace_roots": [self.workspace.root()], "user_email": null,
            "transcript_path": null,
        });
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        hook(&self.terminal, "cursor", &event)
    }

    #[track_caller]
    fn tool(&self, name: &str, tool: &str, id: &str, input: Value) -> Told {
        self.tell(name, json!({"tool_name": tool, "tool_input": input, "tool_use_id": id}))
    }

    /// Edits a file if the hook lets it. Returns why it must not.
    #[track_caller]
    fn edit(&self, file: &str, text: &str) -> Option<String> {
        let input = json!({"file_path": self.workspace.path(file), "content": text});
        let told = self.tool("preToolUse", "Write", "call_1", input.clone());
        if told.answer["permission"] == "deny" {
            return Some(told.answer["agent_message"].as_str().unwrap().to_owned());
        }
        self.workspace.write(file, text);
        self.tool("postToolUse", "Write", "call_1", input);
        None
    }

    #[track_caller]
    fn starts_helper(&self, id: &str) {
        let start = json!({
            "subagent_id": id, "subagent_type": "explore", "task": "x", "parent_conversation_id": self.id,
            "tool_call_id": id, "subagent_model": "default", "is_parallel_worker": false,
        });
        self.tool("preToolUse", "Task", id, json!({"subagent_type": "explore", "prompt": "x"}));
        assert_eq!(self.tell("subagentStart", start).answer, json!({}), "a sub-agent is never held up");
    }

    #[track_caller]
    fn hears_of_the_end_of(&self, id: &str, transcript: Option<&str>) {
        let stop = json!({
            "subagent_type": "explore", "status": "completed", "subagent_id": id, "modified_files": [],
            "parent_conversation_id": self.id, "loop_count": 0, "agent_transcript_path": transcript,
        });
        self.tell("subagentStop", stop);
        self.tool("postToolUse", "Task", id, json!({"subagent_type": "explore"}));
    }
}

#[test]
fn a_sub_agent_goes_on_with_what_its_conversation_holds_and_gives_it_back() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    let main = Conversation::prompted(&workspace, "main");
    assert_eq!(main.edit(FILE, "1"), None);
    main.starts_helper("task-1");
    let helper = Conversation::on(&workspace, "child");
    assert_eq!(helper.edit(FILE, "2"), None, "it was asked for that work");
    assert_eq!(helper.edit("src/lib.rs", "2"), None);
    assert_eq!(coordination.holder(FILE), Some(helper.session()));
    assert_eq!(coordination.session(&helper.session()).unwrap()["sub_agent"], "explore");
    assert!(main.edit("src/lib.rs", "3").is_some(), "the two are told apart while both work");

    main.hears_of_the_end_of("task-1", None);
    assert_eq!(coordination.holder(FILE), Some(main.session()));
    assert_eq!(coordination.holder("src/lib.rs"), Some(main.session()));
    assert_eq!(coordination.session(&helper.session()).unwrap()["status"], "completed");
    assert_eq!(coordination.session(&main.session()).unwrap()["status"], "active");
    assert_eq!(main.edit("src/lib.rs", "3"), None);
    // One that is sent on after its end is known again.
    assert_eq!(helper.edit("src/lib.rs", "4"), None);
    main.tell("sessionEnd", json!({"session_id": "main", "reason": "completed"}));
    assert_eq!(coordination.claims(), Vec::<Value>::new(), "a sub-agent ends with its agent");
}

#[test]
fn of_several_sub_agents_the_one_that_is_named_ends_and_else_none_before_all_are_done() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    let main = Conversation::prompted(&workspace, "main");
    let helpers = ["one", "two", "three"].map(|id| {
        main.starts_helper(id);
        let helper = Conversation::on(&workspace, id);
        assert_eq!(helper.edit(&format!("{id}.rs"), "x"), None);
        helper
    });
    assert!(helpers[1].edit("one.rs", "y").is_some(), "siblings stand against each other");
    main.hears_of_the_end_of("one", Some("/home/ada/.cursor/projects/x/agent-transcripts/main/subagents/one.jsonl"));
    assert_eq!(coordination.holder("one.rs"), Some(main.session()));
    main.hears_of_the_end_of("two", None);
    assert_eq!(coordination.holder("two.rs"), Some(helpers[1].session()), "it could be either");
    main.hears_of_the_end_of("three", None);
    for file in ["two.rs", "three.rs"] {
        assert_eq!(coordination.holder(file), Some(main.session()));
    }
}

#[test]
fn a_sub_agent_never_ends_its_conversation() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    let main = Conversation::prompted(&workspace, "main");
    assert_eq!(main.edit(FILE, "1"), None);
    // One that works in the same conversation, or only reads, was never anybody here.
    main.starts_helper("task-1");
    main.hears_of_the_end_of("task-1", None);
    assert_eq!(coordination.holder(FILE), Some(main.session()));
    main.starts_helper("task-2");
    let helper = Conversation::on(&workspace, "child");
    assert_eq!(helper.edit("src/lib.rs", "2"), None);
    helper.tell("stop", json!({"status": "completed", "loop_count": 0}));
    helper.tell("sessionEnd", json!({"session_id": "child", "reason": "completed"}));
    assert_eq!(coordination.session(&main.session()).unwrap()["status"], "active");
    assert_eq!(coordination.holder(FILE), Some(main.session()));
    assert_eq!(coordination.holder("src/lib.rs"), Some(main.session()));
}

#[test]
fn without_its_own_events_a_sub_agent_is_known_by_the_tool_that_starts_it() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    let main = Conversation::prompted(&workspace, "main");
    assert_eq!(main.edit(FILE, "1"), None);
    main.tool("preToolUse", "Task", "task-1", json!({"subagent_type": "explore"}));
    let helper = Conversation::on(&workspace, "child");
    assert_eq!(helper.edit(FILE, "2"), None);
    main.tell("postToolUseFailure", json!({"tool_name": "Task", "tool_use_id": "task-1", "is_interrupt": true}));
    assert_eq!(coordination.holder(FILE), Some(main.session()));
    // An end that nobody told of is at the latest that of the turn.
    main.tool("preToolUse", "Task", "task-2", json!({"subagent_type": "explore"}));
    let second = Conversation::on(&workspace, "second");
    assert_eq!(second.edit("src/lib.rs", "2"), None);
    main.tell("stop", json!({"status": "aborted", "loop_count": 0}));
    assert_eq!(coordination.holder("src/lib.rs"), Some(main.session()));
    let stranger = Conversation::on(&workspace, "stranger");
    assert!(stranger.edit(FILE, "3").is_some(), "nobody is expected any more");
}

#[test]
fn another_conversation_is_nobodys_sub_agent() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.create();
    let main = Conversation::prompted(&workspace, "main");
    assert_eq!(main.edit(FILE, "1"), None);
    main.starts_helper("task-1");
    let other = Conversation::prompted(&workspace, "other");
    assert!(other.edit(FILE, "2").is_some(), "its user spoke in it");
    // Where two conversations wait for one, it cannot be told whose it is.
    other.starts_helper("task-2");
    assert!(Conversation::on(&workspace, "child").edit(FILE, "3").is_some());
    // What looked like a sub-agent and is spoken to was none.
    other.hears_of_the_end_of("task-2", None);
    let late = Conversation::on(&workspace, "late");
    assert_eq!(late.edit("src/lib.rs", "4"), None);
    late.tell("beforeSubmitPrompt", json!({"prompt": "x"}));
    assert!(late.edit(FILE, "5").is_some());
    main.tell("sessionEnd", json!({"session_id": "main", "reason": "completed"}));
    assert_eq!(coordination.holder("src/lib.rs"), Some(late.session()), "it lives on");
}
