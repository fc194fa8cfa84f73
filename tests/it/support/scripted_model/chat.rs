//! The Chat Completions, which opencode speaks with a provider of the user's own.

use serde_json::{Value, json};

use super::{Action, Dialect, LAST_WORD, Reply, Said, texts};

pub(super) static DIALECT: Dialect = Dialect { conversation, tools, call, write, names_events: false };

fn conversation(body: &Value) -> Vec<Said> {
    let mut said = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        match message["role"].as_str() {
            Some("assistant") => {
                said.push(Said::ByModel);
                said.extend(message["tool_calls"].as_array().into_iter().flatten().map(|_| Said::Called));
            }
            Some("tool") => said.push(Said::Result(texts(&message["content"]))),
            Some("user") => said.push(Said::ByUser(texts(&message["content"]))),
            _ => {}
        }
    }
    said
}

fn tools(body: &Value) -> Vec<String> {
    let tools = body["tools"].as_array().into_iter().flatten();
    tools.filter_map(|tool| tool["function"]["name"].as_str()).map(str::to_owned).collect()
}

fn call(action: &Action, _: &Value) -> (String, Value) {
    let (name, arguments) = match action {
        Action::Read { path } => ("read", json!({"filePath": path})),
        Action::Edit { path, old, new } => ("edit", json!({"filePath": path, "oldString": old, "newString": new})),
        Action::Write { path, text } => ("write", json!({"filePath": path, "content": text})),
        Action::Patch { text } => ("apply_patch", json!({"patchText": text})),
        Action::Shell { command } => ("bash", json!({"command": command, "description": "scripted"})),
        Action::Task { prompt } => {
            ("task", json!({"description": "scripted", "prompt": prompt, "subagent_type": "general"}))
        }
        Action::Tool { name, arguments } => (name.as_str(), arguments.clone()),
    };
    (name.to_owned(), arguments)
}

fn write(reply: &Reply, body: &Value) -> Vec<Value> {
    let finish = if reply.call.is_some() { "tool_calls" } else { "stop" };
    let message = match &reply.call {
        Some(call) => json!({"role": "assistant", "content": null, "tool_calls": [{
            "index": 0, "id": call.id, "type": "function",
            "function": {"name": call.name, "arguments": call.arguments.to_string()},
        }]}),
        None => json!({"role": "assistant", "content": LAST_WORD}),
    };
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
    let answer = |object: &str, choice: Value| {
        json!({
            "id": "chat_scripted", "object": object, "created": 1_700_000_000, "model": body["model"],
            "choices": [choice], "usage": usage,
        })
    };
    if body["stream"] != true {
        let choice = json!({"index": 0, "message": message, "finish_reason": finish});
        return vec![answer("chat.completion", choice)];
    }
    let chunk = |delta: Value, reason: Value| {
        answer("chat.completion.chunk", json!({"index": 0, "delta": delta, "finish_reason": reason}))
    };
    vec![chunk(message, Value::Null), chunk(json!({}), finish.into()), "[DONE]".into()]
}
