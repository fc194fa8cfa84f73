//! Whatever stood in a file comes back as it was, and what changes nothing is not worth a word.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::journal_editors::editor_of;
use super::support::ways::{COMMITTED, IsTold, MINE, PATIENCE, Stood, file_of, held_in_an_editor, line_of, shell, way};
use super::support::{CodingAgent, Terminal, Told, Workspace, wait_within};

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
    wait_within(PATIENCE, "what was written to be kept", || {
        // A hook answers in time, whatever it has done by then. An optimized one takes a second, this one takes several.
        loser.after_edit("large.bin").expect_no_denial();
        let entries = loser.shell().run(["history", "large.bin", "--json"]).expect_code(0).json()["entries"].clone();
        (!entries[0]["after"].is_null()).then_some(())
    });
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

#[test]
fn what_a_file_is_has_an_owner_as_what_is_in_it_has() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    workspace.write("run.sh", "#!/bin/sh\n");
    workspace.write("target.txt", "text\n");
    workspace.commit_all("Before");
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let line = "chmod +x run.sh && touch empty.txt && rm target.txt && ln -s run.sh target.txt";
    run(&loser, &workspace, line);
    loser.shell().run(["release", "--all"]).expect_code(0);
    // At the end of a turn it is not taken for what was committed.
    loser.stop();
    let files = ["empty.txt", "run.sh", "target.txt"];
    let stood = files.map(|file| Stood::at(&workspace.path(file)));
    for line in ["git clean -qfd", "git reset -q --hard", "git stash -qu", "git checkout -q ."] {
        doer.before_command(line).expect_denial();
    }
    let uncommitted = doer.shell().run(["status", "--json"]).expect_code(0).json()["uncommitted"].clone();
    assert_eq!(uncommitted.as_array().unwrap().len(), 3, "{uncommitted}");
    workspace.write("take.sh", "chmod -x run.sh; rm empty.txt target.txt; printf 'text\\n' > target.txt\n");
    let told = run(&doer, &workspace, "sh take.sh");
    for file in files {
        assert_eq!(told.context().matches(&format!("restore {file}")).count(), 1, "{file}: {told:?}");
    }
    let heard = [loser.prompt(), loser.prompt()].map(|told| told.context().to_owned()).concat();
    doer.shell().run(["release", "--all"]).expect_code(0);
    for (file, stood) in files.iter().zip(stood) {
        assert_eq!(heard.matches(&format!("project/{file}")).count(), 1, "{file}: {heard}");
        loser.shell().run(["restore", file]).expect_code(0);
        assert_eq!(Stood::at(&workspace.path(file)), stood, "{file}");
    }
    // What is committed elsewhere is not lost by a switch of the branch.
    loser.shell().run(["release", "--all"]).expect_code(0);
    shell(&workspace, "git switch -qc side && git add -A && git commit -qm Side");
    loser.prompt();
    run(&doer, &workspace, "git switch -q main");
    assert!(!loser.prompt().context().contains("restore"), "told of what is on another branch");
}

/// Runs a command as an agent does.
fn run(agent: &CodingAgent, workspace: &Workspace, line: &str) -> Told {
    agent.before_command(line).expect_no_denial();
    shell(workspace, line);
    agent.after_command(line)
}
