//! Real Neovims, the oldest supported and the newest, on one git workspace: with each other and with the terminal.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Coordination, Neovim, Terminal, Version, Workspace, wait_for, wait_within};

const FILE: &str = "src/main.rs";

/// Runs a test with two Neovims on one workspace, each version once in each part.
pub(crate) fn with_each_pair(test: impl Fn(&Workspace, Neovim, Neovim)) {
    let Some([newest, oldest]) = Version::both() else {
        return;
    };
    for (first, second) in [(newest, oldest), (oldest, newest)] {
        let workspace = Workspace::small();
        let first = Neovim::start(first, &workspace);
        let second = Neovim::start(second, &workspace);
        test(&workspace, first, second);
    }
}

/// Runs a test with one Neovim, once for each version.
pub(crate) fn with_each(setup: &str, test: impl Fn(&Workspace, Neovim)) {
    for version in Version::both().into_iter().flatten() {
        let workspace = Workspace::small();
        let neovim = Neovim::start_with(version, &workspace, setup);
        test(&workspace, neovim);
    }
}

/// The session that serves this Neovim.
#[track_caller]
pub(crate) fn session_of(coordination: &Coordination, neovim: &Neovim) -> String {
    coordination.wait_for("the session of a Neovim", |here| {
        let session = here.sessions().into_iter().find(|session| session["client_pid"] == neovim.id())?;
        Some(session["session_id"].as_str()?.to_owned())
    })
}

/// A session at a terminal that holds a file by hand, and its prompt.
#[track_caller]
pub(crate) fn terminal_that_holds(workspace: &Workspace, file: &str) -> (Terminal, String) {
    let (terminal, id) = Terminal::with_new_session(workspace);
    terminal.run(["claim", "file", file]).expect_code(0);
    (terminal, id)
}

#[test]
fn the_first_change_claims_and_the_other_is_told_while_typing() {
    with_each_pair(|workspace, mut holder, mut other| {
        let coordination = workspace.coordination();
        holder.open(FILE);
        other.open(FILE);
        // Insert mode, in which Neovim holds other diagnostics back.
        other.type_keys("i");
        // Two who see each other make the directory, with nothing claimed in it.
        assert!(!coordination.exists() || coordination.claim_files().is_empty(), "claimed before the first change");

        holder.type_keys("ggO// mine<Esc>");

        let claim = coordination.wait_for_claim(FILE);
        assert_eq!(claim["claimed_by"], session_of(&coordination, &holder).as_str());
        assert_eq!(claim["automatic"], true);
        let notice = other.wait_for_diagnostic("claimed");
        let hint = other.wait("an inlay hint", "(vim.lsp.inlay_hint.get({ bufnr = 0 })[1] or {}).inlay_hint");
        let label = match &hint["label"] {
            Value::String(label) => label.clone(),
            parts => parts[0]["value"].as_str().unwrap().to_owned(),
        };
        let line = other.wait_for_screen(&label);
        assert!(line.contains("fn main()"), "the hint is elsewhere: {line}");
        let fact: String = notice.chars().take(10).collect();
        assert!(!line.contains(&fact), "what the hint says is said twice: {line}");
        other.wait("the holder in the statusline", "require('deconflict').statusline():find('held by', 1, true)");
        assert_eq!(holder.lua("return #vim.diagnostic.get(0)"), 0, "the holder needs no notice");
    });
}

#[test]
fn undoing_releases_and_the_notice_goes() {
    with_each_pair(|workspace, mut holder, mut other| {
        holder.open(FILE);
        other.open(FILE);
        holder.type_keys("ggO// mine<Esc>");
        other.wait_for_diagnostic("claimed");

        holder.type_keys("u");

        workspace.coordination().wait_for_no_claim(FILE);
        other.wait_until_clear();
    });
}

#[test]
fn saving_sends_a_heartbeat_and_keeps_the_claim() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
        let session = session_of(&coordination, &neovim);

        neovim.command("write");

        coordination.wait_for("a heartbeat with the saved file", |here| {
            here.heartbeats(&session)
                .iter()
                .any(|heartbeat| {
                    heartbeat["files_touched"].as_array().is_some_and(|files| files.contains(&json!(FILE)))
                })
                .then_some(())
        });
        assert_eq!(coordination.holder(FILE), Some(session));
    });
}

