//! What agents' hooks write into the journal: whose each change is, what stood there before it, and who is told.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chrono::Utc;
use deconflict_changes::FileHistory;
use deconflict_journal::{Author, Cause, Entry, Journal, Observation};
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Message, Registry};

use super::support::{CodingAgent, Terminal, Told, Workspace, wait_for};

const FILE: &str = "src/main.rs";

/// What the journal of a workspace says.
struct Record<'a> {
    workspace: &'a Workspace,
    journal: Journal,
}

impl<'a> Record<'a> {
    fn of(workspace: &'a Workspace) -> Self {
        let journal = Journal::of(&workspace.root().join("COORDINATION"), None).unwrap();
        Self { workspace, journal }
    }

    fn entries(&self, file: &str) -> Vec<Entry> {
        self.journal.log(&Resource::file(file).unwrap()).unwrap().entries()
    }

    /// Cause, command and author of each change, the oldest first.
    fn told(&self, file: &str) -> Vec<String> {
        let told = |entry: Entry| {
            let command = entry.cause.command().map(|command| format!(" {command}")).unwrap_or_default();
            let author = entry.author.map_or("nobody".to_owned(), |author| author.session.to_string());
            format!("{}{command} by {author}", entry.cause.word())
        };
        self.entries(file).into_iter().map(told).collect()
    }

    /// What stood in a file before its newest change.
    fn before(&self, file: &str) -> Vec<u8> {
        let newest = self.entries(file).pop().unwrap();
        newest.before.kept().map_or_else(Vec::new, |content| self.journal.content(content).unwrap())
    }

    /// Whose what is uncommitted in a file is.
    fn owners(&self, file: &str) -> Vec<String> {
        let history = FileHistory::read(&self.journal, &Resource::file(file).unwrap()).unwrap().unwrap();
        let committed = Command::new("git")
            .args(["show", &format!("HEAD:{file}")])
            .current_dir(self.workspace.root())
            .output()
            .unwrap()
            .stdout;
        let uncommitted = history.uncommitted(&committed);
        let owned = history.owned(&uncommitted);
        owned.into_iter().map(|owned| owned.owner.map_or("nobody".to_owned(), |it| it.session.to_string())).collect()
    }

    fn keeps_nothing(&self) -> bool {
        !self.journal.path().exists()
    }
}

/// Runs a command as an agent does: its hook before it, the shell, the hook after it.
#[track_caller]
fn run(agent: &CodingAgent, workspace: &Workspace, line: &str) -> Told {
    agent.before_command(line).expect_no_denial();
    shell(workspace.root(), line);
    agent.after_command(line).expect_no_denial()
}

fn shell(folder: &Path, line: &str) {
    let status = Command::new("sh").args(["-c", line]).current_dir(folder).status().unwrap();
    assert!(status.success(), "{line}");
}

/// The messages of some type that a session has not read.
fn unread(workspace: &Workspace, session: &str, kind: &str) -> Vec<String> {
    let registry = Registry::open(&workspace.root().join("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
    let unread = registry.unread_messages(&SessionId::new(session).unwrap()).unwrap();
    unread.iter().filter(|message| message.kind().as_str() == kind).map(Message::text).collect()
}

#[test]
fn an_edit_keeps_what_stood_there_and_says_whose_it_is() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    let committed = workspace.read(FILE);
    let one = CodingAgent::on(&workspace, "one");
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    one.edit("new.rs", "new\n").expect_no_denial();
    assert_eq!(record.told(FILE), ["edit by claude-code-one"]);
    assert_eq!(record.before(FILE), committed.as_bytes());
    assert_eq!(record.before("new.rs"), b"");
    assert_eq!(record.owners(FILE), ["claude-code-one"]);
    let session = workspace.coordination().session(&one.id()).unwrap();
    let said = |field: &str| session[field].as_str().map(str::to_owned).unwrap_or_default();
    assert_eq!([said("person"), said("agent"), said("turn")], ["Tester", "claude-code", "working"]);
    one.stop().expect_silence();
    assert_eq!(workspace.coordination().session(&one.id()).unwrap()["turn"], "waiting");
    one.prompt();
    assert_eq!(workspace.coordination().session(&one.id()).unwrap()["turn"], "working");
}

#[test]
fn a_refused_edit_and_a_session_that_changed_nothing_keep_nothing() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "file", FILE]).expect_code(0);
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    one.prompt();
    one.before_edit(FILE).expect_denial();
    one.after_read("README.md");
    run(&one, &workspace, "(ls src && git status && cat README.md | head -3) > /dev/null");
    one.stop();
    one.end();
    assert!(record.keeps_nothing(), "{:?}", record.journal.path());
}

