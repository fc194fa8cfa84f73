//! What the user says for all programs in `settings.toml`, and what an editor adds to it for others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use deconflict_journal::{Journal, Limits};
use serde_json::{Value, json};

use super::support::{CodingAgent, Editor, Terminal, Workspace, wait_within};

const PATIENCE: Duration = Duration::from_secs(30);

fn say_for_all(workspace: &Workspace, text: &str) {
    let settings = workspace.home().join(".config/deconflict/settings.toml");
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    fs::write(settings, text).unwrap();
}

fn kept_files(workspace: &Workspace) -> Vec<String> {
    let listed = Terminal::on(workspace).run(["history", "--json"]).expect_code(0).json();
    let mut paths: Vec<String> =
        listed["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn what_the_user_says_for_all_programs_counts_in_editors_and_for_agents() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    workspace.write("notes.gen", "1\n");
    workspace.write("more.gen", "1\n");
    workspace.commit_all("Notes");
    say_for_all(&workspace, "[claims]\nexclude = [\"*.gen\"]\n\n[merge]\nautomatic = \"disjoint\"\n");
    let editor = Editor::start(&workspace, "vim");
    let session = editor.wait_for_session();
    editor.open("notes.gen").type_text("x");
    let document = editor.open("src/main.rs");
    document.type_text("// mine\n");
    workspace.coordination().wait_for_holder("src/main.rs", &session);
    assert_eq!(workspace.coordination().claim("notes.gen"), None);
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit("more.gen", "2\n").expect_no_denial();
    assert_eq!(workspace.coordination().claim("more.gen"), None);
    // Said in the file, not in the editor.
    let theirs = fs::read_to_string(workspace.path("src/main.rs")).unwrap().replace("hello", "good morning");
    fs::write(workspace.path("src/main.rs"), theirs).unwrap();
    document.take_edit();
    assert!(document.text().starts_with("// mine\n") && document.text().contains("good morning"));
}

#[test]
fn an_editors_globs_add_to_the_users() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    for name in ["one.gen", "two.tmp"] {
        workspace.write(name, "1\n");
    }
    workspace.commit_all("Files");
    say_for_all(&workspace, "[claims]\nexclude = [\"*.gen\"]\n");
    let editor = Editor::builder(&workspace).setting("claims.exclude", json!(["*.tmp"])).start();
    let session = editor.wait_for_session();
    for name in ["one.gen", "two.tmp", "src/main.rs"] {
        editor.open(name).type_text("x");
    }
    workspace.coordination().wait_for_holder("src/main.rs", &session);
    assert_eq!(workspace.coordination().claims().len(), 1);
}

#[test]
fn what_an_editor_wants_of_the_journal_is_in_its_record_and_counts_for_everybody_while_it_lives() {
    let workspace = Workspace::small();
    workspace.coordination().create();
    let journal = || Journal::of(&workspace.root().join("COORDINATION"), None).unwrap();
    let editor = Editor::builder(&workspace)
        .setting("journal.exclude", json!(["*.key"]))
        .setting("journal.days", json!(30))
        .setting("claims.idleMinutes", json!(7))
        .start();
    let session = editor.wait_for_session();
    let record = || workspace.coordination().session(&session).unwrap()["settings"].clone();
    assert_eq!(record(), json!({"journal.exclude": ["*.key"], "journal.days": 30}));
    wait_within(PATIENCE, "the journal to know", || (journal().limits() != Limits::default()).then_some(()));
    assert_eq!(journal().limits().age, chrono::TimeDelta::days(30));
    let agent = CodingAgent::on(&workspace, "one");
    for file in ["server.key", "src/main.rs"] {
        agent.edit(file, "fn one() {}\n").expect_no_denial();
    }
    assert_eq!(kept_files(&workspace), ["src/main.rs"]);
    editor.change_setting("journal.days", json!(7));
    wait_within(PATIENCE, "the record to say less", || (record()["journal.days"] == Value::Null).then_some(()));
    wait_within(PATIENCE, "the journal to know", || (journal().limits() == Limits::default()).then_some(()));
    editor.quit();
    let mut number = 0;
    wait_within(PATIENCE, "the journal to forget the editor", || {
        // What stands there already is no change.
        number += 1;
        agent.edit("server.key", &format!("fn number_{number}() {{}}\n")).expect_no_denial();
        kept_files(&workspace).contains(&"server.key".to_owned()).then_some(())
    });
    assert!(Path::new(&journal().path()).is_dir());
}
