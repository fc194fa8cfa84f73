//! Wiring editors and coding agents: what is on this machine, what would be changed, changing it, and taking it back.
//!
//! Everything goes one way: a [`SetupTarget`] is a row of a table, its method says what should be on the disk, that is compared
//! with what is there, and the difference is a [`Plan`] of [`Step`]s. A plan is shown, or carried out as a whole or not at
//! all. What was done is recorded in the user's state folder, so that `--remove` takes back exactly that.
//!
//! Nothing here knows sessions, claims or LSP, and nothing reaches for the network: what editors and agents get is
//! carried in the program, which hands it in together with the table of agents.

mod carried;
mod compare;
mod desired;
mod editors;
mod error;
mod extension;
mod files;
mod hooks_file;
mod lock;
mod methods;
mod package;
mod places;
mod plan;
mod record;
mod step;
mod target;

use std::path::PathBuf;

pub use carried::{Carried, CarriedFile};
pub use editors::{EDITORS, PROGRAM};
pub use error::Error;
pub use extension::Extension;
pub use files::{Access, Expected};
pub use lock::Lock;
pub use places::Places;
pub use plan::{Obstacle, Plan};
pub use step::Step;
pub use target::{AgentHooks, ExtensionHost, Guide, HookFiles, Method, Need, SetupTarget, UserFolder};

use record::Record;

/// The set-up of one user.
#[derive(Debug)]
pub struct Setup {
    assets: Assets,
    places: Places,
    record: Record,
}

/// What the program hands in.
#[derive(Debug, Clone)]
pub struct Assets {
    /// The files for editors and agents.
    pub carried: Carried,
    /// The editors and agents that can be wired.
    pub targets: Vec<&'static SetupTarget>,
    /// What the user's shells and their manual get, below the folder for the user's data.
    pub shell: Vec<CarriedFile>,
}

/// How an editor or agent is wired at this moment.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The editor or agent.
    pub target: &'static SetupTarget,
    /// It was set up from here.
    pub is_wired: bool,
    /// Nothing is left for its user to allow before it runs what was wired.
    pub is_trusted: bool,
    /// Something is missing, older or changed.
    pub is_outdated: bool,
    /// The program that it starts, if that is known.
    pub program: Option<PathBuf>,
    /// What there is to know about it.
    pub remarks: Vec<String>,
}

impl Setup {
    /// That of the user who runs this process, to change it. Nobody else changes it as long as the lock is kept.
    pub fn to_change(assets: Assets) -> Result<(Self, Lock), Error> {
        let places = Places::of_this_user()?;
        let mut lock = Lock::take(places.state())?;
        let mut record = Record::read(places.state())?;
        record.remove_temporaries(places.state());
        record.folders.extend(lock.folders.iter().cloned());
        lock.folders.extend(record.folders.iter().filter(|folder| places.state().starts_with(folder)).cloned());
        Ok((Self { assets, places, record }, lock))
    }

    /// That of the user who runs this process, only to be looked at.
    pub fn of_this_user(assets: Assets) -> Result<Self, Error> {
        let places = Places::of_this_user()?;
        let record = Record::read(places.state())?;
        Ok(Self { assets, places, record })
    }

    /// Where the user's things are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where the program stays.
    pub fn program(&self) -> PathBuf {
        methods::program_place(&self.places)
    }

    /// The editors and agents on this machine.
    pub fn found(&self) -> Vec<&'static SetupTarget> {
        self.assets.targets.iter().copied().filter(|target| self.is_found(target)).collect()
    }

    /// The targets that a word on the command line means. Where it means several, those that are here, if any is.
    pub fn called(&self, word: &str) -> Vec<&'static SetupTarget> {
        let called = self.assets.targets.iter().copied().filter(|target| target.is_called(word));
        let (here, elsewhere): (Vec<_>, Vec<_>) = called.partition(|target| self.is_found(target));
        if here.is_empty() { elsewhere } else { here }
    }

    /// What was set up earlier, in the order in which it is taken back: the program last.
    pub fn recorded(&self) -> Vec<&'static SetupTarget> {
        let targets = self.assets.targets.iter().copied().chain([&PROGRAM]);
        targets.filter(|target| self.is_recorded(target)).collect()
    }

    /// What has to be done to set a target up, or to bring it up to date.
    pub fn plan(&self, target: &'static SetupTarget) -> Result<Plan, Error> {
        let mut plan = Plan::new(target);
        let installed = self.record.targets.get(target.name).cloned().unwrap_or_default();
        let desired = methods::desired(target, &self.places, &self.program(), &self.assets)?;
        compare::compare(desired, &mut plan, &installed)?;
        Ok(plan)
    }

    /// What has to be done to take a target back.
    pub fn plan_removal(&self, target: &'static SetupTarget) -> Result<Plan, Error> {
        let mut plan = Plan::new(target);
        if let Some(installed) = self.record.targets.get(target.name) {
            plan.folder.clone_from(&installed.folder);
            compare::undo(&mut plan, installed)?;
            let folders = self.record.folders_of(target.name).into_iter();
            plan.steps.extend(folders.map(Step::DeleteFolder));
            if target.is_by_hand() {
                plan.remarks.push("Anything you added to its configuration yourself is yours to remove.".to_owned());
            }
        }
        Ok(plan)
    }

    /// Carries a plan out, as a whole or not at all.
    pub fn carry_out(&mut self, plan: &Plan, _: &Lock) -> Result<(), Error> {
        plan.carry_out(&mut self.record, &self.places)
    }

    /// Dry run: updates only the record in memory, for the plans that follow.
    pub fn assume(&mut self, plan: &Plan) {
        plan.assume(&mut self.record);
    }

    /// How those are wired that are here or were set up, as far as that can be seen: not what is wired by hand.
    pub fn wirings(&self) -> Vec<Wiring> {
        let is_of_interest =
            |target: &&SetupTarget| !target.is_by_hand() && (self.is_found(target) || self.is_recorded(target));
        self.assets.targets.iter().copied().filter(is_of_interest).map(|target| self.wiring(target)).collect()
    }

    fn wiring(&self, target: &'static SetupTarget) -> Wiring {
        let is_recorded = self.is_recorded(target);
        let in_extension = methods::installed_extension(target, &self.places, self.assets.carried)
            .map(|folder| folder.join(package::PROGRAM));
        let mut wiring = Wiring {
            target,
            is_wired: is_recorded || in_extension.is_some(),
            is_trusted: methods::is_trusted(target, &self.places),
            is_outdated: false,
            program: in_extension.or_else(|| is_recorded.then(|| self.program())),
            remarks: Vec::new(),
        };
        match self.plan(target) {
            Ok(plan) => {
                wiring.is_outdated = is_recorded && (!plan.steps.is_empty() || !plan.obstacles.is_empty());
                wiring.remarks = plan.remarks;
                let obstacles = plan.obstacles.iter();
                wiring.remarks.extend(obstacles.map(|it| format!("{}: {}.", it.path.display(), it.reason)));
            }
            Err(error) => wiring.remarks.push(error.to_string()),
        }
        wiring
    }

    fn is_found(&self, target: &SetupTarget) -> bool {
        methods::is_found(target, &self.places)
    }

    fn is_recorded(&self, target: &SetupTarget) -> bool {
        self.record.targets.contains_key(target.name)
    }
}
