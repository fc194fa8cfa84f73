//! Whatever way an agent's work is changed: what stood there comes back byte for byte, and both sides are told, once.

#![cfg(unix)]

use super::journal_editors::editor_of;
use super::support::ways::{
    COMMITTED, Heard, IsTold, MINE, PATIENCE, Refused, SWEEPS, Stood, WAYS, file_of, held_in_an_editor, line_of,
    prepare, runnable, shell, way,
};
use super::support::{CodingAgent, Terminal, Workspace, wait_within};

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
            shell(&workspace, "rm -rf work");
            workspace.write(file, MINE);
            workspace.write(new, MINE);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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

#[test]
fn what_an_agent_was_not_told_because_its_answer_never_came_is_told_at_a_later_prompt() {
    let workspace = Workspace::small();
    let loser = CodingAgent::on(&workspace, "loser");
    loser.start();
    loser.edit(file_of(1), MINE).expect_no_denial();
    workspace.write(file_of(1), "new\n");
    // Nobody hears this answer: there is no room for it.
    let event = loser.event("UserPromptSubmit", serde_json::json!({"prompt": "go on"})).to_string();
    workspace.write("event.json", event);
    let program = env!("CARGO_BIN_EXE_deconflict");
    shell(&workspace, &format!("{program} hook claude-code < event.json > /dev/full 2> /dev/null || true"));
    let mut heard = Heard::default();
    wait_within(PATIENCE, "the loss to be told", || {
        heard.take(&loser.prompt());
        (heard.times(&file_of(1)) > 0).then_some(())
    });
    heard.take(&loser.prompt());
    assert_eq!(heard.times(&file_of(1)), 1);
}

#[test]
fn an_agent_that_runs_two_commands_at_once_is_told_by_one_of_them_what_it_took() {
    let workspace = Workspace::small();
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    loser.edit(file_of(1), MINE).expect_no_denial();
    workspace.write("gen.sh", "echo new > way-01.txt\n");
    doer.before_command("sh gen.sh").expect_no_denial();
    doer.before_command("make all").expect_no_denial();
    shell(&workspace, "sh gen.sh");
    let mut heard = Heard::default();
    heard.take(&doer.after_command("sh gen.sh"));
    heard.take(&doer.after_command("make all"));
    assert_eq!(heard.times(&file_of(1)), 1);
    let mut heard = Heard::default();
    heard.take(&loser.prompt());
    heard.take(&loser.prompt());
    assert_eq!(heard.times(&file_of(1)), 1);
}

#[test]
fn of_commands_that_overlap_nobody_is_blamed_and_the_loser_is_told() {
    let workspace = Workspace::small();
    for number in 1..=3 {
        workspace.write(file_of(number), COMMITTED);
    }
    workspace.commit_all("Before");
    let (loser, one, two) =
        (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "one"), CodingAgent::on(&workspace, "two"));
    for agent in [&loser, &one, &two] {
        agent.start();
    }
    loser.edit(file_of(1), MINE).expect_no_denial();
    loser.before_edit(file_of(3)).expect_no_denial();
    one.before_command("sh one.sh").expect_no_denial();
    two.before_command("sh two.sh").expect_no_denial();
    workspace.write(file_of(1), "new\n");
    workspace.write(file_of(2), "new\n");
    // Whoever says that an edit with exactly this text is theirs knows it for sure.
    workspace.write(file_of(3), "edited\n");
    loser.after_edit(file_of(3)).expect_no_denial();
    let told = [one.after_command("sh one.sh"), two.after_command("sh two.sh")];
    let mut heard = Heard::default();
    wait_within(PATIENCE, "the loss to be told", || {
        heard.take(&loser.after_read("README.md"));
        (heard.times(&file_of(1)) > 0).then_some(())
    });
    heard.take(&loser.prompt());
    assert_eq!(heard.times(&file_of(1)), 1);
    assert!(told.iter().all(|told| !told.context().contains("restore")), "{told:?}");
    let entries = loser.shell().run(["history", "--json"]).expect_code(0).json()["entries"].clone();
    let newest = |file: &str| entries.as_array().unwrap().iter().find(|entry| entry["path"] == file).cloned().unwrap();
    for number in 1..=2 {
        let entry = newest(&file_of(number));
        assert_eq!((&entry["cause"], entry["session"].is_null()), (&"unknown".into(), true), "{entry}");
        assert_eq!(entry["candidates"].as_array().unwrap().len(), 2, "{entry}");
    }
    assert_eq!(newest(&file_of(3))["session"], loser.id().as_str());
    loser.shell().run(["restore", &file_of(1)]).expect_code(0);
    assert_eq!(workspace.read(file_of(1)), MINE);
}
