//! Whole days in a real Neovim. On a calm one nobody meets anybody else, and nothing is said; on one with clashes each
//! side hears of each of them once, and what it hears is true.

use serde_json::json;

use crate::neovim::session_of;
use crate::support::{CodingAgent, Coordination, Neovim, Version, Workspace, wait_for};

const FILE: &str = "src/main.rs";

/// So many files are changed by one search and replace, more than are told of one by one.
const MANY: usize = 25;

/// Keeps whatever is shown: notices, and warnings beside the text.
const HEAR: &str = "\
    vim.o.autoread = true vim.o.hidden = true _G.heard = {} \
    vim.api.nvim_create_autocmd('User', { pattern = 'DeconflictMessage', callback = function(event) \
      table.insert(_G.heard, event.data.message) end }) \
    vim.api.nvim_create_autocmd('DiagnosticChanged', { callback = function(event) \
      for _, it in ipairs(vim.diagnostic.get(event.buf, { severity = { min = vim.diagnostic.severity.WARN } })) do \
        if it.source == 'deconflict' then table.insert(_G.heard, it.code .. ': ' .. it.message) end end end })";

/// Somebody at a Neovim, and what is seen from outside.
struct Day<'w> {
    workspace: &'w Workspace,
    coordination: Coordination,
    neovim: Neovim,
    steps: usize,
}

impl<'w> Day<'w> {
    fn begin(version: Version, workspace: &'w Workspace) -> Self {
        let neovim = Neovim::start_with(version, workspace, HEAR);
        Self { workspace, coordination: workspace.coordination(), neovim, steps: 0 }
    }

    /// Types a line on top of the current file.
    fn type_line(&mut self, line: &str) {
        self.neovim.type_keys(&format!("ggO<C-u>{line}<Esc>"));
        self.neovim.wait("the line", &format!("vim.fn.getline(1) == {line:?}"));
    }

    /// Waits until the server has dealt with everything so far, and fails if anything was said.
    #[track_caller]
    fn is_quiet(&mut self, what: &str) {
        self.steps += 1;
        let step = format!("step-{}", self.steps);
        let session = session_of(&self.coordination, &self.neovim);
        self.neovim.lua(&format!("require('deconflict.server').execute('heartbeat', {{ action = {step:?} }})"));
        self.coordination.wait_for("the server to have heard all of it", |here| {
            here.heartbeats(&session).iter().any(|heartbeat| heartbeat["action"] == step.as_str()).then_some(())
        });
        assert_eq!(self.neovim.lua("return _G.heard"), json!([]), "{what}");
        let notices = self.neovim.notices();
        let said: Vec<&str> =
            notices.lines().filter(|line| line.starts_with("deconflict:") || line.contains("Error")).collect();
        assert_eq!(said, Vec::<&str>::new(), "{what}");
    }

