//! The guard before a push: what may be published although it is held, and what may not.

#![cfg(target_os = "linux")]

use chrono::{TimeDelta, Utc};

use crate::support::{Committer, guarded_workspace, hold_since, timestamp};

#[test]
fn what_was_committed_before_somebody_claimed_it_is_pushed_without_a_word() {
    let (workspace, person) = guarded_workspace();
    workspace.write("README.md", "mine\n");
    let before = timestamp(Utc::now() - TimeDelta::hours(2));
    let then = person.clone().env("GIT_AUTHOR_DATE", &before).env("GIT_COMMITTER_DATE", &before);
    then.git(&["commit", "--quiet", "--all", "--message", "Mine"]).expect_code(0);
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    let pushed = person.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
}

#[test]
fn what_went_past_the_guard_is_refused_until_its_holder_agrees() {
    let (workspace, person) = guarded_workspace();
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    workspace.write("README.md", "half done\n");
    person.git(&["commit", "--no-verify", "-am", "Sweep"]).expect_code(0);
    for refspec in ["main", "HEAD:refs/heads/new", "HEAD:refs/tags/v1"] {
        let refused = person.git(&["push", "origin", refspec]).expect_code(1);
        for part in [
            "What you push",
            "\"README.md\" has been claimed by \"Robin\" since",
            "git show --stat",
            "git push --no-verify",
        ] {
            assert!(refused.stderr.contains(part), "{part} in {refused:?}");
        }
    }
    let url = workspace.beside("origin.git");
    person.git(&["push", url.to_str().unwrap(), "main"]).expect_code(1);
    // Deleting a ref publishes nothing, and what the remote has is not new.
    workspace.git(&["push", "--quiet", "--no-verify", "origin", "main:refs/heads/other"]);
    person.git(&["push", "--quiet", "origin", ":refs/heads/other"]).expect_code(0);
    workspace.git(&["push", "--quiet", "--no-verify", "origin", "main"]);
    person.git(&["push", "--quiet", "origin", "main:refs/heads/again"]).expect_code(0);
}

#[test]
fn what_the_holder_committed_itself_may_be_pushed_and_is_told_to_go_on() {
    let (workspace, person) = guarded_workspace();
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    workspace.write("README.md", "a first part\n");
    Committer::agent(&workspace, "claude").session("agent").git(&["commit", "-am", "A part"]).expect_code(0);
    // A rebase changes the commit, not who made it.
    workspace.git(&["commit", "--quiet", "--amend", "--no-verify", "--message", "A part, reworded"]);
    let pushed = person.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert!(pushed.stderr.contains("\"README.md\" has been claimed by \"Robin\" since"), "{pushed:?}");
}

#[test]
fn the_holder_pushes_its_own() {
    let (workspace, _) = guarded_workspace();
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    workspace.write("README.md", "mine\n");
    let agent = Committer::agent(&workspace, "claude").session("agent");
    agent.git(&["commit", "--no-verify", "-am", "Mine"]).expect_code(0);
    let pushed = agent.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
}

#[test]
fn what_git_never_says_cannot_be_told() {
    let (workspace, person) = guarded_workspace();
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    let line = "echo garbage | deconflict guard pre-push origin url --json";
    let told = person.run("sh".as_ref(), &["-c", line]).expect_code(3).json();
    assert_eq!(told["outcome"], "could_not_tell");
    let line = "deconflict guard pre-push origin url --json </dev/null";
    assert_eq!(person.run("sh".as_ref(), &["-c", line]).expect_code(0).json()["outcome"], "allowed");
}

#[test]
fn what_is_public_already_may_go_to_another_remote() {
    let (workspace, person) = guarded_workspace();
    hold_since(&workspace, "README.md", -TimeDelta::hours(1));
    workspace.write("README.md", "published\n");
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", "Published"]);
    workspace.git(&["push", "--quiet", "--no-verify", "origin", "main"]);
    workspace.add_remote("mirror");
    let pushed = person.git(&["push", "--quiet", "mirror", "main"]).expect_code(0);
    assert_eq!(pushed.stderr, "");
}
