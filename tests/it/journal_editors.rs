//! Editors and the journal: who loses something by another's change is told once, and has it back.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{Document, Editor, Terminal, Workspace, clean_environment, wait_for};

const POEM: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

/// What another program does that takes no part.
fn run(workspace: &Workspace, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    clean_environment(&mut command, workspace.home());
    let status = command.args(arguments).current_dir(workspace.root()).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

fn poem() -> Workspace {
    let workspace = Workspace::small();
    workspace.write("poem.txt", POEM);
    workspace.write("other.txt", POEM);
    workspace.write("another.txt", POEM);
    workspace.commit_all("A poem");
    workspace.coordination().create();
    workspace
}

/// The editor of a person of this name.
pub(super) fn editor_of(workspace: &Workspace, name: &str) -> Editor {
    let home = workspace.beside(&format!("home of {name}"));
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join(".gitconfig"), format!("[user]\n\tname = {name}\n")).unwrap();
    let home = home.to_str().unwrap();
    Editor::builder(workspace).setting("sessionName", json!(name)).env("USER", name).env("HOME", home).start()
}

/// Ada holds the poem, with changes of hers that are saved and not committed.
fn held<'e>(workspace: &Workspace, ada: &'e Editor) -> Document<'e> {
    let document = ada.open("poem.txt");
    document.type_text("Ada's line\n");
    workspace.coordination().wait_for_holder("poem.txt", &ada.wait_for_session());
    document.save();
    wait_for("the save to be in the journal as Ada's", || {
        let history = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }));
        (history["entries"][0]["label"] == "Ada").then_some(())
    });
    document
}

/// All lines of a file's log.
fn journal_lines(workspace: &Workspace, path: &str) -> Vec<Value> {
    let root = workspace.root().join(".git/deconflict");
    let logs = walk(&root).into_iter().filter(|file| file.extension().is_some_and(|it| it == "jsonl"));
    let texts = logs.filter_map(|log| std::fs::read_to_string(log).ok());
    let lines: Vec<Value> = texts
        .flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>())
        .collect();
    let is_of_file = |line: &Value| {
        let spelled = format!("file/{path}");
        ["change", "seen"].iter().any(|kind| line[*kind]["resource"] == spelled.as_str())
    };
    lines.into_iter().filter(|line| is_of_file(line)).collect()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

fn action(document: &Document, title: &str) -> Value {
    let actions = document.invoke_code_actions(0, Some("quickfix"));
    let found = actions.iter().find(|action| action["title"].as_str().is_some_and(|it| it.starts_with(title)));
    found.unwrap_or_else(|| panic!("no {title:?} in {actions:#?}"))["command"].clone()
}

/// How often a message with this text was shown.
pub(super) fn times_told(editor: &Editor, text: &str) -> usize {
    editor.messages().iter().filter(|message| message.contains(text)).count()
}

#[test]
fn what_a_script_overwrites_is_told_once_and_comes_back() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let before = workspace.read("poem.txt");
    run(&workspace, "sed", &["-i", "s/Ada's line/gone/", "poem.txt"]);
    let diagnostic = document.wait_for_diagnostic("overwritten");
    assert_eq!(diagnostic["severity"], 2, "{diagnostic}");
    let text = diagnostic["message"].as_str().unwrap();
    assert!(text.starts_with("Somebody unknown changed \"poem.txt\" at"), "{text}");
    assert_eq!(diagnostic["data"]["cause"], "unknown", "{diagnostic}");
    ada.wait_for_message("Somebody unknown changed poem.txt");
    document.reload();
    ada.run_command(&action(&document, "Restore what was in"));
    // Before the server knows that the editor has reloaded the file, it brings the text back into the document instead.
    let is_back = || workspace.read("poem.txt") == before || document.text() == before;
    wait_for("the text to be back", || is_back().then_some(()));
    document.wait_until_gone("overwritten");
    ada.settle(&workspace);
    assert_eq!(times_told(&ada, "changed poem.txt"), 1);
    assert_eq!(times_told(&bob, "poem.txt"), 0);
}

