//! Whole days in a real Neovim. On a calm one nobody meets anybody else, and nothing is said; on one with clashes each
//! side hears of each of them once, and what it hears is true.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::neovim::session_of;
use crate::support::{CodingAgent, Coordination, Neovim, Terminal, Version, Workspace, wait_for};

const FILE: &str = "src/main.rs";

/// So many files are changed by one search and replace, more than are told of one by one.
const MANY: usize = 25;

/// Keeps whatever is shown: notices, and warnings beside the text.
const HEAR: &str = "\
    vim.o.autoread = true vim.o.hidden = true _G.heard = {} \
    vim.api.nvim_create_autocmd('User', { pattern = 'DeconflictMessage', callback = function(event) \
      table.insert(_G.heard, event.data.message) end }) \
    if not _G.only_notices then vim.api.nvim_create_autocmd('DiagnosticChanged', { callback = function(event) \
      for _, it in ipairs(vim.diagnostic.get(event.buf, { severity = { min = vim.diagnostic.severity.WARN } })) do \
        if it.source == 'deconflict' then table.insert(_G.heard, it.code .. ': ' .. it.message) end end end }) end";

/// Somebody at a Neovim, and what is seen from outside.
struct Day<'w> {
    workspace: &'w Workspace,
    coordination: Coordination,
    neovim: Neovim,
    steps: usize,
}

impl<'w> Day<'w> {
    fn begin(version: Version, workspace: &'w Workspace) -> Self {
        Self::with(workspace, Neovim::start_with(version, workspace, HEAR))
    }

    /// The day of a person of this name.
    fn of(name: &str, version: Version, workspace: &'w Workspace) -> Self {
        let home = workspace.beside(name);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".gitconfig"), format!("[user]\n\tname = {name}\n")).unwrap();
        Self::with(workspace, Neovim::start_for(&home, version, workspace, &format!("_G.only_notices = true {HEAR}")))
    }

    fn with(workspace: &'w Workspace, neovim: Neovim) -> Self {
        Self { workspace, coordination: workspace.coordination(), neovim, steps: 0 }
    }

    fn session(&self) -> String {
        session_of(&self.coordination, &self.neovim)
    }

    /// The notices so far.
    fn heard(&mut self) -> Vec<String> {
        serde_json::from_value(self.neovim.lua("return _G.heard")).unwrap()
    }

    /// Waits for the notice that is this one's next, of which everything is known.
    #[track_caller]
    fn hears(&mut self, notice: &str) {
        self.steps += 1;
        self.neovim.wait(&format!("notice {}: {notice}", self.steps), &format!("#_G.heard >= {}", self.steps));
        // An edit just before a replacement in many files may or may not be counted with them.
        let heard = without_times(&self.heard()[self.steps - 1]).replace("the 25 files", "the 26 files");
        assert_eq!(heard, notice);
    }

    /// Opens a file, and types a line on top of it.
    fn edit(&mut self, file: &str, line: &str) {
        self.neovim.open(file);
        self.type_line(line);
    }

    /// Opens a file, types a line on top of it and saves it, and waits until it is kept.
    fn change(&mut self, file: &str, line: &str) {
        self.edit(file, line);
        self.coordination.wait_for_holder(file, &self.session());
        self.neovim.command("silent write");
        let terminal = Terminal::on(self.workspace);
        wait_for("the change in the journal", || {
            let history = terminal.run(["history", file, "--json"]).expect_code(0).json();
            history["entries"].as_array().unwrap().iter().any(|it| it["cause"] == "save").then_some(())
        });
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
        let session = self.session();
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

        edits_and_saves(&mut day);
        auto_saves(&mut day);
        moves_of_git(&mut day);
        many_files(&mut day);
        a_rename_and_a_restart(&mut day, version);
        a_review(&mut day);
        day.neovim.quit();
        assert_eq!(workspace.git(&["status", "--porcelain"]), "");
    }
}

/// Edits and saves, with formatters inside of Neovim and out of it.
fn edits_and_saves(day: &mut Day<'_>) {
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
}

/// Auto saves in four forms.
fn auto_saves(day: &mut Day<'_>) {
    let workspace = day.workspace;
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
}

