//! The journal in Neovim: what others changed is listed, shown as a diff, brought back and merged.

use std::process::Command;

use serde_json::json;

use crate::neovim::{session_of, with_each};
use crate::support::{Neovim, Workspace, wait_for};

const FILE: &str = "poem.txt";
const POEM: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

/// Neovim has saved a line of its own on top of the poem.
fn with_a_poem(test: impl Fn(&Workspace, Neovim)) {
    with_each("vim.o.autoread = true", |workspace, mut neovim| {
        workspace.write(FILE, POEM);
        workspace.commit_all("A poem");
        workspace.coordination().create();
        neovim.open(FILE);
        session_of(&workspace.coordination(), &neovim);
        neovim.type_keys("ggOmine<Esc>");
        workspace.coordination().wait_for_claim(FILE);
        neovim.command("write");
        wait_for_history(workspace, 1);
        test(workspace, neovim);
    });
}

/// Waits until so many changes of the poem are kept.
fn wait_for_history(workspace: &Workspace, count: usize) {
    let terminal = crate::support::Terminal::on(workspace);
    wait_for("the change in the journal", || {
        let entries = terminal.run(["history", FILE, "--json"]).json()["entries"].as_array().map_or(0, Vec::len);
        (entries >= count).then_some(())
    });
}

/// A program that takes no part changes the poem.
fn sed(workspace: &Workspace, script: &str) {
    let status = Command::new("sed").args(["-i", script, FILE]).current_dir(workspace.root()).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_history_lists_shows_and_restores() {
    with_a_poem(|workspace, mut neovim| {
        let before = workspace.read(FILE);
        sed(workspace, "s/mine/gone/");
        neovim.wait_for_diagnostic("overwritten");
        wait_for_history(workspace, 2);
        neovim.command("checktime");
        neovim.wait("the text as on disk", "vim.fn.getline(1) == 'gone'");

        neovim.command("Deconflict history");
        neovim.wait_for_screen("History of poem.txt");
        neovim.wait_for_screen("unknown");
        neovim.type_keys("<CR>");
        neovim.wait("two sides", "#vim.api.nvim_tabpage_list_wins(0) == 2 and vim.wo.diff");
        neovim.wait_for_screen("before unknown");
        let sides = "vim.tbl_map(function(it) return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(it), 0, 1, \
                     false)[1] end, vim.api.nvim_tabpage_list_wins(0))";
        assert_eq!(neovim.lua(&format!("return {sides}")), json!(["mine", "gone"]));
        neovim.type_keys("q");
        neovim.wait("the file again", "vim.api.nvim_buf_get_name(0):find('poem.txt', 1, true)");

        neovim.command("Deconflict history");
        neovim.wait_for_screen("History of poem.txt");
        neovim.type_keys("r");
        neovim.wait_for_notice("restored poem.txt");
        wait_for("the text on disk", || (workspace.read(FILE) == before).then_some(()));
        neovim.wait("the text in the buffer", "vim.fn.getline(1) == 'mine'");
        neovim.wait_until_clear();

        // A restore is a change too, and taken back by the list.
        wait_for_history(workspace, 3);
        neovim.lua("vim.ui.select = function(items, _, choose) choose(items[1]) end");
        neovim.command("Deconflict restore");
        wait_for("the restore to be taken back", || workspace.read(FILE).starts_with("gone").then_some(()));
    });
}

#[test]
fn what_was_changed_below_unsaved_text_is_merged_into_it() {
    with_a_poem(|workspace, mut neovim| {
        neovim.type_keys("Gotheir end<Esc>");
        sed(workspace, "s/^one$/ONE/");
        neovim.wait_for_diagnostic("overwritten");
        neovim.wait_for_notice("\":Deconflict merge\" merges it into your unsaved text");
        neovim.command("Deconflict merge");
        neovim.wait_for_notice("merged");
        let merged = POEM.replace("one", "mine\nONE") + "their end\n";
        assert_eq!(neovim.lines(), merged.lines().collect::<Vec<_>>());
        assert_eq!(neovim.lua("return vim.bo.modified"), true);
        neovim.command("write!");
        wait_for("both on disk", || (workspace.read(FILE) == merged).then_some(()));
    });
}

#[test]
fn a_line_is_blamed_and_a_notice_is_taken_note_of() {
    with_a_poem(|workspace, mut neovim| {
        neovim.type_keys("gg");
        neovim.command("Deconflict blame");
        neovim.wait_for_notice("not committed yet");
        neovim.type_keys("G");
        neovim.command("Deconflict blame");
        neovim.wait_for_notice("line 9: Tester, ");
        neovim.wait_for_notice("commit ");

        sed(workspace, "s/mine/gone/");
        neovim.wait_for_diagnostic("overwritten");
        neovim.command("Deconflict acknowledge");
        neovim.wait_until_clear();
        assert!(workspace.read(FILE).starts_with("gone"));
    });
}