#[test]
fn what_git_takes_away_or_somebody_deletes_is_told_too() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let before = workspace.read("poem.txt");
    run(&workspace, "git", &["checkout", "--", "poem.txt"]);
    let text = document.wait_for_diagnostic("overwritten")["message"].as_str().unwrap().to_owned();
    assert!(text.contains("your uncommitted changes in it are gone"), "{text}");
    ada.execute_ok("deconflict.restore", json!({ "uri": document.uri }));
    assert_eq!(workspace.read("poem.txt"), before);
    document.wait_until_gone("overwritten");
    run(&workspace, "rm", &["poem.txt"]);
    document.wait_for_diagnostic("deleted");
    ada.run_command(&action(&document, "Keep what"));
    document.wait_until_gone("deleted");
    let answer = ada.execute_ok("deconflict.restore", json!({ "uri": document.uri }));
    assert_eq!(answer["restored"][0]["path"], "poem.txt", "{answer}");
    assert_eq!(workspace.read("poem.txt"), before);
}

#[test]
fn a_save_over_a_claim_is_told_to_both_as_done() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let theirs = bob.open("poem.txt");
    theirs.wait_for_diagnostic("claimed");
    theirs.type_text("Bob's line\n");
    theirs.wait_for_diagnostic_where("a warning", |diagnostic| diagnostic["severity"] == 2);
    theirs.save();
    bob.wait_for_message("Saved over Ada's claim of poem.txt");
    let diagnostic = document.wait_for_diagnostic("overwritten");
    let text = diagnostic["message"].as_str().unwrap();
    assert!(text.starts_with("\"Bob\" changed \"poem.txt\", which you hold, by a save at"), "{text}");
    assert_eq!(diagnostic["data"]["label"], "Bob", "{diagnostic}");
    document.type_text("unsaved\n");
    document.wait_for_diagnostic_where("an error", |it| it["code"] == "overwritten" && it["severity"] == 1);
    theirs.type_text("more\n").save();
    bob.settle(&workspace);
    ada.settle(&workspace);
    assert_eq!(times_told(&bob, "Saved over"), 1, "{:?}", bob.messages());
    assert_eq!(times_told(&ada, "Bob changed"), 1, "{:?}", ada.messages());
    assert_eq!(ada.status()["messages"]["unread"], 0);
    // Another holds it, so that it is not brought back here.
    let claimed = bob.execute_refused("deconflict.restore", json!({ "uri": theirs.uri }), "claimed");
    assert_eq!(claimed["claim"]["claimed_by"], ada.session_id().as_str());
    // What is unsaved is changed in the editor, not behind its back.
    ada.run_command(&action(&document, "Restore what was in"));
    document.take_edit();
    assert_eq!(document.text(), format!("Ada's line\n{POEM}"));
    document.wait_until_gone("overwritten");
}

#[test]
fn a_calm_day_is_not_worth_a_word() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let document = held(&workspace, &ada);
    // A formatter changes the text before the save.
    document.replace_all(&format!("Ada's  line\n{POEM}")).save();
    document.replace_all(&format!("Ada's line\n{POEM}")).save();
    run(&workspace, "git", &["stash", "-q"]);
    document.reload();
    run(&workspace, "git", &["stash", "pop", "-q"]);
    document.reload();
    run(&workspace, "git", &["commit", "-qam", "A line"]);
    run(&workspace, "git", &["switch", "-qc", "elsewhere", "HEAD~1"]);
    document.reload();
    // A file of nobody.
    let other = ada.open("other.txt");
    run(&workspace, "sed", &["-i", "s/two/2/", "other.txt"]);
    other.reload();
    std::thread::sleep(Duration::from_millis(2_500));
    ada.settle(&workspace);
    assert_eq!(ada.messages(), Vec::<String>::new());
    assert_eq!((document.codes(), other.codes()), (Vec::new(), Vec::new()));
}

#[test]
fn a_save_of_which_the_editor_tells_late_is_the_users_own() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    bob.open("poem.txt").wait_for_diagnostic("claimed");
    let other = ada.open("other.txt");
    other.type_text("Ada's line\n");
    workspace.coordination().wait_for_holder("other.txt", &ada.session_id());
    other.save();
    document.type_text("more\n");
    // The editor writes the file, and its user types on before it says so.
    document.begin_saving();
    document.type_text("and more\n");
    run(&workspace, "sed", &["-i", "s/three/3/", "other.txt"]);
    ada.wait_for_message("changed other.txt");
    document.finish_saving();
    run(&workspace, "sed", &["-i", "s/four/4/", "other.txt"]);
    wait_for("the save to be Ada's", || {
        let entries = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }))["entries"].clone();
        (entries[0]["cause"] == "save" && entries[0]["label"] == "Ada" && entries[1]["cause"] == "save").then_some(())
    });
    ada.settle(&workspace);
    assert_eq!(times_told(&ada, "poem.txt"), 0, "{:?}", ada.messages());
    assert_eq!(document.codes(), Vec::<String>::new());
    // What others see of it is left to the server that knows.
    assert_eq!(ada.status()["messages"]["unread"], 0);
}

