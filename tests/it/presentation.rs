//! What a person sees: short, plain, and nothing in it that a foreign record could have smuggled in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Document, Editor, Terminal, Workspace, codes, hint_label};

const NASTY: &str = "**bold** [a](http://evil.example) <b>x</b> `code` ![i](http://evil.example/i.png)\n# title";

fn ghost(workspace: &Workspace, session: Value, claim: Value) {
    workspace.coordination().write_session("ghost", session);
    workspace.coordination().write_claim("ghost", "file", "src/lib.rs", claim);
}

#[test]
fn hints_are_short_and_say_who_and_when() {
    let endless = "The Lord High Treasurer of Everything That Has a Name";
    let cases = [
        (json!({}), json!({}), "ghost", "until"),
        (json!({ "name": "Gustav" }), json!({}), "Gustav", "until"),
        (json!({ "name": "Gustav" }), json!({ "automatic": true }), "Gustav", "since"),
        (json!({ "name": endless }), json!({ "automatic": true }), "The Lord", "since"),
        (json!({ "name": "名".repeat(60) }), json!({}), "名", "until"),
        (json!({ "name": "👩‍👩‍👧‍👦".repeat(20) }), json!({}), "👩", "until"),
    ];
    for (session, claim, name, when) in cases {
        let workspace = Workspace::small();
        ghost(&workspace, session, claim);
        let editor = Editor::start(&workspace, "alice");
        let document = editor.open("src/lib.rs");
        let hint = document.wait_for_hints("the holder", |hints| hints.len() == 1).remove(0);
        let label = hint_label(&hint);
        assert!(label.encode_utf16().count() <= 40, "{} units: {label:?}", label.encode_utf16().count());
        assert!(label.contains(name), "{label:?}");
        assert!(label.contains(when), "{label:?}");
        for relative in ["ago", "minutes", " min", "left"] {
            assert!(!label.contains(relative), "it would grow stale: {label:?}");
        }
        let end = document.text().lines().next().unwrap().encode_utf16().count();
        assert_eq!(hint["position"], json!({ "line": 0, "character": end }));
        let tooltip = hint["tooltip"].to_string() + &hint["label"].to_string();
        assert!(tooltip.contains("src/lib.rs") || tooltip.contains("expires"), "the whole record: {hint}");
    }
}

