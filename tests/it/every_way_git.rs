//! What git takes elsewhere, with worktrees and submodules: the same.

#![cfg(unix)]

use std::fs;

use super::support::ways::{COMMITTED, Heard, MINE, PATIENCE, Stood, file_of, shell};
use super::support::{CodingAgent, Terminal, Workspace, wait_within};

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
    "git rebase -q --onto HEAD~1 HEAD",
    "git checkout -q --detach OTHER",
    "git switch -qC main OTHER",
    "git sparse-checkout set --no-cone /README.md",
    "FILTER_BRANCH_SQUELCH_WARNING=1 git filter-branch -f --tree-filter 'echo new > FILE' HEAD~1..HEAD > /dev/null",
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

/// What gives up something that git is in the middle of, after what brought it there. `FILE` is in conflict then, and has
/// another's resolution; `OTHER` has another's changes of which git knows nothing yet.
const GIVING_UP: &[(&str, &str, bool)] = &[
    ("git merge -q other", "git merge --abort", false),
    ("git cherry-pick other", "git cherry-pick --abort", false),
    ("git cherry-pick other", "git cherry-pick --skip", false),
    ("git merge -q other", "git reset -q --merge", false),
    ("git rebase -q other", "git rebase --abort", true),
    ("git rebase -q other", "git rebase --skip", true),
    ("git format-patch -q -1 --stdout other | git am -q3", "git am --abort", false),
];

#[test]
fn giving_up_what_git_is_in_the_middle_of_does_not_take_others_work() {
    for (begin, line, takes_all) in GIVING_UP {
        let workspace = Workspace::small();
        for name in [file_of(1), file_of(2)] {
            workspace.write(&name, COMMITTED);
        }
        workspace.commit_all("Before");
        shell(
            &workspace,
            "git switch -qc other && echo other > way-01.txt && git commit -qam Other && git switch -q main && \
             echo main > way-01.txt && git commit -qam Main",
        );
        let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
        loser.start();
        doer.start();
        shell(&workspace, &format!("({begin}) > /dev/null 2>&1 || true"));
        loser.edit(file_of(2), MINE).expect_no_denial();
        loser.shell().run(["release", "--all"]).expect_code(0);
        // What it does not change it may leave.
        let told = doer.before_command(line);
        assert_eq!(told.denial().is_some(), *takes_all, "{line}: {told:?}");
        loser.edit(file_of(1), MINE).expect_no_denial();
        loser.shell().run(["release", "--all"]).expect_code(0);
        let told = doer.before_command(line);
        assert!(told.denial().unwrap().contains(&file_of(1)), "{line}: {told:?}");
        shell(&workspace, &format!("({line}) > /dev/null 2>&1"));
        assert_ne!(workspace.read(file_of(1)), MINE, "{line}");
        let mut heard = Heard::default();
        wait_within(PATIENCE, &format!("the loss by {line} to be told"), || {
            heard.take(&loser.after_read("README.md"));
            (heard.times(&file_of(1)) > 0 && (!takes_all || heard.times(&file_of(2)) > 0)).then_some(())
        });
        heard.take(&loser.prompt());
        let (file, other) = (heard.times(&file_of(1)), heard.times(&file_of(2)));
        assert_eq!((file, other), (1, usize::from(*takes_all)), "{line}");
        for number in 1..=2 {
            if workspace.read(file_of(number)) != MINE {
                loser.shell().run(["restore", &file_of(number)]).expect_code(0);
            }
            assert_eq!(workspace.read(file_of(number)), MINE, "{line}");
        }
    }
}

#[test]
fn what_git_would_put_aside_by_itself_is_refused_as_a_stash_is() {
    let workspace = Workspace::small();
    workspace.write(file_of(1), COMMITTED);
    workspace.commit_all("Before");
    let (loser, doer) = (CodingAgent::on(&workspace, "loser"), CodingAgent::on(&workspace, "doer"));
    loser.start();
    doer.start();
    loser.edit(file_of(1), MINE).expect_no_denial();
    loser.shell().run(["release", "--all"]).expect_code(0);
    for line in ["git rebase --autostash main~1", "git pull --autostash", "git -c merge.autoStash=true merge other"] {
        assert!(doer.before_command(line).denial().unwrap().contains("stash away"), "{line}");
    }
    for line in ["git rebase main~1", "git pull --rebase", "git merge other"] {
        doer.before_command(line).expect_no_denial();
        doer.after_command(line);
    }
    workspace.git(&["config", "rebase.autoStash", "true"]);
    doer.before_command("git rebase main~1").expect_denial();
    doer.before_command("git pull").expect_no_denial();
    doer.after_command("git pull");
    workspace.git(&["config", "pull.rebase", "true"]);
    doer.before_command("git pull").expect_denial();
    doer.before_command("git rebase --no-autostash main~1").expect_no_denial();
}