#[test]
fn a_save_that_the_server_comes_to_late_is_the_users_own() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let document = held(&workspace, &ada);
    let before = journal_lines(&workspace, "poem.txt").len();
    // Others claim something, so Ada's server has to wait; what her editor says of another file waits behind that.
    let lock = File::options().write(true).open(workspace.path("COORDINATION/.lock")).unwrap();
    lock.lock().unwrap();
    ada.open("other.txt").type_text("Ada's line\n");
    document.type_text("more\n").save();
    wait_for("a look at what was saved", || (journal_lines(&workspace, "poem.txt").len() > before).then_some(()));
    let seen = Instant::now();
    wait_for("whatever may be told of it", || (seen.elapsed() > Duration::from_millis(1200)).then_some(()));
    lock.unlock().unwrap();
    wait_for("the save to be Ada's", || {
        let entries = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }))["entries"].clone();
        (entries[0]["cause"] == "save" && entries[0]["label"] == "Ada" && entries[1]["cause"] == "save").then_some(())
    });
    ada.settle(&workspace);
    assert_eq!(times_told(&ada, "poem.txt"), 0, "{:?}", ada.messages());
    assert_eq!(document.codes(), Vec::<String>::new());
}

#[test]
fn a_stash_of_ones_own_is_not_worth_a_word_whoever_else_is_here() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let stash = |person: &str| {
        let name = format!("user.name={person}");
        let words = ["-c", &name, "-c", "user.email=somebody@example.org", "stash", "push", "-q", "poem.txt"];
        run(&workspace, "git", &words);
        document.reload();
    };
    let wait_for_entries = |count: usize| {
        wait_for("all to be in the journal", || {
            let answer = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }));
            (answer["entries"].as_array().unwrap().len() == count).then_some(())
        });
    };
    for (file, entries) in [("other.txt", 3), ("another.txt", 5)] {
        let other = ada.open(file);
        other.type_text("unsaved\n");
        workspace.coordination().wait_for_holder(file, &ada.session_id());
        stash("Ada");
        // What comes later is told.
        run(&workspace, "sed", &["-i", "s/two/2/", file]);
        ada.wait_for_message(&format!("changed {file}"));
        run(&workspace, "git", &["stash", "pop", "-q"]);
        document.reload();
        wait_for_entries(entries);
    }
    assert_eq!((times_told(&ada, "poem.txt"), bob.messages()), (0, Vec::new()), "{:?}", ada.messages());
    stash("Bob");
    ada.wait_for_message("changed poem.txt");
}

#[cfg(unix)]
#[test]
fn a_stash_of_ones_own_that_anothers_server_sees_first_is_not_worth_a_word() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    for file in ["poem.txt", "other.txt"] {
        bob.open(file);
    }
    // A text that differs from its file when the server first looks would be Bob's unsaved one.
    bob.settle(&workspace);
    let document = held(&workspace, &ada);
    ada.execute_ok("deconflict.release", json!({ "uri": document.uri }));
    ada.open("other.txt");
    ada.delete("other.txt");
    wait_for("the deletion to be Ada's", || {
        let history = ada.execute_ok("deconflict.history", json!({ "uri": workspace.uri("other.txt") }));
        (history["entries"][0]["label"] == "Ada").then_some(())
    });
    let lost = || {
        let findings = bob.status()["coordinationNeeded"].clone();
        let is_loss = |finding: &&Value| finding["kind"] == "overwritten" || finding["kind"] == "deleted";
        findings.as_array().unwrap().iter().filter(is_loss).count()
    };
    ada.signal_server(rustix::process::Signal::STOP);
    let words = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "stash", "push", "-q"];
    run(&workspace, "git", &words);
    let is_seen = |file: &str| {
        let history = bob.execute_ok("deconflict.history", json!({ "uri": workspace.uri(file) }));
        history["entries"][0]["cause"] == "unknown"
    };
    wait_for("Bob's server to have seen it", || (is_seen("poem.txt") && is_seen("other.txt")).then_some(()));
    wait_for("Bob's server to have found who lost something", || (lost() > 0).then_some(()));
    ada.signal_server(rustix::process::Signal::CONT);
    wait_for("Ada's server to have settled it", || (lost() == 0).then_some(()));
    ada.settle(&workspace);
    assert_eq!((ada.messages(), bob.messages()), (Vec::<String>::new(), Vec::<String>::new()));
    let told = workspace.coordination().messages_to(&ada.session_id());
    assert_eq!(told, Vec::<Value>::new());
}

