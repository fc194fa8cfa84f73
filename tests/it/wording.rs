//! The words in which an editor is told of others, letter by letter: each says what is the case, then what to do.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Document, Editor, Workspace, hint_label, timestamp};

/// A text with `TIME` for each time of day and the date before it.
fn timeless(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let at = word.find(|c: char| c.is_ascii_digit()).unwrap_or_default();
        let is_time = word.get(at..at + 5).is_some_and(|time| {
            time.char_indices().all(|(index, c)| if index == 2 { c == ':' } else { c.is_ascii_digit() })
        });
        if is_time {
            let is_date = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit()) || MONTHS.contains(&&**word);
            words.truncate(words.iter().rposition(|word| !is_date(word)).map_or(0, |last| last + 1));
            words.push(format!("{}TIME{}", &word[..at], &word[at + 5..]));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The text of the diagnostic with this code, once it is there with this severity.
#[track_caller]
fn told(document: &Document<'_>, code: &str, severity: u32) -> String {
    let what = format!("{code} of severity {severity}");
    let is_meant = |told: &Value| told["code"] == code && told["severity"] == severity;
    let told = document.wait_for_diagnostic_where(&what, is_meant);
    timeless(told["message"].as_str().unwrap())
}

fn titles(actions: &[Value]) -> Vec<String> {
    actions.iter().map(|action| timeless(action["title"].as_str().unwrap())).collect()
}

/// A claim of one file in one state, and everything that is told of it.
struct Case {
    session: Value,
    claim: Value,
    code: &'static str,
    told: &'static str,
    advice: &'static str,
    hint: Option<&'static str>,
    menu: &'static [&'static str],
}

#[test]
fn a_claim_of_another_is_told_in_every_state() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let cases: Vec<Case> = states_of_alice().into_iter().chain(states_of_others()).collect();
    for (number, case) in cases.iter().enumerate() {
        let (session, file) = (format!("session-{number}"), format!("src/{number}.rs"));
        workspace.write(&file, "// first line\n");
        coordination.write_session(&session, case.session.clone());
        coordination.write_claim(&session, "file", &file, case.claim.clone());
        if case.claim.is_null() {
            let record = format!("claims/file-src%2F{number}.rs.claim");
            coordination.write_text(&record, "{");
            coordination.age(&record, Duration::from_mins(1));
        }
    }
    let editor = Editor::start(&workspace, "bob");
    for (number, case) in cases.iter().enumerate() {
        let document = editor.open(format!("src/{number}.rs"));
        assert_eq!(told(&document, case.code, 3), format!("{} {}", case.told, case.advice));
        let menu = titles(&document.code_actions(0));
        let file = format!("{number}.rs");
        assert_eq!(menu, case.menu.iter().map(|title| title.replace("FILE", &file)).collect::<Vec<_>>());
        let hints = document.wait_for_hints("the holder", |hints| hints.is_empty() == case.hint.is_none());
        let hints: Vec<String> = hints.iter().map(|hint| timeless(&hint_label(hint))).collect();
        assert_eq!(hints.first().map(String::as_str), case.hint);
    }
}

fn states_of_alice() -> [Case; 5] {
    let alice = || json!({ "name": "alice", "client": "Neovim" });
    let idle = json!({ "automatic": true, "idle_since": timestamp(Utc::now() - TimeDelta::hours(5)) });
    let long_ago = json!({ "claimed_at": "2025-11-15T10:00:00Z", "expires_at": "2025-11-15T14:00:00Z" });
    [
        Case {
            session: alice(),
            claim: json!({ "automatic": true }),
            code: "claimed",
            told: "\"alice\" has been editing this file since TIME.",
            advice: "Wait until it is free, or talk to \"alice\" first.",
            hint: Some("held by alice since TIME"),
            menu: &[
                "Message alice: \"How long will you need FILE?\"",
                "Ask alice to release FILE",
                "Notify me when FILE is free",
                "Show what alice changed in FILE",
                "Take over FILE by force, though alice holds it",
                "Don't warn again about this claim",
            ],
        },
        Case {
            session: alice(),
            claim: json!({ "phase": "order\n\"totals\"\u{202e}", "allow_coordination": false }),
            code: "claimed",
            told: "\"alice\" holds this file until TIME (\"order 'totals'\").",
            advice: "Wait until it is free.",
            hint: Some("held by alice until TIME"),
            menu: &[
                "Notify me when FILE is free",
                "Show what alice changed in FILE",
                "Take over FILE by force, though alice holds it",
                "Don't warn again about this claim",
            ],
        },
        Case {
            session: alice(),
            claim: idle,
            code: "claimed",
            told: "\"alice\" has left this file with unsaved changes, idle since TIME.",
            advice: "It looks forgotten, so you may take it over.",
            hint: Some("held by alice idle since TIME"),
            menu: &[
                "Message alice: \"How long will you need FILE?\"",
                "Ask alice to release FILE",
                "Take over FILE from alice (idle since TIME)",
                "Notify me when FILE is free",
                "Show what alice changed in FILE",
                "Don't warn again about this claim",
            ],
        },
        Case {
            session: alice(),
            claim: long_ago,
            code: "claim-stale",
            told: "Free: \"alice\"'s claim expired TIME.",
            advice: "Take it over if you need it.",
            hint: None,
            menu: &[
                "Take over FILE: alice's claim no longer counts",
                "Show what alice changed in FILE",
                "Message alice: \"Do you still need FILE?\"",
            ],
        },
        // Nobody can tell whose it is.
        Case {
            session: alice(),
            claim: Value::Null,
            code: "claimed",
            told: "The claim on this file is damaged, so its holder is unknown.",
            advice: "It counts until TIME; deconflict doctor says more.",
            hint: Some("claimed, but the claim is damaged"),
            menu: &[
                "Notify me when FILE is free",
                "Show what somebody changed in FILE",
                "Don't warn again about this claim",
            ],
        },
    ]
}