/// What is uncommitted is stashed and brought back, and another branch checked out with all pages open.
fn moves_of_git(day: &mut Day<'_>) {
    let workspace = day.workspace;
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
}

/// A search and replace, and its commit.
fn many_files(day: &mut Day<'_>) {
    let workspace = day.workspace;
    day.neovim.command("silent! bufdo %s/old/new/e | update");
    wait_for("the last page", || workspace.read(format!("pages/{}.txt", MANY - 1)).contains("new").then_some(()));
    day.is_quiet("a search and replace");
    day.commit_all();
    day.is_quiet("its commit");
    day.close_all();
    day.wait_for_claims(&[]);
}

/// A rename, and a Neovim that is killed and its unsaved text restored.
fn a_rename_and_a_restart(day: &mut Day<'_>, version: Version) {
    let workspace = day.workspace;
    day.neovim.open("src/lib.rs");
    day.type_line("// renamed");
    day.neovim.command("silent write");
    day.coordination.wait_for_claim("src/lib.rs");
    let (from, to) = (workspace.path("src/lib.rs"), workspace.path("src/library.rs"));
    day.neovim.lua(&format!("vim.lsp.util.rename('{}', '{}')", from.display(), to.display()));
    day.wait_for_claims(&["src/library.rs"]);
    day.is_quiet("a rename");

    // Neovim is killed and its unsaved text restored.
    day.type_line("// unsaved");
    day.neovim.command("preserve");
    std::mem::replace(&mut day.neovim, Neovim::start_with(version, workspace, HEAR)).kill();
    day.neovim.command("silent recover src/library.rs");
    day.neovim.wait("the unsaved text", "vim.fn.getline(1) == '// unsaved'");
    day.wait_for_claims(&["src/library.rs"]);
    day.is_quiet("restored text");
    day.neovim.command("silent write!");
    day.is_quiet("its save");
    day.commit_all();
    day.close_all();
    day.wait_for_claims(&[]);
}

/// An agent of one's own works and finishes, and its user goes over what it left.
fn a_review(day: &mut Day<'_>) {
    let workspace = day.workspace;
    let agent = CodingAgent::on(workspace, "agent");
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
    let end = Instant::now();
    wait_for("what may come late", || (end.elapsed() > Duration::from_secs(3)).then_some(()));
    day.is_quiet("the end");
}

/// A text with "12:34" for each time of day.
fn without_times(text: &str) -> String {
    let mut told = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let is_digit = |it: Option<u8>| it.is_some_and(|it| it.is_ascii_digit());
        let bytes = rest.as_bytes();
        let is_time = at >= 2 && [at - 2, at - 1, at + 1, at + 2].iter().all(|it| is_digit(bytes.get(*it).copied()));
        if is_time {
            told.push_str(&rest[..at - 2]);
            told.push_str("12:34");
            rest = &rest[at + 3..];
        } else {
            told.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
        }
    }
    told + rest
}

