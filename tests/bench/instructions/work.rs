//! What is counted.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::TimeDelta;
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{NewSession, Registry, Terms};

use crate::support::{Workspace, clean_environment};
use crate::{collected, valgrind};

/// A thing is done so often, and five times as often.
pub(crate) const SELDOM: usize = 50;

/// The argument that makes this program do one of the things below.
const ROLE: &str = "--work";

/// What the registry does.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Claim,
    RefusedClaim,
    Renewal,
    ClaimAndRelease,
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Claim, Self::RefusedClaim, Self::Renewal, Self::ClaimAndRelease];

    /// What makes this program do it so often, before the directory.
    pub(crate) fn arguments(self, times: usize) -> [String; 3] {
        [ROLE.to_owned(), self.to_string(), times.to_string()]
    }

    fn run(self, times: usize, directory: &Path) {
        let registry = Registry::open(directory, Arc::new(SystemClock::new())).unwrap();
        let session = registry.register(NewSession::default()).unwrap().id;
        let other = registry.register(NewSession::default()).unwrap().id;
        let terms = Terms::default();
        let claim = |round: usize| {
            let resource = Resource::file(&format!("src/module/{round:04}.rs")).unwrap();
            registry.claim(&session, &resource, &terms).unwrap();
            resource
        };
        let held = claim(0);
        let holding = registry.claim_of(&held).unwrap().unwrap().holding().unwrap();
        for round in 1..=times {
            match self {
                Self::Claim => drop(claim(round)),
                Self::RefusedClaim => drop(registry.claim(&other, &held, &terms).unwrap()),
                Self::Renewal => {
                    let later = TimeDelta::minutes(6 * i64::try_from(round).unwrap());
                    registry.renew(&holding, terms.lease + later).unwrap();
                }
                Self::ClaimAndRelease => drop(registry.release(&session, &claim(round)).unwrap()),
            }
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim => "claim",
            Self::RefusedClaim => "refused claim",
            Self::Renewal => "renewal",
            Self::ClaimAndRelease => "claim and release",
        })
    }
}

/// Does what this process was started for, if it was.
pub(crate) fn was_asked_for(arguments: &[String]) -> bool {
    let [role, name, times, directory] = arguments else { return false };
    let work = Work::ALL.into_iter().find(|work| work.to_string() == *name);
    let Some(work) = work.filter(|_| role == ROLE) else { return false };
    work.run(times.parse().unwrap(), Path::new(directory));
    true
}

/// A verb that changes nothing, from its start to its end.
pub(crate) fn check(workspace: &Workspace) -> f64 {
    let registry = Registry::create(&workspace.path("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
    let session = registry.register(NewSession::default()).unwrap().id;
    verb(valgrind(workspace), workspace, &session, &["check", "README.md"]);
    collected(workspace)
}

/// A verb that changes something, from its start to its end, where what it goes by was read before.
pub(crate) fn claim(workspace: &Workspace, registry: &Registry) -> f64 {
    let session = registry.register(NewSession::default()).unwrap().id;
    for words in [["claim", "README.md"], ["release", "README.md"]] {
        let mut command = Command::new("env");
        clean_environment(&mut command, workspace.home());
        verb(command, workspace, &session, &words);
    }
    verb(valgrind(workspace), workspace, &session, &["claim", "README.md"]);
    collected(workspace)
}

/// Runs a verb by a command that starts programs.
fn verb(mut command: Command, workspace: &Workspace, session: &SessionId, words: &[&str]) {
    command.arg(env!("CARGO_BIN_EXE_deconflict")).args(["--session", session.as_str()]).args(words);
    command.current_dir(workspace.root()).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(command.status().unwrap().success(), "{words:?}");
}