#[test]
fn where_no_session_was_ever_registered_nothing_is_kept() {
    let workspace = Workspace::small();
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    run(&one, &workspace, "F=$(printf README.md) && printf changed | dd status=none of=$(basename $F)");
    one.stop();
    assert!(!workspace.root().join("COORDINATION").exists());
    assert!(Record::of(&workspace).keeps_nothing());
}

#[test]
fn what_scripts_and_tools_change_is_theirs_and_can_be_had_back() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    workspace.coordination().create();
    let committed = workspace.read("src/parser.rs");
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    workspace.write("gen.sh", "printf generated > src/parser.rs\nmkdir -p made/deep\necho new > made/deep/file.txt\n");
    run(&one, &workspace, "sh gen.sh");
    run(&one, &workspace, "sed -i 's/hello/good-bye/' src/main.rs");
    run(&one, &workspace, "rm src/lib.rs && printf x > ignored.log");
    assert_eq!(record.told("src/parser.rs"), ["command sh gen.sh by claude-code-one"]);
    assert_eq!(record.before("src/parser.rs"), committed.as_bytes());
    assert_eq!(record.told("made/deep/file.txt"), ["command sh gen.sh by claude-code-one"]);
    assert_eq!(record.told(FILE), ["command sed -i … src/main.rs by claude-code-one"]);
    assert_eq!(record.before("src/lib.rs"), b"pub mod parser;\n");
    assert_eq!(record.told("ignored.log"), Vec::<String>::new());
    for file in ["src/parser.rs", "made/deep/file.txt", FILE, "src/lib.rs"] {
        assert_eq!(workspace.coordination().holder(file), Some(one.id()), "{file}");
    }
    assert_eq!(record.owners(FILE), ["claude-code-one"]);
    // Its own edits go on from there.
    one.edit(FILE, "fn main() {}\n").expect_silence();
    assert_eq!(record.told(FILE).len(), 2);
}

#[test]
fn what_a_script_changes_in_a_clean_file_with_a_line_break_in_its_name_can_be_had_back() {
    const NAME: &str = "two\nlines.txt";
    let workspace = Workspace::small();
    workspace.write(NAME, "committed\n");
    workspace.write("all.sh", "for f in *lines.txt; do echo new > \"$f\"; done\n");
    workspace.commit_all("A name in two lines");
    workspace.coordination().create();
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    run(&one, &workspace, "sh all.sh");
    let record = Record::of(&workspace);
    assert_eq!(record.told(NAME), ["command sh all.sh by claude-code-one"]);
    assert_eq!(record.before(NAME), b"committed\n");
    one.shell().run(["undo"]).expect_code(0);
    assert_eq!(workspace.read(NAME), "committed\n");
}

#[test]
fn a_command_over_more_than_twenty_files_owns_them_and_claims_none() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    workspace.coordination().create();
    for number in 0..25 {
        workspace.write(format!("many/{number}.txt"), "before\n");
    }
    workspace.commit_all("Many");
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    run(&one, &workspace, "for f in many/*.txt; do echo after >> $f; done");
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    for number in 0..25 {
        assert_eq!(record.owners(&format!("many/{number}.txt")), ["claude-code-one"]);
    }
}