#[test]
fn closing_the_buffer_releases() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);

        neovim.command("bdelete!");

        coordination.wait_for_no_claim(FILE);
    });
}

#[test]
fn reading_a_file_again_that_changed_on_disk_claims_nothing() {
    with_each("vim.o.autoread = true", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.open("src/lib.rs");
        neovim.type_keys("ggO// mine<Esc>");
        // What came before has been taken in.
        coordination.wait_for_claim("src/lib.rs");

        neovim.open(FILE);
        workspace.write(FILE, "// from another branch\nfn main() {}\n");
        neovim.command("checktime");
        neovim.wait("the new text", "vim.api.nvim_buf_get_lines(0, 0, 1, false)[1]:find('another branch')");
        neovim.open("README.md");
        neovim.type_keys("ggOMine<Esc>");
        coordination.wait_for_claim("README.md");
        assert_eq!(coordination.claim(FILE), None);
    });
}

#[test]
fn a_message_arrives_and_is_answered() {
    with_each_pair(|workspace, mut ada, mut ben| {
        let coordination = workspace.coordination();
        ada.open(FILE);
        ben.open("src/lib.rs");
        ada.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
        let ada_id = session_of(&coordination, &ada);
        let ben_id = session_of(&coordination, &ben);

        ben.type_keys(&format!(":Deconflict sendMessage {ada_id} Shall I take the parser?<CR>"));
        ada.wait_for_notice("writes: Shall I take the parser?");

        ada.command("Deconflict messages");
        ada.wait_for_screen("r reply");
        ada.type_keys("rYes, do.<CR>");
        ben.wait_for_notice("writes: Yes, do.");
        let answers = coordination.messages_to(&ben_id);
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0]["message"], "Yes, do.");
        // Whoever thinks better of it is told that nothing went.
        ben.type_keys(&format!(":Deconflict sendMessage {ada_id}<CR><CR>"));
        ben.wait_for_notice("nothing was sent");
    });
}

#[test]
fn a_request_for_release_arrives_and_the_release_clears_everything() {
    with_each_pair(|workspace, mut holder, mut other| {
        let coordination = workspace.coordination();
        holder.open(FILE);
        other.open(FILE);
        holder.type_keys("ggO// mine<Esc>");
        other.wait_for_diagnostic("claimed");

        other.command("Deconflict requestRelease I need it for an hour");

        holder.wait_for_notice("I need it for an hour");
        let holder_id = session_of(&coordination, &holder);
        let requests = coordination.messages_to(&holder_id);
        assert_eq!(requests[0]["type"], "release_request");

        holder.command("Deconflict release");
        coordination.wait_for_no_claim(FILE);
        other.wait_until_clear();
    });
}

#[test]
fn leaving_ends_the_session() {
    with_each_pair(|workspace, mut holder, mut other| {
        let coordination = workspace.coordination();
        holder.open(FILE);
        other.open(FILE);
        holder.type_keys("ggO// mine<Esc>");
        other.wait_for_diagnostic("claimed");
        let session = session_of(&coordination, &holder);

        holder.quit();

        // Neovim waits for its server, so that all is done when it has left.
        let record = coordination.session(&session).unwrap();
        assert_eq!(record["status"], "completed", "{record}");
        assert!(record["ended_at"].is_string(), "{record}");
        assert_eq!(coordination.claim(FILE), None);
        other.wait_until_clear();
    });
}

#[test]
fn a_killed_neovim_frees_its_claims_within_a_second() {
    with_each_pair(|workspace, mut holder, mut other| {
        let coordination = workspace.coordination();
        holder.open(FILE);
        other.open(FILE);
        holder.type_keys("ggO// mine<Esc>");
        other.wait_for_diagnostic("claimed");

        holder.kill();

        wait_within(Duration::from_secs(1), "the claim to be freed", || {
            coordination.claim(FILE).is_none().then_some(())
        });
        other.wait_until_clear();
    });
}

#[cfg(unix)]
#[test]
fn a_killed_server_is_started_again_and_resumes() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
        let session = session_of(&coordination, &neovim);
        let server = coordination.session(&session).unwrap()["pid"].clone();

        let killed = Command::new("kill").args(["-9", &server.to_string()]).status().unwrap();
        assert!(killed.success());

        coordination.wait_for("another server to resume the session", |here| {
            let record = here.session(&session)?;
            (record["pid"] != server && record["status"] == "active").then_some(())
        });
        coordination.wait_for_holder(FILE, &session);
    });
}

