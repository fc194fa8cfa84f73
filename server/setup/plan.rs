//! What is going to be done for one target: to be shown, and then carried out as a whole or not at all.

use std::path::PathBuf;

use crate::error::Error;
use crate::places::Places;
use crate::record::{Installed, Record};
use crate::step::{self, Step};
use crate::target::SetupTarget;

/// What is going to be done for one target.
#[derive(Debug)]
pub struct Plan {
    /// The editor, agent or program.
    pub target: &'static SetupTarget,
    /// The changes, in their order. None: it is as it should be.
    pub steps: Vec<Step>,
    /// What stands in the way. While something does, nothing is done.
    pub obstacles: Vec<Obstacle>,
    /// What the user should know.
    pub remarks: Vec<String>,
    /// What the user has to write, where nobody else can do it safely, after the changes.
    pub by_hand: Option<String>,
    /// The folder that will be ours as a whole.
    pub folder: Option<PathBuf>,
    /// The record after the plan was carried out; `None` if nothing is set up any more.
    pub(super) after: Option<Installed>,
}

/// Something of the user's that stands where something of ours would.
#[derive(Debug, Clone)]
pub struct Obstacle {
    /// The file, link or folder.
    pub path: PathBuf,
    /// Why it is not ours.
    pub reason: &'static str,
}

impl Plan {
    pub(super) fn new(target: &'static SetupTarget) -> Self {
        Self {
            target,
            steps: Vec::new(),
            obstacles: Vec::new(),
            remarks: Vec::new(),
            by_hand: None,
            folder: None,
            after: None,
        }
    }

    /// Carries it out. What fails leaves everything as it was.
    pub(super) fn carry_out(&self, record: &mut Record, places: &Places) -> Result<(), Error> {
        let name = self.target.name.to_owned();
        let old = record.targets.get(&name).cloned();
        if self.steps.is_empty() && old == self.after {
            return Ok(());
        }
        // Remembered first, so that what dies in the middle can still be undone.
        let while_at_it = self.after.as_ref().map(|after| joined(old.clone().unwrap_or_default(), after));
        if let Some(installed) = while_at_it {
            record.folders.extend(self.steps.iter().flat_map(Step::folders));
            record.targets.insert(name.clone(), installed);
            if let Err(error) = record.write(places.state()) {
                put(record, name, old);
                return Err(error);
            }
        }
        let mut done = Vec::new();
        for step in &self.steps {
            if let Err(error) = step.carry_out(&mut done) {
                step::undo(done);
                put(record, name, old);
                record.folders.retain(|folder| folder.is_dir());
                // The error that led here is what counts.
                let _ = record.write(places.state());
                return Err(error);
            }
        }
        record.folders.retain(|folder| folder.is_dir());
        put(record, name, self.after.clone());
        record.write(places.state())
    }

    /// Dry run: updates only the record in memory.
    pub(super) fn assume(&self, record: &mut Record) {
        put(record, self.target.name.to_owned(), self.after.clone());
    }
}

fn put(record: &mut Record, name: String, installed: Option<Installed>) {
    match installed {
        Some(installed) => record.targets.insert(name, installed),
        None => record.targets.remove(&name),
    };
}

/// What may be there while one takes the place of the other.
fn joined(mut old: Installed, new: &Installed) -> Installed {
    for (path, record) in &new.files {
        let joined = old.files.entry(path.clone()).or_default();
        joined.is_always_ours |= record.is_always_ours;
        joined.digests.extend(record.digests.iter().cloned());
    }
    old.links.extend(new.links.clone());
    old.edits.extend(new.edits.clone());
    old.extension = new.extension.clone().or(old.extension);
    old.version.clone_from(&new.version);
    old
}