#[test]
fn what_two_commands_may_have_done_is_nobodys() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    workspace.coordination().create();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    one.start();
    two.start();
    one.before_command("make one").expect_silence();
    two.before_command("make two").expect_silence();
    workspace.write(FILE, "fn main() { either(); }\n");
    one.after_command("make one").expect_silence();
    let entry = record.entries(FILE).pop().unwrap();
    assert_eq!(record.told(FILE), ["unknown by nobody"]);
    let candidates: Vec<String> = entry.candidates.iter().map(ToString::to_string).collect();
    assert_eq!(candidates, [one.id(), two.id()]);
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    two.after_command("make two").expect_silence();
    // Once the other has ended, the next one is sure again.
    run(&two, &workspace, "printf sure > src/lib.rs");
    assert_eq!(record.told("src/lib.rs"), ["command printf … > src/lib.rs by claude-code-two"]);
}

#[test]
fn whoever_loses_something_by_a_command_and_whoever_ran_it_are_told_once() {
    let workspace = Workspace::small();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    one.start();
    two.start();
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    workspace.write("gen.sh", "printf generated > src/main.rs\n");
    let told = run(&two, &workspace, "sh gen.sh");
    for part in ["This command", "\"src/main.rs\"", "line", "deconflict restore src/main.rs --at", "deconflict undo"] {
        assert!(told.context().contains(part), "{part:?} is missing: {told:?}");
    }
    assert!(!two.prompt().context().contains("gen.sh"));
    assert_eq!(Record::of(&workspace).before(FILE), b"fn main() { one(); }\n");
    // In the middle of its turn, at whatever comes next.
    let told = one.before_edit("README.md");
    for part in ["gen.sh", "\"src/main.rs\"", "deconflict restore"] {
        assert!(told.context().contains(part), "{part:?} is missing: {told:?}");
    }
    assert!(!one.after_edit("README.md").context().contains("gen.sh"));
    assert_eq!(unread(&workspace, &one.id(), "overwritten"), Vec::<String>::new());
}

#[test]
fn what_nobody_says_they_did_is_told_to_whoever_lost_by_it() {
    let workspace = Workspace::small();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    one.start();
    two.start();
    one.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    workspace.write(FILE, "by hand\n");
    // Somebody may still say that it was theirs.
    let told = wait_for("the loss to be told", || {
        let told = one.before_edit("README.md");
        told.context().contains("\"src/main.rs\"").then_some(told)
    });
    assert!(told.context().contains("Somebody unknown changed"), "{told:?}");
    assert!(!one.prompt().context().contains("Somebody unknown"));
    assert_eq!(Record::of(&workspace).told(FILE), ["edit by claude-code-one", "unknown by nobody"]);
    fs::remove_file(workspace.path(FILE)).unwrap();
    // Where another one notices it first, it comes as a message.
    wait_for("the message", || {
        two.prompt();
        let messages = unread(&workspace, &one.id(), "deleted");
        messages.first().is_some_and(|text| text.contains("Somebody unknown deleted")).then_some(())
    });
    assert!(one.after_read("README.md").context().contains("Somebody unknown deleted"));
}

#[test]
fn a_sub_agents_changes_are_its_own_until_it_is_done() {
    let workspace = Workspace::small();
    let record = Record::of(&workspace);
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    one.edit("README.md", "mine\n").expect_no_denial();
    let helper = one.helper("h");
    helper.edit(FILE, "fn main() { helper(); }\n").expect_no_denial();
    assert_eq!(record.told(FILE), [format!("edit by {}", helper.id())]);
    assert_eq!(record.owners(FILE), [helper.id()]);
    helper.stop();
    assert_eq!(record.owners(FILE), [one.id()], "its agent goes on with it");
}

#[test]
fn what_sweeps_over_anothers_uncommitted_changes_is_refused() {
    let workspace = Workspace::small();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    one.start();
    two.start();
    two.edit(FILE, "fn main() { two(); }\n").expect_no_denial();
    two.edit("new.rs", "new\n").expect_no_denial();
    // Its claims end with it; what it has not committed is there still.
    two.end();
    assert_eq!(workspace.coordination().claim_files(), Vec::<String>::new());
    one.edit("README.md", "mine\n").expect_no_denial();
    let sweeps = ["git add -A", "git add .", "git commit -am x", "git stash", "git checkout .", "git reset --hard"];
    let named = ["git checkout -- src/main.rs", "rm src/main.rs", "git clean -fd", "git stash -u", "rm -rf src"];
    for line in sweeps.into_iter().chain(named) {
        let told = one.before_command(line);
        let reason = told.expect_denial();
        for part in ["uncommitted changes of", "Claude Code", "deconflict claim", "ask your user"] {
            assert!(reason.contains(part), "{line}: {part:?} is missing: {reason}");
        }
    }
    assert!(one.before_command("git add -A").expect_denial().contains("deconflict commit"));
    for line in
        ["git add README.md", "git status", "git checkout -b other", "git stash list", "git commit -m x", "make"]
    {
        assert_eq!(one.before_command(line).expect_no_denial().context(), "", "{line}");
    }
    let told = one.before_command("git add src/main.rs").expect_no_denial();
    assert!(told.context().contains("deconflict commit"), "{told:?}");
    workspace.commit_all("All of it");
    one.before_command("git add -A && git commit -am x && git reset --hard").expect_silence();
}