#[test]
fn what_neovim_holds_is_refused_at_the_terminal() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
        let session = session_of(&coordination, &neovim);
        let (terminal, _) = Terminal::with_new_session(workspace);

        let refused = terminal.run(["claim", "file", FILE]).expect_code(1);
        assert!(refused.stderr.contains("Neovim"), "{refused:?}");
        terminal.run(["check", FILE]).expect_code(1);
        let status = terminal.run(["status", "--json"]).expect_code(0).json();
        let claims = status["claims"].as_array().unwrap();
        assert!(
            claims.iter().any(|claim| claim["resource_name"] == FILE && claim["claimed_by"] == session.as_str()),
            "{status}"
        );

        neovim.command("Deconflict releaseAll");
        coordination.wait_for_no_claim(FILE);
        terminal.run(["claim", "file", FILE]).expect_code(0);
    });
}

#[test]
fn what_the_terminal_holds_shows_in_neovim() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (terminal, id) = terminal_that_holds(workspace, FILE);

        neovim.wait_for_diagnostic("claimed");
        neovim.wait("the claim in the statusline", "require('deconflict').statusline():find('others 1')");
        // An edit of what another holds does not take it away.
        neovim.type_keys("ggO// mine<Esc>");
        neovim.wait(
            "the notice to become a warning",
            "vim.diagnostic.get(0)[1].severity == vim.diagnostic.severity.WARN",
        );
        neovim.wait_for_screen("● you edit it too");
        assert_eq!(workspace.coordination().holder(FILE), Some(id));
        neovim.command("undo");

        terminal.run(["release", "file", FILE]).expect_code(0);
        neovim.wait_until_clear();
    });
}

#[test]
fn messages_go_between_the_terminal_and_neovim() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        let (terminal, id) = Terminal::with_new_session(workspace);
        let session = session_of(&coordination, &neovim);

        terminal.run(["send", session.as_str(), "Tests are red", "since your last commit"]).expect_code(0);
        neovim.wait_for_notice("Tests are red");

        neovim.type_keys(&format!(":Deconflict sendMessage {id} Green again<CR>"));
        wait_for("the answer at the terminal", || {
            terminal.run(["messages"]).expect_code(0).stdout.contains("Green again").then_some(())
        });

        // What went by as a notice waits to be read, and so does a broadcast, which is not shown by itself.
        terminal.run(["send", "broadcast", "Release", "is tomorrow"]).expect_code(0);
        neovim.wait("the unread messages in the statusline", "require('deconflict').statusline():find('unread 2')");
        neovim.command("Deconflict messages");
        neovim.wait_for_screen("is tomorrow");
        neovim.wait("the statusline without it", "not require('deconflict').statusline():find('unread')");
    });
}

#[test]
fn a_long_notice_is_shown_whole_and_stops_nobody() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        let (terminal, _) = Terminal::with_new_session(workspace);
        let session = session_of(&coordination, &neovim);
        // One word, which no line break divides.
        let text = "word ".repeat(40) + "to_the_end";

        terminal.run(["send", session.as_str(), "Long", text.as_str()]).expect_code(0);

        neovim.wait_for_screen("to_the_end");
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
    });
}

#[test]
fn an_abandoned_claim_is_taken_over_at_once_and_an_active_one_only_when_confirmed() {
    let choose = "vim.ui.select = function(items, options, choose) \
                  _G.asked = options.prompt choose(items[_G.choice]) end";
    with_each(choose, |workspace, mut neovim| {
        let coordination = workspace.coordination();
        coordination.write_session("session-gone", json!({ "last_heartbeat": "2020-01-01T00:00:00Z" }));
        coordination.write_claim(
            "session-gone",
            "file",
            "src/lib.rs",
            json!({ "claimed_at": "2020-01-01T00:00:00Z", "expires_at": "2020-01-01T04:00:00Z" }),
        );
        neovim.open("src/lib.rs");
        let session = session_of(&coordination, &neovim);
        neovim.wait_for_diagnostic("claim-stale");
        neovim.command("Deconflict takeOver");
        coordination.wait_for_holder("src/lib.rs", &session);
        assert_eq!(neovim.lua("return _G.asked"), Value::Null);

        let (_terminal, holder) = terminal_that_holds(workspace, FILE);
        neovim.open(FILE);
        neovim.wait_for_diagnostic("claimed");
        neovim.lua("_G.choice = 1");
        neovim.command("Deconflict takeOver");
        neovim.wait("the question", "_G.asked");
        assert_eq!(coordination.holder(FILE).as_deref(), Some(&*holder));

        neovim.lua("_G.choice = 2");
        neovim.command("Deconflict takeOver");
        coordination.wait_for_holder(FILE, &session);
    });
}

