//! The documented events of each coding agent, replayed: what the hook answers, and in which form.
//!
//! The fixtures were written from the agents' documentation. `{root}` stands for the workspace; `expect` says what an
//! event must lead to while another session holds `src/parser.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use deconflict_agents::{Agent, EventKind, SubAgent, session_id};
use serde_json::{Value, json};

use crate::support::hook_answers::{check_form, context, denial};
use crate::support::{Terminal, Workspace, hook};

const AGENTS: [&str; 5] = ["claude-code", "codex", "gemini", "cursor", "opencode"];

/// The file that somebody else holds throughout.
const HELD: &str = "src/parser.rs";

struct Fixture {
    required: Vec<String>,
    events: Vec<(Value, String)>,
}

impl Fixture {
    fn of(agent: &str, workspace: &Workspace) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/hooks/{agent}.json"));
        let text = fs::read_to_string(&path).unwrap().replace("{root}", workspace.root().to_str().unwrap());
        let fixture: Value = serde_json::from_str(&text).unwrap();
        let events = fixture["events"].as_array().unwrap().iter();
        Self {
            required: serde_json::from_value(fixture["required"].clone()).unwrap(),
            events: events.map(|it| (it["event"].clone(), it["expect"].as_str().unwrap().to_owned())).collect(),
        }
    }
}

/// A workspace in which another session holds a file.
fn workspace_with_a_holder() -> Workspace {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "file", HELD, "--phase", "rewriting the parser"]).expect_code(0);
    workspace
}

fn name_of(event: &Value) -> &str {
    event.get("hook_event_name").or_else(|| event.get("event")).and_then(Value::as_str).unwrap_or_default()
}

fn replay(agent: &str) {
    let workspace = workspace_with_a_holder();
    let terminal = Terminal::on(&workspace);
    let fixture = Fixture::of(agent, &workspace);
    for (event, expected) in &fixture.events {
        let told = hook(&terminal, agent, event);
        check_form(agent, name_of(event), &told.answer);
        let found = match (denial(agent, &told.answer), context(agent, &told.answer)) {
            (Some(_), _) => "deny",
            (None, Some(_)) => "context",
            (None, None) => "silence",
        };
        assert_eq!(found, expected, "{agent}: {event}\n{told:?}");
        if let Some(reason) = denial(agent, &told.answer) {
            assert!(reason.contains("\"Ada\"") && reason.contains("until"), "who and until when: {reason}");
            assert!(reason.contains("rewriting the parser"), "what for: {reason}");
            assert!(reason.contains("--type release_request") && reason.contains("--wait"), "what to do: {reason}");
        }
        if let Some(context) = context(agent, &told.answer) {
            assert!(context.contains("\"Ada\"") && context.contains(HELD), "{context}");
        }
    }
    let coordination = workspace.coordination();
    let left: Vec<_> = coordination.claims().into_iter().filter(|claim| claim["resource_name"] != HELD).collect();
    let ends = fixture
        .events
        .iter()
        .any(|(event, _)| ["SessionEnd", "sessionEnd", "session.deleted"].contains(&name_of(event)));
    assert!(!ends || left.is_empty(), "the session ended: {left:?}");
}

#[test]
fn claude_codes_events_are_answered_in_its_form() {
    replay("claude-code");
}

#[test]
fn codexs_events_are_answered_in_its_form() {
    replay("codex");
}

#[test]
fn geminis_events_are_answered_in_its_form() {
    replay("gemini");
}

#[test]
fn cursors_events_are_answered_in_its_form() {
    replay("cursor");
}

#[test]
fn opencodes_events_are_answered_in_its_form() {
    replay("opencode");
}