#[test]
fn what_a_script_wrote_under_unsaved_text_is_merged_into_it() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let document = ada.open("poem.txt");
    document.type_text("Ada's line\n");
    workspace.coordination().wait_for_holder("poem.txt", &ada.wait_for_session());
    run(&workspace, "sed", &["-i", "s/eight/8/", "poem.txt"]);
    document.wait_for_diagnostic_where("an error", |it| it["code"] == "overwritten" && it["severity"] == 1);
    let findings = ada.status()["coordinationNeeded"].clone();
    let is_told = |finding: &Value| finding["kind"] == "overwritten" && finding["resource_name"] == "poem.txt";
    assert!(findings.as_array().unwrap().iter().any(is_told), "{findings}");
    let answer = ada.run_command(&action(&document, "Merge what"));
    assert_eq!(answer, json!({ "ok": true, "conflicts": false }));
    document.take_edit();
    assert_eq!(document.text(), format!("Ada's line\n{}", POEM.replace("eight", "8")));
    document.wait_until_gone("overwritten");
    assert_eq!(ada.status()["coordinationNeeded"].as_array().unwrap().iter().filter(|it| is_told(it)).count(), 0);
    // Both write the same line now.
    document.replace_all(&document.text().replace("three", "III"));
    run(&workspace, "sed", &["-i", "s/three/3/", "poem.txt"]);
    document.wait_for_diagnostic("overwritten");
    let answer = ada.execute_ok("deconflict.merge", json!({ "uri": document.uri }));
    assert_eq!(answer["conflicts"], true);
    document.take_edit();
    let text = document.text();
    let parts = ["<<<<<<<", "III", "=======", "3\n", ">>>>>>>", "four"];
    let mut rest = text.as_str();
    for part in parts {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} in {text}")).1;
    }
    assert!(text.starts_with("Ada's line\none\n") && text.ends_with("seven\n8\n"), "{text}");
    document.save();
    ada.execute_refused("deconflict.merge", json!({ "uri": document.uri }), "not-unsaved");
}

#[test]
fn disjoint_changes_are_merged_by_themselves_for_those_who_want_that() {
    let workspace = poem();
    let ada = Editor::builder(&workspace).setting("merge.automatic", json!("disjoint")).start();
    let document = ada.open("poem.txt");
    document.type_text("Ada's line\n");
    workspace.coordination().wait_for_holder("poem.txt", &ada.wait_for_session());
    run(&workspace, "sed", &["-i", "s/eight/8/", "poem.txt"]);
    document.take_edit();
    assert_eq!(document.text(), format!("Ada's line\n{}", POEM.replace("eight", "8")));
    document.replace_all(&document.text().replace("three", "III"));
    run(&workspace, "sed", &["-i", "s/three/3/", "poem.txt"]);
    document.wait_for_diagnostic("overwritten");
    assert_eq!(ada.look(|view| view.edits.len()), 0, "both changed one line");
}

#[test]
fn what_was_changed_and_by_whom_is_listed() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    ada.execute_ok("deconflict.release", json!({ "uri": document.uri }));
    let theirs = bob.open("poem.txt");
    theirs.replace_all(&theirs.text().replace("two", "2"));
    workspace.coordination().wait_for_holder("poem.txt", &bob.session_id());
    theirs.save();
    let entries = wait_for("both saves to be listed", || {
        let answer = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }));
        let entries = answer["entries"].as_array().unwrap().clone();
        (entries.len() == 2 && entries[0]["label"] == "Bob").then_some(entries)
    });
    assert_eq!((&entries[0]["cause"], &entries[0]["path"]), (&json!("save"), &json!("poem.txt")));
    assert_eq!((&entries[1]["label"], &entries[1]["added"]), (&json!("Ada"), &json!(1)));
    assert_eq!(ada.execute_ok("deconflict.history", json!({}))["entries"], json!(entries));
    let blame = ada.execute_ok("deconflict.blame", json!({ "uri": document.uri }));
    let labels: Vec<&Value> = blame["lines"].as_array().unwrap().iter().take(4).map(|line| &line["label"]).collect();
    assert_eq!(labels, [&json!("Ada"), &Value::Null, &json!("Bob"), &Value::Null], "{blame}");
    let line = ada.execute_ok("deconflict.blame", json!({ "uri": document.uri, "line": 3 }));
    assert_eq!((line["lines"].as_array().unwrap().len(), &line["lines"][0]["label"]), (1, &json!("Bob")));
}

