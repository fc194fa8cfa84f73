//! The Responses that Codex speaks. In its code mode it offers one tool, `exec`, and all others are functions of the
//! JavaScript that this runs.

use serde_json::{Value, json};

use super::{Action, Dialect, LAST_WORD, Reply, Said, texts};

pub(super) static DIALECT: Dialect = Dialect { conversation, tools, call, write, names_events: true };

fn conversation(body: &Value) -> Vec<Said> {
    if body["input"].is_string() {
        return vec![Said::ByUser(texts(&body["input"]))];
    }
    let items = body["input"].as_array().into_iter().flatten();
    let said = items.filter_map(|item| match item["type"].as_str().unwrap_or("message") {
        "message" | "agent_message" if item["role"] == "assistant" => Some(Said::ByModel),
        "message" | "agent_message" => Some(Said::ByUser(texts(&item["content"]))),
        "function_call" | "custom_tool_call" | "local_shell_call" => Some(Said::Called),
        "function_call_output" | "custom_tool_call_output" => Some(Said::Result(texts(&item["output"]))),
        _ => None,
    });
    said.collect()
}

/// All tools: those of the request, those that its conversation adds, and those in namespaces.
fn all_tools(body: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let items = body["input"].as_array().into_iter().flatten();
    let added = items.filter(|item| item["type"] == "additional_tools").map(|item| &item["tools"]);
    let mut lists: Vec<(Option<Value>, Value)> = added.cloned().map(|list| (None, list)).collect();
    lists.push((None, body["tools"].clone()));
    while let Some((namespace, list)) = lists.pop() {
        for tool in list.as_array().into_iter().flatten() {
            if tool["tools"].is_array() {
                lists.push((Some(tool["name"].clone()), tool["tools"].clone()));
            }
            let mut tool = tool.clone();
            if let Some(namespace) = &namespace {
                tool["namespace"] = namespace.clone();
            }
            found.push(tool);
        }
    }
    found
}

fn tools(body: &Value) -> Vec<String> {
    let tools = all_tools(body);
    tools.iter().filter_map(|tool| tool["name"].as_str().or(tool["type"].as_str())).map(str::to_owned).collect()
}

fn call(action: &Action, body: &Value) -> (String, Value) {
    let offered = tools(body);
    let is_offered = |name: &str| offered.iter().any(|tool| tool == name);
    let is_code_mode = is_offered("exec") && !is_offered("apply_patch");
    let run = |command: &str| {
        if is_code_mode || is_offered("exec_command") {
            ("exec_command".to_owned(), json!({"cmd": command}))
        } else if is_offered("shell_command") {
            ("shell_command".to_owned(), json!({"command": command}))
        } else {
            ("shell".to_owned(), json!({"command": ["bash", "-lc", command]}))
        }
    };
    let patch = |text: String| ("apply_patch".to_owned(), Value::from(text));
    let (name, arguments) = match action {
        Action::Read { path } => run(&format!("cat '{path}'")),
        Action::Shell { command } => run(command),
        Action::Edit { path, old, new } => {
            let (old, new) = (with_sign('-', old), with_sign('+', new));
            patch(format!("*** Begin Patch\n*** Update File: {path}\n@@\n{old}{new}*** End Patch"))
        }
        Action::Write { path, text } => {
            patch(format!("*** Begin Patch\n*** Add File: {path}\n{}*** End Patch", with_sign('+', text)))
        }
        Action::Patch { text } => patch(text.clone()),
        Action::Task { prompt } if is_offered("spawn_agent") => {
            ("spawn_agent".to_owned(), json!({"task_name": "scripted", "message": prompt, "fork_turns": "none"}))
        }
        Action::Task { prompt } => ("spawn_agent".to_owned(), json!({"message": prompt})),
        Action::Tool { name, arguments } => (name.clone(), arguments.clone()),
    };
    if is_code_mode && (!is_offered(&name) || name == "exec_command") {
        let code = format!(
            "try {{ text(await tools.{name}({arguments})); }} catch (error) {{ text('FAILED: ' + String(error)); }}"
        );
        return ("exec".to_owned(), code.into());
    }
    (name, arguments)
}

/// The lines of a text as a patch has them.
fn with_sign(sign: char, text: &str) -> String {
    text.lines().flat_map(|line| [sign.to_string(), line.to_owned(), "\n".to_owned()]).collect()
}

fn write(reply: &Reply, body: &Value) -> Vec<Value> {
    let item = match &reply.call {
        Some(call) => {
            let tools = all_tools(body);
            let tool = tools.iter().find(|tool| tool["name"] == call.name.as_str()).cloned().unwrap_or_default();
            let mut item = json!({"id": format!("item_{}", call.id), "call_id": call.id, "name": call.name});
            if let Some(namespace) = tool.get("namespace") {
                item["namespace"] = namespace.clone();
            } else if call.name == "spawn_agent" {
                // It is not offered before the model searches for it, and can be called all the same.
                item["namespace"] = "multi_agent_v1".into();
            }
            if tool["type"] == "custom" {
                item["type"] = "custom_tool_call".into();
                item["input"] = call.arguments.clone();
            } else {
                let is_text = call.arguments.is_string();
                let arguments = if is_text { json!({"input": call.arguments}) } else { call.arguments.clone() };
                item["type"] = "function_call".into();
                item["arguments"] = arguments.to_string().into();
            }
            item
        }
        None => json!({
            "type": "message", "role": "assistant", "id": "msg_scripted",
            "content": [{"type": "output_text", "text": LAST_WORD, "annotations": []}],
        }),
    };
    let whole = json!({
        "id": "resp_scripted", "object": "response", "status": "completed", "output": [item],
        "usage": {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20},
    });
    if body["stream"] != true {
        return vec![whole];
    }
    vec![
        json!({
            "type": "response.created",
            "response": {"id": "resp_scripted", "object": "response", "status": "in_progress"},
        }),
        json!({"type": "response.output_item.added", "output_index": 0, "item": whole["output"][0]}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]}),
        json!({"type": "response.completed", "response": whole}),
    ]
}
