//! One session is called the same wherever anybody reads of it.

#![cfg(target_os = "linux")]

use serde_json::{Value, json};

use super::support::{CodingAgent, Committer, Editor, Neovim, Terminal, Version, Workspace, hint_label, hook};

const FILE: &str = "src/main.rs";

/// What Ada's agent is called by everybody else.
const LABEL: &str = "Ada's Claude Code";

/// A clone in which Ada's agent holds a file, and Grace works now.
fn held_by_adas_agent() -> (Workspace, CodingAgent) {
    let workspace = Workspace::small();
    workspace.git(&["config", "user.name", "Ada"]);
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    agent.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    workspace.git(&["config", "user.name", "Grace"]);
    (workspace, agent)
}

fn expect_called(surface: &str, text: &str, label: &str, id: &str) {
    assert!(text.contains(label), "{surface}: {label} is missing in: {text}");
    assert!(!text.contains("root") && !text.contains("tester"), "{surface} tells a login: {text}");
    let is_command = |line: &str| line.contains("deconflict ") || line.contains("DECONFLICT_SESSION");
    let told: Vec<&str> = text.lines().filter(|line| !is_command(line)).collect();
    assert!(!told.join("\n").contains(id), "{surface} tells an id: {text}");
}

#[test]
fn a_session_is_called_the_same_on_every_surface() {
    let (workspace, agent) = held_by_adas_agent();
    let id = agent.id();
    let check = |surface: &str, text: &str| expect_called(surface, text, LABEL, &id);

    let editor = Editor::builder(&workspace).client("Neovim").start();
    let own = editor.wait_for_session();
    let document = editor.open(FILE);
    let told = document.wait_for_diagnostic("claimed");
    check("diagnostic", told["message"].as_str().unwrap());
    check("related information", told["relatedInformation"][0]["message"].as_str().unwrap_or(LABEL));
    check("hint", &hint_label(&document.wait_for_hints("a hint", |hints| !hints.is_empty())[0]));
    check("hover", &document.hover(0, 1).to_string());
    let status = editor.execute_ok("deconflict.status", json!({}));
    let session = status["sessions"].as_array().unwrap().iter().find(|it| it["session_id"] == id.as_str()).unwrap();
    check("view of sessions", session["label"].as_str().unwrap());
    check("view of claims", status["claims"][0]["holder_label"].as_str().unwrap());
    document.type_text("x");
    check("toast", &editor.wait_for_message(LABEL).to_string());
    let refused = editor.execute("deconflict.claim", json!({ "uri": document.uri }));
    check("refusal", refused["message"].as_str().unwrap());

    let grace = Terminal::on(&workspace).session(&own);
    check("claim", &grace.run(["claim", "file", FILE]).expect_code(1).stderr);
    check("check", &grace.run(["check", FILE]).expect_code(1).stderr);
    // A row of the status names each by its id too, once, at its end.
    let status = grace.run(["status"]).expect_code(0).stdout;
    assert!(status.matches(LABEL).count() >= 2, "{status}");
    let document: Value = grace.run(["status", "--json"]).expect_code(0).json();
    check("holder as JSON", document["claims"][0]["holder"].as_str().unwrap());
    agent.shell().run(["send", "Grace", "Hello", "A word"]).expect_code(0);
    let messages = grace.run(["messages", "--peek"]).expect_code(0).stdout;
    check("message", &messages);

    grace.run(["send", LABEL, "Hello", "By its name"]).expect_code(0);
    assert!(agent.prompt().context().contains("By its name"));

    let hook = CodingAgent::on(&workspace, "grace");
    check("hook", hook.before_edit(FILE).expect_denial());
    check("who is here", hook.start().context());
    let committer = Committer::person(&workspace);
    committer.deconflict(&["guard", "--install"]).expect_code(0);
    committer.git(&["add", "-A"]).expect_code(0);
    check("git", &committer.git(&["commit", "-m", "All of it"]).expect_code(1).stderr);

    let row = format!("- **file/{FILE}** - {LABEL}");
    workspace.coordination().wait_for("the agent on the board", |it| it.board().contains(&row).then_some(()));
    let ada = {
        workspace.git(&["config", "user.name", "Ada"]);
        Terminal::on(&workspace)
    };
    let told = ada.run(["check", FILE]).expect_code(1).stderr;
    assert!(told.contains("your Claude Code"), "to Ada it is hers: {told}");
}