#[test]
fn deleting_and_moving_in_an_editor_is_told_to_the_holder_and_to_whoever_did_it() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let before = workspace.read("poem.txt");
    bob.delete("poem.txt");
    let text = document.wait_for_diagnostic("deleted")["message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("\"Bob\" deleted or moved away \"poem.txt\", which you hold, at"), "{text}");
    ada.wait_for_message("Bob deleted or moved away poem.txt");
    bob.wait_for_message("Deleted or moved away poem.txt, and Ada's uncommitted changes in it are gone.");
    ada.run_command(&action(&document, "Restore what was in"));
    document.wait_until_gone("deleted");
    assert_eq!(workspace.read("poem.txt"), before);
    // A new file, held and nowhere else.
    std::fs::create_dir(workspace.path("songs")).unwrap();
    let song = ada.open("songs/new.txt");
    song.type_text("A song\n").save();
    workspace.coordination().wait_for_holder("songs/new.txt", &ada.session_id());
    wait_for("the song to be in the journal", || {
        (!journal_lines(&workspace, "songs/new.txt").is_empty()).then_some(())
    });
    bob.rename("songs", "texts");
    song.wait_for_diagnostic("deleted");
    // One's own moving is nothing to be told of.
    ada.rename("poem.txt", "verse.txt");
    workspace.coordination().wait_for_holder("verse.txt", &ada.session_id());
    ada.settle(&workspace);
    assert_eq!(times_told(&ada, "poem.txt"), 1, "{:?}", ada.messages());
}

#[cfg(unix)]
#[test]
fn what_was_deleted_in_an_editor_whose_server_is_slow_to_hear_of_it_is_that_editors() {
    let workspace = poem();
    let (ada, bob) = (editor_of(&workspace, "Ada"), editor_of(&workspace, "Bob"));
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    before_the_server_looks(&bob, || {
        bob.delete_untold("poem.txt");
        let deleted = Instant::now();
        // Of what only Ada's editor could tell somebody unknown would be it by now.
        wait_for("time to pass", || (deleted.elapsed() > Duration::from_secs(1)).then_some(()));
    });
    let text = document.wait_for_diagnostic("deleted")["message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("\"Bob\" deleted or moved away \"poem.txt\""), "{text}");
    ada.wait_for_message("Bob deleted or moved away poem.txt");
}

#[test]
fn what_was_deleted_of_others_in_an_editor_with_notices_can_be_put_back_at_once() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let bob = Editor::builder(&workspace)
        .setting("sessionName", json!("Bob"))
        .env("USER", "Bob")
        .initialization_option("notices", json!(true))
        .start();
    bob.wait_for_session();
    let document = held(&workspace, &ada);
    let before = workspace.read("poem.txt");
    bob.delete("poem.txt");
    let notice = bob.wait_until("a notice with a way back", |view| {
        view.notices.iter().find(|notice| notice["about"]["kind"] == "took").cloned()
    });
    let about = &notice["about"];
    assert!(about["sentence"].as_str().unwrap().starts_with("Deleted or moved away poem.txt"), "{notice}");
    document.wait_for_diagnostic("deleted");
    // Ada holds the file; what Bob took away himself he may put back all the same, once.
    let back = json!({ "uri": about["uri"], "entry": about["entry"] });
    bob.execute_ok("deconflict.restore", back.clone());
    assert_eq!(workspace.read("poem.txt"), before);
    document.wait_until_gone("deleted");
    workspace.write("poem.txt", "of somebody else\n");
    bob.execute_refused("deconflict.restore", back, "claimed");
    assert_eq!(workspace.read("poem.txt"), "of somebody else\n");
}