#[test]
fn after_a_long_line_a_hint_says_only_what_is_in_sight() {
    let workspace = Workspace::small();
    ghost(&workspace, json!({ "name": "Gustav" }), json!({ "automatic": true }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    let reads = |before: usize, label: &'static str| {
        document.replace_all(&format!("// {}\n", "x".repeat(before - 3)));
        document.wait_for_hints(label, |hints| hints.len() == 1 && anonymous(&hint_label(&hints[0])) == label);
    };
    // What a small screen shows of a line at 150 % are 68 characters, and a space is before the hint.
    for (before, label) in [
        (20, "held by Gustav since 00:00"),
        (41, "held by Gustav since 00:00"),
        (42, "Gustav since 00:00"),
        (49, "Gustav since 00:00"),
        (50, "Gustav"),
        (61, "Gustav"),
        // Nothing of it is in sight there: whoever sees it has a larger screen.
        (62, "Gustav since 00:00"),
        (20, "held by Gustav since 00:00"),
    ] {
        reads(before, label);
    }
}

/// A label with its digits as zeros: what time it is does not matter.
fn anonymous(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[test]
fn a_hint_writes_to_the_holder_when_clicked() {
    let workspace = Workspace::small();
    ghost(&workspace, json!({}), json!({}));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    let hint = document.wait_for_hints("the holder", |hints| hints.len() == 1).remove(0);
    let parts = hint["label"].as_array().unwrap_or_else(|| panic!("no parts: {hint}"));
    let command = parts.iter().find_map(|part| part.get("command")).unwrap_or_else(|| panic!("no command: {hint}"));
    assert_eq!(editor.run_command(command)["ok"], true);
    workspace.coordination().wait_for("the message", |here| here.messages_to("ghost").pop());
}

#[test]
fn hover_tells_the_record_on_the_first_line_only() {
    let workspace = Workspace::small();
    workspace.write("src/lib.rs", "first\nsecond\n");
    ghost(&workspace, json!({ "name": "Gustav" }), json!({ "phase": "BUILD" }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    let hover = document.hover(0, 2);
    assert_eq!(hover["contents"]["kind"], "markdown", "{hover}");
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(text.contains("Gustav") && text.contains("BUILD"), "{text}");
    assert!(document.hover(1, 0).is_null());
    let free = editor.open("src/main.rs");
    assert!(free.hover(0, 0).is_null());
}

#[test]
fn markup_of_others_is_shown_and_not_rendered() {
    let workspace = Workspace::small();
    ghost(&workspace, json!({ "name": NASTY }), json!({ "phase": NASTY, "branch": NASTY }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    let diagnostic = document.wait_for_diagnostic("claimed");
    assert!(!diagnostic["message"].as_str().unwrap().contains("\n# title"), "{diagnostic}");
    let hover = document.hover(0, 0)["contents"]["value"].as_str().unwrap().to_owned();
    let hint = document.wait_for_hints("the holder", |hints| hints.len() == 1).remove(0);
    for shown in [&hover, hint["tooltip"]["value"].as_str().unwrap()] {
        for live in ["**bold**", "[a](http", "<b>", "`code`", "![i](", "\n# title"] {
            assert!(!shown.contains(live), "{live:?} is live in {shown}");
        }
        assert!(shown.contains("bold") && shown.contains("evil"), "it is shown all the same: {shown}");
    }
    workspace.coordination().wait_for("the board", |here| here.board().contains("bold").then_some(()));
    let board = workspace.coordination().board();
    for live in ["**bold**", "[a](http", "<b>x", "`code`", "![i](", "\n# title"] {
        assert!(!board.contains(live), "{live:?} is live in {board}");
    }
}

#[test]
fn a_diagnostic_carries_the_claim_and_leads_to_its_file() {
    let workspace = Workspace::small();
    ghost(&workspace, json!({}), json!({ "phase": "BUILD" }));
    let editor = Editor::start(&workspace, "alice");
    let told = editor.open("src/lib.rs").wait_for_diagnostic("claimed");
    assert_eq!(told["source"], "deconflict");
    assert!(told["data"].to_string().contains("ghost"), "{told}");
    let file = crate::support::file_uri(&workspace.coordination().claim_path("file", "src/lib.rs"));
    assert_eq!(told["relatedInformation"][0]["location"]["uri"], file);
    assert_eq!(told["range"]["start"], json!({ "line": 0, "character": 0 }));
    assert_eq!(told["range"]["end"]["line"], 0);
    let words = told["message"].as_str().unwrap();
    for internal in ["lease", "registry", "record", "null", "None"] {
        assert!(!words.contains(internal), "{internal:?} means nothing to a reader: {words}");
    }
}

#[test]
fn closed_documents_have_no_diagnostics() {
    let workspace = Workspace::small();
    ghost(&workspace, json!({}), json!({}));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    let uri = document.uri.clone();
    document.close();
    editor.wait_until("the diagnostics to go", |view| view.diagnostics[&uri].is_empty().then_some(()));
    let before = editor.look(|view| view.publications[&uri]);
    workspace.coordination().remove_claim("file", "src/lib.rs");
    workspace.coordination().write_claim("ghost", "file", "src/lib.rs", json!({}));
    editor.settle(&workspace);
    assert_eq!(editor.look(|view| view.publications[&uri]), before, "nothing is said about a closed document");
}

#[test]
fn code_actions_fit_the_finding() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    ghost(&workspace, json!({}), json!({}));
    let expired = json!({ "expires_at": "2025-11-15T14:00:00Z", "claimed_at": "2025-11-15T10:00:00Z" });
    coordination.write_claim("ghost", "file", "src/main.rs", expired);
    coordination.write_claim("ghost", "file", "src/parser.rs", json!({ "allow_coordination": false }));
    let editor = Editor::start(&workspace, "alice");
    let commands = |document: &Document<'_>| -> Vec<String> {
        document
            .code_actions(0)
            .iter()
            .map(|action| action["command"]["command"].as_str().unwrap().to_owned())
            .collect()
    };

    let active = editor.open("src/lib.rs");
    active.wait_for_diagnostic("claimed");
    for command in ["sendMessage", "requestRelease", "takeOver", "tellWhenFree", "acknowledge"] {
        assert!(commands(&active).contains(&format!("deconflict.{command}")), "{command} in {:?}", commands(&active));
    }
    for action in active.code_actions(0) {
        assert!(action["kind"].as_str().unwrap().starts_with("quickfix"), "{action}");
        assert_eq!(codes(action["diagnostics"].as_array().unwrap()), ["claimed"], "{action}");
        if action["command"]["command"] == "deconflict.takeOver" {
            assert_ne!(action["isPreferred"], true, "{action}");
            assert_eq!(action["command"]["arguments"][0]["force"], true, "{action}");
        }
    }

    let stale = editor.open("src/main.rs");
    stale.wait_for_diagnostic("claim-stale");
    let actions = stale.code_actions(0);
    let take_over = actions.iter().find(|action| action["command"]["command"] == "deconflict.takeOver");
    let take_over = take_over.unwrap_or_else(|| panic!("no take-over: {actions:#?}"));
    assert_ne!(take_over["command"]["arguments"][0]["force"], true, "{take_over}");
    assert_eq!(editor.run_command(&take_over["command"])["ok"], true);
    stale.wait_until_clear();

    let closed = editor.open("src/parser.rs");
    closed.wait_for_diagnostic("claimed");
    for command in ["sendMessage", "requestRelease"] {
        assert!(!commands(&closed).contains(&format!("deconflict.{command}")), "{:?}", commands(&closed));
    }
}

#[test]
fn actions_come_on_the_first_line_or_when_asked_for() {
    let workspace = Workspace::small();
    workspace.write("src/lib.rs", "first\nsecond\nthird\n");
    ghost(&workspace, json!({}), json!({}));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    assert!(!document.code_actions(0).is_empty());
    assert_eq!(document.code_actions(2), Vec::<Value>::new());
    assert!(!document.invoke_code_actions(2, None).is_empty());
    assert!(!document.invoke_code_actions(2, Some("quickfix")).is_empty());
    let by_themselves = document.code_actions(0);
    assert!(by_themselves.iter().all(|action| !action["kind"].as_str().unwrap().starts_with("source")));
}

#[test]
fn source_actions_are_only_for_who_asks_for_them() {
    let workspace = Workspace::small();
    let (_terminal, _carol) = Terminal::with_new_session(&workspace);
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/main.rs");
    document.type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    assert_eq!(document.invoke_code_actions(0, Some("source")), Vec::<Value>::new(), "a save runs these");
    assert_eq!(document.invoke_code_actions(0, Some("source.fixAll")), Vec::<Value>::new());
    assert_eq!(document.invoke_code_actions(0, Some("refactor")), Vec::<Value>::new());
    let actions = document.invoke_code_actions(0, Some("source.deconflict"));
    let commands: Vec<&str> = actions.iter().map(|action| action["command"]["command"].as_str().unwrap()).collect();
    for command in ["release", "releaseAll", "handOff", "showBoard", "messages"] {
        assert!(commands.contains(&format!("deconflict.{command}").as_str()), "{command} in {commands:?}");
    }
    for action in &actions {
        assert!(action["kind"].as_str().unwrap().starts_with("source.deconflict."), "{action}");
        assert_ne!(action["isPreferred"], true, "{action}");
    }
}

#[test]
fn a_stale_menu_takes_nothing_that_it_should_not() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let expired = json!({ "expires_at": "2025-11-15T14:00:00Z", "claimed_at": "2025-11-15T10:00:00Z" });
    ghost(&workspace, json!({}), expired);
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claim-stale");
    let actions = document.code_actions(0);
    let take_over = actions.iter().find(|action| action["command"]["command"] == "deconflict.takeOver").unwrap();

    coordination.write_session("newcomer", json!({}));
    coordination.write_claim("newcomer", "file", "src/lib.rs", json!({}));
    let answer = editor.run_command(&take_over["command"]);
    assert_eq!((&answer["ok"], &answer["reason"]), (&json!(false), &json!("claimed")), "{answer}");
    assert_eq!(coordination.holder("src/lib.rs").as_deref(), Some("newcomer"));
    editor.wait_for_message("newcomer");
}

/// A menu that was opened on one active claim must not force another one out.
#[test]
fn a_stale_menu_forces_nobody_else_out() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    ghost(&workspace, json!({}), json!({ "id": "first", "generation": 1 }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    let actions = document.code_actions(0);
    let force = actions.iter().find(|action| action["command"]["command"] == "deconflict.takeOver").unwrap();
    coordination.write_session("newcomer", json!({}));
    coordination.write_claim("newcomer", "file", "src/lib.rs", json!({ "id": "second", "generation": 2 }));
    let answer = editor.run_command(&force["command"]);
    assert_eq!(answer["ok"], false, "{answer}");
    assert_eq!(coordination.holder("src/lib.rs").as_deref(), Some("newcomer"));
}

#[test]
fn an_acknowledged_warning_steps_back_until_something_changes() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    ghost(&workspace, json!({}), json!({ "id": "first", "generation": 1 }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.type_text("x");
    document.wait_for_diagnostic_where("a warning", |diagnostic| diagnostic["severity"] == 2);
    let actions = document.code_actions(0);
    let acknowledge = actions.iter().find(|action| action["command"]["command"] == "deconflict.acknowledge").unwrap();
    assert_eq!(editor.run_command(&acknowledge["command"])["ok"], true);
    let hint = document.wait_for_diagnostic_where("a hint", |diagnostic| diagnostic["severity"] == 4);
    assert_eq!(hint["code"], "claimed");
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({ "id": "second", "generation": 2 }));
    document.wait_for_diagnostic_where("a warning again", |diagnostic| diagnostic["severity"] == 2);
}

/// The person decides knowingly: what the other has changed so far can be seen.
#[test]
fn what_the_other_changed_can_be_seen() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    alice.open("src/main.rs").type_text("// by alice\n").save();
    let his = bob.open("src/main.rs");
    his.wait_for_diagnostic("claimed");
    let actions = his.invoke_code_actions(0, Some("quickfix"));
    let show = actions.iter().find(|action| action["command"]["command"] == "deconflict.showChanges");
    let show = show.unwrap_or_else(|| panic!("no action to see the changes: {actions:#?}"));
    let answer = bob.run_command(&show["command"]);
    assert_eq!(answer["ok"], true, "{answer}");
    let shown = bob.look(|view| view.shown_documents.clone());
    let texts = shown.iter().filter_map(|document| {
        let path = document["uri"].as_str()?.strip_prefix("file://")?;
        std::fs::read_to_string(path).ok()
    });
    let told = texts.fold(answer.to_string(), |told, text| told + &text);
    assert!(told.contains("by alice"), "{told}");
}

#[test]
fn a_record_that_changes_all_the_time_is_shown_a_few_times_a_second() {
    const WRITING: Duration = Duration::from_secs(2);
    let workspace = Workspace::small();
    ghost(&workspace, json!({}), json!({ "phase": "phase 0" }));
    let editor = Editor::start(&workspace, "alice");
    let document = editor.open("src/lib.rs");
    document.wait_for_diagnostic("claimed");
    let shown = || editor.look(|view| (view.publications[&document.uri], view.hint_refreshes));
    let before = shown();
    let start = Instant::now();
    let mut phase = 0;
    while start.elapsed() < WRITING {
        phase += 1;
        ghost(&workspace, json!({}), json!({ "phase": format!("phase {phase}") }));
    }
    let last = format!("phase {phase}");
    document.wait_for_diagnostic_where("the last phase", |diagnostic| {
        diagnostic["message"].as_str().is_some_and(|message| message.contains(&last))
    });
    let after = shown();
    let publications = after.0 - before.0;
    assert!((2..=20).contains(&publications), "{publications} publications of {phase} changes");
    assert!(after.1 - before.1 <= 20, "{} requests for new hints", after.1 - before.1);
}
