//! Every setting, from each way in which an editor gives it, and what happens to wrong ones.

use std::fs;

use chrono::{DateTime, TimeDelta};
use deconflict_lsp::settings::{NEVER_FROM_WORKSPACE, SETTINGS, Setting, SettingKind};
use deconflict_workspace::DEFAULT_EXCLUSIONS;
use serde_json::{Value, json};

use crate::support::{Coordination, Editor, EditorBuilder, Workspace, bare_capabilities, hint_label};

fn ghost_holds(workspace: &Workspace, path: &str) {
    workspace.coordination().write_session("ghost", json!({}));
    workspace.coordination().write_claim("ghost", "file", path, json!({}));
}

/// The three ways in which a setting reaches the server.
fn ways(workspace: &Workspace, name: &str, value: &Value) -> Vec<EditorBuilder> {
    vec![
        Editor::builder(workspace).setting(name, value.clone()),
        // It counts more than what came with the handshake.
        Editor::builder(workspace).initialization_option(name, other(value)).configured(name, value.clone()),
        Editor::builder(workspace).capabilities(bare_capabilities()).setting(name, value.clone()),
    ]
}

fn other(value: &Value) -> Value {
    value.as_bool().map_or(json!("another"), |value| json!(!value))
}

#[test]
fn the_session_has_the_name_that_was_given() {
    let workspace = Workspace::small();
    ghost_holds(&workspace, "src/lib.rs");
    for builder in ways(&workspace, "sessionName", &json!("Ada")) {
        let editor = builder.start();
        let session = editor.wait_for_session();
        workspace
            .coordination()
            .wait_for("the session to have its name", |here| (here.session(&session)?["name"] == "Ada").then_some(()));
    }
}

#[test]
fn automatic_claims_can_be_turned_off_and_on() {
    for index in 0..3 {
        let workspace = Workspace::small();
        ghost_holds(&workspace, "src/lib.rs");
        let name = "claims.automatic";
        let editor = ways(&workspace, name, &json!(false)).remove(index).start();
        editor.wait_for_session();
        let document = editor.open("src/main.rs");
        document.type_text("x");
        editor.execute_ok("deconflict.claim", json!({ "uri": workspace.uri("README.md") }));
        editor.status();
        assert_eq!(workspace.coordination().claim("src/main.rs"), None);
        editor.change_setting(name, json!(true));
        document.type_text("y");
        workspace.coordination().wait_for_claim("src/main.rs");
    }
}

#[test]
fn the_lease_is_as_long_as_wished() {
    // Beside another machine it has to be long enough to be relied on.
    for (minutes, wished, is_another_machine_here) in [(1, 1, false), (45, 45, false), (5, 1, true)] {
        let workspace = Workspace::small();
        if is_another_machine_here {
            workspace.coordination().write_session("far", json!({ "host": "another machine" }));
            workspace.coordination().write_claim("far", "file", "src/lib.rs", json!({}));
        }
        let editor = Editor::builder(&workspace).setting("claims.leaseMinutes", json!(wished)).start();
        if is_another_machine_here {
            editor.open("src/lib.rs").wait_for_diagnostic("claimed");
        }
        editor.open("src/main.rs").type_text("x");
        let claim = workspace.coordination().wait_for_claim("src/main.rs");
        let time = |field: &str| DateTime::parse_from_rfc3339(claim[field].as_str().unwrap()).unwrap();
        let lease = time("expires_at") - time("claimed_at");
        assert!((lease - TimeDelta::minutes(minutes)).abs() < TimeDelta::seconds(5), "{claim}");
    }
}

#[test]
fn excluded_files_are_not_claimed_by_themselves() {
    let workspace = Workspace::small();
    workspace.write("generated/deep/code.rs", "// made by a machine\n");
    let exclude = json!(["generated/**", "*.md"]);
    let editor = Editor::builder(&workspace).setting("claims.exclude", exclude).start();
    let by_hand = editor.open("README.md");
    by_hand.type_text("x");
    editor.open("generated/deep/code.rs").type_text("x");
    editor.settle(&workspace);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    editor.execute_ok("deconflict.claim", json!({ "uri": by_hand.uri }));
    workspace.coordination().wait_for_claim("README.md");
}

