//! What the plugin is among: terminals, other plugins and language servers, the sign column, the end.

use serde_json::{Value, json};

use crate::neovim::{session_of, terminal_that_holds, with_each, with_each_pair};
use crate::support::{Terminal, Workspace};

const FILE: &str = "src/main.rs";

#[test]
fn a_sign_and_the_text_beside_it_say_who_holds_the_file() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (_terminal, _) = Terminal::with_named_session(workspace, "nobody in particular");
        let (holder, _) = Terminal::with_named_session(workspace, "claude · login form");
        holder.run(["claim", "file", FILE]).expect_code(0);

        neovim.wait_for_diagnostic("claimed");
        let line = neovim.wait_for_screen("claude · login form");
        assert!(line.trim_start().starts_with('●') && line.contains("fn main()"), "{line}");
        holder.run(["release", "file", FILE]).expect_code(0);
        neovim.wait_until_clear();
        assert!(!neovim.screen().join("\n").contains('●'), "{:?}", neovim.screen());
    });
}

#[test]
fn terminals_opened_here_belong_to_the_session() {
    let earlier = "vim.env.DECONFLICT_SESSION = 'session-of-whoever-started-it'";
    with_each(earlier, |workspace, mut neovim| {
        let coordination = workspace.coordination();
        let (_other, _) = Terminal::with_new_session(workspace);
        neovim.open(FILE);
        let session = session_of(&coordination, &neovim);
        neovim.wait("the session to be told", &format!("vim.env.DECONFLICT_SESSION == {session:?}"));
        let program = env!("CARGO_BIN_EXE_deconflict");

        neovim.command(&format!("terminal '{program}' claim file README.md"));
        coordination.wait_for_holder("README.md", &session);
        neovim.command("bdelete!");

        // A second repository may have a session of its own: there the verbs find it by their process.
        let second = Workspace::small();
        let (_there, _) = Terminal::with_new_session(&second);
        neovim.open(second.path(FILE));
        neovim.wait("the variable to be as before", "vim.env.DECONFLICT_SESSION == 'session-of-whoever-started-it'");
        let there = session_of(&second.coordination(), &neovim);
        neovim.lua("vim.env.DECONFLICT_SESSION = nil");
        neovim.lua(&format!(
            "vim.fn.jobstart({{ {program:?}, 'claim', 'file', 'README.md' }}, {{ cwd = {:?} }})",
            second.root()
        ));
        second.coordination().wait_for_holder("README.md", &there);
    });
}

#[test]
fn others_can_build_on_what_happens() {
    let listen = "_G.heard = {} vim.api.nvim_create_autocmd('User', { pattern = 'Deconflict*', callback = \
                  function(event) table.insert(_G.heard, { event.match, event.data or {} }) end })";
    with_each(listen, |workspace, mut neovim| {
        neovim.open(FILE);
        let (terminal, holder) = terminal_that_holds(workspace, FILE);
        let session = session_of(&workspace.coordination(), &neovim);
        let heard = |neovim: &mut crate::support::Neovim, name: &str, condition: &str| -> Value {
            neovim.wait(
                name,
                &format!(
                    "vim.iter(_G.heard):filter(function(event) local data = event[2] \
                     return event[1] == {name:?} and {condition} end):totable()[1]"
                ),
            )
        };

        heard(&mut neovim, "DeconflictSession", &format!("data.session_id == {session:?}"));
        heard(&mut neovim, "DeconflictStatus", "data.heldByOthers == 1");
        let file = heard(&mut neovim, "DeconflictFile", "data.code == 'claimed'");
        assert_eq!(file[1]["claim"]["claimed_by"], holder.as_str(), "{file}");
        assert_eq!(file[1]["buf"], neovim.lua("return vim.api.nvim_get_current_buf()"));
        assert!(neovim.lua("return require('deconflict').holder()").is_string());
        terminal.run(["send", &session, "Hello", "a word"]).expect_code(0);
        heard(&mut neovim, "DeconflictMessage", "data.message:find('a word', 1, true)");
        terminal.run(["release", "file", FILE]).expect_code(0);
        heard(&mut neovim, "DeconflictFile", "data.buf and not data.code");
        assert_eq!(neovim.lua("return require('deconflict').holder()"), Value::Null);
    });
}

