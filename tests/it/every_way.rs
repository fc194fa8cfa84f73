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

use super::support::{CodingAgent, Terminal, Told, Workspace, clean_environment, wait_within};

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
    way(Refused, "ln -sf OTHER FILE"),
    way(Refused, "ln -f OTHER FILE"),
    way(Refused, "cp FILE FILE.new && echo new >> FILE.new && mv FILE.new FILE"),
    way(IsTold, "printf '1s/one/new/\\nw\\nq\\n' | ed -s FILE"),
    way(IsTold, "ex -s -c '1s/one/new/' -c x FILE"),
    prepared(
        IsTold,
        "printf -- '--- a/FILE\\n+++ b/FILE\\n@@ -1 +1 @@\\n-one\\n+new\\n' > FILE.patch",
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
    way(IsTold, "find . -name FILE -exec sed -i s/mine/yours/ {} +"),
    way(IsTold, "echo FILE | xargs rm"),
    way(IsTold, "awk 'BEGIN { print \"new\" > \"FILE\" }'"),
    // It goes.
    way(Refused, "rm FILE"),
    way(Refused, "unlink FILE"),
    way(Refused, "mv FILE FILE.away"),
    way(IsTold, "find . -name FILE -delete"),
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
        IsTold,
        "printf -- '--- a/FILE\\n+++ b/FILE\\n@@ -1 +1 @@\\n-one\\n+new\\n' > FILE.patch",
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
        let text = told.context().to_owned();
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
    way(IsTold, "find work -type f -delete"),
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