/// Two windows of one product, each with a file that its agent edited, are told apart wherever anybody reads of them.
#[test]
fn several_agents_of_one_kind_have_names_that_tell_them_apart() {
    let workspace = Workspace::small();
    workspace.git(&["config", "user.name", "Ada"]);
    let claude = ["one", "two"].map(|id| CodingAgent::on(&workspace, id));
    let files = [FILE, "src/lib.rs", "src/parser.rs", "README.md"];
    for (agent, file) in claude.iter().zip(files) {
        agent.start();
        agent.edit(file, "edited\n").expect_no_denial();
    }
    let shell = Terminal::on(&workspace);
    for (id, file) in ["three", "four"].into_iter().zip(&files[2..]) {
        let told = |name: &str, fields: Value| {
            let mut event = json!({"session_id": id, "cwd": workspace.root(), "hook_event_name": name});
            event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            hook(&shell, "codex", &event)
        };
        told("SessionStart", json!({"source": "startup"}));
        let patch = format!("*** Begin Patch\n*** Update File: {file}\n@@\n-a\n+b\n*** End Patch");
        told("PreToolUse", json!({"tool_name": "apply_patch", "tool_input": {"command": patch}})).expect_no_denial();
    }
    workspace.git(&["config", "user.name", "Grace"]);

    let labels = ["Ada's Claude Code", "Ada's Claude Code 2", "Ada's Codex", "Ada's Codex 2"];
    let hook = CodingAgent::on(&workspace, "grace");
    let here = hook.start().context().to_owned();
    let status = shell.run(["status"]).expect_code(0).stdout;
    let listed: Value = shell.run(["status", "--json"]).expect_code(0).json();
    let editor = Editor::builder(&workspace).client("Neovim").start();
    editor.wait_for_session();
    for (file, label) in files.into_iter().zip(labels) {
        // The first name is the beginning of the second one.
        let is_called = |text: &str| text.contains(label) && !text.contains(&format!("{label} 2"));
        let denial = hook.before_edit(file).expect_denial().to_owned();
        assert!(is_called(&denial), "{denial}");
        let refusal = shell.run(["check", file]).expect_code(1).stderr;
        assert!(is_called(&refusal), "{refusal}");
        let claims = listed["claims"].as_array().unwrap();
        let claim = claims.iter().find(|claim| claim["resource_name"] == file).unwrap();
        assert_eq!(claim["holder"], label, "{listed}");
        assert!(status.contains(label) && here.contains(label), "{status}\n{here}");
        let notice = editor.open(file).wait_for_diagnostic("claimed")["message"].to_string();
        assert!(is_called(&notice), "{notice}");
        let row = format!("- **file/{file}** - {label}");
        workspace.coordination().wait_for("the agent on the board", |it| {
            it.board().lines().any(|line| line.starts_with(&row) && is_called(line)).then_some(())
        });
    }
    // By its name each is written to.
    editor
        .execute_ok("deconflict.sendMessage", json!({"to": labels[1], "subject": "Hello", "message": "To the second"}));
    assert!(!claude[0].prompt().context().contains("To the second"));
    assert!(claude[1].prompt().context().contains("To the second"));
}

#[test]
fn in_neovims_lists_it_is_called_so_too() {
    for version in Version::both().into_iter().flatten() {
        let (workspace, agent) = held_by_adas_agent();
        let mut neovim = Neovim::start(version, &workspace);
        neovim.open(FILE);
        neovim.wait_for_diagnostic("claimed");
        neovim.command("Deconflict status");
        neovim.wait(
            "the agent in the list",
            "table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true)):find('Claude Code')",
        );
        let listed = neovim.lines();
        // A row of a session ends with its id.
        let row = listed.iter().find(|line| line.contains(&agent.id())).unwrap();
        assert!(row.contains(LABEL) && !row.contains("root") && !row.contains("tester"), "{row}");
        let own = listed.iter().find(|line| line.contains(" you ")).unwrap();
        assert!(own.contains("Grace"), "{own}");
        neovim.quit();
    }
}

#[test]
fn in_histories_ones_own_agent_is_ones_own() {
    let (workspace, agent) = held_by_adas_agent();
    let terminal = Terminal::on(&workspace);
    for (person, label) in [("Grace", LABEL), ("Ada", "your Claude Code")] {
        workspace.git(&["config", "user.name", person]);
        for verb in ["history", "blame"] {
            let told = terminal.run([verb, FILE]).expect_code(0).stdout;
            assert!(told.contains(label), "{verb} to {person}: {told}");
            assert_eq!(told.contains(LABEL), label == LABEL, "{verb} to {person}: {told}");
        }
    }
    // And in an editor's: there the person who looks is Ada.
    let editor = Editor::builder(&workspace).client("Neovim").start();
    let document = editor.open(FILE);
    let listed = editor.execute_ok("deconflict.history", json!({ "uri": document.uri }));
    assert_eq!(listed["entries"][0]["label"], "your Claude Code", "{listed}");
    let to_itself = agent.shell().env("CLAUDECODE", "1").run(["history", FILE]).expect_code(0).stdout;
    assert!(to_itself.contains(LABEL), "an agent is nobody's person: {to_itself}");
}

#[test]
fn of_a_loss_by_ones_own_agent_it_is_said_whose_agent_it_was() {
    let (workspace, agent) = held_by_adas_agent();
    let (command, other) = ("sh gen.sh", "src/lib.rs");
    let generates = |path: &str| {
        agent.before_command(command).expect_no_denial();
        workspace.write(path, "generated\n");
        agent.after_command(command).expect_no_denial();
    };
    for (person, path, label) in
        [("Grace", "src/grace.rs", format!("\"{LABEL}\"")), ("Ada", other, "Your Claude Code".to_owned())]
    {
        workspace.git(&["config", "user.name", person]);
        workspace.write(path, "mine\n");
        let editor = Editor::builder(&workspace).client("Neovim").start();
        let document = editor.open(path);
        document.type_text("x");
        workspace.coordination().wait_for_claim(path);
        document.save();
        generates(path);
        let told = document.wait_for_diagnostic("overwritten")["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(&format!("{label} changed ")), "diagnostic to {person}: {told}");
        let status = Terminal::on(&workspace).run(["status"]).expect_code(0).stdout;
        assert!(status.contains(&format!("! {label} changed \"{path}\"")), "status to {person}: {status}");
        assert!(status.contains("What you had there: "), "status to {person}: {status}");
        assert_eq!(status.contains(LABEL), person == "Grace", "status to {person}: {status}");
    }
}