#[test]
fn diagnostics_and_hints_can_be_turned_off_and_on() {
    let workspace = Workspace::small();
    ghost_holds(&workspace, "src/main.rs");

    let editor = Editor::builder(&workspace).setting("diagnostics.enable", json!(false)).start();
    let document = editor.open("src/main.rs");
    document.wait_for_hints("the holder", |hints| hints.len() == 1);
    assert_eq!(document.codes(), Vec::<String>::new());
    editor.change_setting("diagnostics.enable", json!(true));
    document.wait_for_diagnostic("claimed");
    editor.change_setting("diagnostics.enable", json!(false));
    document.wait_until_clear();

    let editor = Editor::builder(&workspace).setting("inlayHints.enable", json!(false)).start();
    let document = editor.open("src/main.rs");
    document.wait_for_diagnostic("claimed");
    assert_eq!(document.inlay_hints(), Vec::<Value>::new());
    editor.change_setting("inlayHints.enable", json!(true));
    document.wait_for_hints("the holder", |hints| hints.len() == 1);
}

#[test]
fn the_severity_of_diagnostics_can_be_chosen() {
    let workspace = Workspace::small();
    ghost_holds(&workspace, "src/main.rs");
    for (name, number) in [("hint", 4), ("information", 3), ("warning", 2), ("error", 1)] {
        let editor = Editor::builder(&workspace).setting("diagnostics.severity", json!(name)).start();
        let document = editor.open("src/main.rs");
        document.type_text("x");
        document.wait_for_diagnostic_where(name, |diagnostic| diagnostic["severity"] == number);
    }
}

#[test]
fn ones_own_claims_have_a_hint_only_when_wished() {
    let workspace = Workspace::small();
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/main.rs");
    document.type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    editor.settle(&workspace);
    assert_eq!(document.inlay_hints(), Vec::<Value>::new());
    editor.change_setting("inlayHints.own", json!(true));
    let hints = document.wait_for_hints("one's own claim", |hints| hints.len() == 1);
    assert!(hint_label(&hints[0]).chars().count() <= 40);
}

#[test]
fn activation_decides_where_the_server_works() {
    let cases = [
        ("never", true, false),
        ("auto", true, true),
        ("always", true, true),
        ("never", false, false),
        ("auto", false, false),
        ("always", false, true),
    ];
    for (activation, in_repository, active) in cases {
        let workspace = if in_repository { Workspace::small() } else { Workspace::plain() };
        workspace.write("notes.md", "# Notes\n");
        let editor = Editor::builder(&workspace).setting("activation", json!(activation)).start();
        let document = editor.open("notes.md");
        document.type_text("x");
        if active {
            workspace.coordination().wait_for_claim("notes.md");
        } else {
            editor.execute_refused("deconflict.claim", json!({ "uri": document.uri }), "inactive");
            assert!(!workspace.coordination().exists(), "{activation} {in_repository}");
        }
    }
}

#[test]
fn the_directory_can_be_named_if_it_is_above_the_workspace() {
    let workspace = Workspace::small();
    let named = workspace.beside("COORDINATION");
    let editor = Editor::builder(&workspace).setting("directory", json!(named)).start();
    editor.open("src/main.rs").type_text("x");
    Coordination::at(&named).wait_for_claim("project/src/main.rs");
    assert!(!workspace.coordination().exists());

    let elsewhere = workspace.beside("elsewhere").join("COORDINATION");
    fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    let editor = Editor::builder(&workspace).setting("directory", json!(elsewhere)).start();
    let told = editor.wait_for_message(elsewhere.to_str().unwrap());
    assert!(told["message"].as_str().unwrap().contains(workspace.root().to_str().unwrap()), "{told}");
    assert!(!elsewhere.exists());
}

/// What a clone brings along must not decide where records are written.
#[test]
fn the_directory_is_not_taken_from_what_the_editor_reads_of_the_workspace() {
    let workspace = Workspace::small();
    let named = workspace.beside("COORDINATION");
    let editor = Editor::builder(&workspace).configured("directory", json!(named)).start();
    editor.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    assert!(!named.exists());
}

#[test]
fn wrong_values_are_reported_and_the_defaults_used() {
    let cases = [
        ("directory", json!(7)),
        ("activation", json!("sometimes")),
        ("sessionName", json!(["a"])),
        ("claims.automatic", json!("yes")),
        ("claims.leaseMinutes", json!("long")),
        ("claims.leaseMinutes", json!(0)),
        ("claims.leaseMinutes", json!(-3)),
        ("claims.idleMinutes", json!("a while")),
        ("claims.exclude", json!("**")),
        ("claims.exclude", json!(["a[", "b"])),
        ("diagnostics.enable", json!(1)),
        ("diagnostics.severity", json!("loud")),
        ("inlayHints.enable", json!("on")),
        ("inlayHints.own", json!({})),
        ("messages.show", json!("some")),
    ];
    for (name, value) in cases {
        let workspace = Workspace::small();
        let editor = Editor::builder(&workspace).setting(name, value.clone()).start();
        let told = editor.wait_for_message(name);
        assert!(matches!(told["type"].as_i64(), Some(1 | 2)), "{name} {value}: {told}");
        editor.open("src/main.rs").type_text("x");
        let claim = workspace.coordination().wait_for_claim("src/main.rs");
        assert_eq!(claim["automatic"], true, "{name} {value}");
        assert_eq!(editor.messages().len(), 1, "{name} {value} is reported once: {:?}", editor.messages());
    }
}