#[test]
fn whoever_replaces_a_text_in_files_that_others_work_on_is_told_that_they_saved_over_it() {
    let workspace = poem();
    let names: Vec<String> = (1..=3).map(|number| format!("part-{number}.txt")).collect();
    for name in &names {
        workspace.write(name, POEM);
    }
    let ada = editor_of(&workspace, "Ada");
    let session = ada.wait_for_session();
    let bob = editor_of(&workspace, "Bob");
    bob.wait_for_session();
    for name in &names {
        let document = ada.open(name);
        document.type_text("x");
        workspace.coordination().wait_for_holder(name, &session);
        document.save();
        ada.status();
    }
    for name in &names {
        let document = bob.open(name);
        document.type_text("color");
        document.save_and_close();
    }
    for name in &names {
        bob.wait_for_message(&format!("Saved {name}, and Ada's uncommitted changes in it are gone."));
        ada.document(name).wait_for_diagnostic("overwritten");
        assert_eq!(times_told(&bob, name), 1, "{:?}", bob.messages());
    }
}

#[test]
fn what_happens_to_many_files_at_once_is_told_as_one() {
    let workspace = poem();
    let names: Vec<String> = (1..=8).map(|number| format!("part-{number}.txt")).collect();
    for name in &names {
        workspace.write(name, POEM);
    }
    let ada = editor_of(&workspace, "Ada");
    let session = ada.wait_for_session();
    for name in &names {
        let document = ada.open(name);
        document.type_text("x");
        workspace.coordination().wait_for_holder(name, &session);
        // The answer comes after what stands there was kept.
        ada.status();
        document.save();
    }
    wait_for("the saves to be in the journal", || {
        names.iter().all(|name| journal_lines(&workspace, name).iter().any(|it| !it["change"].is_null())).then_some(())
    });
    run(&workspace, "sh", &["-c", "for part in part-*; do echo gone > $part; done"]);
    ada.wait_for_message("The same happened to");
    for name in &names {
        ada.document(name).wait_for_diagnostic("overwritten");
    }
    assert!(ada.messages().len() < names.len(), "{:?}", ada.messages());
}

/// A content of the journal, as git reads it.
fn journal_content(workspace: &Workspace, id: &Value) -> String {
    let inside = walk(&workspace.root().join(".git/deconflict"));
    let journal = inside.iter().find(|file| file.ends_with("HEAD")).and_then(|head| head.parent());
    id.as_str().map_or("nothing".to_owned(), |id| workspace.git_in(journal.unwrap(), &["cat-file", "blob", id]))
}

/// What stood in a file before each of its changes, and after the newest, the oldest first. Each change is Ada's, which is
/// known a moment after what changed.
fn texts_of(workspace: &Workspace, ada: &Editor, path: &str) -> Vec<String> {
    let answer = wait_for("an author of each change", || {
        let answer = ada.execute_ok("deconflict.history", json!({ "uri": workspace.uri(path) }));
        answer["entries"].as_array().unwrap().iter().all(|entry| !entry["label"].is_null()).then_some(answer)
    });
    let entries = answer["entries"].as_array().unwrap().clone();
    let mut texts = Vec::new();
    for entry in entries.iter().rev() {
        assert_eq!(entry["label"], "Ada", "{answer:#}");
        if texts.is_empty() {
            texts.push(journal_content(workspace, &entry["before"]));
        }
        texts.push(journal_content(workspace, &entry["after"]));
    }
    texts
}

/// Ada's editor does something so fast that her server sees the files only after it.
#[cfg(unix)]
fn before_the_server_looks(ada: &Editor, act: impl FnOnce()) {
    ada.signal_server(rustix::process::Signal::STOP);
    act();
    ada.signal_server(rustix::process::Signal::CONT);
}

