//! Others' uncommitted changes keep nobody from editing: who edits beside them is told once. A user's own agent that waits is
//! in nobody's way.

use serde_json::{Value, json};

use super::journal_verbs::{Clone, poem};
use super::support::{CodingAgent, Editor, Terminal, Workspace};

const TOLD: &str = "has uncommitted changes of \"ada\"";
const TOLD_IN_EDITOR: &str = "has uncommitted changes of ada";

/// Ada has uncommitted changes in the poem, and holds nothing. Whoever comes now is somebody else.
fn beside_ada() -> Clone {
    let (clone, _) = Clone::with_sessions(["ada"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.workspace.git(&["config", "user.name", "Ben"]);
    clone
}

#[test]
fn an_agent_is_told_once_beside_whose_changes_it_edits() {
    let clone = beside_ada();
    let agent = CodingAgent::on(&clone.workspace, "one");
    let told = agent.edit("poem.txt", &poem(&[(3, "of ada"), (9, "of ben's agent")]));
    assert_eq!(told.denial(), None);
    let before = |session: &str| CodingAgent::on(&clone.workspace, session).before_edit("poem.txt").expect_no_denial();
    // It was said before the edit, and is not said again when it edits once more in another turn.
    agent.stop();
    assert!(!before("one").context().contains(TOLD));
    agent.end();
    assert!(before("two").context().contains(TOLD));
    CodingAgent::on(&clone.workspace, "two").end();
    // What an agent left is its person's, so that their next one is not told of it; of what one that works has it is.
    let its = "'s Claude Code";
    assert!(!before("three").context().contains(its));
    let four = CodingAgent::on(&clone.workspace, "four");
    four.edit("src/main.rs", "fn main() { four(); }\n").expect_no_denial();
    Terminal::on(&clone.workspace).session(&four.id()).run(["release", "file", "src/main.rs"]).expect_code(0);
    let five = CodingAgent::on(&clone.workspace, "five");
    assert!(five.before_edit("src/main.rs").expect_no_denial().context().contains(its));
    CodingAgent::on(&clone.workspace, "three").end();
    // An agent of Ada's is not told of hers.
    clone.workspace.git(&["config", "user.name", "ada"]);
    assert!(!before("hers").context().contains(TOLD));
}

#[test]
fn a_terminal_is_told_once() {
    let (clone, [_, ben]) = Clone::with_sessions(["ada", "ben"]);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    let claimed = ben.run(["claim", "file", "poem.txt"]).expect_code(0);
    assert!(claimed.stdout.contains(TOLD) && claimed.stdout.contains("deconflict commit"), "{claimed:?}");
    ben.run(["release", "file", "poem.txt"]).expect_code(0);
    let again = ben.run(["claim", "file", "poem.txt", "--json"]).expect_code(0).json();
    assert_eq!(again["others_changes"], json!([]));
}

#[test]
fn an_editor_is_told_once() {
    let clone = beside_ada();
    let editor = Editor::start(&clone.workspace, "Ben");
    let session = editor.wait_for_session();
    let document = editor.open("poem.txt");
    document.type_text("of ben\n");
    clone.workspace.coordination().wait_for_holder("poem.txt", &session);
    editor.wait_for_message(TOLD_IN_EDITOR);
    document.save();
    editor.close_document(&document.uri);
    clone.workspace.coordination().wait_for_no_claim("poem.txt");
    editor.open("poem.txt").type_text("more of ben\n");
    clone.workspace.coordination().wait_for_holder("poem.txt", &session);
    editor.settle(&clone.workspace);
    assert_eq!(editor.messages().iter().filter(|message| message.contains(TOLD_IN_EDITOR)).count(), 1);
}

#[test]
fn an_agent_that_waits_gives_way_to_its_users_first_keystroke() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit("src/main.rs", "fn main() { agent(); }\n").expect_no_denial();
    let editor = Editor::start(&workspace, "Tester");
    let session = editor.wait_for_session();
    let document = editor.open("src/main.rs");
    let severity = |wanted: i64| {
        let told = format!("`claimed` with severity {wanted}");
        document.wait_for_diagnostic_where(&told, |it| it["code"] == "claimed" && it["severity"] == wanted)
    };
    severity(3);
    agent.stop();
    severity(4);
    document.type_text("// mine\n");
    coordination.wait_for_holder("src/main.rs", &session);
    document.wait_until_gone("claimed");
    editor.settle(&workspace);
    assert_eq!(editor.messages(), Vec::<String>::new());
    // While it works, its claim stands against its user's too.
    let other = editor.open("src/lib.rs");
    agent.prompt();
    agent.edit("src/lib.rs", "pub mod agent;\n").expect_no_denial();
    other.reload();
    other.type_text("// mine\n");
    other.wait_for_diagnostic_where("a warning", |it| it["code"] == "claimed" && it["severity"] == 2);
    assert_eq!(coordination.holder("src/lib.rs"), Some(agent.id()));
    // Its turn ends, and what the user edits goes over.
    agent.stop();
    coordination.wait_for_holder("src/lib.rs", &session);
}

#[test]
fn an_agent_that_waits_releases_at_once_what_its_user_asks_for() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit("src/main.rs", "fn main() { agent(); }\n").expect_no_denial();
    let user = Editor::start(&workspace, "tester");
    user.wait_for_session();
    workspace.git(&["config", "user.name", "Grace"]);
    let other = Editor::start(&workspace, "Grace");
    other.wait_for_session();
    workspace.git(&["config", "user.name", "Tester"]);
    let about = json!({ "uri": workspace.uri("src/main.rs") });
    // While its turn runs, it is asked like anybody else.
    let asked = || coordination.messages_to(&agent.id()).len();
    assert_eq!(user.execute_ok("deconflict.requestRelease", about.clone())["yielded"], Value::Null);
    assert_eq!(asked(), 1);
    agent.stop();
    // It gives way to its own user alone.
    assert_eq!(other.execute_ok("deconflict.requestRelease", about.clone())["yielded"], Value::Null);
    assert_eq!(asked(), 2);
    assert_eq!(coordination.holder("src/main.rs"), Some(agent.id()));
    assert_eq!(user.execute_ok("deconflict.requestRelease", about)["yielded"], true);
    assert_eq!((coordination.holder("src/main.rs"), asked()), (None, 2));
    user.wait_for_message("Your Claude Code has ended its turn and released src/main.rs. Your next edit claims it.");
}