#[test]
fn the_commands_do_what_they_say() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        let (_terminal, other) = Terminal::with_new_session(workspace);
        neovim.open(FILE);
        let session = session_of(&coordination, &neovim);

        neovim.command("Deconflict claim");
        let claim = coordination.wait_for_holder(FILE, &session);
        assert_ne!(claim["automatic"], true, "a claim by hand");
        neovim.command("Deconflict claim src/lib.rs");
        coordination.wait_for_holder("src/lib.rs", &session);
        neovim.command("Deconflict release src/lib.rs");
        coordination.wait_for_no_claim("src/lib.rs");

        neovim.command("Deconflict setWork the parser");
        coordination.wait_for("the work in a record", |here| {
            let record = here.session(&session)?.to_string();
            let heartbeats = json!(here.heartbeats(&session)).to_string();
            (record.contains("the parser") || heartbeats.contains("the parser")).then_some(())
        });
        let before = coordination.heartbeats(&session).len();
        neovim.command("Deconflict heartbeat reviewing");
        coordination.wait_for("a heartbeat", |here| (here.heartbeats(&session).len() > before).then_some(()));

        neovim.command("Deconflict status");
        neovim.wait_for_screen("q close");
        assert!(neovim.lines().join("\n").contains(FILE), "{:?}", neovim.lines());
        neovim.type_keys("q");
        neovim.command("Deconflict showBoard");
        neovim.wait("the status board", "vim.api.nvim_buf_get_name(0):find('STATUS_BOARD.md', 1, true)");
        assert_eq!(neovim.lua("return vim.bo.modifiable"), false, "the board is for reading");
        neovim.type_keys("q");
        neovim.wait("the file again", &format!("vim.api.nvim_buf_get_name(0):find({FILE:?}, 1, true)"));

        neovim.command(&format!("Deconflict hand-off {other} half done"));
        coordination.wait_for_holder(FILE, &other);
        coordination.wait_for("the notes of the hand-off", |here| {
            json!(here.handoffs()).to_string().contains("half done").then_some(())
        });
    });
}

#[test]
fn subcommands_and_sessions_are_completed() {
    with_each("", |workspace, mut neovim| {
        let (_terminal, other) = Terminal::with_new_session(workspace);
        neovim.open(FILE);
        session_of(&workspace.coordination(), &neovim);

        let complete = |line: &str| format!("return vim.fn.getcompletion('Deconflict {line}', 'cmdline')");
        assert_eq!(neovim.lua(&complete("rel")), json!(["release", "releaseAll"]));
        neovim.wait(
            "the other session among the completions",
            &format!("vim.list_contains(vim.fn.getcompletion('Deconflict handOff ', 'cmdline'), {other:?})"),
        );
    });
}

#[test]
fn a_code_action_asks_for_what_it_needs() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (_terminal, holder) = terminal_that_holds(workspace, FILE);
        neovim.wait_for_diagnostic("claimed");

        neovim.lua(
            "vim.ui.input = function(options, answered) answered('from a menu') end \
             vim.lsp.buf.code_action({ apply = true, filter = function(action) \
             local command = type(action.command) == 'table' and action.command or action \
             return command.command == 'deconflict.requestRelease' end })",
        );

        workspace.coordination().wait_for("the request for release", |here| {
            here.messages_to(&holder).iter().any(|message| message["type"] == "release_request").then_some(())
        });
    });
}

