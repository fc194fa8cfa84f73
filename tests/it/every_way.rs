//! Whatever way a file is changed: what stood there comes back byte for byte, and both sides are told, once.
//!
//! Each row of a table is one way. In its line `FILE` is the file in which somebody has uncommitted changes, and `OTHER`
//! another one.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use deconflict_journal::Journal;
use deconflict_protocol::Resource;

use super::journal_editors::editor_of;
use super::support::{CodingAgent, Document, Editor, Terminal, Told, Workspace, clean_environment, wait_within};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is committed of each file.
const COMMITTED: &str = "one\ntwo\nthree\n";

/// What somebody made of it.
const MINE: &str = "one\nmine\nthree\nmine too\n";

/// A way of changing a file.
struct Way {
    /// What has to be there before, as a line for the shell; it is committed.
    before: &'static str,
    line: &'static str,
    /// Whether an agent's hook lets it while another holds the file.
    hooked: Hooked,
}

#[derive(Clone, Copy, PartialEq)]
enum Hooked {
    Refused,
    IsTold,
}

use Hooked::{IsTold, Refused};

const fn way(hooked: Hooked, line: &'static str) -> Way {
    Way { before: "", line, hooked }
}

const fn prepared(hooked: Hooked, before: &'static str, line: &'static str) -> Way {
    Way { before, line, hooked }
}

/// One file at a time.
const WAYS: &[Way] = &[
    // The shell's own.
    way(Refused, "echo new > FILE"),
    way(Refused, ": > FILE"),
    way(Refused, "> FILE"),
    way(Refused, "echo new | tee FILE > /dev/null"),
    way(Refused, "cat > FILE <<'END'\nnew\nEND"),
    // Tools that write in place or over it.
    way(Refused, "sed -i s/mine/yours/ FILE"),
    way(Refused, "perl -pi -e s/mine/yours/ FILE"),
    way(Refused, "dd if=/dev/zero of=FILE bs=10 count=1 2> /dev/null"),
    way(Refused, "truncate -s 0 FILE"),
    way(Refused, "cp OTHER FILE"),
    way(Refused, "install -m 755 OTHER FILE"),
    way(Refused, "mv OTHER FILE"),
    way(Refused, "rsync OTHER FILE"),
    way(Refused, "shred -u FILE"),
    way(Refused, "ln -sf OTHER FILE"),
    way(Refused, "ln -f OTHER FILE"),
    way(Refused, "cp FILE FILE.new && echo new >> FILE.new && mv FILE.new FILE"),
    way(IsTold, "printf '1s/one/new/\\nw\\nq\\n' | ed -s FILE"),
    way(IsTold, "ex -s -c '1s/one/new/' -c x FILE"),
    prepared(
        Refused,
        "printf -- '--- a/FILE\\n+++ b/FILE\\n@@ -2 +2 @@\\n-mine\\n+new\\n@@ -4 +4 @@\\n-mine too\\n+newer\\n' > FILE.patch",
        "patch -p1 -s < FILE.patch",
    ),
    prepared(
        IsTold,
        "cp OTHER FILE && tar cf FILE.tar FILE && printf 'one\\ntwo\\nthree\\n' > FILE",
        "tar xf FILE.tar",
    ),
    prepared(
        IsTold,
        "cp OTHER FILE && zip -q FILE.zip FILE && printf 'one\\ntwo\\nthree\\n' > FILE",
        "unzip -qo FILE.zip",
    ),
    // Scripts.
    way(IsTold, "python3 - <<'END'\nopen('FILE', 'w').write('new\\n')\nEND"),
    prepared(IsTold, "echo 'echo new > FILE' > FILE.sh", "sh FILE.sh"),
    way(Refused, "find . -name FILE -exec sed -i s/mine/yours/ {} +"),
    way(Refused, "echo FILE | xargs rm"),
    way(IsTold, "awk 'BEGIN { print \"new\" > \"FILE\" }'"),
    // It goes.
    way(Refused, "rm FILE"),
    way(Refused, "unlink FILE"),
    way(Refused, "mv FILE FILE.away"),
    way(Refused, "find . -name FILE -delete"),
    way(Refused, "rm FILE && mkdir FILE"),
    way(Refused, "rm FILE && mkfifo FILE"),
    // What it is, not what is in it.
    way(IsTold, "chmod +x FILE"),
    way(Refused, "rm FILE && ln -s OTHER FILE"),
    // Twice in a row.
    way(Refused, "echo new > FILE; echo newer > FILE"),
    prepared(IsTold, "echo 'echo new > FILE; echo newer > FILE' > FILE.sh", "sh FILE.sh"),
    // Git, by the file's name.
    way(Refused, "git checkout -q -- FILE"),
    way(Refused, "git checkout -q HEAD FILE"),
    way(Refused, "git restore FILE"),
    way(Refused, "git restore -SW FILE"),
    way(Refused, "git rm -qf FILE"),
    way(Refused, "git mv -f OTHER FILE"),
    way(Refused, "git mv FILE FILE.away"),
    way(Refused, "git checkout-index -f FILE"),
    way(IsTold, "git show HEAD:FILE | python3 -c 'import sys; open(\"FILE\", \"w\").write(sys.stdin.read())'"),
    prepared(
        Refused,
        "printf -- '--- a/FILE\\n+++ b/FILE\\n@@ -2 +2 @@\\n-mine\\n+new\\n@@ -4 +4 @@\\n-mine too\\n+newer\\n' > FILE.patch",
        "git apply --unidiff-zero FILE.patch",
    ),
];

/// Programs that a row may need and a machine may lack.
const TOOLS: &[&str] = &["ed", "ex", "patch", "perl", "python3", "rsync", "unzip", "zip"];

impl Way {
    fn can_run(&self) -> bool {
        let words = [self.before, self.line].map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
        let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        let is_missing = |tool: &&str| !folders.iter().any(|folder| folder.join(tool).exists());
        let missing = words.into_iter().flatten().filter(|word| TOOLS.contains(word)).find(is_missing);
        missing.inspect(|tool| eprintln!("{tool} is not here, for: {}", self.line)).is_none()
    }
}

