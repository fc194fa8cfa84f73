//! Each `:Deconflict` action that the main line between two Neovims does not need.

use serde_json::{Value, json};

use crate::neovim::{session_of, terminal_that_holds, with_each};
use crate::support::{Terminal, wait_for};

const FILE: &str = "src/main.rs";

#[test]
fn each_action_is_completed_and_told_in_the_help_page() {
    with_each("", |_workspace, mut neovim| {
        let actions = neovim.lua("return vim.fn.getcompletion('Deconflict ', 'cmdline')");
        let expected = [
            "acknowledge",
            "blame",
            "claim",
            "handOff",
            "heartbeat",
            "history",
            "markRead",
            "merge",
            "messages",
            "mute",
            "release",
            "releaseAll",
            "requestRelease",
            "restart",
            "restore",
            "sendMessage",
            "setWork",
            "showBoard",
            "showChanges",
            "status",
            "takeOver",
            "tellWhenFree",
            "unmute",
        ];
        assert_eq!(actions, json!(expected));
        let page = neovim.lua("return vim.fn.readfile(vim.api.nvim_get_runtime_file('doc/deconflict.txt', false)[1])");
        let page: Vec<String> = serde_json::from_value(page).unwrap();
        for action in expected {
            let is_told = page.iter().any(|line| line.split([' ', '\t']).next() == Some(action));
            assert!(is_told, "{action} is missing in the help page");
        }
        assert_eq!(neovim.lua("return vim.fn.getcompletion('Deconflict messages ', 'cmdline')"), json!(["unread"]));
        assert_eq!(neovim.lua("return vim.fn.getcompletion('Deconflict release-a', 'cmdline')"), json!([]));

        neovim.command("Deconflict nothing-like-that");
        neovim.wait_for_notice("There are: acknowledge, blame");
    });
}

#[test]
fn sessions_are_named_by_people() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        let (_terminal, claude) = Terminal::with_named_session(workspace, "claude · login form");
        neovim.open(FILE);
        session_of(&coordination, &neovim);
        let typed = r"claude\ ·\ login\ form";
        let completion = |action: &str| format!("return vim.fn.getcompletion('Deconflict {action} cl', 'cmdline')");
        for action in ["sendMessage", "handOff", "mute", "unmute"] {
            assert_eq!(neovim.lua(&completion(action)), json!([typed]), "{action}");
        }

        neovim.type_keys(&format!(":Deconflict sendMessage {typed} Take your time<CR>"));
        coordination.wait_for("the message", |here| {
            here.messages_to(&claude).iter().any(|message| message["message"] == "Take your time").then_some(())
        });
        neovim.command("Deconflict claim");
        coordination.wait_for_claim(FILE);
        neovim.command(&format!("Deconflict handOff {typed} half done"));
        coordination.wait_for_holder(FILE, &claude);
        neovim.wait_for_notice("handed off to claude · login form");

        neovim.command("Deconflict handOff somebody notes");
        neovim.wait_for_notice("there is no session \"somebody\". Here are: claude · login form");
        neovim.command("Deconflict status");
        let row = neovim.wait_for_screen("● ");
        assert!(!row.trim_start_matches([' ', '│', '●']).starts_with("session-"), "a name before the id: {row}");
        neovim.wait_for_screen("claude · login form");
    });
}

#[test]
fn a_muted_session_does_not_pop_up() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        let (terminal, _) = Terminal::with_named_session(workspace, "maria");
        let session = session_of(&coordination, &neovim);

        // Her session is known here a moment after it began.
        wait_for("the session to be muted", || {
            neovim.command("Deconflict mute maria");
            neovim.notices().contains("muted maria until").then_some(())
        });
        terminal.run(["send", &session, "First", "in silence"]).expect_code(0);
        neovim.wait("the unread message", "require('deconflict').statusline():find('unread 1', 1, true)");
        let (other, _) = Terminal::with_named_session(workspace, "ben");
        other.run(["send", &session, "Second", "aloud"]).expect_code(0);
        neovim.wait_for_notice("aloud");
        assert!(!neovim.notices().contains("in silence"), "{}", neovim.notices());

        neovim.command("Deconflict unmute maria");
        neovim.wait_for_notice("unmuted maria");
        terminal.run(["send", &session, "Third", "and now"]).expect_code(0);
        neovim.wait_for_notice("and now");

        // By the list, for so long as it says.
        neovim.lua("vim.ui.select = function(items, options, choose) _G.asked = options.prompt choose(items[1]) end");
        neovim.command("Deconflict mute");
        neovim.wait("the question", "_G.asked == 'Mute for an hour'");
    });
}