#[test]
fn a_wrong_value_that_comes_later_is_reported_too() {
    for capabilities in [crate::support::full_capabilities(), bare_capabilities()] {
        let workspace = Workspace::small();
        let editor = Editor::builder(&workspace).capabilities(capabilities).start();
        editor.change_setting("messages.show", json!("some"));
        editor.wait_for_message("messages.show");
    }
}

#[test]
fn status_is_pushed_to_who_wants_it() {
    let workspace = Workspace::small();
    ghost_holds(&workspace, "src/lib.rs");
    let editor = Editor::builder(&workspace).initialization_option("statusNotifications", json!(true)).start();
    let session = editor.wait_for_session();
    editor.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    workspace.coordination().write_message("ghost", &session, "Hello", "there", json!({}));
    editor.wait_until("a status", |view| view.statuses.last().cloned());
    // Only those who asked get it: for everyone else the harness fails on it.
    let other = Editor::start(&workspace, "other");
    other.wait_for_session();
    other.settle(&workspace);
}

/// A file of this repository, with every run of white space as one space.
fn text_of(path: &str) -> String {
    let text = fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn manifest_and_manuals_say_what_the_table_says() {
    let manifest: Value = serde_json::from_str(&text_of("editors/vscode/package.json")).unwrap();
    let texts: Value = serde_json::from_str(&text_of("editors/vscode/package.nls.json")).unwrap();
    let (help, readme) = (text_of("editors/nvim/doc/deconflict.txt"), text_of("editors/README.md"));
    let properties = manifest["contributes"]["configuration"]["properties"].as_object().unwrap();
    for Setting { name, kind, default, description } in SETTINGS {
        let property = &properties[&format!("deconflict.{name}")];
        // Editors let a list be changed on their settings page if it is one from the beginning.
        let default_here = match name {
            "claims.exclude" => json!(DEFAULT_EXCLUSIONS),
            "claims.exclusive" | "journal.exclude" => json!([]),
            _ => serde_json::from_str::<Value>(default).unwrap(),
        };
        assert_eq!(property["default"], default_here, "{name}");
        let (json_type, words) = match kind {
            SettingKind::Flag => (json!("boolean"), Value::Null),
            SettingKind::Text => (json!("string"), Value::Null),
            SettingKind::Minutes | SettingKind::Number => (json!("number"), Value::Null),
            SettingKind::Globs => (json!("array"), Value::Null),
            SettingKind::Choice(words) => (json!("string"), json!(words)),
        };
        assert_eq!((&property["type"], property.get("enum").unwrap_or(&Value::Null)), (&json_type, &words), "{name}");
        assert_eq!(property["scope"] == "machine", NEVER_FROM_WORKSPACE.contains(&name), "{name}");
        let shown = property.get("description").or(property.get("markdownDescription")).unwrap().as_str().unwrap();
        assert_eq!(texts[shown.trim_matches('%')], description, "{name}");
        let expected = kind.expected();
        let manuals = [
            (&help, format!(" {name} {default} {expected} {description} ")),
            (&readme, format!("| `{name}` | `{default}` | {expected} | {description} |")),
        ];
        for (manual, row) in manuals {
            assert!(manual.contains(&row), "{row}");
        }
    }
    // What the extension does by itself, without the server.
    let own = ["server.", "warnings.", "autoSave.", "explorer.", "terminal.", "trace."];
    for name in properties.keys().map(|name| name.strip_prefix("deconflict.").unwrap()) {
        let is_own = own.iter().any(|group| name.starts_with(group));
        assert!(is_own || SETTINGS.iter().any(|setting| setting.name == name), "the server does not read {name}");
    }
    let rows =
        |text: &str, of: &str| text.split("## ").find(|part| part.starts_with(of)).unwrap().matches("| `").count();
    assert_eq!(rows(&readme, "Settings"), 2 * SETTINGS.len(), "the README has a row more");
}