/// The same of holders whose names are longer.
fn states_of_others() -> [Case; 2] {
    [
        Case {
            session: json!({ "user": "maria", "client": "Neovim" }),
            claim: json!({ "automatic": true }),
            code: "claimed",
            told: "\"maria\" has been editing this file since TIME.",
            advice: "Wait until it is free, or talk to \"maria\" first.",
            hint: Some("held by maria since TIME"),
            menu: &[
                "Message maria: \"How long will you need FILE?\"",
                "Ask maria to release FILE",
                "Notify me when FILE is free",
                "Show what maria changed in FILE",
                "Take over FILE by force, though maria holds it",
                "Don't warn again about this claim",
            ],
        },
        // The name is cut, and has no tricks in it.
        Case {
            session: json!({ "name": "Maximili\u{202e}ane\u{7}\nvon Hohenberg-Falkenstein" }),
            claim: json!({ "automatic": true, "allow_coordination": false }),
            code: "claimed",
            told: "\"Maximiliane von Hohenberg-Falkenstein\" has been editing this file since TIME.",
            advice: "Wait until it is free.",
            hint: Some("Maximiliane von Hohenberg-F… since TIME"),
            menu: &[
                "Notify me when FILE is free",
                "Show what Maximiliane von Hohenberg-Falkenstein changed in FILE",
                "Take over FILE by force, though Maximiliane von Hohenberg-Falkenstein holds it",
                "Don't warn again about this claim",
            ],
        },
    ]
}

#[test]
fn what_is_held_beside_a_file_is_told_too() {
    let long = "deep/".repeat(20) + "end";
    let cases = [
        ("directory", "docs", "docs/a.md", "\"alice\" holds the folder \"docs\", and this file with it, until TIME."),
        (
            "directory",
            &long,
            &*format!("{long}/a.md"),
            "\"alice\" holds the folder \"…/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/end\", and",
        ),
        ("directory", ".", "a.md", "\"alice\" holds the whole workspace, and this file with it, until TIME."),
        (
            "file",
            "//feature-x/a.md",
            "a.md",
            "The same file is claimed in the worktree \"feature-x\" by \"alice\" until TIME. Both can edit it, but \
             the branches may conflict when they are merged, so talk to \"alice\" early.",
        ),
    ];
    for (kind, name, file, expected) in cases {
        let workspace = Workspace::small();
        workspace.write(file, "text\n");
        workspace.coordination().write_session("session", json!({ "name": "alice" }));
        workspace.coordination().write_claim("session", kind, name, json!({}));
        let editor = Editor::start(&workspace, "bob");
        let document = editor.open(file);
        let code = if kind == "file" { "claimed-elsewhere" } else { "claimed" };
        let shown = told(&document, code, 3);
        assert!(shown.starts_with(expected), "{shown}");
        if kind == "file" {
            assert_eq!(
                titles(&document.code_actions(0)),
                ["Message alice: \"We are both changing a.md, in two worktrees. Let's merge early.\""]
            );
            let hover = document.hover(0, 0)["contents"]["value"].as_str().unwrap().to_owned();
            assert_eq!(timeless(&hover), r"In the worktree feature-x: **alice** holds this file until TIME");
        }
    }
}

