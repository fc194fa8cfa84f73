//! The fence at the remote: what cannot be merged is pushed by its holder alone, however long somebody was stopped.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::team::{PATIENCE, Team};
use crate::support::{Terminal, wait_within};

const IMAGE: &str = "art/logo.psd";
const PROGRAM: &str = env!("CARGO_BIN_EXE_deconflict");

/// Two clones that push to a remote with the fence.
struct Fenced {
    team: Team,
    remote: PathBuf,
}

impl Fenced {
    fn build() -> Option<Self> {
        let team = Team::meet()?;
        team.workspace.write(".gitattributes", "*.psd lockable\n");
        team.workspace.write(IMAGE, "first");
        team.workspace.commit_all("An image");
        let remote = team.workspace.add_remote("shared");
        team.workspace.git(&["push", "--quiet", "shared", "main"]);
        team.workspace.git_in(&team.second, &["remote", "add", "shared", remote.to_str().unwrap()]);
        team.workspace.git_in(&team.second, &["pull", "--quiet", "--no-rebase", "shared", "main"]);
        let root = team.workspace.git(&["rev-list", "--max-parents=0", "HEAD"]);
        let words = format!("{} --repository {}", team.node.address(), root.trim());
        let receive = format!("#!/bin/sh\nDECONFLICT_TEAM='{words}' exec {PROGRAM} guard --receive\n");
        program(&remote.join("hooks/pre-receive"), &receive);
        // Between what it says in the team and the push itself each can be stopped.
        for folder in [team.workspace.root(), &team.second] {
            let stop = folder.join(".git/stop");
            let (stop, script) = (stop.display(), format!("{PROGRAM} guard pre-push \"$@\" || exit $?"));
            let wait = format!("[ ! -e {stop} ] || {{ : >{stop}.ped; while [ -e {stop} ]; do sleep 0.02; done; }}");
            program(&folder.join(".git/hooks/pre-push"), &format!("#!/bin/sh\n{script}\n{wait}\n"));
        }
        Some(Self { team, remote })
    }

    fn git(prompt: &Terminal) -> Terminal {
        prompt.clone().program(Path::new("git"))
    }

    fn commit(prompt: &Terminal, folder: &Path, text: &str) {
        fs::write(folder.join(IMAGE), text).unwrap();
        Self::git(prompt).run(["commit", "--quiet", "--all", "--message", text]).expect_code(0);
    }

    fn pushed(&self) -> String {
        self.team.workspace.git_in(&self.remote, &["show", &format!("main:{IMAGE}")])
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_remote_takes_what_cannot_be_merged_from_its_holder_alone() {
    let Some(fenced) = Fenced::build() else { return };
    let (anna, berta) = (&fenced.team.anna, &fenced.team.berta);
    let root = fenced.team.workspace.root();
    anna.run(["claim", IMAGE]).expect_code(0);
    Fenced::commit(anna, root, "Anna's");
    let push = ["push", "--quiet", "shared", "main"];
    Fenced::git(anna).run(push).expect_code(0);
    assert_eq!(fenced.pushed(), "Anna's");

    // Past one's own guard it is still the remote that decides.
    fenced.team.workspace.git_in(&fenced.team.second, &["pull", "--quiet", "shared", "main"]);
    Fenced::commit(berta, &fenced.team.second, "Berta's");
    let told = Fenced::git(berta).run(push).expect_code(1).stderr;
    assert!(told.contains("\"Anna\" in the clone"), "{told}");
    let told = Fenced::git(berta).run(["push", "--no-verify", "shared", "main"]).expect_code(1).stderr;
    assert!(told.contains(IMAGE) && told.contains("whoever holds it did not push this"), "{told}");
    let told = Fenced::git(berta).run(["push", "--no-verify", "shared", "main:other"]).expect_code(1).stderr;
    assert!(told.contains(IMAGE), "{told}");
    assert_eq!(fenced.pushed(), "Anna's");

    // What can be merged is nobody's business, and what nobody holds is its pusher's.
    fenced.team.workspace.write("notes", "merge me");
    fenced.team.workspace.commit_all("Notes");
    Fenced::git(anna).run(["push", "--quiet", "--no-verify", "shared", "main"]).expect_code(0);
    anna.run(["release", IMAGE]).expect_code(0);
    let pull = ["pull", "--quiet", "--no-rebase", "--no-edit", "shared", "main"];
    Fenced::git(berta).run(pull).expect_code(0);
    let pushed = || (Fenced::git(berta).run(push).exit_code == 0).then_some(());
    wait_within(PATIENCE, "Berta's push", pushed);
    assert_eq!(fenced.pushed(), "Berta's");
}

/// Whoever is stopped between the check and the push, past the end of the claim, writes nothing over the successor's work.
#[test]
fn a_holder_that_was_stopped_past_its_lease_pushes_nothing() {
    let Some(fenced) = Fenced::build() else { return };
    let (anna, berta) = (&fenced.team.anna, &fenced.team.berta);
    let stop = fenced.team.second.join(".git/stop");
    fs::write(&stop, "").unwrap();
    berta.run(["claim", "--for", "1m", IMAGE]).expect_code(0);
    Fenced::commit(berta, &fenced.team.second, "Berta's");
    let push = ["push", "--quiet", "shared", "main"];
    let stopped = Fenced::git(berta).spawn(push);
    let has_said = || fenced.team.second.join(".git/stop.ped").exists().then_some(());
    wait_within(PATIENCE, "Berta's push to be stopped", has_said);

    // Nobody forces anything: the claim has ended. Berta's version is not there, which is said.
    let ended = || {
        let outcome = anna.run(["claim", IMAGE]);
        outcome.stderr.contains("git pull").then_some(())
    };
    wait_within(3 * PATIENCE, "Berta's claim to end", ended);
    anna.run(["claim", "--force", IMAGE]).expect_code(0);
    Fenced::commit(anna, fenced.team.workspace.root(), "Anna's");
    fs::remove_file(&stop).unwrap();
    let told = stopped.wait_for_at_most(PATIENCE).expect_code(1).stderr;
    assert!(told.contains(IMAGE) && told.contains("cannot be merged"), "{told}");
    assert_eq!(fenced.pushed(), "first");
    Fenced::git(anna).run(push).expect_code(0);
    assert_eq!(fenced.pushed(), "Anna's");
}

/// What cannot be told is not let through, and by its owner's wish it is.
#[test]
fn without_the_network_what_cannot_be_merged_waits() {
    let Some(mut fenced) = Fenced::build() else { return };
    fenced.team.anna.run(["claim", IMAGE]).expect_code(0);
    Fenced::commit(&fenced.team.anna, fenced.team.workspace.root(), "Anna's");
    fenced.team.node.kill();
    let anna = Fenced::git(&fenced.team.anna);
    let told = anna.run(["push", "shared", "main"]).expect_code(1).stderr;
    assert!(told.contains("waits for the team"), "{told}");
    anna.run(["push", "--no-verify", "shared", "main"]).expect_code(1);
    assert_eq!(fenced.pushed(), "first");
    fenced.team.node.run();
    let pushed = || (anna.run(["push", "--quiet", "shared", "main"]).exit_code == 0).then_some(());
    wait_within(PATIENCE, "the push that waited", pushed);
    assert_eq!(fenced.pushed(), "Anna's");
}
