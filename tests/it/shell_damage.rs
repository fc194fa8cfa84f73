//! The count: of many commands that damage what others hold or have not committed, how many are refused, or told afterwards
//! with everything to be had back; and that not one of many others is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::support::{CodingAgent, Workspace, clean_environment};

const HELD: &str = "work/held.txt";
const OWNED: &str = "work/owned.txt";
const NEW: &str = "work/new.txt";

/// The command lines of a table, each with whether it has to be refused.
fn lines_of(table: &str) -> Vec<(String, bool)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shell").join(table);
    // Whoever mends one needs only that.
    let only = std::env::var("DECONFLICT_CASE").unwrap_or_default();
    let (mut lines, mut must_be_refused) = (Vec::new(), false);
    for line in fs::read_to_string(path).unwrap().lines().filter(|line| !line.is_empty()) {
        // One of the harmless ones is a comment in a shell.
        if line.starts_with("# ") && line != "# rm work/held.txt" {
            must_be_refused = line.contains("[refused]");
        } else if line.contains(&only) {
            lines.push((line.replace("\\n", "\n"), must_be_refused));
        }
    }
    lines
}

/// A repository in which the work of one agent can be damaged by another.
struct Scene {
    workspace: Workspace,
    loser: CodingAgent,
    doer: CodingAgent,
    linked: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let workspace = Workspace::small();
        for file in [HELD, OWNED, "other/held.txt", "other/more.txt"] {
            workspace.write(file, "older\n");
        }
        workspace.write("list.txt", format!("{HELD}\n{OWNED}\n"));
        workspace.write("scripts/format.sh", "for f in work/*.txt; do tr m M < $f > $f.tmp; mv $f.tmp $f; done\n");
        workspace.write("scripts/fix.py", format!("open('{HELD}', 'w').write('fixed')\n"));
        workspace
            .write("fix.diff", format!("--- a/{HELD}\n+++ b/{HELD}\n@@ -1,2 +1,2 @@\n committed\n-mine\n+theirs\n"));
        workspace.write("Makefile", "fix:\n\tsed -i s/m/M/ work/*.txt\n");
        workspace.write("list.json", "{}\n");
        workspace.git(&["config", "alias.undo-all", "reset --hard"]);
        workspace.git(&["config", "alias.save-all", "!git add --all && git commit -qm x"]);
        workspace.git(&["add", "--all"]);
        workspace.git(&["update-index", "--chmod=+x", "scripts/format.sh"]);
        workspace.git(&["commit", "-qm", "Older"]);
        let scene = Self {
            loser: CodingAgent::on(&workspace, "loser"),
            doer: CodingAgent::on(&workspace, "doer"),
            linked: workspace.beside("linked"),
            workspace,
        };
        scene.sh("tar -C other -cf other.tar held.txt more.txt; python3 -m zipfile -c other.zip other/held.txt");
        scene.sh("rm scripts/format.sh; git checkout -q scripts");
        scene.sh("git switch -qc other && echo other > work/held.txt && git commit -qam Other && git switch -q main");
        for file in [HELD, OWNED] {
            scene.workspace.write(file, "committed\n");
        }
        scene.workspace.commit_all("Before");
        scene.loser.start();
        scene.doer.start();
        scene
    }

    /// What stands in the other places that commands reach: a linked worktree and a submodule.
    fn with_other_places(self) -> Self {
        self.sh(
            "git init -q ../library && git -C ../library commit -q --allow-empty -m Start && echo a > ../library/a.txt && \
             git -C ../library add . && git -C ../library commit -qm A && \
             git -c protocol.file.allow=always submodule --quiet add ../library module && git commit -qam Module && \
             git worktree add -q ../linked",
        );
        self
    }

    fn work(&self, files: &[&Path]) {
        for file in files {
            self.loser.edit(file, "committed\nmine\n").expect_no_denial();
        }
        self.loser.shell().run(["release", "file", OWNED]).expect_code(0);
        self.workspace.git(&["tag", "before"]);
    }

    fn sh(&self, line: &str) -> i32 {
        let mut command = Command::new("bash");
        clean_environment(&mut command, self.workspace.home());
        let output = command.args(["-c", line]).current_dir(self.workspace.root()).output().unwrap();
        output.status.code().unwrap_or(-1)
    }

    /// Runs a command as the agent does it that may damage something, unless it is refused.
    fn is_refused_or_run(&self, line: &str) -> bool {
        if self.doer.before_command(line).denial().is_some() {
            return true;
        }
        self.sh(line);
        self.doer.after_command(line);
        false
    }

    fn contents(&self, files: &[&Path]) -> Vec<Option<Vec<u8>>> {
        // What its owner may not read any more is as good as gone, also to root.
        let content = |path: PathBuf| fs::read(&path).ok().filter(|_| is_readable(&path));
        files.iter().map(|file| content(self.workspace.path(file))).collect()
    }

    /// Brings everything but the work itself to where it was.
    fn tidy(&self) {
        self.sh("rm -rf elsewhere elsewhere.txt w.txt work.bak work/README.md work/more.txt work/*.{bak,tmp,orig,rej,gz,bz2} work/*~; \
             git config --unset alias.nuke; \
             git symbolic-ref HEAD refs/heads/main; git update-ref refs/heads/main before; git reset -q; \
             git checkout -q -- README.md src other Cargo.lock .gitignore scripts fix.diff list.txt list.json Makefile");
    }
}