#[test]
fn what_an_event_may_omit_may_be_omitted() {
    for agent in AGENTS {
        let workspace = workspace_with_a_holder();
        let terminal = Terminal::on(&workspace);
        let fixture = Fixture::of(agent, &workspace);
        for (event, _) in &fixture.events {
            let optional: Vec<String> =
                event.as_object().unwrap().keys().filter(|key| !fixture.required.contains(key)).cloned().collect();
            let mut variants = vec![];
            for key in &optional {
                let mut without = event.clone();
                without.as_object_mut().unwrap().remove(key);
                variants.push(without);
                let mut of_another_type = event.clone();
                of_another_type[key] = json!([7]);
                variants.push(of_another_type);
            }
            let mut bare = event.clone();
            bare.as_object_mut().unwrap().retain(|key, _| fixture.required.contains(key));
            variants.push(bare);
            let mut with_more = event.clone();
            with_more["a_field_of_tomorrow"] = json!({"x": 1});
            variants.push(with_more);
            for variant in variants {
                let told = hook(&terminal, agent, &variant);
                check_form(agent, name_of(&variant), &told.answer);
            }
        }
    }
}

#[test]
fn unknown_events_and_tools_are_ignored() {
    for agent in AGENTS {
        let workspace = workspace_with_a_holder();
        let terminal = Terminal::on(&workspace);
        let before = workspace.coordination().sessions().len();
        for (event, _) in Fixture::of(agent, &workspace).events {
            for (key, unknown) in [
                ("hook_event_name", "EventOfTomorrow"),
                ("event", "event.tomorrow"),
                ("tool_name", "ToolOfTomorrow"),
                ("tool", "tomorrow"),
            ] {
                let mut event = event.clone();
                if event.get(key).is_none() {
                    continue;
                }
                event[key] = unknown.into();
                let told = hook(&terminal, agent, &event);
                let is_silent = told.answer.is_null() || told.answer == json!({});
                assert!(is_silent && told.stderr.is_empty(), "{agent}: {event}\n{told:?}");
            }
        }
        assert_eq!(workspace.coordination().sessions().len(), before, "{agent} does not take part by that");
    }
}

#[test]
fn garbage_is_refused_without_blocking_the_agent() {
    let workspace = Workspace::small();
    let terminal = Terminal::on(&workspace);
    let deep = "[".repeat(100_000);
    let inputs =
        ["", "x", "[]", "null", "\"a\"", "{", "{\"hook_event_name\":", "{}", "{\"hook_event_name\":7}", "\u{0}", &deep];
    for agent in AGENTS {
        for input in inputs {
            let told = terminal.run_with_input(["hook", agent], input);
            // Agents take 2 for a refusal.
            assert_eq!(told.exit_code, 3, "{agent} {input:.40}: {told:?}");
            assert_eq!(told.stdout, "", "{agent} {input:.40}");
            assert!(told.stderr.contains("on standard input"), "{agent} {input:.40}: {told:?}");
        }
    }
    assert!(!workspace.coordination().exists());
    for wrong in [&["hook"][..], &["hook", "nobody"], &["hook", "codex", "--no-such-flag"], &["--json", "hook", "x"]] {
        let told = terminal.run(wrong.iter().copied());
        assert_eq!(told.exit_code, 3, "{wrong:?}: wrong usage must not look like a refusal either: {told:?}");
        assert!(!told.stderr.is_empty());
    }
}

