//! The form in which each coding agent expects the answer of its hook, as its documentation tells it.

use serde_json::{Map, Value};

/// Why the agent must not do it, wherever its answers have that.
pub(crate) fn denial<'a>(agent: &str, answer: &'a Value) -> Option<&'a str> {
    match agent {
        "claude-code" | "codex" => answer["hookSpecificOutput"]["permissionDecisionReason"].as_str(),
        "gemini" => answer["reason"].as_str(),
        "cursor" => answer["permission"].as_str().and(answer["agent_message"].as_str()),
        _ => answer["deny"].as_str(),
    }
}

/// What the model is told, wherever the agent's answers have that.
pub(crate) fn context<'a>(agent: &str, answer: &'a Value) -> Option<&'a str> {
    match agent {
        "claude-code" | "codex" | "gemini" => answer["hookSpecificOutput"]["additionalContext"].as_str(),
        "cursor" => answer["additional_context"].as_str(),
        _ => answer["context"].as_str(),
    }
}

/// Fails the test unless an answer to an event of this name has the form that the agent's documentation gives it.
#[track_caller]
pub(crate) fn check_form(agent: &str, name: &str, answer: &Value) {
    let only = |object: &Value, allowed: &[&str]| {
        let keys: Vec<&String> = object.as_object().into_iter().flat_map(Map::keys).collect();
        assert!(keys.iter().all(|key| allowed.contains(&key.as_str())), "{agent} {name}: {keys:?} in {answer}");
    };
    if let Some(text) = context(agent, answer) {
        assert!(!text.is_empty() && text.chars().count() <= 10_000, "{agent} {name}: {answer}");
    }
    match agent {
        "claude-code" | "codex" => {
            only(answer, &["systemMessage", "hookSpecificOutput"]);
            let specific = &answer["hookSpecificOutput"];
            if specific.is_null() {
                return;
            }
            only(specific, &["hookEventName", "permissionDecision", "permissionDecisionReason", "additionalContext"]);
            assert_eq!(specific["hookEventName"], name, "{answer}");
            let takes_context = [
                "SessionStart",
                "UserPromptSubmit",
                "PreToolUse",
                "PostToolUse",
                "PostToolUseFailure",
                "SubagentStart",
            ];
            assert!(takes_context.contains(&name), "{agent} {name}: {answer}");
            let decides = !specific["permissionDecision"].is_null();
            assert_eq!(decides, specific["permissionDecisionReason"].as_str().is_some_and(|it| !it.trim().is_empty()));
            // To allow would pass over what the user has to be asked.
            assert!(!decides || (name == "PreToolUse" && specific["permissionDecision"] == "deny"), "{answer}");
        }
        "gemini" => {
            assert!(answer.is_object(), "nothing but JSON is allowed on its standard output");
            only(answer, &["decision", "reason", "systemMessage", "hookSpecificOutput"]);
            assert_eq!(answer["decision"] == "deny", answer["reason"].is_string(), "{answer}");
            assert!(answer["decision"].is_null() || name == "BeforeTool", "{answer}");
            let specific = &answer["hookSpecificOutput"];
            only(specific, &["hookEventName", "additionalContext"]);
            assert!(specific.is_null() || ["SessionStart", "BeforeAgent", "AfterTool"].contains(&name), "{answer}");
        }
        "cursor" => {
            assert!(answer.is_object(), "an answer that is no JSON blocks the tool");
            match name {
                "preToolUse" | "beforeShellExecution" => only(answer, &["permission", "user_message", "agent_message"]),
                "sessionStart" => only(answer, &["additional_context", "env"]),
                "postToolUse" => only(answer, &["additional_context"]),
                _ => only(answer, &[]),
            }
            assert!(answer["permission"].is_null() || answer["permission"] == "deny", "{answer}");
        }
        _ => {
            assert!(answer.is_object());
            only(answer, &["deny", "context", "notice", "env"]);
        }
    }
}
