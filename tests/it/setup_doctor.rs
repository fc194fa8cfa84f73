//! What `doctor` says about editors and agents, and about the servers that run.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Editor, Home};

#[track_caller]
fn examine(home: &Home, code: i32) -> Value {
    home.terminal().run(["doctor", "--json"]).expect_code(code).json()
}

/// How an editor or agent is wired.
#[track_caller]
fn editor<'a>(document: &'a Value, name: &str) -> &'a Value {
    let editors = document["editors"].as_array().unwrap();
    editors.iter().find(|editor| editor["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

/// The finding with this code that is about this.
#[track_caller]
fn finding<'a>(document: &'a Value, code: &str, about: &str) -> &'a Value {
    let mut findings = document["findings"].as_array().unwrap().iter();
    findings
        .find(|finding| finding["code"] == code && finding["message"].as_str().unwrap().contains(about))
        .unwrap_or_else(|| panic!("no {code} about {about} in {document:#}"))
}

/// A home in which an agent and an editor are wired, and another agent is not.
fn a_wired_home() -> Home {
    let home = Home::new();
    home.make_folder(".codex");
    home.terminal().run(["setup", "gemini", "neovim"]).expect_code(0);
    home
}

#[test]
fn what_is_wired_is_told_with_its_program_and_version() {
    let home = a_wired_home();
    let document = examine(&home, 0);
    let program = home.path(".local/share/deconflict/bin/deconflict");
    for name in ["gemini", "neovim"] {
        assert_eq!(
            *editor(&document, name),
            json!({
                "name": name, "wired": true, "outdated": false, "trusted": true, "program": program, "version": env!("CARGO_PKG_VERSION"),
            })
        );
    }
    finding(&document, "wired", "Neovim");
    assert_eq!(editor(&document, "codex")["wired"], false);
    let mend = &finding(&document, "not-wired", "Codex")["mend"];
    assert!(mend.as_str().unwrap().contains("deconflict setup codex"), "{mend}");
    let words = home.terminal().run(["doctor"]).expect_code(0).stdout;
    assert!(words.contains("✓ Neovim is set up with deconflict") && words.contains("All is well."), "{words}");
}

#[test]
fn what_is_changed_gone_or_of_another_version_is_found() {
    let home = a_wired_home();
    fs::remove_file(home.path(".gemini/extensions/deconflict/hooks/hooks.json")).unwrap();
    let document = examine(&home, 1);
    assert_eq!(editor(&document, "gemini")["outdated"], true);
    let mend = &finding(&document, "outdated", "Gemini")["mend"];
    assert_eq!(*mend, "deconflict setup gemini");
    finding(&document, "wired", "Neovim");

    home.write(".local/share/deconflict/bin/deconflict", "#!/bin/sh\necho deconflict 0.0.1\n");
    let document = examine(&home, 1);
    assert_eq!(editor(&document, "neovim")["version"], "0.0.1");
    finding(&document, "other-version", "0.0.1");

    fs::remove_file(home.path(".local/share/deconflict/bin/deconflict")).unwrap();
    let document = examine(&home, 1);
    assert_eq!(editor(&document, "neovim")["version"], Value::Null);
    finding(&document, "no-program", "Neovim");

    home.write(".local/state/deconflict/setup.json", "{ torn");
    finding(&examine(&home, 1), "setup", "setup.json");
}

#[test]
fn servers_that_run_for_the_workspace_are_counted() {
    let home = Home::new();
    let workspace = home.workspace();
    home.terminal().run(["init"]).expect_code(0);
    assert_eq!(examine(&home, 0)["servers"], "none runs for this workspace");
    home.terminal().run(["start", "--name", "a shell"]).expect_code(0);
    assert_eq!(examine(&home, 0)["servers"], "none runs for this workspace");
    let _editor = Editor::start(workspace, "alice");
    workspace.coordination().wait_for("the session of the editor", |here| (here.sessions().len() == 2).then_some(()));
    let servers = examine(&home, 0)["servers"].as_str().unwrap().to_owned();
    assert!(servers.starts_with("1 for this workspace: "), "{servers}");
}

#[test]
fn an_agent_that_was_not_told_to_trust_its_hooks_is_unprotected() {
    let home = Home::new();
    home.make_folder(".codex");
    let told = home.terminal().run(["setup", "codex"]).expect_code(0);
    assert!(told.stdout.contains("/hooks"), "{told:?}");
    let untrusted = examine(&home, 1);
    assert!(finding(&untrusted, "untrusted", "Codex")["mend"].to_string().contains("/hooks"), "{untrusted:#}");
    assert!(home.terminal().run(["setup", "codex"]).expect_code(0).stdout.contains("/hooks"), "as long as it is so");
    let state = format!(
        "[hooks.state.\"{}:stop:0:0\"]\ntrusted_hash = \"sha256:1\"\n",
        home.path(".codex/hooks.json").display()
    );
    home.write(".codex/config.toml", &state);
    assert_eq!(editor(&examine(&home, 0), "codex")["trusted"], true);
}