#[test]
fn every_file_is_served_and_nothing_else_is() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        workspace.write("NOTES", "no type\n");
        let served = "return require('deconflict.client').get(0) ~= nil";

        neovim.open("NOTES");
        assert_eq!(neovim.lua("return vim.bo.filetype"), "");
        neovim.type_keys("ggOmine<Esc>");
        coordination.wait_for_claim("NOTES");
        neovim.open("src/new file.rs");
        neovim.type_keys("ionly here<Esc>");
        coordination.wait_for_claim("src/new file.rs");

        neovim.command("silent! edit fugitive:///repository//0/src/main.rs");
        assert_eq!(neovim.lua(served), false, "a document behind a scheme");
        neovim.command("help");
        assert_eq!(neovim.lua(served), false, "a help page");
        neovim.command("enew");
        assert_eq!(neovim.lua(served), false, "a buffer without a name");

        // A name makes it a file.
        neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'named' })");
        neovim.command("file src/named.rs");
        neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'named', 'and changed' })");
        neovim.command("write");
        neovim.type_keys("Omore<Esc>");
        coordination.wait_for_claim("src/named.rs");
    });
}

#[test]
fn in_a_fresh_clone_it_says_what_will_happen() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        neovim.wait("the server", "(require('deconflict.status').get() or {}).state == 'ready'");
        neovim.command("Deconflict");
        neovim.wait_for_screen("Edit a file, and it is yours");
        assert!(neovim.lines().join("\n").contains(":Deconflict claim"), "{:?}", neovim.lines());
        assert!(!workspace.coordination().exists(), "to look makes nothing");
    });
}

#[test]
fn two_in_a_fresh_clone_see_each_other_before_the_first_claim() {
    let Some([version, _]) = Version::both() else { return };
    let workspace = Workspace::small();
    let mut one = Neovim::start(version, &workspace);
    one.open(FILE);
    one.wait("the server", "(require('deconflict.status').get() or {}).state == 'ready'");
    assert!(!workspace.coordination().exists(), "one alone makes nothing");
    let mut other = Neovim::start(version, &workspace);
    other.open("src/lib.rs");
    for neovim in [&mut one, &mut other] {
        neovim.wait("the other", "(require('deconflict.status').get() or {}).liveSessions == 2");
    }
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    let list = Command::new("find")
        .arg(workspace.path(".git/deconflict"))
        .args(["-path", "*/waiting/*", "-type", "f"])
        .output();
    assert_eq!(String::from_utf8(list.unwrap().stdout).unwrap(), "", "nobody waits any more");
}

#[test]
fn one_server_serves_several_repositories() {
    with_each("", |workspace, mut neovim| {
        let second = Workspace::small();
        neovim.open(FILE);
        neovim.open(second.path(FILE));
        neovim.type_keys("ggO// mine<Esc>");

        second.coordination().wait_for_claim(FILE);
        assert!(!workspace.coordination().exists());
        assert_eq!(neovim.lua("return #vim.lsp.get_clients({ name = 'deconflict' })"), 1);
    });
}

#[test]
fn hints_of_other_servers_stay_off() {
    // A server inside this Neovim, which has a hint for every document.
    let other_server = "\
        _G.start_other = function() vim.lsp.start({ name = 'other', cmd = function() return { \
        request = function(method, _, answer) \
          if method == 'initialize' then answer(nil, { capabilities = { inlayHintProvider = true } }) \
          elseif method == 'textDocument/inlayHint' then \
            answer(nil, { { position = { line = 1, character = 0 }, label = 'OTHER' } }) \
          else answer(nil, nil) end return true, 1 end, \
        notify = function() return true end, is_closing = function() return false end, \
        terminate = function() end } end }) end";
    with_each(other_server, |workspace, mut neovim| {
        neovim.open(FILE);
        let (_terminal, _) = terminal_that_holds(workspace, FILE);
        let hint = neovim.wait("an inlay hint", "(vim.lsp.inlay_hint.get({ bufnr = 0 })[1] or {}).inlay_hint");
        let label = match &hint["label"] {
            Value::String(label) => label.clone(),
            parts => parts[0]["value"].as_str().unwrap().to_owned(),
        };
        neovim.wait_for_screen(&label);

        neovim.lua("_G.start_other()");
        neovim.wait("the other server", "#vim.lsp.get_clients({ name = 'other', bufnr = 0 }) == 1");
        neovim.wait("its hints not to be shown", "not vim.lsp.inlay_hint.is_enabled({ bufnr = 0 })");
        neovim.wait_for_screen(&label);
        let screen = neovim.screen().join("\n");
        assert!(!screen.contains("OTHER"), "{screen}");

        // The user turns all of them on: both are shown, each once.
        neovim.lua("vim.lsp.inlay_hint.enable(true, { bufnr = 0 })");
        neovim.wait_for_screen("OTHER");
        let line = neovim.wait_for_screen(&label);
        assert_eq!(line.matches(&label).count(), 1, "{line}");
    });
}