/// Those that this machine can run, with their numbers.
fn runnable(ways: &[Way]) -> Vec<(usize, &Way)> {
    ways.iter().enumerate().filter(|(_, way)| way.can_run()).collect()
}

/// What stands under a name.
#[derive(Debug, PartialEq)]
enum Stood {
    File { bytes: Vec<u8>, executable: bool },
    Link(String),
    Nothing,
    SomethingElse,
}

impl Stood {
    fn at(path: &Path) -> Self {
        let Ok(found) = fs::symlink_metadata(path) else { return Self::Nothing };
        if found.is_symlink() {
            return Self::Link(fs::read_link(path).unwrap().to_str().unwrap().to_owned());
        }
        if !found.is_file() {
            return Self::SomethingElse;
        }
        Self::File { bytes: fs::read(path).unwrap(), executable: found.permissions().mode() & 0o100 != 0 }
    }
}

#[track_caller]
fn shell(workspace: &Workspace, line: &str) {
    let mut command = Command::new("sh");
    clean_environment(&mut command, workspace.home());
    let output = command.args(["-c", line]).current_dir(workspace.root()).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// A line for one row, with names of its own.
fn line_of(line: &str, number: usize) -> String {
    line.replace("FILE", &file_of(number)).replace("OTHER", &format!("other-{number}.txt"))
}

fn file_of(number: usize) -> String {
    format!("way-{number:02}.txt")
}

/// How often each file is named in what was told, with the way back.
#[derive(Default)]
struct Heard(BTreeMap<String, usize>);

impl Heard {
    fn take(&mut self, told: &Told) {
        let text = told.context();
        for advice in text.split("deconflict restore ").skip(1) {
            let words = advice.lines().next().unwrap_or_default();
            let start = words.find("way-").unwrap_or(words.len());
            let name: String = words[start..].chars().take("way-00.txt".len()).collect();
            *self.0.entry(name).or_default() += 1;
        }
    }

    fn times(&self, file: &str) -> usize {
        self.0.get(file).copied().unwrap_or_default()
    }
}

/// Writes and commits what each row needs, and lets an agent change its file.
fn prepare(workspace: &Workspace, ways: &[(usize, &Way)], loser: &CodingAgent) {
    for (number, way) in ways {
        workspace.write(file_of(*number), COMMITTED);
        workspace.write(format!("other-{number}.txt"), "another\n");
        shell(workspace, &line_of(way.before, *number));
    }
    workspace.commit_all("Before");
    for (number, _) in ways {
        loser.edit(file_of(*number), MINE).expect_no_denial();
    }
}

#[test]
fn an_agents_work_stands_against_every_command_of_another_agent_or_comes_back() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    let all = runnable(WAYS);
    prepare(&workspace, &all, &loser);
    let mut wrong = Vec::new();
    for (number, way) in all {
        let (file, line) = (file_of(number), line_of(way.line, number));
        let stood = Stood::at(&workspace.path(&file));
        let told = doer.before_command(&line);
        if way.hooked == Refused {
            if told.denial().is_none() {
                wrong.push(format!("{line}: not refused"));
            }
            assert_eq!(Stood::at(&workspace.path(&file)), stood, "{line}");
            continue;
        }
        if told.denial().is_some() {
            wrong.push(format!("{line}: refused"));
            continue;
        }
        shell(&workspace, &line);
        if Stood::at(&workspace.path(&file)) == stood {
            wrong.push(format!("{line}: changed nothing"));
        }
        let mut doers = Heard::default();
        let mut losers = Heard::default();
        doers.take(&doer.after_command(&line));
        doers.take(&doer.prompt());
        losers.take(&loser.after_read("README.md"));
        losers.take(&loser.after_read("README.md"));
        losers.take(&loser.prompt());
        if doers.times(&file) != 1 || losers.times(&file) != 1 {
            wrong.push(format!(
                "{line}: the doer was told {} times, the loser {}",
                doers.times(&file),
                losers.times(&file)
            ));
        }
        let restored = loser.shell().run(["restore", "--", &file]);
        let back = Stood::at(&workspace.path(&file));
        if back != stood {
            wrong.push(format!("{line}: {restored:?} {back:?}"));
        }
    }
    let status = loser.shell().run(["status", "--json"]).expect_code(0).json();
    if !status["coordination_needed"].as_array().unwrap().is_empty() {
        wrong.push(status["coordination_needed"].to_string());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_agents_work_comes_back_after_every_command_of_somebody_unknown() {
    let workspace = Workspace::small();
    let loser = CodingAgent::on(&workspace, "loser");
    loser.start();
    let all = runnable(WAYS);
    prepare(&workspace, &all, &loser);
    let stood: Vec<Stood> = all.iter().map(|(number, _)| Stood::at(&workspace.path(file_of(*number)))).collect();
    for (number, way) in &all {
        shell(&workspace, &line_of(way.line, *number));
    }
    let mut heard = Heard::default();
    let mut wrong = Vec::new();
    wait_within(PATIENCE, "every loss to be told", || {
        heard.take(&loser.after_read("README.md"));
        all.iter().all(|(number, _)| heard.times(&file_of(*number)) > 0).then_some(())
    });
    heard.take(&loser.prompt());
    heard.take(&loser.after_read("README.md"));
    for ((number, way), stood) in all.iter().zip(&stood) {
        let file = file_of(*number);
        let times = heard.times(&file);
        let changed = Stood::at(&workspace.path(&file)) != *stood;
        let restored = loser.shell().run(["restore", "--", &file]);
        let back = Stood::at(&workspace.path(&file));
        if times != 1 || !changed || back != *stood {
            wrong.push(format!(
                "{}: told {times} times, changed {changed}, {restored:?} {back:?}",
                line_of(way.line, *number)
            ));
        }
    }
    let status = loser.shell().run(["status", "--json"]).expect_code(0).json();
    if !status["coordination_needed"].as_array().unwrap().is_empty() {
        wrong.push(status["coordination_needed"].to_string());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Over the whole tree, by git or not. `FILE` has another's uncommitted changes, and so has `new.txt`, which git doesn't
/// track; they are in the folder `work`.
const SWEEPS: &[Way] = &[
    way(Refused, "git checkout -q ."),
    way(Refused, "git checkout -q -- ."),
    way(Refused, "git checkout -qf"),
    way(Refused, "git checkout -qf other"),
    way(Refused, "git checkout -q HEAD~1 -- work/FILE"),
    way(Refused, "git checkout -q HEAD~1 -- ."),
    way(Refused, "git checkout -q other -- work"),
    way(Refused, "git switch -q --discard-changes other"),
    way(Refused, "git restore ."),
    way(Refused, "git restore :/"),
    way(Refused, "git restore -q -s HEAD~1 -- work"),
    way(Refused, "git reset -q --hard"),
    way(Refused, "git reset -q --hard HEAD~1"),
    way(Refused, "git stash -q"),
    way(Refused, "git stash push -q"),
    way(Refused, "git stash push -q -- work"),
    way(Refused, "git stash -qu"),
    way(Refused, "git stash save -q x"),
    way(Refused, "git clean -qfd"),
    way(Refused, "git clean -qf work"),
    way(Refused, "git read-tree -u --reset HEAD"),
    way(Refused, "git read-tree --reset -u HEAD~1"),
    way(Refused, "git checkout-index -qfa"),
    way(Refused, "git checkout-index --force --all"),
    way(Refused, "git rm -rqf work"),
    way(Refused, "git rm -rqf ."),
    way(Refused, "git mv work elsewhere"),
    way(Refused, "rm -r work"),
    way(Refused, "rm -rf ./*"),
    way(Refused, "rm -f work/*.txt"),
    way(Refused, "mv work elsewhere"),
    way(Refused, "find work -type f -delete"),
    way(IsTold, "find work -type f -exec sed -i s/m/M/ {} +"),
    way(IsTold, "sh scripts/format.sh"),
    way(IsTold, "git ls-files -m -z | xargs -0 rm -f"),
    way(Refused, "git clean -qfdx"),
    way(Refused, "git stash --all -q"),
];

#[test]
fn what_sweeps_over_an_agents_work_is_refused_or_undone() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    let (file, new) = ("work/way-01.txt", "work/new.txt");
    workspace.write(file, "older\n");
    workspace.write("scripts/format.sh", "for f in work/*.txt; do tr m M < $f > $f.tmp; mv $f.tmp $f; done\n");
    workspace.commit_all("Older");
    shell(
        &workspace,
        "git switch -qc other && echo other > work/way-01.txt && git commit -qam Other && git switch -q main",
    );
    workspace.write(file, COMMITTED);
    workspace.commit_all("Before");
    workspace.git(&["tag", "before"]);
    loser.edit(file, MINE).expect_no_denial();
    loser.edit(new, MINE).expect_no_denial();
    let mut wrong = Vec::new();
    for held in [true, false] {
        if !held {
            loser.shell().run(["release", "--all"]).expect_code(0);
        }
        for way in SWEEPS {
            let line = line_of(way.line, 1);
            if way.hooked == Refused && doer.before_command(&line).denial().is_none() {
                wrong.push(format!("held {held}: {line}: not refused"));
            }
        }
    }
    let stood = [file, new].map(|file| Stood::at(&workspace.path(file)));
    for way in SWEEPS {
        let line = line_of(way.line, 1);
        shell(&workspace, &line);
        let now = [file, new].map(|file| Stood::at(&workspace.path(file)));
        let changed: Vec<usize> = (0..2).filter(|index| now[*index] != stood[*index]).collect();
        let mut told = String::new();
        wait_within(PATIENCE, &format!("the loss by {line} to be told"), || {
            told.push_str(loser.prompt().context());
            changed.iter().all(|index| told.contains([file, new][*index])).then_some(())
        });
        told.push_str(loser.prompt().context());
        for index in 0..2 {
            let times = told.matches(&format!("restore {}", [file, new][index])).count();
            if times != usize::from(changed.contains(&index)) {
                wrong.push(format!("{line}: told {times} times of {index}: {told}"));
            }
        }
        if changed.is_empty() {
            wrong.push(format!("{line}: changed nothing"));
        }
        for index in &changed {
            let restored = loser.shell().run(["restore", [file, new][*index]]);
            let back = Stood::at(&workspace.path([file, new][*index]));
            if back != stood[*index] {
                wrong.push(format!("{line}: {restored:?} {back:?}"));
            }
        }
        shell(
            &workspace,
            "rm -rf elsewhere; git symbolic-ref HEAD refs/heads/main; git update-ref refs/heads/main before; git reset -q; \
             git checkout -q -- README.md src Cargo.lock .gitignore scripts",
        );
        if [file, new].map(|file| Stood::at(&workspace.path(file))) != stood {
            wrong.push(format!("{line}: lost"));
            workspace.write(file, MINE);
            workspace.write(new, MINE);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_work_of_whoever_claims_at_a_terminal_comes_back_and_their_own_edits_are_not_told() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    let home = workspace.beside("home of Ben");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[user]\n\tname = Ben\n").unwrap();
    let doer = CodingAgent::on(&workspace, "doer").env("HOME", home.to_str().unwrap());
    doer.start();
    let all = runnable(WAYS);
    for (number, way) in &all {
        workspace.write(file_of(*number), COMMITTED);
        workspace.write(format!("other-{number}.txt"), "another\n");
        shell(&workspace, &line_of(way.before, *number));
    }
    workspace.commit_all("Before");
    let mut wrong = Vec::new();
    for (number, way) in all {
        let (file, line) = (file_of(number), line_of(way.line, number));
        ada.run(["claim", "file", &file]).expect_code(0);
        workspace.write(&file, MINE);
        let by_agent = way.hooked == IsTold;
        if !by_agent {
            ada.run(["check", "README.md"]).expect_code(0);
        }
        let stood = Stood::at(&workspace.path(&file));
        if by_agent {
            doer.before_command(&line).expect_no_denial();
        } else {
            doer.before_command(&line).expect_denial();
        }
        shell(&workspace, &line);
        if by_agent {
            let told = doer.after_command(&line);
            if told.context().matches(&format!("restore {file}")).count() != 1 {
                wrong.push(format!("{line}: {told:?}"));
            }
        }
        let mut told = Vec::new();
        let goes_on = !by_agent
            && matches!(Stood::at(&workspace.path(&file)), Stood::File { bytes, .. } if bytes.ends_with(b"mine too\nnew\n"));
        if !goes_on {
            told.push(wait_within(PATIENCE, &format!("the loss by {line} to be told"), || {
                let said = ada.run(["check", "README.md"]).expect_code(0).stderr;
                said.contains(&file).then_some(said)
            }));
        }
        told.push(ada.run(["check", "README.md"]).expect_code(0).stderr);
        if told.concat().matches(&format!("project/{file}")).count() != usize::from(!goes_on) {
            wrong.push(format!("{line}: {told:?}"));
        }
        let prompt = ada.run(["status", "--oneline"]).expect_code(0).stdout;
        if prompt.contains("1 lost") == goes_on {
            wrong.push(format!("{line}: {prompt}"));
        }
        let restored = ada.run(["restore", "--", &file]);
        let back = Stood::at(&workspace.path(&file));
        if back != stood {
            wrong.push(format!("{line}: {restored:?} {back:?}"));
        }
        let prompt = ada.run(["status", "--oneline"]).expect_code(0).stdout;
        if prompt.contains("lost") {
            wrong.push(format!("{line}: {prompt}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Ada edits and saves the file of each row in her editor, and holds it.
fn held_in_an_editor<'e>(workspace: &Workspace, ada: &'e Editor, ways: &[(usize, &Way)]) -> Vec<Document<'e>> {
    for (number, way) in ways {
        workspace.write(file_of(*number), COMMITTED);
        workspace.write(format!("other-{number}.txt"), "another\n");
        shell(workspace, &line_of(way.before, *number));
    }
    workspace.commit_all("Before");
    let session = ada.wait_for_session();
    let terminal = Terminal::on(workspace);
    let mut documents = Vec::new();
    for (number, _) in ways {
        let document = ada.open(file_of(*number));
        document.replace_all(MINE);
        workspace.coordination().wait_for_holder(&file_of(*number), &session);
        document.save();
        documents.push(document);
    }
    wait_within(PATIENCE, "the saves to be in the journal", || {
        let entries = terminal.run(["history", "--json"]).expect_code(0).json()["entries"].clone();
        let is_kept = |file: String| {
            entries.as_array().unwrap().iter().any(|entry| entry["path"] == file.as_str() && entry["cause"] == "save")
        };
        ways.iter().all(|(number, _)| is_kept(file_of(*number))).then_some(())
    });
    documents
}

fn lost_in(document: &Document) -> bool {
    document.codes().iter().any(|code| code == "overwritten" || code == "deleted")
}

#[test]
fn a_persons_work_in_an_editor_comes_back_after_every_command_of_somebody_unknown() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let ada = editor_of(&workspace, "Ada");
    let all = runnable(WAYS);
    let mut wrong = Vec::new();
    for ways in all.chunks(12) {
        let documents = held_in_an_editor(&workspace, &ada, ways);
        let stood: Vec<Stood> = ways.iter().map(|(number, _)| Stood::at(&workspace.path(file_of(*number)))).collect();
        for (number, way) in ways {
            shell(&workspace, &line_of(way.line, *number));
        }
        for ((number, way), document) in ways.iter().zip(&documents) {
            ada.wait_until(&format!("a diagnostic after {}", line_of(way.line, *number)), |view| {
                let shown = view.diagnostics.get(&document.uri)?;
                shown.iter().any(|it| it["code"] == "overwritten" || it["code"] == "deleted").then_some(())
            });
            // An editor reads again by itself what it can.
            if fs::metadata(document.path()).is_ok_and(|found| found.is_file()) {
                document.reload();
            }
        }
        ada.settle(&workspace);
        for (((number, way), document), stood) in ways.iter().zip(documents).zip(stood) {
            let (file, line) = (file_of(*number), line_of(way.line, *number));
            let answer = ada.execute("deconflict.restore", serde_json::json!({ "uri": document.uri }));
            if answer["ok"] != true {
                wrong.push(format!("{line}: {answer}"));
                continue;
            }
            wait_within(PATIENCE, &format!("the diagnostic after {line} to go"), || {
                (!lost_in(&document)).then_some(())
            });
            let back = Stood::at(&workspace.path(&file));
            if back != stood {
                wrong.push(format!("{line}: {answer} {back:?}"));
            }
            let messages = ada.messages().iter().filter(|message| message.contains(&file)).count();
            if messages > 1 {
                wrong.push(format!("{line}: told {messages} times"));
            }
            document.close();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Files with all that makes files difficult, as an agent leaves them.
fn difficult() -> Vec<(&'static str, Stood)> {
    let file = |bytes: &[u8]| Stood::File { bytes: bytes.to_vec(), executable: false };
    vec![
        ("with space.txt", file(b"text\n")),
        ("größe – 寸 😀.txt", file("größe\n".as_bytes())),
        (":colon.txt", file(b"one\r\ntwo\r\n")),
        ("-dash.txt", file(b"no line end")),
        ("quo\"te's.bin", file(&[0, 159, 146, 150, 0, 255, 10, 0])),
        ("[id].tsx", file(b"\xff\xfeh\0i\0\n\0")),
        ("deep down/.hidden", file(b"")),
        ("run.sh", Stood::File { bytes: b"#!/bin/sh\n".to_vec(), executable: true }),
        ("link", Stood::Link("with space.txt".to_owned())),
        ("dangling", Stood::Link("no where".to_owned())),
    ]
}

fn write_as(path: &Path, stood: &Stood) {
    let _ = fs::remove_file(path);
    match stood {
        Stood::File { bytes, executable } => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(if *executable { 0o755 } else { 0o644 })).unwrap();
        }
        Stood::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        Stood::Nothing | Stood::SomethingElse => {}
    }
}

#[test]
fn whatever_stood_there_comes_back_byte_for_byte() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    for (name, _) in difficult() {
        if name != "deep down/.hidden" && name != "link" {
            workspace.write(name, COMMITTED);
        }
    }
    workspace.write(
        "tools/take.py",
        "import os, sys\nfor line in open('tools/names'):\n    name = eval(line)\n    if sys.argv[1] != 'write' or os.path.islink(name): os.remove(name)\n    if sys.argv[1] != 'remove': open(name, 'wb').write(b'taken\\n')\n",
    );
    let names: String = difficult().iter().map(|(name, _)| format!("{name:?}\n").replace("\\'", "'")).collect();
    workspace.write("tools/names", names);
    workspace.commit_all("Before");
    let lines = ["python3 tools/take.py write", "python3 tools/take.py remove", "python3 tools/take.py replace"];
    for line in lines {
        for (name, stood) in difficult() {
            loser.before_edit(name).expect_no_denial();
            write_as(&workspace.path(name), &stood);
            loser.after_edit(name).expect_no_denial();
        }
        doer.before_command(line).expect_no_denial();
        shell(&workspace, line);
        let count = |told: &Told| told.context().matches("deconflict restore").count();
        let told = doer.after_command(line);
        assert_eq!(count(&told), difficult().len(), "{told:?}");
        assert_eq!(count(&doer.prompt()), 0);
        let mut heard = 0;
        wait_within(PATIENCE, "all to be told", || {
            heard += count(&loser.after_read("README.md"));
            (heard >= difficult().len()).then_some(())
        });
        heard += count(&loser.prompt());
        assert_eq!(heard, difficult().len());
        for (name, stood) in difficult() {
            loser.shell().run(["restore", "--", name]).expect_code(0);
            assert_eq!(Stood::at(&workspace.path(name)), stood, "{line}: {name}");
        }
        doer.prompt();
        let status = loser.shell().run(["status", "--json"]).expect_code(0).json();
        assert_eq!(status["coordination_needed"], serde_json::json!([]), "{line}");
    }
}

#[test]
fn forty_megabytes_come_back() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    let mut seed = 1_u64;
    let mut byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    let bytes: Vec<u8> = (0..40 << 20).map(|_| byte()).collect();
    let path = workspace.path("large.bin");
    loser.before_edit("large.bin").expect_no_denial();
    fs::write(&path, &bytes).unwrap();
    loser.after_edit("large.bin").expect_no_denial();
    workspace.write("gen.sh", "head -c 1000000 large.bin > x && mv x large.bin\n");
    doer.before_command("sh gen.sh").expect_no_denial();
    shell(&workspace, "sh gen.sh");
    let told = doer.after_command("sh gen.sh");
    assert!(told.context().contains("deconflict restore large.bin"), "{told:?}");
    assert!(loser.after_read("README.md").context().contains("large.bin"));
    loser.shell().run(["restore", "large.bin"]).expect_code(0);
    assert!(fs::read(&path).unwrap() == bytes);
}

/// What changes nothing of what stands there. `FILE` is held by each in turn.
const QUIET: &[&str] = &[
    "touch FILE",
    "cp -p FILE copy && cat copy > FILE",
    "cp FILE copy && mv copy FILE",
    "sed -i s/nothing/else/ FILE",
    "perl -pi -e s/nothing/else/ FILE",
    "chmod 600 FILE && chmod 644 FILE",
    "chmod go-r FILE",
    "mv FILE away && mv away FILE",
    "ln FILE FILE.hard",
    "git add -A && git reset -q",
    "git stash -q && git stash pop -q",
    "git status > /dev/null",
    "cat FILE > /dev/null",
    "truncate -s +0 FILE",
    "git rebase -q HEAD --autostash",
    "git switch -qc side && git switch -q main && git branch -qD side",
    "git commit -qm Empty --allow-empty",
];

#[test]
fn what_changes_nothing_is_not_worth_a_word() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_named_session(&workspace, "Grace");
    let ada = editor_of(&workspace, "Ada");
    let way = way(IsTold, "");
    let documents = held_in_an_editor(&workspace, &ada, &[(1, &way)]);
    let agent = CodingAgent::on(&workspace, "agent");
    workspace.write(file_of(2), COMMITTED);
    workspace.write(file_of(3), COMMITTED);
    workspace.git(&["add", &file_of(2), &file_of(3)]);
    workspace.git(&["commit", "-qm", "More", &file_of(2), &file_of(3)]);
    agent.start();
    agent.edit(file_of(2), MINE).expect_no_denial();
    terminal.run(["claim", "file", &file_of(3)]).expect_code(0);
    workspace.write(file_of(3), MINE);
    let doer = CodingAgent::on(&workspace, "doer");
    doer.start();
    agent.prompt();
    let mut told = String::new();
    for line in QUIET {
        for number in 1..=3 {
            let line = line_of(line, number);
            let hooked = doer.before_command(&line).denial().is_none();
            shell(&workspace, &line);
            if hooked {
                told.push_str(doer.after_command(&line).context());
            }
        }
    }
    // What would be told is told by now: a server looks every two seconds.
    std::thread::sleep(Duration::from_millis(2_500));
    for _ in 0..3 {
        told.push_str(agent.prompt().context());
        told.push_str(doer.prompt().context());
        told.push_str(&terminal.run(["check", "README.md"]).expect_code(0).stderr);
    }
    ada.settle(&workspace);
    assert!(!told.contains("way-"), "{told}");
    assert_eq!(ada.messages(), Vec::<String>::new());
    assert_eq!(documents[0].codes(), Vec::<String>::new());
    let prompt = terminal.run(["status", "--oneline"]).expect_code(0).stdout;
    assert!(!prompt.contains("lost"), "{prompt}");
}

/// What takes a file that was committed to another commit. `OTHER` is a branch on which it says something else, and `STASH` a
/// stash in which it does.
const MOVES: &[&str] = &[
    "git switch -q OTHER",
    "git checkout -q OTHER",
    "git checkout -q OTHER~0",
    "git merge -q OTHER",
    "git merge -q --squash OTHER",
    "git pull -q . OTHER",
    "git rebase -q OTHER",
    "git cherry-pick OTHER",
    "git cherry-pick -n OTHER",
    "git revert --no-edit HEAD",
    "git reset -q --keep HEAD~1",
    "git reset -q --hard HEAD~1",
    "git reset -q --merge HEAD~1",
    "git checkout -q OTHER -- FILE",
    "git checkout -q OTHER -- .",
    "git restore -s OTHER FILE",
    "git read-tree -um HEAD OTHER",
    "git format-patch -q -1 --stdout OTHER | git am -q",
    "git diff HEAD OTHER | git apply",
    "git diff HEAD OTHER | git apply --index",
    "git stash pop -q",
    "git stash apply -q",
    "git bisect start -q HEAD HEAD~1 && git bisect bad && git checkout -q OTHER",
];

#[test]
fn whoever_holds_what_git_takes_to_another_commit_is_told_of_that() {
    let mut wrong = Vec::new();
    for line in MOVES {
        let workspace = Workspace::small();
        Terminal::on(&workspace).run(["init"]).expect_code(0);
        let file = file_of(1);
        for (text, name) in [("older\n", "Older"), (COMMITTED, "Before")] {
            workspace.write(&file, text);
            workspace.commit_all(name);
        }
        shell(
            &workspace,
            "git switch -qc other && echo other > way-01.txt && git commit -qam Other && git switch -q main",
        );
        shell(&workspace, "echo stashed > way-01.txt && git stash -q");
        let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
        loser.start();
        doer.start();
        loser.shell().run(["claim", "file", &file]).expect_code(0);
        let line = line.replace("FILE", &file).replace("OTHER", "other");
        let stood = Stood::at(&workspace.path(&file));
        doer.before_command(&line).expect_no_denial();
        shell(&workspace, &line);
        let (mut doers, mut losers) = (Heard::default(), Heard::default());
        doers.take(&doer.after_command(&line));
        doers.take(&doer.prompt());
        let heard = [loser.after_read("README.md"), loser.prompt(), loser.prompt()];
        for told in &heard {
            losers.take(told);
        }
        let changed = Stood::at(&workspace.path(&file)) != stood;
        if doers.times(&file) != 1 || losers.times(&file) != 1 || !changed {
            wrong.push(format!("{line}: {changed}, {}, {}: {heard:?}", doers.times(&file), losers.times(&file)));
        }
        let restored = loser.shell().run(["restore", &file]);
        if Stood::at(&workspace.path(&file)) != stood {
            wrong.push(format!("{line}: {restored:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_in_a_worktree_that_was_removed_comes_back_with_it() {
    let workspace = Workspace::small();
    workspace.write(file_of(1), COMMITTED);
    workspace.commit_all("Before");
    let side = workspace.add_worktree("side");
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    let there = loser.clone().in_folder(&side);
    there.edit(file_of(1), MINE).expect_no_denial();
    there.edit("new.txt", MINE).expect_no_denial();
    let line = format!("git worktree remove --force {}", side.display());
    doer.before_command(&line).expect_denial();
    there.shell().run(["release", "--all"]).expect_code(0);
    doer.before_command(&line).expect_denial();
    doer.before_command(&format!("rm -rf {}", side.display())).expect_denial();
    shell(&workspace, &line);
    let mut told = String::new();
    wait_within(PATIENCE, "the loss to be told", || {
        told.push_str(loser.prompt().context());
        (told.contains("way-01.txt") && told.contains("new.txt")).then_some(())
    });
    told.push_str(loser.prompt().context());
    assert_eq!((told.matches("way-01.txt").count(), told.matches("new.txt").count()), (1, 1), "{told}");
    shell(&workspace, &format!("git worktree add -q {} side", side.display()));
    for file in [file_of(1), "new.txt".to_owned()] {
        there.shell().run(["restore", &file]).expect_code(0);
        assert_eq!(fs::read_to_string(side.join(file)).unwrap(), MINE);
    }
}

#[test]
fn what_is_in_a_submodule_is_the_superprojects_too() {
    let workspace = Workspace::small();
    let library = workspace.beside("library");
    fs::create_dir(&library).unwrap();
    workspace.git_in(&library, &["init", "-q"]);
    fs::write(library.join(file_of(1)), COMMITTED).unwrap();
    workspace.git_in(&library, &["add", "-A"]);
    workspace.git_in(&library, &["commit", "-qm", "Before"]);
    let url = library.to_str().unwrap();
    workspace.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "library"]);
    workspace.commit_all("Before");
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    let file = format!("library/{}", file_of(1));
    loser.edit(&file, MINE).expect_no_denial();
    for line in ["git -C library checkout -q .", "git -C library reset -q --hard", "cd library && git stash -q"] {
        doer.before_command(line).expect_denial();
    }
    for line in ["git submodule --quiet update --force", "git submodule --quiet foreach 'git reset -q --hard'"] {
        doer.before_command(line).expect_denial();
        // What a command does that cannot be read is told.
        let line = &format!("L=\"{line}\" sh -c 'eval \"$L\"'");
        doer.before_command(line).expect_no_denial();
        shell(&workspace, line);
        assert_eq!(workspace.read(&file), COMMITTED, "{line}");
        let told = doer.after_command(line);
        assert_eq!(told.context().matches("deconflict restore").count(), 1, "{told:?}");
        let told = loser.after_read("README.md");
        assert_eq!(told.context().matches("deconflict restore").count(), 1, "{told:?}");
        assert!(!loser.prompt().context().contains("way-01.txt"));
        loser.shell().run(["restore", &file]).expect_code(0);
        assert_eq!(workspace.read(&file), MINE);
        doer.prompt();
    }
}

#[test]
fn what_a_command_left_running_does_later_is_told_too() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    loser.edit(file_of(1), MINE).expect_no_denial();
    workspace.write("late.sh", "until [ -e go ]; do sleep 0.02; done; echo new > way-01.txt; touch done\n");
    let line = "sh late.sh > /dev/null 2>&1 &";
    doer.before_command(line).expect_no_denial();
    shell(&workspace, line);
    assert_eq!(doer.after_command(line).context(), "");
    workspace.write("go", "");
    wait_within(PATIENCE, "the script to end", || workspace.path("done").exists().then_some(()));
    let mut heard = Heard::default();
    wait_within(PATIENCE, "the loss to be told", || {
        heard.take(&loser.after_read("README.md"));
        (heard.times(&file_of(1)) > 0).then_some(())
    });
    heard.take(&loser.prompt());
    heard.take(&doer.prompt());
    assert_eq!(heard.times(&file_of(1)), 1);
    loser.shell().run(["restore", &file_of(1)]).expect_code(0);
    assert_eq!(workspace.read(file_of(1)), MINE);
}

#[test]
fn what_is_in_a_directory_that_is_held_comes_back() {
    let workspace = Workspace::small();
    let home = workspace.beside("home of Ben");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[user]\n\tname = Ben\n").unwrap();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "directory", "src"]).expect_code(0);
    let doer = CodingAgent::on(&workspace, "doer").env("HOME", home.to_str().unwrap());
    doer.start();
    // By an editor that tells nobody.
    workspace.write("src/lib.rs", MINE);
    workspace.write("src/deep/new.rs", MINE);
    let parser = workspace.read("src/parser.rs");
    workspace.write("gen.sh", "echo new > src/lib.rs; rm -r src/deep; echo generated > src/parser.rs\n");
    doer.before_command("sh gen.sh").expect_no_denial();
    shell(&workspace, "sh gen.sh");
    let told = doer.after_command("sh gen.sh");
    let files = [("src/lib.rs", MINE), ("src/deep/new.rs", MINE), ("src/parser.rs", &parser)];
    let said = ada.run(["messages"]).expect_code(0).stdout;
    for (file, text) in files {
        assert_eq!(told.context().matches(&format!("restore {file}")).count(), 1, "{file}: {told:?}");
        assert!(said.contains(file), "{said}");
        ada.run(["restore", file]).expect_code(0);
        assert_eq!(workspace.read(file), text);
    }
    assert!(!ada.run(["check", "README.md"]).expect_code(0).stderr.contains("src/"));
}

#[test]
fn an_agents_work_comes_back_from_what_people_do_in_editors() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    for number in 0..28 {
        workspace.write(format!("many/{}", file_of(number)), COMMITTED);
    }
    workspace.commit_all("Before");
    let loser = CodingAgent::on(&workspace, "loser");
    loser.start();
    let files: Vec<String> = (0..28).map(|number| format!("many/{}", file_of(number))).collect();
    for file in &files {
        loser.edit(file, MINE).expect_no_denial();
    }
    let ben = editor_of(&workspace, "Ben");
    ben.wait_for_session();
    let hear = |what: &str, files: &[String]| {
        let mut heard = Heard::default();
        wait_within(PATIENCE, &format!("{what} to be told"), || {
            heard.take(&loser.after_read("README.md"));
            files.iter().all(|file| heard.times(&file["many/".len()..]) > 0).then_some(())
        });
        heard.take(&loser.prompt());
        for file in files {
            assert_eq!(heard.times(&file["many/".len()..]), 1, "{what}: {file}");
            loser.shell().run(["restore", file]).expect_code(0);
            assert_eq!(workspace.read(file), MINE, "{what}: {file}");
        }
    };
    // A save over it.
    let document = ben.open(&files[0]);
    document.replace_all("new\n");
    document.save();
    ben.wait_for_message("Saved many/way-00.txt");
    hear("a save", &files[..1]);
    ben.delete(&files[1]);
    hear("a deletion", &files[1..2]);
    ben.rename(&files[2], "many/elsewhere.txt");
    hear("a renaming", &files[2..3]);
    // Replaced in all files.
    for file in &files[3..] {
        let document = ben.open(file);
        document.replace_all(&MINE.replace("mine", "yours"));
        document.save();
    }
    hear("replacing all", &files[3..]);
    ben.settle(&workspace);
    assert!(ben.messages().len() < 10, "{:?}", ben.messages());
}

#[test]
fn what_sweeps_over_a_persons_work_is_undone() {
    let workspace = Workspace::small();
    let files = ["work/way-01.txt", "work/new.txt", "work/way-02.txt"];
    let (grace, graces) = Terminal::with_named_session(&workspace, "Grace");
    workspace.write(files[0], "older\n");
    workspace.write(files[2], "older\n");
    workspace.write("scripts/format.sh", "for f in work/*.txt; do tr m M < $f > $f.tmp; mv $f.tmp $f; done\n");
    workspace.commit_all("Older");
    shell(
        &workspace,
        "git switch -qc other && echo other | tee work/way-01.txt > work/way-02.txt && git commit -qam Other && \
         git switch -q main",
    );
    workspace.write(files[0], COMMITTED);
    workspace.write(files[2], COMMITTED);
    workspace.commit_all("Before");
    workspace.git(&["tag", "before"]);
    let ada = editor_of(&workspace, "Ada");
    let session = ada.wait_for_session();
    let mut documents = Vec::new();
    for file in &files[..2] {
        let document = ada.open(file);
        document.replace_all(MINE);
        workspace.coordination().wait_for_holder(file, &session);
        document.save();
        documents.push(document);
    }
    grace.run(["claim", "file", files[2]]).expect_code(0);
    workspace.write(files[2], MINE);
    let mut wrong = Vec::new();
    let mut lost = 0;
    // Each second one, and those that delete the directory.
    let number = SWEEPS.len();
    for (_, way) in SWEEPS.iter().enumerate().filter(|(index, _)| index % 2 == 0 || *index + 3 > number) {
        let line = line_of(way.line, 1);
        ada.settle(&workspace);
        if workspace.coordination().session(&graces).is_none() {
            grace.run(["start", "--session", &graces, "--name", "Grace"]).expect_code(0);
            grace.run(["claim", "file", files[2]]).expect_code(0);
        }
        assert_eq!(workspace.coordination().holder(files[2]).as_ref(), Some(&graces), "{line}");
        grace.run(["check", "README.md"]).expect_code(0);
        let stood = files.map(|file| Stood::at(&workspace.path(file)));
        shell(&workspace, &line);
        let is_changed = |index: usize| Stood::at(&workspace.path(files[index])) != stood[index];
        let changed: Vec<usize> = (0..3).filter(|index| is_changed(*index)).collect();
        if changed.is_empty() {
            wrong.push(format!("{line}: changed nothing"));
        }
        for (index, document) in documents.iter().enumerate().filter(|(index, _)| changed.contains(index)) {
            ada.wait_until(&format!("a diagnostic after {line}"), |view| {
                let shown = view.diagnostics.get(&document.uri)?;
                shown.iter().any(|it| it["code"] == "overwritten" || it["code"] == "deleted").then_some(())
            });
            if workspace.path(files[index]).is_file() {
                document.reload();
            }
        }
        ada.settle(&workspace);
        for (index, document) in documents.iter().enumerate().filter(|(index, _)| changed.contains(index)) {
            ada.execute_ok("deconflict.restore", serde_json::json!({ "uri": document.uri }));
            wait_within(PATIENCE, &format!("the diagnostic after {line} to go"), || (!lost_in(document)).then_some(()));
            if is_changed(index) {
                wrong.push(format!("{line}: {index} is not back"));
            } else {
                document.reload();
            }
        }
        if changed.contains(&2) {
            let is_deleted = workspace.coordination().session(&graces).is_none();
            if is_deleted {
                // What was held by hand is not known any more, but it is kept.
                grace.run(["start", "--session", &graces, "--name", "Grace"]).expect_code(0);
            }
            let mut said = String::new();
            wait_within(PATIENCE, &format!("the loss by {line} to be told"), || {
                said.push_str(&grace.run(["check", "README.md"]).expect_code(0).stderr);
                (is_deleted || said.contains(files[2])).then_some(())
            });
            said.push_str(&grace.run(["check", "README.md"]).expect_code(0).stderr);
            lost += 1;
            if said.matches("deconflict restore").count() != usize::from(!is_deleted) {
                wrong.push(format!("{line}: {said}"));
            }
            let restored = grace.run(["restore", files[2]]);
            if is_changed(2) {
                wrong.push(format!("{line}: {restored:?}"));
            }
        }
        shell(
            &workspace,
            "rm -rf elsewhere; git stash clear; git symbolic-ref HEAD refs/heads/main; git update-ref refs/heads/main before; git reset -q; \
             git checkout -q -- README.md src Cargo.lock .gitignore scripts",
        );
    }
    assert!(lost > 10);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_server_looks_into_directories_that_are_held() {
    let workspace = Workspace::small();
    let (grace, graces) = Terminal::with_named_session(&workspace, "Grace");
    grace.run(["claim", "directory", "src"]).expect_code(0);
    let ada = editor_of(&workspace, "Ada");
    ada.wait_for_session();
    workspace.write("src/new.rs", MINE);
    let journal = Journal::of(&workspace.root().join("COORDINATION"), None).unwrap();
    let is_kept = || journal.tip(&Resource::file("src/new.rs").unwrap()).unwrap().is_some();
    wait_within(PATIENCE, "the file to be kept", || is_kept().then_some(()));
    // Whoever holds a folder removes files in it, too; only what is nowhere else is worth a word.
    shell(&workspace, "rm src/parser.rs src/new.rs");
    let said = wait_within(PATIENCE, "the loss to be told", || {
        let messages = workspace.coordination().messages_to(&graces);
        (!messages.is_empty()).then_some(messages)
    });
    assert!(said[0]["message"].as_str().unwrap().contains("src/new.rs"), "{said:?}");
    assert_eq!(
        grace.run(["status", "--oneline"]).expect_code(0).stdout.trim(),
        "1 held, 0 by others, 1 unread, 1 lost"
    );
    grace.run(["restore", "src/new.rs"]).expect_code(0);
    assert_eq!(workspace.read("src/new.rs"), MINE);
    assert!(!grace.run(["check", "README.md"]).expect_code(0).stderr.contains("parser"));
    assert_eq!(ada.messages(), Vec::<String>::new());
}

#[test]
fn what_an_agent_writes_over_what_others_left_is_told_and_comes_back() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let ways = [(1, &way(IsTold, "")), (2, &way(IsTold, ""))];
    let ada = editor_of(&workspace, "Ada");
    for document in held_in_an_editor(&workspace, &ada, &ways) {
        document.close();
    }
    let (left, doer) = (CodingAgent::on(&workspace, "left"), CodingAgent::on(&workspace, "doer"));
    left.edit(file_of(3), MINE).expect_no_denial();
    left.shell().run(["release", "--all"]).expect_code(0);
    for number in 1..=3 {
        workspace.coordination().wait_for_no_claim(&file_of(number));
    }
    let before = |file: &str| doer.before_edit(file).expect_no_denial();
    let mut heard = Heard::default();
    for number in 1..=3 {
        let file = file_of(number);
        before(&file);
        workspace.write(&file, "new\n");
        heard.take(&doer.after_edit(&file));
    }
    heard.take(&doer.prompt());
    assert_eq!((heard.times(&file_of(1)), heard.times(&file_of(2)), heard.times(&file_of(3))), (1, 1, 1));
    ada.wait_for_message("way-01.txt");
    ada.wait_for_message("way-02.txt");
    let mut lefts = Heard::default();
    lefts.take(&left.prompt());
    lefts.take(&left.prompt());
    assert_eq!(lefts.times(&file_of(3)), 1);
    doer.shell().run(["release", "--all"]).expect_code(0);
    left.shell().run(["restore", &file_of(3)]).expect_code(0);
    assert_eq!(workspace.read(file_of(3)), MINE);
    for number in 1..=2 {
        ada.execute_ok("deconflict.restore", serde_json::json!({ "uri": workspace.uri(file_of(number)) }));
        assert_eq!(workspace.read(file_of(number)), MINE);
    }
}
