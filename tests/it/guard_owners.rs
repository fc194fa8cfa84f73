//! The guard stands for uncommitted changes too, when nobody holds the file any more: against commits that sweep, and
//! against the stash.

#![cfg(target_os = "linux")]

use std::fs;

use super::journal_verbs::{Clone, poem};
use super::support::{CodingAgent, Committer};

/// Ada has uncommitted changes in `poem.txt`, Ben in `src/lib.rs`, and nobody holds anything.
fn guarded() -> (Clone, Committer, Committer) {
    let (clone, _) = Clone::with_sessions(["ada", "ben"]);
    let person = Committer::person(&clone.workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada")]));
    clone.edit("ben", "src/lib.rs", "pub mod lexer;\n");
    (clone, person.clone().session("ada"), person.session("ben"))
}

#[test]
fn a_commit_that_sweeps_anothers_uncommitted_changes_is_refused_with_both_ways_on() {
    let (clone, _, ben) = guarded();
    let here = &clone.workspace;
    let before = here.git(&["rev-parse", "HEAD"]);
    for sweep in [&["commit", "-a", "-m", "Sweep"][..], &["commit", "-m", "Sweep"]] {
        let refused = ben.git(sweep).expect_code(1);
        assert!(refused.stderr.contains("\"poem.txt\" has uncommitted changes of ada"), "{refused:?}");
        assert!(refused.stderr.contains("deconflict commit") && refused.stderr.contains("git commit -- poem.txt"));
        assert_eq!(here.git(&["rev-parse", "HEAD"]), before);
        ben.git(&["add", "--all"]).expect_code(0);
    }
    let refused = ben.deconflict(&["guard", "--json"]).expect_code(1).json();
    assert_eq!((&refused["reason"], &refused["owned"][0]["session"]), (&"owned".into(), &"ada".into()));
    // Ben's own is committed either way, and Ada's work is as it was.
    ben.deconflict(&["commit", "-m", "Own"]).expect_code(0);
    assert_eq!(here.git(&["show", "--name-only", "--format=", "HEAD"]), "src/lib.rs\n");
    assert_eq!(here.git(&["status", "--porcelain"]), "M  poem.txt\n");
}

#[test]
fn who_names_the_file_may_commit_it_and_is_told() {
    let (clone, ada, ben) = guarded();
    let here = &clone.workspace;
    ben.git(&["add", "poem.txt"]).expect_code(0);
    let told = ben.git(&["commit", "-m", "Staged by its name"]).expect_code(0);
    assert!(told.stderr.contains("\"poem.txt\" has uncommitted changes of ada"), "{told:?}");
    let messages = ada.deconflict(&["messages", "--json"]).expect_code(0).json().to_string();
    assert!(messages.contains("Your changes in \\\"poem.txt\\\" are in the commit"), "{messages}");
    assert!(messages.contains("by ben"), "{messages}");
    clone.edit("ben", "poem.txt", poem(&[(3, "of ben")]));
    let told = ada.git(&["commit", "-m", "Named", "poem.txt"]).expect_code(0);
    assert!(told.stderr.contains("\"poem.txt\" has uncommitted changes of ben"), "{told:?}");
    ben.git(&["commit", "-a", "-m", "All of it is Ben's"]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    // What has only the committer's lines of a file of both has nothing of the other.
    clone.edit("ada", "poem.txt", poem(&[(3, "of ben"), (6, "of ada")]));
    here.git(&["add", "poem.txt"]);
    clone.edit("ben", "poem.txt", poem(&[(3, "of ben"), (6, "of ada"), (9, "of ben")]));
    let told = ada.git(&["commit", "-m", "Own lines"]).expect_code(0);
    assert!(!told.stderr.contains("uncommitted changes"), "{told:?}");
}

#[test]
fn files_staged_by_their_names_are_committed_though_nothing_else_is_changed() {
    let (clone, ada, ben) = guarded();
    let here = &clone.workspace;
    // All that is changed is Ben's own, and a file of both.
    clone.edit("ben", "poem.txt", poem(&[(3, "of ada"), (9, "of ben")]));
    ben.git(&["add", "poem.txt", "src/lib.rs"]).expect_code(0);
    let told = ben.git(&["commit", "-m", "Both by name"]).expect_code(0);
    assert!(told.stderr.contains("\"poem.txt\" has uncommitted changes of ada"), "{told:?}");
    assert_eq!(here.git(&["status", "--porcelain"]), "");
    // An agent's hook saw that it named the files.
    clone.edit("ada", "poem.txt", poem(&[(3, "of ada again")]));
    let agent = CodingAgent::on(here, "one");
    agent.edit("src/lib.rs", "pub mod one;\n").expect_no_denial();
    let shell = Committer::agent(here, "claude").session(&agent.id());
    for (sweep, code) in [("git add .", 1), ("git add poem.txt src/lib.rs", 0)] {
        assert_eq!(agent.before_command(sweep).denial().is_some(), code == 1);
        shell.git(&["add", "."]).expect_code(0);
        shell.git(&["commit", "-m", "By the agent"]).expect_code(code);
    }
    assert!(ada.deconflict(&["messages"]).expect_code(0).stdout.contains("Your changes in"));
}

#[test]
fn a_stash_of_anothers_changes_is_stopped_and_a_stored_one_is_not() {
    let (clone, _, ben) = guarded();
    let here = &clone.workspace;
    clone.edit("ada", "of ada.txt", "not tracked\n");
    for push in [&["stash"][..], &["stash", "push"], &["stash", "--include-untracked"], &["-c", "a.b=c", "stash", "-u"]]
    {
        let stopped = ben.git(push);
        assert_ne!(stopped.exit_code, 0, "{stopped:?}");
        assert!(stopped.stderr.contains("\"poem.txt\" has uncommitted changes of ada"), "{stopped:?}");
        assert!(stopped.stderr.contains("git stash push -- "), "{stopped:?}");
        assert_eq!(here.read("poem.txt"), poem(&[(3, "of ada")]));
        assert_eq!(here.git(&["stash", "list"]), "");
    }
    let stopped = ben.git(&["stash", "push", "--include-untracked", "--", "of ada.txt"]);
    assert_ne!(stopped.exit_code, 0, "{stopped:?}");
    assert_eq!(here.read("of ada.txt"), "not tracked\n");
    // One's own can be stashed; a copy takes nothing away.
    ben.git(&["stash", "push", "--", "src/lib.rs"]).expect_code(0);
    ben.git(&["stash", "pop"]).expect_code(0);
    let copy = ben.git(&["stash", "create"]).expect_code(0).stdout;
    ben.git(&["stash", "store", copy.trim()]).expect_code(0);
    ben.git(&["stash", "drop"]).expect_code(0);
    assert_eq!(here.read("poem.txt"), poem(&[(3, "of ada")]));
    // A guard that cannot run stops nothing.
    let hook = here.path(".git/hooks/reference-transaction");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, text.replace("deconflict_guard='", "deconflict_guard='/nowhere").replace("=deconflict\n", "=\n"))
        .unwrap();
    ben.git(&["stash"]).expect_code(0);
    ben.git(&["stash", "pop"]).expect_code(0);
}

#[test]
fn what_an_agent_left_is_its_persons_and_stands_in_everybody_elses_way() {
    let (clone, _, ben) = guarded();
    let here = &clone.workspace;
    let registry = deconflict_registry::Registry::open(
        &here.root().join("COORDINATION"),
        std::sync::Arc::new(deconflict_platform::clock::SystemClock::new()),
    )
    .unwrap();
    let id = deconflict_protocol::SessionId::new("agent").unwrap();
    let new = deconflict_registry::NewSession {
        id: Some(id.clone()),
        person: Some("ada".to_owned()),
        agent: Some("claude-code".to_owned()),
        ..deconflict_registry::NewSession::default()
    };
    registry.register(new).unwrap();
    clone.edit("agent", "README.md", "by her agent\n");
    here.git(&["config", "user.name", "ada"]);
    here.git(&["checkout", "--quiet", "--", "src/lib.rs"]);
    let person = Committer::person(here);
    let refused = person.git(&["commit", "-a", "-m", "While it works"]).expect_code(1);
    assert!(refused.stderr.contains("README.md") && !refused.stderr.contains("poem.txt"), "{refused:?}");
    registry.complete(&id, &deconflict_registry::Completion::default()).unwrap();
    ben.git(&["commit", "-a", "-m", "Of somebody else"]).expect_code(1);
    person.git(&["commit", "-a", "-m", "Hers, and her agent's"]).expect_code(0);
    assert_eq!(here.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_is_really_staged_counts_whatever_stands_in_the_file_meanwhile() {
    let (clone, _, ben) = guarded();
    let here = &clone.workspace;
    // Ada took her change back, but it was staged before.
    here.git(&["add", "--all"]);
    clone.edit("ada", "poem.txt", poem(&[]));
    let judged = ben.deconflict(&["guard", "--json"]);
    let told = judged.stdout.clone() + &judged.stderr;
    assert!(told.contains("poem.txt") && told.contains("ada"), "{judged:?}");
    here.git(&["reset", "--quiet"]);
    // Ben staged an earlier text of his own, before either went on.
    clone.edit("ben", "poem.txt", poem(&[(7, "of ben")]));
    here.git(&["add", "poem.txt"]);
    clone.edit("ada", "poem.txt", poem(&[(2, "of ada"), (7, "of ben")]));
    clone.edit("ben", "poem.txt", poem(&[(2, "of ada"), (7, "of ben, and more")]));
    let told = ben.git(&["commit", "-m", "Own lines"]).expect_code(0);
    assert!(!told.stderr.contains("uncommitted changes"), "{told:?}");
    assert_eq!(here.git(&["show", "HEAD:poem.txt"]), poem(&[(7, "of ben")]));
}