#[test]
fn hovering_tells_in_two_lines_who_and_for_what() {
    let workspace = Workspace::small();
    let session = json!({ "name": "alice", "client": "Neovim", "current_work": "Totals", "progress": "60%" });
    workspace.coordination().write_session("session", session);
    let claim = json!({ "phase": "BUILD", "automatic": true, "id": "5f3a", "generation": 7 });
    workspace.coordination().write_claim("session", "file", "src/main.rs", claim);
    let told = ["**alice** has been editing this file since TIME  ", r"BUILD · Totals · 60%"];
    let editor = Editor::start(&workspace, "bob");
    let document = editor.open("src/main.rs");
    document.wait_for_diagnostic("claimed");
    let hover = document.hover(0, 0)["contents"]["value"].as_str().unwrap().to_owned();
    assert_eq!(timeless(&hover), told.join("\n"));

    // Where the editor says it beside that, only the rest is told.
    let brief = Editor::builder(&workspace).initialization_option("notices", json!(true)).start();
    let document = brief.open("src/main.rs");
    let diagnostic = document.wait_for_diagnostic("claimed");
    assert_eq!(timeless(diagnostic["message"].as_str().unwrap()), "alice has been editing this file since TIME.");
    assert_eq!(document.hover(0, 0)["contents"]["value"].as_str().unwrap(), told[1]);
}

#[test]
fn who_edits_what_another_holds_is_told_and_refused_in_words() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("session", json!({ "name": "alice" }));
    coordination.write_claim("session", "file", "src/main.rs", json!({ "automatic": true }));
    coordination.write_claim("session", "file", "src/lib.rs", json!({ "allow_coordination": false }));
    let editor = Editor::start(&workspace, "bob");
    let warned = [
        (
            "src/main.rs",
            "\"alice\" has been editing this file since TIME, and you edit it too. Your save would overwrite theirs: talk \
             to \"alice\" first.",
            "alice has been editing src/main.rs since TIME. Your save would overwrite theirs: talk to alice first, or ask for its \
             release.",
        ),
        (
            "src/lib.rs",
            "\"alice\" holds this file until TIME, and you edit it too. Your save would overwrite theirs: wait until it is \
             free.",
            "alice holds src/lib.rs until TIME. Your save would overwrite theirs: wait until it is free.",
        ),
    ];
    for (file, diagnostic, message) in warned {
        let document = editor.open(file);
        document.type_text("x");
        assert_eq!(told(&document, "claimed", 2), diagnostic);
        assert_eq!(timeless(editor.wait_for_message(file)["message"].as_str().unwrap()), message);
    }
    let refused = |command: &str, reason: &str| {
        let answer = editor.execute_refused(command, json!({ "uri": workspace.uri("src/main.rs") }), reason);
        timeless(answer["message"].as_str().unwrap())
    };
    assert_eq!(
        refused("deconflict.claim", "claimed"),
        "alice has been editing src/main.rs since TIME. Ask for its release, wait, or take it over by force."
    );
    assert_eq!(
        refused("deconflict.release", "not-holder"),
        "You don't hold src/main.rs, alice does, since TIME. Only its holder can do that; you can ask for its release."
    );
}

#[test]
fn a_contended_and_a_lost_file_are_told_with_what_to_do() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    workspace.coordination().wait_for_holder("src/main.rs", &alice.session_id());
    let his = bob.open("src/main.rs");
    his.type_text("y");
    assert_eq!(
        told(&hers, "contended", 2),
        "\"bob\" is editing this file too, while you hold it. Talk to \"bob\" about who saves first, or hand the file off."
    );
    let actions = hers.code_actions(0);
    assert_eq!(
        titles(&actions),
        [
            "Message bob: \"I hold main.rs and am changing it. Please talk to me before you save yours.\"",
            "Hand main.rs off to bob",
            "Hide this notice",
        ]
    );
    assert_eq!(
        titles(&hers.invoke_code_actions(0, Some("source.deconflict"))),
        [
            "Claim main.rs for 4 hours",
            "Release main.rs",
            "Hand main.rs off to bob",
            "Release everything I hold",
            "Show the status board",
            "Read my messages",
        ]
    );
    assert_eq!(titles(&hers.invoke_code_actions(0, Some("source.deconflict.release"))), ["Release main.rs"]);
    assert_eq!(hers.invoke_code_actions(0, Some("source.deconflicting")), Vec::<Value>::new());
    let always = ["Release everything I hold", "Show the status board", "Read my messages"];
    assert_eq!(titles(&his.invoke_code_actions(0, Some("source.deconflict"))), always, "another holds it");
    let free = titles(&bob.open("README.md").invoke_code_actions(0, Some("source.deconflict")));
    assert_eq!(free, [&["Claim README.md"], &always[..]].concat());
    assert_eq!(alice.run_command(&actions[2]["command"])["ok"], true);
    hers.wait_until_gone("contended");

    bob.execute_ok("deconflict.takeOver", json!({ "uri": his.uri, "force": true }));
    assert_eq!(
        told(&hers, "claim-lost", 1),
        "\"bob\" took this file over while you had unsaved changes in it. Your save would overwrite theirs: look at what \
         \"bob\" changed, and talk first."
    );
    assert_eq!(hers.codes()[0], "claim-lost", "the gravest comes first: {:?}", hers.codes());
    let actions = hers.code_actions(0);
    assert_eq!(
        titles(&actions)[..6],
        [
            "Message bob: \"You took main.rs over while I had unsaved changes in it. Please talk to me before you save.\"",
            "Ask bob to release main.rs",
            "Notify me when main.rs is free",
            "Show what bob changed in main.rs",
            "Take over main.rs by force, though bob holds it",
            "Hide this notice",
        ]
    );
    assert_eq!(alice.run_command(&actions[5]["command"])["ok"], true);
    hers.wait_until_gone("claim-lost");
}