#[test]
fn of_each_clash_each_side_hears_once_and_the_truth() {
    let Some([newest, oldest]) = Version::both() else { return };
    for (first, second) in [(newest, oldest), (oldest, newest)] {
        let workspace = Workspace::small();
        for number in 0..MANY {
            workspace.write(format!("pages/{number}.txt"), format!("an old word on page {number}\n"));
        }
        for name in ["one", "two", "three", "four", "five", "six", "seven", "eight"] {
            workspace.write(format!("{name}.txt"), format!("{name}\nand its second line\n"));
        }
        workspace.commit_all("Pages");
        let (mut ada, mut ben) = (Day::of("Ada", first, &workspace), Day::of("Ben", second, &workspace));
        let home = workspace.beside("Ben");
        let bens_agent = CodingAgent::on(&workspace, "bens").env("HOME", home.to_str().unwrap());

        // 1. Both edit one file.
        ada.edit("one.txt", "Ada's");
        ada.coordination.wait_for_claim("one.txt");
        ben.edit("one.txt", "Ben's");
        ben.hears("Ada has been editing one.txt since 12:34. Your save would overwrite theirs: talk to Ada first, or ask for its release.");
        ada.neovim.wait_for_diagnostic("contended");
        ada.hears("Ben is editing one.txt, which you hold. Talk to Ben about who saves first.");

        // 2. Ben saves over it all the same.
        ben.neovim.command("silent write!");
        ben.hears("Saved over Ada's claim of one.txt. They were told, and what was there is kept.");
        ada.hears("Ben changed one.txt, which you hold, by a save at 12:34. \":Deconflict merge\" merges it into your unsaved text, \":Deconflict restore\" brings back what was there.");

        // 3. A script writes over what Ada has saved.
        ada.change("two.txt", "Ada's");
        workspace.write("two.txt", "by a script\n");
        ada.hears("Somebody unknown changed two.txt at 12:34, and your uncommitted changes in it are gone. What was there is kept: \":Deconflict restore\" brings it back.");

        // 4. A script deletes it.
        ada.change("three.txt", "Ada's");
        workspace.remove("three.txt");
        ada.hears("Somebody unknown deleted or moved away three.txt at 12:34, and your uncommitted changes in it are gone. What was there is kept: \":Deconflict restore\" brings it back.");

        // 5. Ben takes a file over by force.
        ada.edit("four.txt", "Ada's");
        ada.coordination.wait_for_claim("four.txt");
        ben.neovim.open("four.txt");
        ben.neovim.wait_for_diagnostic("claimed");
        ben.neovim.command("Deconflict! takeOver");
        ada.hears("Ben took over four.txt from you. Look at what changed before you save it.");

        // 6. Ben asks for a file, and Ada gives it.
        ada.edit("five.txt", "Ada's");
        ada.coordination.wait_for_claim("five.txt");
        ben.neovim.open("five.txt");
        ben.neovim.wait_for_diagnostic("claimed");
        ben.neovim.command("Deconflict requestRelease I need it for an hour");
        ada.hears("Ben asks you to release five.txt: I need it for an hour. Release it when you are ready, or answer.");
        ada.neovim.command("Deconflict release");
        ben.hears("Ada released five.txt. It is free now.");

        // 7. Ben's agent is kept from editing what Ada edits, and from sweeping it away.
        ada.change("six.txt", "Ada's");
        bens_agent.start();
        bens_agent.prompt();
        assert!(bens_agent.edit("six.txt", "lost\n").expect_denial().contains("Ada"));
        assert!(bens_agent.before_command("git checkout .").expect_denial().contains("Ada"));

        // 8. One of its commands writes there nevertheless.
        bens_agent.before_command("make format").expect_no_denial();
        workspace.write("six.txt", "formatted\n");
        assert!(bens_agent.after_command("make format").context().contains("six.txt"));
        ada.hears("Ben's Claude Code changed six.txt, which you hold, by the command \"make format\" at 12:34. What was there is kept: \":Deconflict restore\" brings it back.");

        // 9. Ben edits what his agent is at.
        bens_agent.edit("seven.txt", "by the agent\n").expect_no_denial();
        ben.edit("seven.txt", "Ben's");
        ben.hears(
            "Your Claude Code has been editing seven.txt since 12:34. It learns of what you save at its next turn.",
        );

        // 10. Ben replaces a word in many files, of which Ada holds some.
        for number in 0..3 {
            ada.edit(&format!("pages/{number}.txt"), "Ada's");
            ada.coordination.wait_for_claim(&format!("pages/{number}.txt"));
        }
        for number in 0..MANY {
            ben.neovim.open(format!("pages/{number}.txt"));
        }
        ben.neovim.command("silent! argadd pages/*.txt | silent! argdo %s/old/new/e");
        ben.hears("Others hold 3 of the 26 files that you just changed: pages/0.txt (Ada), pages/1.txt (Ada) and pages/2.txt (Ada). Your saves would overwrite theirs: talk to them first.");
        ada.hears("Ben is editing pages/0.txt, which you hold, and 2 more of your files are being edited by others. Talk to them about who saves first.");

        let end = Instant::now();
        wait_for("what may come late", || (end.elapsed() > Duration::from_secs(4)).then_some(()));
        for day in [&mut ada, &mut ben] {
            let heard = day.heard();
            assert_eq!(heard.len(), day.steps, "{heard:#?}");
        }
    }
}
