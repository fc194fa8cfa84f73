//! Anthropic's Messages, which Claude Code speaks.

use serde_json::{Value, json};

use super::{Action, Dialect, LAST_WORD, Reply, Said, texts};

pub(super) static DIALECT: Dialect = Dialect { conversation, tools, call, write, names_events: true };

fn conversation(body: &Value) -> Vec<Said> {
    let mut said = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        if message["role"] != "assistant" && content.is_string() {
            said.push(Said::ByUser(texts(content)));
        }
        for part in content.as_array().into_iter().flatten() {
            match part["type"].as_str() {
                Some("tool_use") => said.push(Said::Called),
                Some("tool_result") => said.push(Said::Result(texts(&part["content"]))),
                Some("text") if message["role"] == "assistant" => said.push(Said::ByModel),
                Some("text") => said.push(Said::ByUser(texts(part))),
                _ => {}
            }
        }
    }
    said
}

fn tools(body: &Value) -> Vec<String> {
    let names = body["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str());
    names.map(str::to_owned).collect()
}

fn call(action: &Action, body: &Value) -> (String, Value) {
    let (name, arguments) = match action {
        Action::Read { path } => ("Read", json!({"file_path": path})),
        Action::Edit { path, old, new } => ("Edit", json!({"file_path": path, "old_string": old, "new_string": new})),
        Action::Write { path, text } => ("Write", json!({"file_path": path, "content": text})),
        Action::Shell { command } => ("Bash", json!({"command": command, "description": "scripted"})),
        Action::Task { prompt } => {
            let name = if tools(body).iter().any(|tool| tool == "Agent") { "Agent" } else { "Task" };
            (name, json!({"description": "scripted", "prompt": prompt, "subagent_type": "general-purpose"}))
        }
        Action::Tool { name, arguments } => (name.as_str(), arguments.clone()),
        Action::Patch { .. } => panic!("Claude Code has no tool for {action:?}"),
    };
    (name.to_owned(), arguments)
}

fn write(reply: &Reply, body: &Value) -> Vec<Value> {
    let (part, empty, delta) = match &reply.call {
        Some(call) => (
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}),
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": call.arguments.to_string()}),
        ),
        None => (
            json!({"type": "text", "text": LAST_WORD}),
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": LAST_WORD}),
        ),
    };
    let reason = if reply.call.is_some() { "tool_use" } else { "end_turn" };
    let message = |content: Vec<Value>, reason: Value| {
        json!({
            "id": "msg_scripted", "type": "message", "role": "assistant", "model": body["model"], "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 10},
        })
    };
    if body["stream"] != true {
        return vec![message(vec![part], reason.into())];
    }
    vec![
        json!({"type": "message_start", "message": message(Vec::new(), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 10},
        }),
        json!({"type": "message_stop"}),
    ]
}