#[test]
fn the_selected_text_goes_with_a_message() {
    let workspace = Workspace::small();
    workspace.write("src/main.rs", "let a = 1;\n\tlet b\u{1b} = 2;\nlet c = 3;\n");
    workspace.coordination().write_session("session", json!({ "name": "alice" }));
    workspace.coordination().write_claim("session", "file", "src/main.rs", json!({}));
    let actions = |editor: &Editor| {
        let document = editor.open("src/main.rs");
        document.wait_for_diagnostic("claimed");
        let selection = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 2, "character": 0 } });
        let context = json!({ "diagnostics": [], "triggerKind": 1 });
        let uri = &document.uri;
        let asked = json!({ "textDocument": { "uri": uri }, "range": selection, "context": context });
        editor.request("textDocument/codeAction", asked)
    };
    let argument = |action: &Value| action["command"]["arguments"][0].clone();
    let shown = actions(&Editor::start(&workspace, "bob"));
    assert_eq!(shown[0]["title"], "Message alice: \"How long will you need main.rs?\", with the selected lines");
    let quotation = "> let a = 1;\n> \tlet b = 2;";
    let message = argument(&shown[0]);
    assert_eq!(message["message"], format!("How long will you need main.rs?\n\n{quotation}"));
    assert_eq!((&message["to"], &message["subject"]), (&json!("session"), &json!("src/main.rs")));
    assert_eq!(argument(&shown[1])["message"], format!("Please release main.rs when you can.\n\n{quotation}"));

    let asking = Editor::builder(&workspace).initialization_option("commands", json!(false)).start();
    let shown = actions(&asking);
    assert_eq!(shown[0]["title"], "Message alice", "the editor asks for the text");
    assert_eq!((&argument(&shown[0])["message"], &argument(&shown[0])["quotation"]), (&Value::Null, &json!(quotation)));
    let own = asking.open("src/lib.rs");
    own.type_text("x");
    workspace.coordination().wait_for_claim("src/lib.rs");
    asking.settle(&workspace);
    let sources = titles(&own.invoke_code_actions(0, Some("source.deconflict.handOff")));
    assert_eq!(sources, ["Hand lib.rs off"], "the editor asks for the recipient");
}

#[test]
fn messages_name_their_sender_and_say_what_they_say() {
    let cases = [
        ("note", "Order model", "How long will it take you?", "bob writes: Order model: How long will it take you?"),
        ("note", "", "Hello", "bob writes: Hello"),
        ("note", "Hello", "", "bob writes: Hello"),
        ("note", "", "", "bob sent you an empty message."),
        (
            "release_request",
            "",
            "I need it for the demo",
            "bob asks you to release src/order.rs: I need it for the demo. Release it when you are ready, or answer.",
        ),
        (
            "release_request",
            "Please release src/order.rs",
            "src/order.rs breaks the build!",
            "bob asks you to release src/order.rs: src/order.rs breaks the build! Release it when you are ready, or \
             answer.",
        ),
        ("released", "", "", "bob released src/order.rs. It is free now."),
        (
            "released",
            "Released src/order.rs",
            "src/order.rs is free now.",
            "bob released src/order.rs. It is free now.",
        ),
        (
            "taken_over",
            "src/order.rs was taken over",
            "Sorry!",
            "bob took over src/order.rs from you: Sorry! Look at what changed before you save it.",
        ),
        ("handoff", "It is yours", "Tests fail", "bob handed src/order.rs off to you: Tests fail."),
        ("work_completed", "Done", "All pass", "bob is done with src/order.rs: All pass."),
        ("x", "a", "b", "bob writes: a: b"),
    ];
    for (kind, subject, body, expected) in cases {
        let workspace = Workspace::small();
        let coordination = workspace.coordination();
        coordination.write_session("session", json!({ "name": "bob" }));
        let editor = Editor::start(&workspace, "alice");
        let about = json!({ "type": kind, "resource": "file/src/order.rs" });
        coordination.write_message("session", &editor.session_id(), subject, body, about);
        assert_eq!(editor.wait_for_message("bob")["message"], expected, "{kind}");
    }
}