#[test]
fn another_language_server_on_the_buffer_is_left_alone() {
    // A server inside this Neovim, with a diagnostic and a code action of its own.
    let other = "vim.api.nvim_create_autocmd('BufReadPost', { callback = function(event) \
        vim.lsp.start({ name = 'other', cmd = function(dispatchers) return { \
        request = function(method, _, answer) \
          if method == 'initialize' then answer(nil, { capabilities = { codeActionProvider = true, textDocumentSync = 1 } }) \
          elseif method == 'textDocument/codeAction' then answer(nil, { { title = 'Other action' } }) \
          else answer(nil, nil) end return true, 1 end, \
        notify = function(method, parameters) \
          if method == 'textDocument/didOpen' then vim.schedule(function() \
            dispatchers.notification('textDocument/publishDiagnostics', { uri = parameters.textDocument.uri, \
            diagnostics = { { message = 'Other finding', severity = 2, source = 'other', \
            range = { start = { line = 1, character = 0 }, ['end'] = { line = 1, character = 1 } } } } }) \
          end) end return true end, \
        is_closing = function() return false end, terminate = function() end } end }, { bufnr = event.buf }) end })";
    with_each(other, |workspace, mut neovim| {
        neovim.open(FILE);
        let (_terminal, _) = Terminal::with_new_session(workspace);
        let (holder, _) = Terminal::with_named_session(workspace, "maria");
        holder.run(["claim", "file", FILE]).expect_code(0);
        neovim.wait_for_diagnostic("claimed");
        neovim.wait("the other's finding", "#vim.diagnostic.get(0) == 2");

        // Each in its own way: ours beside the line, the other's as the user has it.
        neovim.wait_for_screen("held by maria");
        let signs = neovim.lua(
            "local signs = {} for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true })) do \
             if mark[4].sign_text then signs[tostring(mark[2])] = vim.trim(mark[4].sign_text) end end return signs",
        );
        assert_eq!(signs, json!({ "0": "●", "1": "W" }));
        let titles = "(function() local titles = {} \
             for _, answer in pairs(vim.lsp.buf_request_sync(0, 'textDocument/codeAction', \
             { textDocument = vim.lsp.util.make_text_document_params(0), context = { diagnostics = {} }, \
             range = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 0 } } }, 2000)) do \
             for _, action in ipairs(answer.result or {}) do table.insert(titles, action.title) end end \
             local all = table.concat(titles, '|') return all:find('Other action') and all:find('Ask maria') end)()";
        neovim.wait("the actions of both", titles);

        neovim.command("Deconflict restart");
        neovim.wait_for_diagnostic("claimed");
        assert_eq!(neovim.lua("return #vim.lsp.get_clients({ name = 'other', bufnr = 0 })"), 1);
    });
}

#[test]
fn a_closed_terminal_ends_the_session() {
    with_each_pair(|workspace, mut holder, mut other| {
        let coordination = workspace.coordination();
        holder.open(FILE);
        other.open(FILE);
        holder.type_keys("ggO// mine<Esc>");
        other.wait_for_diagnostic("claimed");
        let session = session_of(&coordination, &holder);

        holder.hang_up();

        coordination.wait_for_no_claim(FILE);
        other.wait_until_clear();
        coordination.wait_for("the session to be over", |here| {
            (here.session(&session)?["status"] == "completed").then_some(())
        });
    });
}

#[test]
fn each_tag_of_the_help_page_is_found_and_health_names_the_session() {
    with_each("", |workspace, mut neovim| {
        neovim.open(FILE);
        let (_terminal, _) = Terminal::with_new_session(workspace);
        session_of(&workspace.coordination(), &neovim);
        neovim.wait("the session", "type((require('deconflict').status() or {}).session) == 'table'");
        neovim.command("checkhealth deconflict");
        let report = neovim.wait(
            "the report",
            "(function() local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n') \
             return text:find('deconflict doctor', 1, true) and text end)()",
        );
        let report = report.as_str().unwrap();
        assert!(report.contains("the session is") && report.contains("DECONFLICT_SESSION is set"), "{report}");

        let missing = neovim.lua(
            "local copy = vim.fn.tempname() vim.fn.mkdir(copy .. '/doc', 'p') \
             local page = vim.api.nvim_get_runtime_file('doc/deconflict.txt', false)[1] \
             vim.uv.fs_copyfile(page, copy .. '/doc/deconflict.txt') \
             vim.cmd.helptags(copy .. '/doc') vim.opt.rtp:prepend(copy) \
             local text = table.concat(vim.fn.readfile(page), '\\n') local missing = {} \
             for tag in text:gmatch('|([^|%s]+)|') do if not pcall(vim.cmd.help, tag) then \
             table.insert(missing, tag) end end return missing",
        );
        assert_eq!(missing, json!([]), "links that lead nowhere");
        for tag in ["deconflict", ":Deconflict", "deconflict-events", "deconflict-terminal", "g:deconflict"] {
            neovim.command(&format!("help {tag}"));
        }
    });
}