    /// What is claimed, sorted.
    fn claimed(&self) -> Vec<String> {
        let claims = self.coordination.claims();
        let mut names: Vec<String> =
            claims.iter().filter_map(|claim| claim["resource_name"].as_str()).map(str::to_owned).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn wait_for_claims(&self, expected: &[&str]) {
        wait_for(&format!("claims of nothing but {expected:?}, not {:?}", self.claimed()), || {
            (self.claimed() == expected).then_some(())
        });
    }

    /// Closes every file.
    fn close_all(&mut self) {
        self.neovim.command("silent! %bwipeout!");
    }

    fn commit_all(&self) {
        self.workspace.commit_all("Work");
    }
}

#[test]
fn on_a_calm_day_nothing_is_said() {
    for version in Version::both().into_iter().flatten() {
        let workspace = Workspace::small();
        for number in 0..MANY {
            workspace.write(format!("pages/{number}.txt"), format!("an old word on page {number}\n"));
        }
        workspace.commit_all("Pages");
        let mut day = Day::begin(version, &workspace);

        // Edits and saves, with formatters inside of Neovim and out of it.
        day.neovim.open(FILE);
        day.type_line("// mine");
        day.coordination.wait_for_claim(FILE);
        day.neovim.command("silent write");
        day.is_quiet("a save");
        day.neovim.command("autocmd BufWritePre * silent! %s/ *$//e");
        day.type_line("// more   ");
        day.neovim.command("silent write");
        day.is_quiet("a formatter before the save");
        day.neovim.command("autocmd! BufWritePre");
        day.neovim.command("autocmd BufWritePost * silent !sed -i 's/  *$//' %");
        day.type_line("// even more   ");
        day.neovim.command("silent write");
        day.neovim.command("checktime");
        day.neovim.wait("the formatted text", "vim.fn.getline(1) == '// even more'");
        day.neovim.command("autocmd! BufWritePost");
        day.is_quiet("a formatter after the save");
        day.wait_for_claims(&[FILE]);

        // Auto saves in four forms.
        day.neovim.command("set updatetime=50");
        for (event, write) in [
            ("TextChanged,TextChangedI", "silent! write"),
            ("InsertLeave", "silent! update"),
            ("CursorHold", "silent! wall"),
            ("FocusLost", "silent! wall"),
        ] {
            day.neovim.command(&format!("augroup auto | execute 'autocmd! {event} * {write}' | augroup END"));
            let line = format!("// by {event}");
            day.type_line(&line);
            if event == "FocusLost" {
                day.neovim.command("doautocmd FocusLost");
            }
            wait_for("the auto save", || workspace.read(FILE).starts_with(&line).then_some(()));
            day.neovim.command("augroup auto | execute 'autocmd!' | augroup END");
            day.is_quiet(event);
            day.wait_for_claims(&[FILE]);
        }

        // Stashed and brought back.
        let text = workspace.read(FILE);
        workspace.git(&["stash", "--quiet"]);
        day.neovim.command("checktime");
        day.neovim.wait("the committed text", "vim.fn.getline(1) == 'fn main() {'");
        day.is_quiet("a stash");
        workspace.git(&["stash", "pop", "--quiet"]);
        day.neovim.command("checktime");
        day.neovim.wait("the stashed text", "vim.fn.getline(1) ~= 'fn main() {'");
        assert_eq!(workspace.read(FILE), text);
        day.is_quiet("its return");
        day.commit_all();
        day.is_quiet("a commit");
        day.close_all();
        day.wait_for_claims(&[]);

        // Another branch, with all pages open.
        workspace.git(&["switch", "--quiet", "--create", "other"]);
        for number in 0..MANY {
            workspace.write(format!("pages/{number}.txt"), format!("an old word on page {number} of another branch\n"));
        }
        day.commit_all();
        for number in 0..MANY {
            day.neovim.open(format!("pages/{number}.txt"));
        }
        day.is_quiet("open pages");
        workspace.git(&["switch", "--quiet", "main"]);
        day.neovim.command("checktime");
        day.neovim.wait("the text of this branch", "not vim.fn.getline(1):find('another')");
        day.is_quiet("a branch switch");
        day.wait_for_claims(&[]);

        // Search and replace.
        day.neovim.command("silent! bufdo %s/old/new/e | update");
        wait_for("the last page", || workspace.read(format!("pages/{}.txt", MANY - 1)).contains("new").then_some(()));
        day.is_quiet("a search and replace");
        day.commit_all();
        day.is_quiet("its commit");
        day.close_all();
        day.wait_for_claims(&[]);

        // A rename.
        day.neovim.open("src/lib.rs");
        day.type_line("// renamed");
        day.neovim.command("silent write");
        day.coordination.wait_for_claim("src/lib.rs");
        let (from, to) = (workspace.path("src/lib.rs"), workspace.path("src/library.rs"));
        day.neovim.lua(&format!("vim.lsp.util.rename({from:?}, {to:?})"));
        day.wait_for_claims(&["src/library.rs"]);
        day.is_quiet("a rename");

        // Neovim is killed and its unsaved text restored.
        day.type_line("// unsaved");
        day.neovim.command("preserve");
        day.neovim.kill();
        day.neovim = Neovim::start_with(version, &workspace, HEAR);
        day.neovim.command("silent recover src/library.rs");
        day.neovim.wait("the unsaved text", "vim.fn.getline(1) == '// unsaved'");
        day.wait_for_claims(&["src/library.rs"]);
        day.is_quiet("restored text");
        day.neovim.command("silent write!");
        day.is_quiet("its save");
        day.commit_all();
        day.close_all();
        day.wait_for_claims(&[]);

        // An agent of one's own works and finishes, and its user goes over what it left.
        let agent = CodingAgent::on(&workspace, "agent");
        agent.start();
        agent.prompt();
        for name in [FILE, "src/parser.rs", "README.md"] {
            let text = workspace.read(name);
            agent.edit(name, &format!("// by the agent\n{text}")).expect_no_denial();
        }
        agent.stop();
        day.is_quiet("an agent at work");
        for name in [FILE, "src/parser.rs", "README.md"] {
            day.neovim.open(name);
            day.type_line("// reviewed");
            day.neovim.command("silent write");
            day.is_quiet("a review");
        }
        day.wait_for_claims(&["README.md", FILE, "src/parser.rs"]);
        let mine = session_of(&day.coordination, &day.neovim);
        assert!(day.coordination.claims().iter().all(|claim| claim["claimed_by"] == mine.as_str()));
        agent.prompt();
        agent.stop();
        day.commit_all();
        day.is_quiet("the commit of both");
        day.close_all();
        day.wait_for_claims(&[]);
        agent.end();
        day.is_quiet("the end");
        day.neovim.quit();
        assert_eq!(workspace.git(&["status", "--porcelain"]), "");
    }
}
