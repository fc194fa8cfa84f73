//! Ways of changing a file, how it stood, and what was told of it.
//!
//! Each row of a table is one way. In its line `FILE` is the file in which somebody has uncommitted changes, and `OTHER`
//! another one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{CodingAgent, Document, Editor, Terminal, Told, Workspace, clean_environment, wait_within};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What is committed of each file.
pub(crate) const COMMITTED: &str = "one\ntwo\nthree\n";

/// What somebody made of it.
pub(crate) const MINE: &str = "one\nmine\nthree\nmine too\n";

/// A way of changing a file.
pub(crate) struct Way {
    /// What has to be there before, as a line for the shell; it is committed.
    pub(crate) before: &'static str,
    pub(crate) line: &'static str,
    /// Whether an agent's hook lets it while another holds the file.
    pub(crate) hooked: Hooked,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Hooked {
    Refused,
    IsTold,
}

pub(crate) use Hooked::{IsTold, Refused};

pub(crate) const fn way(hooked: Hooked, line: &'static str) -> Way {
    Way { before: "", line, hooked }
}

pub(crate) const fn prepared(hooked: Hooked, before: &'static str, line: &'static str) -> Way {
    Way { before, line, hooked }
}

/// One file at a time.
pub(crate) const WAYS: &[Way] = &[
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
    // By other names, and as other programs do it.
    prepared(Refused, "ln -s FILE FILE.link", "echo new > FILE.link"),
    prepared(Refused, "ln -s . FILE.dir", "echo new > FILE.dir/FILE"),
    prepared(IsTold, "ln FILE FILE.hard", "echo new > FILE.hard"),
    way(Refused, "echo new > $(echo FILE)"),
    way(IsTold, "f=FILE; echo new > ${f%.txt}.txt"),
    way(Refused, "exec 3<> FILE && echo new >&3"),
    way(Refused, "cat OTHER 1<> FILE"),
    way(Refused, "bash -c 'echo new > FILE'"),
    way(Refused, "find . -name FILE -print0 | xargs -0 truncate -s 0"),
    prepared(IsTold, "printf 'clean:\\n\\trm -f FILE\\n' > FILE.mk", "make -s -f FILE.mk clean"),
    way(Refused, "sort -r -o FILE FILE"),
    way(IsTold, "gzip FILE"),
    way(Refused, "echo new | uniq - FILE"),
    way(Refused, "curl -so FILE file://$PWD/OTHER"),
    way(Refused, "mv -T OTHER FILE"),
    way(Refused, "cp --remove-destination OTHER FILE"),
    way(Refused, "dd if=OTHER of=FILE conv=notrunc status=none"),
    way(Refused, "rsync --inplace OTHER FILE"),
    // So that the stamp says less: of the same length, at the same time, through memory.
    way(
        IsTold,
        "python3 -c 'import os; s = os.stat(\"FILE\"); f = open(\"FILE\", \"r+\"); f.write(\"ONE\"); f.close(); \
         os.utime(\"FILE\", ns=(s.st_atime_ns, s.st_mtime_ns))'",
    ),
    way(
        IsTold,
        "python3 -c 'import mmap; f = open(\"FILE\", \"r+b\"); m = mmap.mmap(f.fileno(), 0); m[0:3] = b\"ONE\"'",
    ),
    way(
        IsTold,
        "python3 -c 'import os, shutil; t = open(\"FILE\").read().replace(\"mine\", \"MINE\"); \
         open(\"FILE.n\", \"w\").write(t); shutil.copystat(\"FILE\", \"FILE.n\"); os.replace(\"FILE.n\", \"FILE\")'",
    ),
    // More of git.
    way(Refused, "yes | git checkout -p -- FILE > /dev/null"),
    way(Refused, "yes | git restore -p FILE > /dev/null"),
    way(Refused, "git restore --source=HEAD -- FILE"),
    way(Refused, "git -C . checkout -q -- FILE"),
    way(Refused, "git --work-tree=. checkout -q HEAD -- FILE"),
    way(Refused, "git stash push -q -- FILE"),
    way(IsTold, "git archive HEAD FILE | tar x"),
    way(IsTold, "git diff HEAD -- FILE | git apply -R"),
    way(IsTold, "git diff HEAD -- FILE | patch -R -p1 -s"),
    prepared(Refused, "echo FILE > FILE.list", "git restore --pathspec-from-file=FILE.list"),
    way(Refused, "git rm -q --cached FILE && git clean -qf FILE"),
    way(Refused, "printf 's\\nn\\ny\\n' | git checkout -q -p -- FILE > /dev/null"),
    way(IsTold, "git merge-file FILE FILE OTHER"),
    way(IsTold, "git log -1 --output=FILE"),
    // Of editors that tell nobody: over it, beside it, and by a copy that is kept.
    way(IsTold, "vim -u NONE -i NONE -nes -c 'set backupcopy=yes' -c '1s/one/new/' -c x FILE"),
    way(IsTold, "vim -u NONE -i NONE -nes -c 'set backupcopy=no' -c '1s/one/new/' -c x FILE"),
    way(IsTold, "vim -u NONE -i NONE -nes -c 'set backup backupcopy=no' -c '1s/one/new/' -c x FILE"),
    way(IsTold, "emacs -Q --batch FILE --eval '(progn (insert \"new\") (save-buffer))' 2> /dev/null"),
    way(
        IsTold,
        "emacs -Q --batch FILE --eval '(progn (setq backup-by-copying t) (insert \"new\") (save-buffer))' 2> /dev/null",
    ),
    way(IsTold, "TERM=xterm script -qc 'nano FILE' /dev/null <<'END' > /dev/null\nnew\x18y\nEND"),
    // And of the system.
    way(Refused, "echo new >| FILE"),
    way(Refused, "echo new >> FILE"),
    way(Refused, "cp --reflink=auto OTHER FILE"),
    way(IsTold, "fallocate --punch-hole --offset 0 --length 3 FILE"),
    way(IsTold, "python3 -c 'import os; os.truncate(\"FILE\", 4)'"),
    way(IsTold, "python3 -c 'f = open(\"FILE\", \"r+\"); f.truncate(4); f.seek(9); f.write(\"new\")'"),
    way(
        IsTold,
        "python3 -c 'import os; f = os.open(\"OTHER\", 0); g = os.open(\"FILE\", 1); \
         assert os.copy_file_range(f, g, 3) == 3'",
    ),
    way(
        IsTold,
        "python3 -c 'import ctypes; c = ctypes.CDLL(None); \
         assert c.renameat2(-100, b\"OTHER\", -100, b\"FILE\", 2) == 0'",
    ),
    way(
        IsTold,
        "python3 -c 'import ctypes, os; f = os.open(\".\", 0o20200002); os.write(f, b\"new\"); os.unlink(\"FILE\"); \
         c = ctypes.CDLL(None); assert c.linkat(-100, f\"/proc/self/fd/{f}\".encode(), -100, b\"FILE\", 0x400) == 0'",
    ),
    // Programs that write what they are told to by an option, and those of which it is not their trade.
    way(IsTold, "tar cf FILE OTHER"),
    way(IsTold, "iconv -t utf-16 -o FILE OTHER"),
    way(IsTold, "openssl enc -base64 -in OTHER -out FILE"),
    way(IsTold, "script -qc true FILE > /dev/null"),
    way(IsTold, "echo 6e6577 | xxd -r -p - FILE"),
    way(IsTold, "sqlite3 -cmd '.output FILE' :memory: 'select 1'"),
    way(IsTold, "gcc -E -P -x c OTHER -o FILE"),
    way(IsTold, "shuf -o FILE OTHER"),
    way(IsTold, "find . -maxdepth 0 -fprint FILE"),
    way(IsTold, "yes | ssh-keygen -qt ed25519 -N '' -f FILE > /dev/null"),
    way(IsTold, "sed -n 'w FILE' OTHER"),
    way(IsTold, "git interpret-trailers --in-place --trailer a:b FILE"),
    way(IsTold, "git archive -o FILE HEAD README.md"),
    way(IsTold, "git bundle create -q FILE HEAD"),
    way(IsTold, "echo FILE | git checkout-index -f --stdin"),
    way(Refused, "git update-index --assume-unchanged FILE && git rm -qf --cached FILE && rm FILE"),
    prepared(IsTold, "ar rc FILE.a FILE", "ar x FILE.a"),
    // By what a shell can do.
    way(IsTold, "f() { echo new > \"$1\"; }; f FILE"),
    way(Refused, "exec > FILE; echo new"),
    way(Refused, "trap 'echo new > FILE' EXIT"),
    way(Refused, "while read line; do echo new; done < OTHER > FILE"),
    way(IsTold, "(cd / && cd - > /dev/null && echo new > FILE)"),
    way(Refused, "echo new > /proc/self/cwd/FILE"),
    way(IsTold, "mkdir -p FILE.d && cp OTHER FILE.d/FILE && cp -r FILE.d/. ."),
    way(Refused, "mkdir -p FILE.d && cp OTHER FILE.d/FILE && mv -t . FILE.d/FILE"),
    way(Refused, "mv FILE FILE.n && mv OTHER FILE && mv FILE.n OTHER"),
    way(Refused, "timeout 9 env A=b nice truncate -r OTHER FILE"),
    // By other calls.
    way(
        IsTold,
        "python3 -c 'import os; f = os.open(\"OTHER\", 0); g = os.open(\"FILE\", 1); assert os.sendfile(g, f, 0, 3) == 3'",
    ),
    way(IsTold, "python3 -c 'import os; os.posix_fallocate(os.open(\"FILE\", 1), 0, 99)'"),
    way(IsTold, "node -e 'fs.cpSync(\"OTHER\", \"FILE\")'"),
];

/// Programs that a row may need and a machine may lack.
pub(crate) const TOOLS: &[&str] = &[
    "ar",
    "curl",
    "ed",
    "emacs",
    "ex",
    "fallocate",
    "gcc",
    "iconv",
    "make",
    "nano",
    "node",
    "openssl",
    "patch",
    "perl",
    "python3",
    "rsync",
    "script",
    "shuf",
    "sqlite3",
    "unzip",
    "vim",
    "xxd",
    "zip",
];

impl Way {
    pub(crate) fn can_run(&self) -> bool {
        let words = [self.before, self.line].map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
        let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        let is_missing = |tool: &&str| !folders.iter().any(|folder| folder.join(tool).exists());
        let missing = words.into_iter().flatten().filter(|word| TOOLS.contains(word)).find(is_missing);
        missing.inspect(|tool| eprintln!("{tool} is not here, for: {}", self.line)).is_none()
    }
}

/// Those that this machine can run, with their numbers.
pub(crate) fn runnable(ways: &[Way]) -> Vec<(usize, &Way)> {
    ways.iter().enumerate().filter(|(_, way)| way.can_run()).collect()
}

/// What stands under a name.
#[derive(Debug, PartialEq)]
pub(crate) enum Stood {
    File { bytes: Vec<u8>, executable: bool },
    Link(String),
    Nothing,
    SomethingElse,
}

impl Stood {
    pub(crate) fn at(path: &Path) -> Self {
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
pub(crate) fn shell(workspace: &Workspace, line: &str) {
    let mut command = Command::new("sh");
    clean_environment(&mut command, workspace.home());
    let output = command.args(["-c", line]).current_dir(workspace.root()).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// A line for one row, with names of its own.
pub(crate) fn line_of(line: &str, number: usize) -> String {
    line.replace("FILE", &file_of(number)).replace("OTHER", &format!("other-{number}.txt"))
}

pub(crate) fn file_of(number: usize) -> String {
    format!("way-{number:02}.txt")
}

/// How often each file is named in what was told, with the way back.
#[derive(Default)]
pub(crate) struct Heard(BTreeMap<String, usize>);

impl Heard {
    pub(crate) fn take(&mut self, told: &Told) {
        let text = told.context();
        for advice in text.split("deconflict restore ").skip(1) {
            // Several files may be had back by one command.
            for words in advice.lines().next().unwrap_or_default().split("way-").skip(1) {
                let number: String = words.chars().take_while(char::is_ascii_digit).collect();
                *self.0.entry(format!("way-{number}.txt")).or_default() += 1;
            }
        }
    }

    pub(crate) fn times(&self, file: &str) -> usize {
        self.0.get(file).copied().unwrap_or_default()
    }
}

/// Writes and commits what each row needs, and lets an agent change its file.
pub(crate) fn prepare(workspace: &Workspace, ways: &[(usize, &Way)], loser: &CodingAgent) {
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

/// Over the whole tree, by git or not. `FILE` has another's uncommitted changes, and so has `new.txt`, which git doesn't
/// track; they are in the folder `work`.
pub(crate) const SWEEPS: &[Way] = &[
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
    way(Refused, "rm -rf ./* || rm -rf ./*"),
    way(Refused, "rm -f work/*.txt"),
    way(Refused, "mv work elsewhere"),
    way(Refused, "find work -type f -delete"),
    way(IsTold, "find work -type f -exec sed -i s/m/M/ {} +"),
    way(IsTold, "sh scripts/format.sh"),
    way(IsTold, "git ls-files -m -z | xargs -0 rm -f"),
    way(Refused, "git clean -qfdx"),
    way(Refused, "git stash --all -q"),
    way(Refused, "yes | git checkout -p > /dev/null"),
    way(Refused, "yes | git restore -p . > /dev/null"),
    way(Refused, "yes | git stash -p > /dev/null"),
    way(Refused, "cd work && git checkout -q ."),
    way(Refused, "git -C work checkout -q ."),
    way(Refused, "git --work-tree=. reset -q --hard"),
    way(Refused, "git checkout -q --orphan fresh && git rm -rqf ."),
    way(Refused, "git checkout -qfB main HEAD~1"),
    way(IsTold, "mkdir empty && rsync -a --delete empty/ work/"),
    way(IsTold, "find work -mindepth 1 -delete"),
    way(IsTold, "git archive HEAD work | tar x"),
    way(IsTold, "git diff | git apply -R"),
    way(IsTold, "git ls-files -z work | xargs -0 git checkout -q HEAD --"),
    way(Refused, "git add -A && git commit -qm All && git reset -q --hard HEAD~1"),
    way(
        IsTold,
        "mkdir elsewhere && cp README.md elsewhere && python3 -c 'import ctypes; c = ctypes.CDLL(None); \
         assert c.renameat2(-100, b\"elsewhere\", -100, b\"work\", 2) == 0'",
    ),
];

/// Ada edits and saves the file of each row in her editor, and holds it.
pub(crate) fn held_in_an_editor<'e>(
    workspace: &Workspace,
    ada: &'e Editor,
    ways: &[(usize, &Way)],
) -> Vec<Document<'e>> {
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

pub(crate) fn lost_in(document: &Document) -> bool {
    document.codes().iter().any(|code| code == "overwritten" || code == "deleted")
}