#[test]
fn every_file_that_wires_an_agent_starts_the_hook_for_known_events() {
    let editors = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors");
    let files = [
        ("claude-code", "claude-code/hooks/hooks.json"),
        ("codex", "codex/hooks.json"),
        ("gemini", "gemini/hooks/hooks.json"),
        ("cursor", "cursor/hooks.json"),
    ];
    for (agent, file) in files {
        let wiring: Value = serde_json::from_str(&fs::read_to_string(editors.join(file)).unwrap()).unwrap();
        let workspace = Workspace::plain();
        let known: Vec<String> =
            Fixture::of(agent, &workspace).events.iter().map(|(event, _)| name_of(event).to_owned()).collect();
        for (event, entries) in wiring["hooks"].as_object().unwrap() {
            assert!(known.contains(event), "{file}: no fixture shows what happens at {event}");
            for entry in entries.as_array().unwrap() {
                let hooks =
                    entry.get("hooks").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![entry.clone()]);
                for hook in hooks {
                    // Gemini CLI takes every other exit code than 0 and 1 for a refusal, that of a missing program too.
                    let otherwise = if agent == "gemini" { " || exit 1" } else { "" };
                    assert_eq!(hook["command"], format!("deconflict hook {agent}{otherwise}"), "{file}: {event}");
                    let timeout = hook["timeout"].as_u64().unwrap();
                    // Gemini CLI counts milliseconds; the hook itself answers within 5 seconds.
                    let seconds = if agent == "gemini" { timeout / 1_000 } else { timeout };
                    // Codex gives these two no more than 3 seconds; the hook answers sooner there.
                    let is_hurried = agent == "codex" && ["Interrupt", "SessionEnd"].contains(&event.as_str());
                    let fitting = if is_hurried { 3..=3 } else { 6..=60 };
                    assert!(fitting.contains(&seconds), "{file}: {event}");
                }
            }
        }
    }
    for file in [
        "claude-code/.claude-plugin/plugin.json",
        "claude-code/.claude-plugin/marketplace.json",
        "claude-code/monitors/monitors.json",
        "gemini/gemini-extension.json",
    ] {
        let text = fs::read_to_string(editors.join(file)).unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{file}");
    }
    // What `claude plugin validate` warns of where it is missing.
    let manifest = |file: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(editors.join("claude-code/.claude-plugin").join(file)).unwrap())
            .unwrap()
    };
    assert!(manifest("plugin.json")["author"]["name"].is_string());
    assert!(manifest("marketplace.json")["description"].is_string());
    let skill = fs::read_to_string(editors.join("claude-code/skills/deconflict/SKILL.md")).unwrap();
    assert!(skill.starts_with("---\ndescription: "), "a skill is chosen by its description");
}

#[test]
fn an_agents_id_becomes_a_part_of_ours() {
    let [claude, codex] = ["claude-code", "codex"].map(agent);
    let id = |session: &str| session_id(claude, session, None).unwrap().to_string();
    assert_eq!(id("00893aaf-19fa-41d2-8238-13269b9b3ca0"), "claude-code-00893aaf-19fa-41d2-8238-13269b9b3ca0");
    let sub_agent = SubAgent { id: "a1b2".to_owned(), kind: None };
    assert_eq!(session_id(codex, "s", Some(&sub_agent)).unwrap().as_str(), "codex-s-a1b2");
    for awkward in ["../../x", "a b", "é", "a.", "", &"x".repeat(100)] {
        let id = id(awkward);
        assert!(id.starts_with("claude-code") && id.len() <= 64, "{id}");
    }
    assert_ne!(id("a/b"), id("a b"));
    assert_ne!(id(&"x".repeat(100)), id(&"x".repeat(101)));
}

#[test]
fn every_file_of_a_patch_is_found_once() {
    let patch = "*** Begin Patch\n*** Add File: new.rs\n+*** Add File: not/a/header\n*** Update File: a.rs\n\
                 *** Move to: src/b.rs\n@@\n-x\n+y\n*** Delete File: /abs/c.rs\r\n*** Update File: a.rs\n*** End Patch\n";
    let read = |tool: &str, command: &str| {
        let event = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/w", "tool_name": tool,
            "tool_input": {"command": command}});
        agent("codex").read(event.to_string().as_bytes(), Path::new("/w")).unwrap().unwrap().kind
    };
    let files = ["/w/new.rs", "/w/a.rs", "/w/src/b.rs", "/abs/c.rs"].map(PathBuf::from);
    assert_eq!(read("apply_patch", patch), EventKind::BeforeEdit(files.to_vec()));
    assert_eq!(read("Bash", &format!("apply_patch <<'EOF'\n{patch}EOF")), EventKind::BeforeEdit(files.to_vec()));
    let command = "grep '*** Begin Patch' x";
    assert_eq!(read("Bash", command), EventKind::BeforeCommand { command: command.into(), folder: "/w".into() });
}

fn agent(name: &str) -> &'static Agent {
    deconflict_agents::AGENTS.iter().find(|agent| agent.name == name).unwrap()
}