#[test]
fn options_are_followed() {
    with_each(
        "vim.g.deconflict = vim.tbl_extend('force', vim.g.deconflict, { settings = { \
         sessionName = 'ada', claims = { automatic = false } }, inlay_hints = false })",
        |workspace, mut neovim| {
            let coordination = workspace.coordination();
            neovim.open(FILE);
            neovim.type_keys("ggO// mine<Esc>");
            let (_terminal, _) = terminal_that_holds(workspace, FILE);
            neovim.wait_for_diagnostic("claimed");

            let session = session_of(&coordination, &neovim);
            let record = coordination.session(&session).unwrap();
            assert_eq!(record["name"], "ada", "{record}");
            assert_eq!(neovim.lua("return vim.lsp.inlay_hint.is_enabled({ bufnr = 0 })"), false);
        },
    );
}

#[test]
fn a_missing_program_is_said_once_and_explained() {
    with_each("vim.g.deconflict = { cmd = '/nowhere/deconflict' }", |workspace, mut neovim| {
        for file in [FILE, "src/lib.rs"] {
            let path = workspace.path(file);
            neovim.lua(&format!("vim.cmd.edit({path:?})"));
        }
        let notices = neovim.notices();
        assert_eq!(notices.matches("was not found").count(), 1, "notices: {notices}");
        neovim.command("checkhealth deconflict");
        let report = neovim.lines().join("\n");
        assert!(report.contains("/nowhere/deconflict"), "{report}");
        assert!(report.contains("cargo install"), "{report}");
    });
}

#[test]
fn health_and_help_are_there() {
    with_each("", |_workspace, mut neovim| {
        neovim.open(FILE);
        neovim.command("checkhealth deconflict");
        let report = neovim.wait(
            "the report",
            "(function() local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n') \
             return text:find('deconflict doctor', 1, true) and text end)()",
        );
        let report = report.as_str().unwrap();
        assert!(report.contains("the server is running"), "{report}");
        assert!(!report.contains("ERROR"), "{report}");

        // Tags go into a copy of the page: a plugin manager writes them where it put the plugin.
        let found = neovim.lua(
            "local copy = vim.fn.tempname() vim.fn.mkdir(copy .. '/doc', 'p') \
             local page = vim.api.nvim_get_runtime_file('doc/deconflict.txt', false)[1] \
             vim.uv.fs_copyfile(page, copy .. '/doc/deconflict.txt') \
             vim.cmd.helptags(copy .. '/doc') vim.opt.rtp:prepend(copy) \
             vim.cmd.help('deconflict') return vim.fs.basename(vim.api.nvim_buf_get_name(0))",
        );
        assert_eq!(found, "deconflict.txt");
    });
}

/// Autocommands do not nest, so that a write by one of them fires no `BufWritePost`.
#[test]
fn an_auto_save_by_a_plain_autocommand_is_a_save() {
    let Some(versions) = Version::both() else { return };
    for version in versions {
        for (event, write) in [
            ("TextChanged,TextChangedI", "silent! write"),
            ("InsertLeave", "silent! write"),
            ("InsertLeave", "update"),
            ("CursorHold", "silent! wall"),
        ] {
            let workspace = Workspace::small();
            let coordination = workspace.coordination();
            coordination.create();
            let mut neovim = Neovim::start(version, &workspace);
            neovim.command("set updatetime=50");
            neovim.command(&format!("autocmd {event} * {write}"));
            neovim.open("src/main.rs");
            neovim.wait("the server", "#vim.lsp.get_clients({ name = 'deconflict', bufnr = 0 }) == 1");
            neovim.type_keys("ggO// mine<Esc>");
            coordination.wait_for_claim("src/main.rs");
            wait_for("the claim to have lasted", || {
                assert!(coordination.claim("src/main.rs").is_some(), "{event}: it stays claimed");
                (coordination.age_of_claim("src/main.rs") > Duration::from_secs(3)).then_some(())
            });
            assert!(workspace.read("src/main.rs").starts_with("// mine"), "{event}");
            neovim.quit();
        }
    }
}