#[cfg(unix)]
#[test]
fn what_is_saved_before_anybody_looked_leaves_what_stood_there() {
    let workspace = poem();
    workspace.write("poem.txt", "not committed\nsecond\n");
    workspace.write("untracked.txt", "not tracked\n");
    let ada = editor_of(&workspace, "Ada");
    ada.wait_for_session();
    before_the_server_looks(&ada, || {
        for path in ["poem.txt", "other.txt", "untracked.txt", "new.txt"] {
            ada.open(path).type_text("Ada's line\n").save();
        }
    });
    let expected = [
        ("poem.txt", "not committed\nsecond"),
        ("other.txt", POEM.trim_end()),
        ("untracked.txt", "not tracked"),
        ("new.txt", "nothing"),
    ];
    for (path, before) in expected {
        let after = if path == "new.txt" { "Ada's line".to_owned() } else { format!("Ada's line\n{before}") };
        let is_kept = || {
            let texts = texts_of(&workspace, &ada, path);
            let texts: Vec<&str> = texts.iter().map(|text| text.trim_end()).collect();
            (texts == [before, &after]).then_some(())
        };
        wait_for(&format!("what stood in {path} to be in the journal"), is_kept);
    }
    let history = ada.execute_ok("deconflict.history", json!({ "uri": workspace.uri("poem.txt") }));
    let entry = &history["entries"][0]["id"];
    ada.execute_ok("deconflict.restore", json!({ "uri": workspace.uri("poem.txt"), "entry": entry }));
    let is_back = || workspace.read("poem.txt") == "not committed\nsecond\n";
    wait_for("the text to be back", || is_back().then_some(()));
}

/// The first edit of all makes the directory, and with it the journal. Some editors tell of an edit only once it is written.
#[test]
fn what_is_saved_before_there_is_a_journal_is_the_users_and_leaves_what_stood_there() {
    let workspace = Workspace::small();
    workspace.write("poem.txt", POEM);
    workspace.commit_all("Poem");
    let ada = editor_of(&workspace, "Ada");
    let document = ada.open("poem.txt");
    let has_looked = || drop(ada.execute("deconflict.status", json!({})));
    has_looked();
    let after = format!("Ada's line\n{POEM}");
    workspace.write("poem.txt", &after);
    document.type_text("Ada's line\n");
    has_looked();
    document.save();
    let is_kept = || (texts_of(&workspace, &ada, "poem.txt") == [POEM, &after]).then_some(());
    wait_for("both texts to be in the journal", is_kept);
    let blame = ada.execute_ok("deconflict.blame", json!({ "uri": document.uri, "line": 1 }));
    assert_eq!(blame["lines"][0]["label"], "Ada", "{blame}");
}

#[cfg(unix)]
#[test]
fn what_is_saved_twice_before_anybody_looked_leaves_the_first_text_too() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let document = held(&workspace, &ada);
    let first = document.text();
    before_the_server_looks(&ada, || {
        document.type_text("second\n").save();
        document.type_text("third\n").save();
    });
    let (second, third) = (format!("second\n{first}"), format!("third\nsecond\n{first}"));
    wait_for("all texts to be in the journal", || {
        let texts = texts_of(&workspace, &ada, "poem.txt");
        let has = |wanted: &str| texts.iter().any(|text| text.trim_end() == wanted.trim_end());
        (has(&first) && has(&second) && has(&third) && texts.last().unwrap().trim_end() == third.trim_end())
            .then_some(())
    });
    ada.settle(&workspace);
    assert_eq!(times_told(&ada, "poem.txt"), 0);
}

#[cfg(unix)]
#[test]
fn what_a_script_writes_right_after_a_save_is_not_the_users() {
    let workspace = poem();
    let ada = editor_of(&workspace, "Ada");
    let document = held(&workspace, &ada);
    before_the_server_looks(&ada, || {
        document.type_text("second\n").save();
        run(&workspace, "sed", &["-i", "s/three/3/", "poem.txt"]);
    });
    ada.wait_for_message("Somebody unknown changed poem.txt");
    let answer = ada.execute_ok("deconflict.history", json!({ "uri": document.uri }));
    let saved = journal_content(&workspace, &answer["entries"][0]["before"]);
    assert_eq!(saved.trim_end(), document.text().trim_end(), "{answer:#}");
    assert_eq!((&answer["entries"][1]["label"], &answer["entries"][1]["cause"]), (&json!("Ada"), &json!("save")));
}

/// Somebody looks at a file after an editor has written it and before its server hears of that.
#[cfg(unix)]
fn look_in_between(workspace: &Workspace) {
    let entries = || Terminal::on(workspace).run(["history", "poem.txt", "--json"]).json()["entries"].clone();
    wait_for("the save to be kept as nobody's", || entries()[0]["label"].is_null().then_some(()));
}

/// The newest changes of the poem: whose, and by what.
#[cfg(unix)]
fn newest_changes(ada: &Editor, workspace: &Workspace, count: usize) -> Vec<(Value, Value)> {
    let answer = ada.execute_ok("deconflict.history", json!({ "uri": workspace.uri("poem.txt") }));
    let entries = answer["entries"].as_array().unwrap().iter().take(count);
    entries.map(|entry| (entry["label"].clone(), entry["cause"].clone())).collect()
}

