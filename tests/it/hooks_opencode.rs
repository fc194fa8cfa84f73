//! The plugin for opencode, run by Node as opencode runs it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Terminal, Workspace, clean_environment};

/// Loads the plugin, calls its hooks in order, and returns what each did: its outputs, or why it refused.
fn run_plugin(workspace: &Workspace, calls: Value) -> Vec<Value> {
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/opencode/deconflict.js");
    let script = workspace.beside("run.mjs");
    std::fs::copy(plugin, workspace.beside("deconflict.mjs")).unwrap();
    std::fs::write(
        &script,
        "import { Deconflict } from './deconflict.mjs';\n\
         const toasts = [];\n\
         const client = { tui: { showToast: async ({ body }) => toasts.push(body.message) } };\n\
         const hooks = await Deconflict({ directory: process.env.ROOT, client });\n\
         const done = [];\n\
         for (const [name, input, output] of JSON.parse(process.env.CALLS)) {\n\
           let refused = null;\n\
           try { await hooks[name](input, output); } catch (error) { refused = error.message; }\n\
           done.push({ output, refused, toasts: toasts.splice(0) });\n\
         }\n\
         console.log(JSON.stringify(done));\n",
    )
    .unwrap();
    let mut node = Command::new("node");
    clean_environment(&mut node, workspace.home());
    node.arg(script).env("ROOT", workspace.root()).env("CALLS", calls.to_string());
    node.env("DECONFLICT_COMMAND", env!("CARGO_BIN_EXE_deconflict")).current_dir(workspace.root());
    let output = node.output().expect("Node runs the plugin");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_plugin_carries_events_in_and_answers_back() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "file", "src/parser.rs"]).expect_code(0);
    let edit = |file: &str| json!({"args": {"filePath": workspace.path(file)}});
    let input = |tool: &str| json!({"tool": tool, "sessionID": "ses_1", "callID": "1"});
    let done = run_plugin(
        &workspace,
        json!([
            ["event", {"event": {"type": "session.created", "properties": {"info": {"id": "ses_1"}}}}, null],
            ["chat.message", {"sessionID": "ses_1"}, {"parts": [{"type": "text", "text": "Go"}]}],
            ["tool.execute.before", input("edit"), edit("src/main.rs")],
            ["tool.execute.before", input("write"), edit("src/parser.rs")],
            ["shell.env", {"cwd": "/", "sessionID": "ses_1"}, {"env": {"A": "1"}}],
            ["event", {"event": {"type": "session.idle", "properties": {"sessionID": "ses_1"}}}, null],
            ["event", {"event": {"type": "of.tomorrow", "properties": {}}}, null],
        ]),
    );
    let text = done[1]["output"]["parts"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Go\n\n") && text.contains("\"Ada\""), "{text}");
    assert_eq!(done[2]["refused"], Value::Null);
    assert!(done[3]["refused"].as_str().unwrap().contains("\"Ada\""), "{done:?}");
    assert_eq!(done[4]["output"]["env"], json!({"A": "1", "DECONFLICT_SESSION": "opencode-ses_1"}));
    // The turn ended, and the file is as it was committed.
    assert_eq!(workspace.coordination().claim_files(), ["file-src%2Fparser.rs.claim"]);
    assert_eq!(workspace.coordination().session("opencode-ses_1").unwrap()["client"], "opencode");
}

#[test]
fn without_the_program_the_agent_goes_on_and_the_user_and_the_model_are_told() {
    let workspace = Workspace::small();
    let plugin = workspace.beside("gone");
    let edit = json!({"tool": "edit", "sessionID": "s", "args": {}});
    let calls = json!([
        ["tool.execute.before", edit, {"args": {"filePath": "a.rs"}}],
        ["tool.execute.after", edit, {"output": "first"}],
        ["tool.execute.after", edit, {"output": "second"}],
    ]);
    // The plugin reads the variable when it is loaded.
    let script = workspace.beside("run2.mjs");
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/opencode/deconflict.js"),
        workspace.beside("deconflict.mjs"),
    )
    .unwrap();
    std::fs::write(
        &script,
        "import { Deconflict } from './deconflict.mjs';\n\
         const toasts = [];\n\
         const client = { tui: { showToast: async ({ body }) => toasts.push(body.message) } };\n\
         const hooks = await Deconflict({ directory: process.cwd(), client });\n\
         const calls = JSON.parse(process.env.CALLS);\n\
         for (const [name, input, output] of calls) await hooks[name](input, output);\n\
         console.log(JSON.stringify({ toasts, model: calls.slice(1).map((call) => call[2].output) }));\n",
    )
    .unwrap();
    let mut node = Command::new("node");
    clean_environment(&mut node, workspace.home());
    node.arg(script).env("CALLS", calls.to_string()).env("DECONFLICT_COMMAND", plugin);
    let output = node.current_dir(workspace.root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["toasts"][0].as_str().unwrap().contains("could not be started"), "{told}");
    let model = told["model"][0].as_str().unwrap();
    assert!(model.starts_with("first\n\ndeconflict could not be asked") && model.contains("doctor"), "{told}");
    assert_eq!(told["model"][1], "second", "it is told once");
}