/// Users have Neovim look at its files in an autocommand, of which no other autocommand hears.
#[test]
fn what_another_program_writes_is_no_save_of_neovims() {
    for autoread in [true, false] {
        let setup = format!(
            "vim.o.autoread = {autoread} vim.o.updatetime = 50 \
             vim.api.nvim_create_autocmd('CursorHold', {{ callback = function() \
             if vim.o.autoread then vim.cmd('silent! checktime') end _G.held = (_G.held or 0) + 1 end }})"
        );
        with_each(&setup, |workspace, mut neovim| {
            let coordination = workspace.coordination();
            coordination.create();
            neovim.open(FILE);
            let session = session_of(&coordination, &neovim);
            neovim.command("Deconflict heartbeat opened");
            coordination.wait_for("the file to have been looked at", |here| {
                here.heartbeats(&session).iter().any(|heartbeat| heartbeat["action"] == "opened").then_some(())
            });
            workspace.write(FILE, "fn main() {} // written elsewhere\n");
            // The pauses after which Neovim looks at what it may have written.
            for _ in 0..2 {
                neovim.lua("_G.held = 0");
                neovim.type_keys("jk");
                neovim.wait("a pause", "_G.held > 0");
            }
            if autoread {
                neovim.wait("the text from elsewhere", "vim.fn.getline(1):find('elsewhere')");
            }

            neovim.open("src/lib.rs");
            neovim.type_keys("ggO// mine<Esc>");
            coordination.wait_for_claim("src/lib.rs");
            neovim.command("silent write");
            let terminal = Terminal::on(workspace);
            let of = |file: &str| {
                let history = terminal.run(["history", file, "--json"]).expect_code(0).json();
                history["entries"].as_array().unwrap().clone()
            };
            wait_for("what came after to be known", || {
                of("src/lib.rs").iter().any(|it| it["cause"] == "save").then_some(())
            });
            assert!(of(FILE).iter().all(|it| it["cause"] == "unknown"), "autoread {autoread}: {:?}", of(FILE));
            assert_eq!(coordination.claim(FILE), None, "autoread {autoread}");
        });
    }
}

/// Some have two language clients on one buffer, as where a distribution of Neovim starts the server too. They are one person at
/// one file.
#[test]
fn two_clients_on_one_buffer_say_nothing_of_each_other() {
    let hear = "_G.heard = {} local hear = function(_, it) table.insert(_G.heard, it.message) end \
        vim.lsp.handlers['window/showMessage'] = hear \
        vim.api.nvim_create_autocmd('User', { pattern = 'DeconflictMessage', callback = function(event) \
          hear(nil, event.data) end }) \
        vim.api.nvim_create_autocmd('DiagnosticChanged', { callback = function(event) \
          for _, it in ipairs(vim.diagnostic.get(event.buf)) do hear(nil, it) end end })";
    with_each(hear, |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.lua(&format!(
            "vim.lsp.start({{ name = 'again', cmd = {{ {:?}, 'lsp' }}, root_dir = {:?} }})",
            env!("CARGO_BIN_EXE_deconflict"),
            workspace.root()
        ));
        neovim.wait(
            "both clients to serve the buffer",
            "#vim.tbl_filter(function(client) return client.initialized end, vim.lsp.get_clients({ bufnr = 0 })) == 2",
        );
        neovim.type_keys("ggO// mine<Esc>");
        let holder = coordination.wait_for_claim(FILE)["claimed_by"].as_str().unwrap().to_owned();
        coordination.wait_for("the sessions of both", |here| {
            let sessions = here.sessions().into_iter().filter(|session| session["client_pid"] == neovim.id());
            (sessions.count() == 2).then_some(())
        });
        neovim.command("silent write");
        neovim.type_keys("ggO// more<Esc>");
        // What lasts is told by then.
        wait_for("the claim to have lasted", || {
            (coordination.age_of_claim(FILE) > Duration::from_millis(2_500)).then_some(())
        });
        assert_eq!(neovim.lua("return _G.heard"), json!([]));
        let (terminal, _) = Terminal::with_named_session(workspace, "Carol");
        terminal.run(["send", &holder, "", "That is heard"]).expect_code(0);
        neovim.wait("a word of somebody else", "#_G.heard == 1");
    });
}
