//! An afternoon with the journal: two agents by their hooks and a person in a real Neovim work on the same ten files, with
//! scripts and git among their commands. At the end the journal explains every byte, and gives each one's work back alone.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use deconflict_journal::Journal;
use serde_json::Value;

use super::neovim::session_of;
use super::support::{
    CodingAgent, Committer, Neovim, Outcome, Terminal, Told, Version, Workspace, clean_environment, wait_for,
};

const FILES: usize = 10;

/// What each of them does to a file in one go.
const STEPS: usize = 10;

/// When git is used only the first agent has changes in it.
const OWN: usize = 2;

/// Later on all three have changes in it.
const SHARED: usize = 3;

fn path(file: usize) -> String {
    format!("poems/{}.txt", file % FILES)
}

/// Those who work here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    One,
    Two,
    Person,
}

/// A line that stands in a file, and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    text: String,
    /// Nobody for what was committed at noon.
    owner: Option<Who>,
    /// What stood there at noon; nothing for a line that was added.
    before: Option<String>,
}

/// What stands in a file by what was done to it. Each one writes lines of their own, right beside the others'.
#[derive(Clone, Debug)]
struct Poem(Vec<Line>);

impl Poem {
    fn at_noon(file: usize) -> Self {
        let line = |number| format!("line {number} of {file}");
        Self((1..=8).map(|number| Line { text: line(number), owner: None, before: Some(line(number)) }).collect())
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// What stands there when only these have written.
    fn with_only(&self, kept: &[Who]) -> String {
        let line = |line: &Line| match line.owner {
            Some(owner) if !kept.contains(&owner) => line.before.clone(),
            _ => Some(line.text.clone()),
        };
        self.0.iter().filter_map(line).fold(String::new(), |text, line| text + &line + "\n")
    }

    /// Another text for a line of theirs. Returns its number.
    fn rewrite(&mut self, who: Who, text: &str) -> usize {
        // The first lines are one agent's, those that follow them the other's, and then come the person's.
        let noon = match who {
            Who::One => "line 2",
            Who::Two => "line 3",
            Who::Person => "line 4",
        };
        let is_it = |line: &Line| line.before.as_ref().is_some_and(|before| before.starts_with(noon));
        let index = self.0.iter().position(is_it).unwrap();
        (self.0[index].text, self.0[index].owner) = (text.to_owned(), Some(who));
        index + 1
    }

    /// What stood there at noon instead of their lines.
    fn take_back(&mut self, who: Who) {
        let (own, others): (Vec<Line>, Vec<Line>) =
            std::mem::take(&mut self.0).into_iter().partition(|line| line.owner == Some(who));
        assert!(own.iter().all(|line| line.before.is_some()), "no line was added");
        self.0 = others;
        for line in own {
            let number = line.before.clone().unwrap();
            let index = self.0.iter().position(|other| other.before.as_ref().is_some_and(|it| *it > number));
            let line = Line { text: number.clone(), owner: None, before: Some(number) };
            self.0.insert(index.unwrap_or(self.0.len()), line);
        }
    }

    /// A line more, right below theirs. Returns the number of the line above it.
    fn add(&mut self, who: Who, text: &str) -> usize {
        let index = self.0.iter().rposition(|line| line.owner == Some(who)).unwrap();
        self.0.insert(index + 1, Line { text: text.to_owned(), owner: Some(who), before: None });
        index + 1
    }
}

/// The afternoon: the files as they are and as they should be.
struct Afternoon {
    workspace: Workspace,
    one: CodingAgent,
    two: CodingAgent,
    neovim: Neovim,
    person: String,
    poems: Vec<Poem>,
    /// Who changed each file and by what, the oldest first.
    done: BTreeMap<String, Vec<(Who, &'static str)>>,
}

impl Afternoon {
    fn begin(version: Version) -> Self {
        let workspace = Workspace::small();
        for file in 0..FILES {
            workspace.write(path(file), Poem::at_noon(file).text());
        }
        // What a script reads is no part of its command line.
        workspace.write(
            "tools/tell.sh",
            "while read -r number file text; do sed -i \"${number}s/.*/$text/\" $file; done < todo.log\n",
        );
        workspace.write("tools/template.txt", "All of it is new.\n");
        workspace.write("tools/trample.sh", "cp tools/template.txt $(cat todo.log)\n");
        workspace.commit_all("Noon");
        Terminal::on(&workspace).run(["init"]).expect_code(0);
        let (one, two) = (CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
        one.start();
        two.start();
        let mut neovim = Neovim::start_with(version, &workspace, "vim.o.autoread = true");
        neovim.open("README.md");
        let person = session_of(&workspace.coordination(), &neovim);
        let poems = (0..FILES).map(Poem::at_noon).collect();
        Self { workspace, one, two, neovim, person, poems, done: BTreeMap::new() }
    }

    fn agent(&self, who: Who) -> &CodingAgent {
        match who {
            Who::One => &self.one,
            Who::Two => &self.two,
            Who::Person => panic!("the person is no agent"),
        }
    }

    /// Whose session it is. At a terminal the person has another one than in the editor.
    fn who(&self, session: &str) -> Who {
        match session {
            session if session == self.one.id() => Who::One,
            session if session == self.two.id() => Who::Two,
            _ => Who::Person,
        }
    }

    fn session(&self, who: Who) -> String {
        match who {
            Who::One => self.one.id(),
            Who::Two => self.two.id(),
            Who::Person => self.person.clone(),
        }
    }

    fn did(&mut self, who: Who, cause: &'static str, file: usize) {
        self.done.entry(path(file)).or_default().push((who, cause));
        self.check(file);
    }

    /// The file on disk is as it should be.
    #[track_caller]
    fn check(&self, file: usize) {
        assert_eq!(self.workspace.read(path(file)), self.poems[file % FILES].text(), "{}", path(file));
    }

    /// An edit by an agent's tool.
    #[track_caller]
    fn edit(&mut self, who: Who, file: usize, text: &str) {
        self.workspace.coordination().wait_for_no_claim(&path(file));
        self.poems[file % FILES].rewrite(who, text);
        let agent = self.agent(who);
        agent.after_read(path(file)).expect_no_denial();
        agent.edit(path(file), &self.poems[file % FILES].text()).expect_no_denial();
        self.did(who, "edit", file);
    }

    /// A command of an agent, run as it runs them.
    #[track_caller]
    fn run(&self, who: Who, line: &str) -> Told {
        let agent = self.agent(who);
        agent.before_command(line).expect_no_denial();
        let mut shell = Command::new("sh");
        clean_environment(&mut shell, self.workspace.home());
        let status = shell.args(["-c", line]).current_dir(self.workspace.root()).status().unwrap();
        assert!(status.success(), "{line}");
        agent.after_command(line).expect_no_denial()
    }

    /// Gives back what an agent holds, in the middle of its turn.
    fn give_back(&self, who: Who) {
        self.agent(who).shell().run(["release", "--all"]).expect_code(0);
    }

    /// A save of the person.
    fn save(&mut self, file: usize, keys: &str) {
        self.workspace.coordination().wait_for_no_claim(&path(file));
        self.neovim.open(path(file));
        self.neovim.type_keys(keys);
        self.workspace.coordination().wait_for_holder(&path(file), &self.person);
        let text = serde_json::to_string(&self.poems[file % FILES].text().lines().collect::<Vec<_>>()).unwrap();
        self.neovim.wait(
            "the keys to be typed",
            &format!("vim.fn.mode() == 'n' and vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, false), vim.json.decode({text:?}))"),
        );
        self.neovim.command("write");
        self.did(Who::Person, "save", file);
        self.wait_for_newest(file, Who::Person);
        self.neovim.command("bdelete");
    }

    fn wait_until_nothing_is_held(&self) {
        let coordination = self.workspace.coordination();
        coordination.wait_for("all claims to go", |here| here.claim_files().is_empty().then_some(()));
    }

    /// Waits until the journal knows whose what stands there is.
    fn wait_for_newest(&self, file: usize, who: Who) {
        let session = self.session(who);
        let count = self.done[&path(file)].len();
        wait_for("the journal to know it", || {
            let entries = self.history(&[&path(file)]);
            (entries.len() >= count && entries[0]["session"] == session.as_str()).then_some(())
        });
    }

    /// The changes of what is named, newest first.
    #[track_caller]
    fn history(&self, paths: &[&str]) -> Vec<Value> {
        let arguments = ["history", "--json"].iter().chain(paths).copied();
        Terminal::on(&self.workspace).run(arguments).expect_code(0).json()["entries"].as_array().unwrap().clone()
    }

    /// What the person does at a plain terminal.
    #[track_caller]
    fn at_terminal(&self, arguments: &[&str]) -> Outcome {
        Committer::person(&self.workspace).deconflict(arguments)
    }

    /// What the journal keeps under a name, as git's own tool tells it.
    fn kept(&self, content: &Value) -> String {
        let Some(id) = content.as_str() else { return String::new() };
        let repository = Journal::of(self.workspace.coordination().directory(), None).unwrap().path();
        self.workspace.git(&["--git-dir", repository.to_str().unwrap(), "cat-file", "blob", id])
    }

    /// Replays what the journal says of a file, from what was committed at noon.
    fn replay(&self, file: usize) -> String {
        let mut text = Poem::at_noon(file).text();
        let mut told = Vec::new();
        for entry in self.history(&[&path(file)]).iter().rev() {
            assert_eq!(self.kept(&entry["before"]), text, "{entry}");
            text = self.kept(&entry["after"]);
            let who = entry["session"].as_str().map(|session| self.who(session));
            told.push((
                who.unwrap_or_else(|| panic!("nobody's: {entry}")),
                entry["cause"].as_str().unwrap().to_owned(),
            ));
        }
        let done = self.done[&path(file)].iter().map(|(who, cause)| (*who, (*cause).to_owned())).collect::<Vec<_>>();
        assert_eq!(told, done, "{}", path(file));
        text
    }

    /// Whose each line is, as `blame` tells it.
    fn blamed(&self, file: usize) -> Vec<Option<Who>> {
        let told = Terminal::on(&self.workspace).run(["blame", "--json", &path(file)]).expect_code(0).json();
        let who = |line: &Value| line["session"].as_str().map(|session| self.who(session));
        told["lines"].as_array().unwrap().iter().map(who).collect()
    }

    /// What stands in all files.
    fn texts(&self, of: impl Fn(&Poem) -> String) -> String {
        self.poems.iter().fold(String::new(), |text, poem| text + &of(poem) + "\n")
    }

    fn on_disk(&self) -> String {
        (0..FILES).fold(String::new(), |text, file| text + &self.workspace.read(path(file)) + "\n")
    }

    fn in_commit(&self, commit: &str) -> String {
        let show = |file| self.workspace.git(&["show", &format!("{commit}:{}", path(file))]);
        (0..FILES).fold(String::new(), |text, file| text + &show(file) + "\n")
    }
}

#[test]
fn an_afternoon_is_explained_to_the_last_byte_and_everybody_has_their_own_work() {
    let Some([version, _]) = Version::both() else {
        return;
    };
    let mut day = Afternoon::begin(version);
    // While the first agent is alone with its changes it may put them aside and take them back.
    day.edit(Who::One, 0, "put aside");
    day.run(Who::One, "git stash -q && git stash pop -q");
    day.check(0);
    day.give_back(Who::One);

    for step in 0..STEPS {
        let (firsts, seconds, persons) = (step, step + 3, step + 8);
        // Each of the agents edits a file and runs a script over another one.
        day.edit(Who::One, firsts, &format!("one in step {step}"));
        day.edit(Who::Two, seconds, &format!("two in step {step}"));
        let refused = day.two.before_edit(path(firsts));
        assert!(refused.expect_denial().contains(&day.one.id()), "{refused:?}");
        // The person types into a third.
        let number = day.poems[persons % FILES].rewrite(Who::Person, &format!("person in step {step}"));
        day.save(persons, &format!("{number}GccPERSON<Esc>").replace("PERSON", &format!("person in step {step}")));
        by_script(&mut day, Who::One, firsts + 1, step);
        by_sed(&mut day, Who::Two, seconds + 1, step);
        day.give_back(Who::One);
        day.give_back(Who::Two);
        match step {
            3 => by_git(&mut day),
            6 => trampled(&mut day),
            _ => {}
        }
    }
    ends(&mut day);
}

/// A script that says in no word which file it changes: it adds a line.
fn by_script(day: &mut Afternoon, who: Who, file: usize, step: usize) {
    let text = format!("told in step {step}");
    let number = day.poems[file % FILES].rewrite(who, &text);
    day.workspace.coordination().wait_for_no_claim(&path(file));
    day.workspace.write("todo.log", format!("{number} {} {text}\n", path(file)));
    day.run(who, "sh tools/tell.sh");
    day.did(who, "command", file);
}

/// A command that names the file: the first time it rewrites a line, and then it adds one.
fn by_sed(day: &mut Afternoon, who: Who, file: usize, step: usize) {
    day.workspace.coordination().wait_for_no_claim(&path(file));
    let text = format!("by sed in step {step}");
    let poem = &mut day.poems[file % FILES];
    let expression = if poem.0.iter().any(|line| line.owner == Some(who)) {
        format!("{}a {text}", poem.add(who, &text))
    } else {
        format!("{}s/.*/{text}/", poem.rewrite(who, &text))
    };
    day.run(who, &format!("sed -i '{expression}' {}", path(file)));
    day.did(who, "command", file);
}

/// Git among the commands: a branch is switched to and fro, the person and an agent commit something else, and an agent
/// takes a change of its own back.
fn by_git(day: &mut Afternoon) {
    day.run(Who::Two, "git switch -qc aside && git switch -q main");
    let here = &day.workspace;
    here.write("README.md", "# Of the person\n");
    let person = Committer::person(here);
    person.git(&["commit", "--quiet", "--message", "Of the person", "README.md"]).expect_code(0);
    day.one.edit("tools/own.txt", "Of the first agent.\n").expect_no_denial();
    day.run(Who::One, "git add tools/own.txt && git commit -qm Own");
    day.give_back(Who::One);
    day.poems[OWN].take_back(Who::One);
    let refused = day.two.before_command(&format!("git checkout -q -- {}", path(OWN)));
    assert!(refused.expect_denial().contains("uncommitted changes"), "{refused:?}");
    day.run(Who::One, &format!("git checkout -q -- {}", path(OWN)));
    day.did(Who::One, "command", OWN);
    day.give_back(Who::One);
}

/// A script of one agent goes over a file in which all have changes. All are told, and the person takes it back.
fn trampled(day: &mut Afternoon) {
    let before = day.workspace.read(path(SHARED));
    day.workspace.write("todo.log", path(SHARED));
    let told = day.run(Who::Two, "sh tools/trample.sh");
    assert!(told.context().contains(&path(SHARED)), "{told:?}");
    day.done.get_mut(&path(SHARED)).unwrap().push((Who::Two, "command"));
    assert_eq!(day.workspace.read(path(SHARED)), "All of it is new.\n");
    day.neovim.wait_for_notice(&path(SHARED));
    let told = day.one.prompt();
    assert!(told.context().contains(&path(SHARED)), "{told:?}");
    day.give_back(Who::Two);
    day.workspace.coordination().wait_for_no_claim(&path(SHARED));
    day.at_terminal(&["restore", &path(SHARED)]).expect_code(0);
    day.did(Who::Person, "restore", SHARED);
    assert_eq!(day.workspace.read(path(SHARED)), before);
}

fn ends(day: &mut Afternoon) {
    day.wait_until_nothing_is_held();
    let mut wrong = String::new();
    for file in 0..FILES {
        day.check(file);
        assert_eq!(day.replay(file), day.workspace.read(path(file)));
        let owners: Vec<Option<Who>> = day.poems[file].0.iter().map(|line| line.owner).collect();
        let blamed = day.blamed(file);
        if owners != blamed {
            writeln!(wrong, "{}: {blamed:?} instead of {owners:?}", path(file)).unwrap();
        }
    }
    assert_eq!(wrong, "");
    // One takes its work out, and then takes that back.
    let before = day.on_disk();
    let undone = day.two.shell().run(["undo", "--json"]).expect_code(0).json();
    assert_eq!(day.on_disk(), day.texts(|poem| poem.with_only(&[Who::One, Who::Person])));
    let entries: Vec<&str> =
        undone["undone"].as_array().unwrap().iter().map(|it| it["entry"].as_str().unwrap()).collect();
    day.two.shell().run(["undo"].iter().chain(&entries).copied()).expect_code(0);
    assert_eq!(day.on_disk(), before);
    day.give_back(Who::Two);
    // Each commits what is theirs.
    let noon = day.workspace.git(&["rev-parse", "HEAD"]);
    day.at_terminal(&["commit", "-m", "The person's"]).expect_code(0);
    assert_eq!(day.in_commit("HEAD"), day.texts(|poem| poem.with_only(&[Who::Person])));
    day.one.shell().run(["commit", "-m", "The first agent's"]).expect_code(0);
    assert_eq!(day.in_commit("HEAD"), day.texts(|poem| poem.with_only(&[Who::Person, Who::One])));
    day.two.shell().run(["commit", "-m", "The second agent's"]).expect_code(0);
    assert_eq!(day.in_commit("HEAD"), before);
    assert_eq!(day.on_disk(), before);
    assert_eq!(day.workspace.git(&["status", "--porcelain"]), "");
    let status = day.at_terminal(&["status", "--json"]).expect_code(0).json();
    assert_eq!(status["coordination_needed"], serde_json::json!([]));
    assert_eq!(day.workspace.git(&["rev-list", "--count", &format!("{}..HEAD", noon.trim())]), "3\n");
}
