//! Wiring editors and coding agents: what is on this machine, what would be changed, changing it, and taking it back.
//!
//! Everything goes one way: a [`Part`] says what it wishes to be on the disk, the wish is compared with what is there,
//! and the difference is a [`Plan`] of [`Step`]s. A plan is shown, or carried out as a whole or not at all. What was done
//! is recorded in the user's state folder, so that `--remove` takes back exactly that.
//!
//! Nothing here knows sessions, claims or LSP, and nothing reaches for the network: what editors and agents get is
//! carried in the program.

mod carried;
mod error;
mod extension;
mod files;
mod hooks_file;
mod lock;
mod package;
mod parts;
mod places;
mod plan;
mod record;
mod step;
mod wish;

use std::path::PathBuf;

pub use error::Error;
pub use extension::Extension;
pub use files::{Access, Expected};
pub use lock::Lock;
pub use parts::Part;
pub use places::Places;
pub use plan::{Obstacle, Plan};
pub use step::Step;

use parts::Way;
use record::Record;

/// The set-up of one user.
#[derive(Debug)]
pub struct Setup {
    places: Places,
    record: Record,
}

/// How a part is wired at this moment.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The editor or agent.
    pub part: Part,
    /// It was set up from here.
    pub is_wired: bool,
    /// Something is missing, older or changed.
    pub is_outdated: bool,
    /// The program that it starts, if that is known.
    pub program: Option<PathBuf>,
    /// What there is to know about it.
    pub remarks: Vec<String>,
}

impl Setup {
    /// That of the user who runs this process, to change it. Nobody else changes it as long as the lock is kept.
    ///
    /// # Errors
    /// [`Error::NoHome`], [`Error::Busy`], or a record of earlier set-ups that cannot be read.
    pub fn to_change() -> Result<(Self, Lock), Error> {
        let places = Places::of_this_user()?;
        let mut lock = Lock::take(places.state())?;
        let mut record = Record::read(places.state())?;
        record.remove_temporaries(places.state());
        record.folders.extend(lock.folders.iter().cloned());
        lock.folders.extend(record.folders.iter().filter(|folder| places.state().starts_with(folder)).cloned());
        Ok((Self { places, record }, lock))
    }

    /// That of the user who runs this process, only to be looked at.
    ///
    /// # Errors
    /// [`Error::NoHome`], or a record of earlier set-ups that cannot be read.
    pub fn of_this_user() -> Result<Self, Error> {
        let places = Places::of_this_user()?;
        let record = Record::read(places.state())?;
        Ok(Self { places, record })
    }

    /// Where the user's things are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where the program stays.
    pub fn program(&self) -> PathBuf {
        parts::program_place(&self.places)
    }

    /// The editors and agents on this machine.
    pub fn found(&self) -> Vec<Part> {
        Part::WIRED.into_iter().filter(|part| part.is_found(&self.places)).collect()
    }

    /// The parts that a word on the command line means. Where it means several, those that are here, if any is.
    pub fn called(&self, word: &str) -> Vec<Part> {
        let meant: Vec<Part> = Part::WIRED.into_iter().filter(|part| part.is_called(word)).collect();
        let here: Vec<Part> = meant.iter().copied().filter(|part| part.is_found(&self.places)).collect();
        if here.is_empty() { meant } else { here }
    }

    /// What was set up earlier, in the order in which it is taken back: the program last.
    pub fn recorded(&self) -> Vec<Part> {
        let is_recorded = |part: &Part| self.record.parts.contains_key(part.name());
        Part::WIRED.into_iter().chain([Part::Program]).filter(is_recorded).collect()
    }

    /// What has to be done to set a part up, or to bring it up to date.
    ///
    /// # Errors
    /// What cannot be read or understood. Nothing was changed.
    pub fn plan(&self, part: Part) -> Result<Plan, Error> {
        let mut plan = Plan::new(part);
        let installed = self.record.parts.get(part.name()).cloned().unwrap_or_default();
        match part.way(&self.places, &self.program())? {
            Way::Wish(wish) => wish.compare(&mut plan, &installed)?,
            Way::Missing(text) => plan.missing = Some(text),
        }
        Ok(plan)
    }

    /// What has to be done to take a part back.
    ///
    /// # Errors
    /// What cannot be read or understood. Nothing was changed.
    pub fn plan_removal(&self, part: Part) -> Result<Plan, Error> {
        let mut plan = Plan::new(part);
        if let Some(installed) = self.record.parts.get(part.name()) {
            plan.folder.clone_from(&installed.folder);
            wish::undo(&mut plan, installed)?;
            let folders = self.record.folders_of(part.name()).into_iter();
            plan.steps.extend(folders.map(|path| Step::DeleteFolder { path }));
            if part.is_by_hand() {
                plan.remarks.push("What you wrote into its configuration for it is yours to take out.".to_owned());
            }
        }
        Ok(plan)
    }

    /// Carries a plan out, as a whole or not at all.
    ///
    /// # Errors
    /// What the system or an editor's own command refused, or what somebody changed since it was planned. Everything is as
    /// it was before.
    pub fn carry_out(&mut self, plan: &Plan, _: &Lock) -> Result<(), Error> {
        plan.carry_out(&mut self.record, &self.places)
    }

    /// Does as if a plan had been carried out, so that the plans that follow are those that would.
    pub fn pretend(&mut self, plan: &Plan) {
        plan.pretend(&mut self.record);
    }

    /// How the editors and agents on this machine, and those set up earlier, are wired. What is wired by hand cannot be
    /// seen from here.
    pub fn wirings(&self) -> Vec<Wiring> {
        let is_of_interest = |part: &Part| part.is_found(&self.places) || self.record.parts.contains_key(part.name());
        let seen = Part::WIRED.into_iter().filter(|part| !part.is_by_hand() && is_of_interest(part));
        seen.map(|part| self.wiring(part)).collect()
    }

    fn wiring(&self, part: Part) -> Wiring {
        let is_wired = self.record.parts.contains_key(part.name());
        let in_extension = parts::installed_extension(part, &self.places).map(|folder| extension::program_of(&folder));
        let mut wiring = Wiring {
            part,
            is_wired: is_wired || in_extension.is_some(),
            is_outdated: false,
            program: in_extension.or_else(|| is_wired.then(|| self.program())),
            remarks: Vec::new(),
        };
        match self.plan(part) {
            Ok(plan) => {
                wiring.is_outdated = is_wired && (!plan.steps.is_empty() || !plan.obstacles.is_empty());
                wiring.remarks = plan.remarks;
                let obstacles = plan.obstacles.iter();
                wiring.remarks.extend(obstacles.map(|it| format!("{}: {}.", it.path.display(), it.reason)));
            }
            Err(error) => wiring.remarks.push(error.to_string()),
        }
        wiring
    }
}