#[cfg(unix)]
fn is_readable(path: &Path) -> bool {
    let mode = fs::metadata(path).map(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()));
    mode.is_ok_and(|mode| mode & 0o400 != 0)
}

#[cfg(not(unix))]
fn is_readable(_: &Path) -> bool {
    true
}

#[test]
fn what_damages_others_work_is_refused_or_told_and_all_of_it_comes_back() {
    let scene = Scene::new().with_other_places();
    let linked = scene.linked.join(HELD);
    let files = [Path::new(HELD), Path::new(OWNED), Path::new(NEW), &linked, Path::new("module/a.txt")];
    scene.work(&files);
    let stood = scene.contents(&files);
    let lines = lines_of("damaging.txt");
    let mut counts = BTreeMap::from([("refused", 0), ("told afterwards", 0)]);
    let mut wrong = Vec::new();
    for (line, must_be_refused) in &lines {
        if *must_be_refused {
            // What is not refused here would take the rest of the test with it.
            if scene.doer.before_command(line).denial().is_some() {
                *counts.get_mut("refused").unwrap() += 1;
            } else {
                wrong.push(format!("{line}: not refused"));
            }
            continue;
        }
        if scene.is_refused_or_run(line) {
            *counts.get_mut("refused").unwrap() += 1;
            continue;
        }
        let now = scene.contents(&files);
        let changed: Vec<usize> = (0..files.len()).filter(|index| now[*index] != stood[*index]).collect();
        if changed.is_empty() {
            wrong.push(format!("{line}: damages nothing"));
            continue;
        }
        let told = scene.loser.prompt();
        let mut is_right = true;
        for index in changed {
            let file = files[index].to_str().unwrap();
            if !told.context().contains(file) {
                wrong.push(format!("{line}: {file} not told: {told:?}"));
                is_right = false;
            }
            let restored = scene.loser.shell().run(["restore", "--", file]);
            if scene.contents(&files)[index] != stood[index] {
                wrong.push(format!("{line}: {file} not restored: {restored:?}"));
                is_right = false;
                fs::create_dir_all(scene.workspace.path(file).parent().unwrap()).unwrap();
                fs::write(scene.workspace.path(file), stood[index].as_ref().unwrap()).unwrap();
            }
        }
        *counts.get_mut("told afterwards").unwrap() += i32::from(is_right);
        scene.tidy();
    }
    println!("{} damaging commands: {counts:?}, wrong: {}", lines.len(), wrong.len());
    assert!(lines.len() >= 150 && wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

#[test]
fn what_damages_nothing_is_never_refused() {
    let scene = Scene::new();
    scene.work(&[Path::new(HELD), Path::new(OWNED)]);
    let lines = lines_of("harmless.txt");
    let mut wrong = Vec::new();
    for (line, _) in &lines {
        let told = scene.doer.before_command(line);
        if told.denial().is_some() {
            wrong.push(format!("{line}: {told:?}"));
        }
        let code = scene.sh(line);
        if code != 0 {
            wrong.push(format!("{line}: ended with {code}"));
        }
        scene.doer.after_command(line);
    }
    let told = scene.loser.prompt();
    if told.context().contains("restore") {
        wrong.push(format!("told of a loss: {told:?}"));
    }
    println!("{} harmless commands: {} refused", lines.len(), wrong.len());
    assert!(lines.len() >= 60 && wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

/// What a command will certainly write is claimed before it runs, so that a second agent does not write it too.
#[test]
fn what_a_command_writes_is_claimed_before_it_runs() {
    let scene = Scene::new();
    let start = Instant::now();
    let writing = [
        "sed -i s/o/O/ FILE",
        "printf x > FILE",
        "echo x >> FILE",
        "cp README.md FILE",
        "echo x | tee FILE",
        "sort -o FILE README.md",
        "dd if=README.md of=FILE",
        "truncate -s 0 FILE",
        "perl -pi -e s/o/O/ FILE",
        "mv other/more.txt FILE",
        "cat > FILE <<EOF\nx\nEOF",
        "cd work && sed -i s/o/O/ held.txt",
        "f=FILE; echo x > \"$f\"",
        "timeout 5 sed -i s/o/O/ FILE",
        "bash -c 'echo x > FILE'",
        "curl -so FILE file:///etc/hostname",
        "git apply fix.diff",
        "patch -p1 < fix.diff",
        "find work -name held.txt -exec sed -i s/o/O/ {} +",
        "rsync other/held.txt FILE",
        "rm FILE",
    ];
    let mut wrong = Vec::new();
    for line in writing {
        let line = line.replace("FILE", HELD);
        scene.doer.before_command(&line).expect_no_denial();
        if scene.workspace.coordination().holder(HELD) != Some(scene.doer.id()) {
            wrong.push(format!("{line}: not claimed"));
        } else if scene.loser.before_command(&line).denial().is_none() {
            wrong.push(format!("{line}: not refused"));
        }
        scene.doer.shell().run(["release", "--all"]).expect_code(0);
    }
    // All or none: what is free is not claimed by a command that is refused.
    scene.loser.edit(HELD, "mine\n").expect_no_denial();
    scene.doer.before_command(&format!("sed -i s/o/O/ {OWNED} {HELD}")).expect_denial();
    assert_eq!(scene.workspace.coordination().holder(OWNED), None);
    println!("{} writing commands: {} not claimed, in {:.1?}", writing.len(), wrong.len(), start.elapsed());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