#[test]
fn messages_are_marked_as_read() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (terminal, _) = Terminal::with_new_session(workspace);
        session_of(&workspace.coordination(), &neovim);
        for text in ["one", "two"] {
            terminal.run(["send", "broadcast", "Subject", text]).expect_code(0);
        }
        neovim.wait("the unread messages", "require('deconflict').statusline():find('unread 2', 1, true)");

        neovim.command("Deconflict markRead");

        neovim.wait("none to be unread", "not require('deconflict').statusline():find('unread', 1, true)");
        neovim.command("Deconflict messages unread");
        neovim.wait_for_notice("no unread messages");
    });
}

#[test]
fn what_the_holder_changed_is_shown_and_its_end_is_told() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (terminal, _) = terminal_that_holds(workspace, FILE);
        neovim.wait_for_diagnostic("claimed");

        neovim.command("Deconflict showChanges");
        neovim.wait_for_notice("nothing was saved since the last commit");
        workspace.write(FILE, "// theirs\nfn main() {}\n");
        neovim.command("Deconflict showChanges");
        neovim.wait(
            "what they changed",
            "table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n'):find('+// theirs', 1, true)",
        );
        assert_eq!(neovim.lua("return vim.bo.modifiable"), false);
        neovim.type_keys("q");

        neovim.wait("the file again", &format!("vim.api.nvim_buf_get_name(0):find({FILE:?}, 1, true)"));
        neovim.command("Deconflict tellWhenFree");
        neovim.wait_for_notice("you will be told when it is free");
        terminal.run(["release", "file", FILE]).expect_code(0);
        neovim.wait_for_notice("free now");
    });
}

#[test]
fn a_restart_goes_on_with_the_session_and_its_options() {
    with_each("", |workspace, mut neovim| {
        let coordination = workspace.coordination();
        neovim.open(FILE);
        neovim.type_keys("ggO// mine<Esc>");
        coordination.wait_for_claim(FILE);
        let before = neovim.lua("return require('deconflict.client').get(0).id");

        neovim.lua("require('deconflict').setup({ settings = { sessionName = 'ada' } })");
        neovim.command("Deconflict restart");

        neovim.wait("another server", &format!("(require('deconflict.client').get(0) or {{}}).id ~= {before}"));
        coordination.wait_for("the claim of the session with its name", |here| {
            let holder = here.session(&here.holder(FILE)?)?;
            (holder["name"] == "ada" && holder["status"] == "active").then_some(())
        });
        neovim.wait("the session", "vim.tbl_get(require('deconflict').status() or {}, 'session', 'name') == 'ada'");
    });
}

#[test]
fn messages_and_status_open_in_a_split_if_so_wanted() {
    with_each(
        "vim.g.deconflict = vim.tbl_extend('force', vim.g.deconflict, { view = 'split' })",
        |workspace, mut neovim| {
            neovim.open(FILE);
            let (terminal, _) = terminal_that_holds(workspace, FILE);
            neovim.wait_for_diagnostic("claimed");
            neovim.command("Deconflict status");
            neovim.wait_for_screen("q close");
            assert_eq!(neovim.lua("return vim.api.nvim_win_get_config(0).relative"), "");
            assert_eq!(neovim.lua("return vim.bo.modifiable"), false);
            neovim.type_keys("q");
            neovim.wait("the file again", &format!("vim.api.nvim_buf_get_name(0):find({FILE:?}, 1, true)"));

            terminal.run(["send", "broadcast", "Lunch", "at noon"]).expect_code(0);
            neovim.wait("the message", "require('deconflict').statusline():find('unread', 1, true)");
            neovim.command("Deconflict messages");
            neovim.wait_for_screen("r reply");
            let expected: Value = json!(2);
            assert_eq!(neovim.lua("return #vim.api.nvim_list_wins()"), expected);
        },
    );
}
