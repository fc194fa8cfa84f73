//! The same of the work of people, in editors and at terminals, and of what they do to an agent's.

#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};

use deconflict_journal::Journal;
use deconflict_protocol::Resource;

use super::journal_editors::editor_of;
use super::support::ways::{
    COMMITTED, Heard, IsTold, MINE, PATIENCE, SWEEPS, Stood, WAYS, file_of, held_in_an_editor, line_of, lost_in,
    runnable, shell, way,
};
use super::support::{CodingAgent, Terminal, Workspace, wait_within};

/// A stash and a commit that git says are a person's own are that person's doing, whoever typed it.
const IN_THEIR_NAME: [&str; 2] =
    ["git stash push -q -- FILE", "git add -A && git commit -qm All && git reset -q --hard HEAD~1"];

/// Something of what somebody wrote still stands there: who works at a terminal may have gone on with it.
fn has_some_of_mine(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).lines().any(|line| line == "mine" || line == "mine too")
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
            && matches!(Stood::at(&workspace.path(&file)), Stood::File { bytes, .. } if has_some_of_mine(&bytes));
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

#[test]
fn a_persons_work_in_an_editor_comes_back_after_every_command_of_somebody_unknown() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let ada = editor_of(&workspace, "Ada");
    let all: Vec<_> = runnable(WAYS).into_iter().filter(|(_, way)| !IN_THEIR_NAME.contains(&way.line)).collect();
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
            // An editor reads again by itself what it can show as text.
            let is_file = fs::metadata(document.path()).is_ok_and(|found| found.is_file());
            if is_file && fs::read_to_string(document.path()).is_ok() {
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
    // Many are summed up, as far as they come together. Each save was told once, and so was each restore.
    let messages = ben.messages();
    assert!(messages.len() < files.len(), "{messages:?}");
    for file in &files {
        let about: Vec<bool> =
            messages.iter().filter(|it| it.contains(file.as_str())).map(|it| it.contains("by a restore")).collect();
        let restores = about.iter().filter(|is_restore| **is_restore).count();
        assert!(restores <= 1 && about.len() - restores <= 1, "{file}: {messages:?}");
    }
}

#[test]
fn what_an_agent_is_being_told_is_not_told_by_whoever_says_at_that_moment_that_they_did_it() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let file = file_of(1);
    workspace.write(&file, COMMITTED);
    workspace.commit_all("Before");
    let loser = CodingAgent::on(&workspace, "loser");
    loser.start();
    loser.edit(&file, MINE).expect_no_denial();
    let ben = editor_of(&workspace, "Ben");
    ben.wait_for_session();
    let document = ben.open(&file);
    document.replace_all("new\n");
    // The editor writes the file and says so only after the agent has found it.
    document.begin_saving();
    let journal = Journal::of(&workspace.root().join("COORDINATION"), None).unwrap();
    let resource = Resource::file(&file).unwrap();
    let is_found = || !journal.log(&resource).unwrap().losses().is_empty();
    let (mut answer, mut hook) = wait_within(PATIENCE, "the loss to be found", || {
        let (answer, mut full) = std::io::pipe().unwrap();
        full.write_all(" ".repeat(64 << 10).as_bytes()).unwrap();
        // It can only answer once somebody reads. Without anything to say it ends.
        let mut hook = loser.spawn_after_read("README.md", full.into());
        while !is_found() && hook.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        is_found().then_some((answer, hook))
    });
    document.finish_saving();
    ben.wait_for_message("Saved way-01.txt");
    let mut said = String::new();
    answer.read_to_string(&mut said).unwrap();
    hook.wait().unwrap();
    said.push_str(loser.prompt().context());
    said.push_str(loser.prompt().context());
    assert_eq!(said.matches("deconflict restore").count(), 1, "{}", said.trim_start());
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
        if IN_THEIR_NAME.contains(&way.line) {
            continue;
        }
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
            } else if workspace.path(files[index]).is_file() {
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
fn what_somebody_puts_aside_by_git_in_their_own_name_is_not_told_and_can_be_had_back() {
    for line in IN_THEIR_NAME {
        let workspace = Workspace::small();
        Terminal::on(&workspace).run(["init"]).expect_code(0);
        let ada = editor_of(&workspace, "Ada");
        let told = way(IsTold, "");
        let documents = held_in_an_editor(&workspace, &ada, &[(1, &told), (2, &told)]);
        let line = line_of(line, 1);
        shell(&workspace, &line);
        assert_eq!(workspace.read(file_of(1)), COMMITTED, "{line}");
        documents[0].reload();
        let entries = || {
            let answer = ada.execute_ok("deconflict.history", serde_json::json!({ "uri": documents[0].uri }));
            answer["entries"].as_array().unwrap().len()
        };
        wait_within(PATIENCE, &format!("{line} to be seen"), || (entries() > 1).then_some(()));
        // Once somebody's later change is told, this one would have been.
        shell(&workspace, &format!("echo another > '{}'", file_of(2)));
        documents[1].reload();
        let is_told = || documents[1].codes().iter().any(|code| code == "overwritten").then_some(());
        wait_within(PATIENCE, &format!("a later change than {line} to be told"), is_told);
        ada.settle(&workspace);
        let said = format!("{:?}", ada.messages());
        assert!(!said.contains(&file_of(1)) && documents[0].codes().is_empty(), "{line}: {said}");
        ada.execute_ok("deconflict.restore", serde_json::json!({ "uri": documents[0].uri }));
        assert_eq!(workspace.read(file_of(1)), MINE, "{line}");
    }
}

#[test]
fn what_was_in_a_folder_comes_back_once_the_file_that_stands_there_is_moved_away() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let file = "work/way-01.txt";
    workspace.write(file, COMMITTED);
    workspace.commit_all("Before");
    let ada = editor_of(&workspace, "Ada");
    let session = ada.wait_for_session();
    let document = ada.open(file);
    document.replace_all(MINE);
    workspace.coordination().wait_for_holder(file, &session);
    document.save();
    ada.settle(&workspace);
    shell(&workspace, "rm -r work && echo new > work");
    wait_within(PATIENCE, "the loss to be told", || lost_in(&document).then_some(()));
    let answer = ada.execute("deconflict.restore", serde_json::json!({ "uri": document.uri }));
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains("project/work") && message.contains("in the way"), "{answer}");
    let listed = ada.execute_ok("deconflict.history", serde_json::json!({ "uri": document.uri }));
    assert_eq!(listed["entries"][0]["path"], file, "{listed}");
    shell(&workspace, "mv work elsewhere");
    ada.execute_ok("deconflict.restore", serde_json::json!({ "uri": document.uri }));
    assert_eq!(workspace.read(file), MINE);
    wait_within(PATIENCE, "the diagnostic to go", || (!lost_in(&document)).then_some(()));
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
