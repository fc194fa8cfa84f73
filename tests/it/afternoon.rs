//! A scripted afternoon: two agents by their hooks, a person in a real Neovim, a shell user with the original's scripts
//! and commits with the guard, on one repository. Every clash is caught on the side that comes second, nothing is lost,
//! and the status board tells the story.

#![cfg(target_os = "linux")]

use std::process::Command;

use crate::support::{CodingAgent, Committer, Neovim, Terminal, Version, Workspace, clean_environment};

#[test]
fn two_agents_a_person_and_a_shell_user_share_an_afternoon() {
    let Some([version, _]) = Version::both() else {
        return;
    };
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (rename, docs) = (CodingAgent::on(&workspace, "rename"), CodingAgent::on(&workspace, "docs"));
    let script = Scripts::set_up(&workspace);

    // The first agent begins a refactoring over two files.
    assert!(rename.start().context().contains("session"), "the shell user is here already");
    rename.edit("src/parser.rs", "pub fn parse_all() {}\n").expect_no_denial();
    rename.edit("src/lib.rs", "pub mod parser;\npub use parser::parse_all;\n").expect_no_denial();

    // A person opens one of them, sees whose it is, and works on another file instead.
    let mut person = Neovim::start(version, &workspace);
    person.open("src/parser.rs");
    person.wait_for_diagnostic("claimed");
    person.open("src/main.rs");
    person.type_keys("ggO// the person's line<Esc>");
    let persons = coordination.wait_for_claim("src/main.rs")["claimed_by"].as_str().unwrap().to_owned();
    assert_ne!(persons, rename.id());

    // The second agent comes later. Whatever it wants of the others it is refused, whichever way it tries.
    assert!(docs.start().context().contains("src/parser.rs"));
    docs.after_read("src/parser.rs").expect_silence();
    assert!(docs.edit("src/parser.rs", "lost\n").expect_denial().contains(&rename.id()));
    assert!(docs.edit("src/main.rs", "lost\n").expect_denial().contains(&persons));
    assert!(docs.before_command("echo lost > src/main.rs").expect_denial().contains("overwrite \"src/main.rs\""));
    assert!(docs.before_command("git add -A && git commit -m docs").expect_denial().contains("src/parser.rs"));
    docs.edit("README.md", "# Small\n\nWith documents.\n").expect_no_denial();
    rename.edit("src/parser.rs", "pub fn parse_all() { parse() }\n").expect_silence();

    // The shell user is refused by the script as by the agents' hooks, and asks.
    assert!(script.run("session-claim.sh", &["file", "README.md"]).contains("Already claimed by"));
    assert!(script.run("session-claim.sh", &["file", "src/new.rs"]).contains("Claimed"));
    assert!(docs.edit("src/new.rs", "lost\n").expect_denial().contains(&script.session));
    let question = ["claude-code-docs", "README", "May I have it?"];
    assert!(script.run("session-send-message.sh", &question).contains("Message sent"));
    let told = docs.prompt();
    assert!(
        told.context().contains("> May I have it?") && told.context().contains("From \"Tester (terminal)\""),
        "{told:?}"
    );

    // The person saves and leaves the file; the agent that wanted it reads it first, since it has changed.
    docs.after_read("src/main.rs").expect_silence();
    person.type_keys("ggO<C-u>// one more<Esc>");
    person.wait("the line to be typed", "vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == '// one more'");
    person.command("write");
    person.quit();
    coordination.wait_for_no_claim("src/main.rs");
    assert!(docs.before_edit("src/main.rs").expect_denial().contains("changed on disk"));
    docs.after_read("src/main.rs").expect_silence();
    let text = workspace.read("src/main.rs");
    assert!(text.contains("the person's line") && text.contains("one more"), "{text}");
    docs.edit("src/main.rs", &format!("// documented\n{text}")).expect_silence();

    // Each commits its own and gives it back. The shell user has the guard, and means to commit everything.
    let shell = Committer::person(&workspace).session(&script.session);
    shell.deconflict(&["guard", "--install"]).expect_code(0);
    shell.git(&["add", "--all"]).expect_code(0);
    let refused = shell.git(&["commit", "--message", "Everything"]).expect_code(1);
    assert!(refused.stderr.contains("src/parser.rs") && refused.stderr.contains(&rename.id()), "{refused:?}");
    shell.git(&["reset", "--quiet"]).expect_code(0);
    rename.before_command("git add src/parser.rs src/lib.rs && git commit -m rename").expect_silence();
    let agents_shell = Committer::agent(&workspace, "claude").session(&rename.id());
    agents_shell.git(&["add", "src/parser.rs", "src/lib.rs"]).expect_code(0);
    agents_shell.git(&["commit", "--quiet", "--message", "Rename parse"]).expect_code(0);
    rename.after_command("git commit").expect_no_denial();
    rename.stop().expect_silence();
    assert_eq!(coordination.holder("src/parser.rs"), None, "it was committed");
    assert_eq!(workspace.git(&["show", "HEAD:src/parser.rs"]), "pub fn parse_all() { parse() }\n");
    assert!(docs.edit("src/parser.rs", "lost\n").expect_denial().contains("changed on disk"));
    docs.edit("src/parser.rs", "/// Parses all.\npub fn parse_all() {}\n").expect_silence();
    docs.stop().expect_silence();

    // The board tells the story while it lasts.
    rename.edit("src/lib.rs", "pub mod parser;\n").expect_no_denial();
    rename.stop().expect_silence();
    let board = script.run("session-status.sh", &[]) + &coordination.board();
    for part in ["claude-code-docs", "claude-code-rename", &script.session, "README.md", "src/new.rs", "May I have it?"]
    {
        assert!(board.contains(part), "{part:?} is missing:\n{board}");
    }

    // Nothing was lost, and at the end nobody holds anything.
    assert_eq!(workspace.read("README.md"), "# Small\n\nWith documents.\n");
    assert!(workspace.read("src/main.rs").starts_with("// documented\n// one more\n// the person's line\n"));
    assert_eq!(workspace.read("src/parser.rs"), "/// Parses all.\npub fn parse_all() {}\n");
    rename.end().expect_silence();
    docs.end().expect_silence();
    script.run("session-release.sh", &["file", "src/new.rs"]);
    assert_eq!(coordination.claim_files(), Vec::<String>::new());
}

/// A shell in which somebody uses the scripts of the original document, as `init --scripts` writes them.
struct Scripts<'a> {
    workspace: &'a Workspace,
    session: String,
}

impl<'a> Scripts<'a> {
    fn set_up(workspace: &'a Workspace) -> Self {
        let terminal = Terminal::on(workspace);
        terminal.run(["init", "--scripts"]).expect_code(0);
        let session = "session-shell".to_owned();
        terminal.run(["start", "--session", &session]).expect_code(0);
        Self { workspace, session }
    }

    /// Runs a script at the root of the workspace and returns what it printed.
    #[track_caller]
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let mut shell = Command::new("sh");
        clean_environment(&mut shell, self.workspace.home());
        let binaries = std::path::Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        shell.arg(self.workspace.path(format!("COORDINATION/scripts/{name}"))).args(arguments);
        shell.env("PATH", path).env("DECONFLICT_SESSION", &self.session).current_dir(self.workspace.root());
        let output = shell.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}