#[cfg(unix)]
#[test]
fn a_save_that_somebody_saw_before_its_editor_told_of_it_is_the_users() {
    for looks_again in [false, true] {
        let workspace = poem();
        let ada = editor_of(&workspace, "Ada");
        let document = held(&workspace, &ada);
        before_the_server_looks(&ada, || {
            document.type_text("second\n").save();
            look_in_between(&workspace);
            run(&workspace, "sed", &["-i", "s/three/3/", "poem.txt"]);
            if looks_again {
                look_in_between(&workspace);
            }
        });
        ada.wait_for_message("Somebody unknown changed poem.txt");
        let expected = [(Value::Null, json!("unknown")), (json!("Ada"), json!("save"))];
        wait_for("the save to be Ada's", || (newest_changes(&ada, &workspace, 2) == expected).then_some(()));
        ada.settle(&workspace);
        assert_eq!(times_told(&ada, "poem.txt"), 1, "{:?}", ada.messages());
    }
}

#[cfg(unix)]
#[test]
fn a_save_that_somebody_saw_long_before_its_editor_told_of_it_is_the_users() {
    // Where this machine was too busy for what is to be seen, it is tried again.
    let was_in_time = || {
        let workspace = poem();
        let ada = editor_of(&workspace, "Ada");
        let document = held(&workspace, &ada);
        document.type_text("first\n").save();
        // As it is paused, the server is about to judge whose this change is.
        wait_for("the first save to be known", || {
            (newest_changes(&ada, &workspace, 1) == [(json!("Ada"), json!("save"))]).then_some(())
        });
        let mut is_left_to_her = false;
        before_the_server_looks(&ada, || {
            document.type_text("second\n").save();
            look_in_between(&workspace);
            let written = workspace.path("poem.txt").metadata().unwrap().modified().unwrap();
            let wait_until_it_is = |age: Duration| {
                wait_for("time to pass", || (written.elapsed().unwrap() > age).then_some(()));
            };
            // A change of what nobody holds would be told as somebody unknown's by now.
            wait_until_it_is(Duration::from_secs(1));
            look_in_between(&workspace);
            is_left_to_her = written.elapsed().unwrap() < Duration::from_secs(3);
            // So late no editor of its own accord tells of a save.
            wait_until_it_is(Duration::from_secs(3));
        });
        if is_left_to_her {
            wait_for("the save to be Ada's", || {
                (newest_changes(&ada, &workspace, 1) == [(json!("Ada"), json!("save"))]).then_some(())
            });
            ada.settle(&workspace);
            document.wait_until_gone("overwritten");
            assert_eq!(times_told(&ada, "poem.txt"), 0, "{:?}", ada.messages());
            assert_eq!(ada.status()["messages"]["unread"], 0);
        }
        is_left_to_her
    };
    assert!((0..10).any(|_| was_in_time()));
}

#[test]
fn what_is_read_in_another_way_or_restored_unsaved_adds_nothing() {
    let workspace = poem();
    workspace.write("poem.txt", "\u{feff}one\r\ntwo\r\n");
    workspace.write("other.txt", b"caf\xe9\n");
    let ada = editor_of(&workspace, "Ada");
    ada.wait_for_session();
    // It was left unsaved when the editor ended, and is saved now.
    ada.open_unsaved("another.txt", "left unsaved\n").type_text("more\n");
    workspace.coordination().wait_for_holder("another.txt", &ada.session_id());
    ada.document("another.txt").save();
    ada.open_unsaved("poem.txt", "one\r\ntwo\r\n").type_text("zero\r\n");
    workspace.coordination().wait_for_holder("poem.txt", &ada.session_id());
    ada.document("poem.txt").save();
    for (path, changes) in [("another.txt", 1), ("poem.txt", 1)] {
        wait_for("the save to be in the journal", || (texts_of(&workspace, &ada, path).len() > changes).then_some(()));
    }
    ada.settle(&workspace);
    for (path, changes) in [("another.txt", 1), ("poem.txt", 1)] {
        let texts = texts_of(&workspace, &ada, path);
        assert_eq!(texts.len(), changes + 1, "{path}: {texts:?}");
    }
}
