//! Google's generateContent, which Gemini CLI speaks.

use serde_json::{Value, json};

use super::{Action, Dialect, LAST_WORD, Reply, Said};

pub(super) static DIALECT: Dialect = Dialect { conversation, tools, call, write, names_events: false };

fn conversation(body: &Value) -> Vec<Said> {
    let mut said = Vec::new();
    for content in body["contents"].as_array().into_iter().flatten() {
        for part in content["parts"].as_array().into_iter().flatten() {
            let is_model = content["role"] == "model";
            if part["functionCall"].is_object() {
                said.push(Said::Called);
            } else if part["functionResponse"].is_object() {
                said.push(Said::Result(part["functionResponse"]["response"].to_string()));
            } else if let Some(text) = part["text"].as_str() {
                said.push(if is_model { Said::ByModel } else { Said::ByUser(text.to_owned()) });
            }
        }
    }
    said
}

fn tools(body: &Value) -> Vec<String> {
    let lists = body["tools"].as_array().into_iter().flatten();
    let tools = lists.flat_map(|list| list["functionDeclarations"].as_array().into_iter().flatten());
    tools.filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect()
}

fn call(action: &Action, _: &Value) -> (String, Value) {
    let (name, arguments) = match action {
        Action::Read { path } => ("read_file", json!({"file_path": path})),
        Action::Edit { path, old, new } => {
            ("replace", json!({"file_path": path, "old_string": old, "new_string": new, "instruction": "scripted"}))
        }
        Action::Write { path, text } => ("write_file", json!({"file_path": path, "content": text})),
        Action::Shell { command } => ("run_shell_command", json!({"command": command, "description": "scripted"})),
        Action::Tool { name, arguments } => (name.as_str(), arguments.clone()),
        Action::Task { prompt } => ("invoke_agent", json!({"agent_name": "generalist", "prompt": prompt})),
        Action::Patch { .. } => panic!("Gemini CLI has no tool for {action:?}"),
    };
    (name.to_owned(), arguments)
}

fn write(reply: &Reply, _: &Value) -> Vec<Value> {
    let part = match &reply.call {
        Some(call) => json!({
            "functionCall": {"id": call.id, "name": call.name, "args": call.arguments},
            "thoughtSignature": "c2NyaXB0ZWQ=",
        }),
        None => json!({"text": LAST_WORD}),
    };
    vec![json!({
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20},
        "modelVersion": "scripted",
        "responseId": "scripted",
    })]
}