#[test]
fn whoever_else_has_changes_in_a_file_that_is_named_is_told_once() {
    let workspace = Workspace::small();
    let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    one.start();
    two.start();
    two.edit(FILE, "fn main() { two(); }\n").expect_no_denial();
    one.before_command("git add src/main.rs").expect_denial();
    two.shell().run(["release", "file", FILE]).expect_code(0);
    let told = one.before_command("git add src/main.rs").expect_no_denial();
    assert!(told.context().contains("'s Claude Code\""), "{told:?}");
    one.before_command("git add src/main.rs").expect_no_denial();
    let notes = unread(&workspace, &two.id(), "note");
    assert!(notes.len() == 1 && notes[0].contains("stages \"src/main.rs\""), "{notes:?}");
}

#[test]
fn a_directory_claim_stands_against_sweeps_where_something_in_it_changed() {
    let workspace = Workspace::small();
    let (holder, _) = Terminal::with_named_session(&workspace, "Ada");
    holder.run(["claim", "directory", "src"]).expect_code(0);
    let one = CodingAgent::on(&workspace, "one");
    one.start();
    one.edit("README.md", "mine\n").expect_no_denial();
    for line in ["git add -A", "git commit -am x", "git reset --hard"] {
        one.before_command(line).expect_no_denial();
    }
    workspace.write("src/lib.rs", "pub mod changed_by_hand;\n");
    for line in ["git add -A", "git commit -am x", "git reset --hard", "git checkout src"] {
        assert!(one.before_command(line).expect_denial().contains("Ada"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn where_only_agents_work_the_journal_is_kept_small_while_they_go_on() {
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "one");
    agent.edit(FILE, "fn main() { one(); }\n").expect_no_denial();
    let record = Record::of(&workspace);
    for number in 0..1100 {
        let edit = Observation::by(
            Author { session: SessionId::new(&agent.id()).unwrap(), label: "one".into(), person: None, agent: None },
            Cause::Edit,
            Utc::now(),
            Utc::now(),
        );
        workspace.write("many.txt", format!("{number}\n"));
        let many = Resource::file("many.txt").unwrap();
        record.journal.observe(&many, &workspace.path("many.txt"), &edit).unwrap();
    }
    // A git that packs only once it is let.
    let tools = workspace.beside("tools");
    fs::create_dir(&tools).unwrap();
    let (begun, go) = (tools.join("begun"), tools.join("go"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *pack-objects*) touch {}; until [ -e {} ]; do sleep 0.02; done;; esac\n\
         PATH=${{PATH#*:}} exec git \"$@\"\n",
        begun.display(),
        go.display()
    );
    fs::write(tools.join("git"), script).unwrap();
    fs::set_permissions(tools.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let agent = agent.env("PATH", &path);
    // The hook has ended before anything is packed.
    agent.stop().expect_silence();
    wait_for("the packing to begin", || begun.exists().then_some(()));
    assert_eq!(record.journal.usage().unwrap().packs, 0);
    fs::write(&go, "").unwrap();
    wait_for("the contents to be packed", || {
        let usage = record.journal.usage().unwrap();
        (usage.packs == 1 && usage.loose == 0).then_some(())
    });
    // Nobody does it again within the hour.
    fs::remove_file(&begun).unwrap();
    agent.prompt();
    agent.stop().expect_silence();
    assert!(!begun.exists());
}
