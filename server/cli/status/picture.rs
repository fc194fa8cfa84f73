//! What there is to be shown, as it was at one moment.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deconflict_changes::end_removed_worktrees;
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{Claim, Error, Overview, PlaceInLine, Registry, Session, Store};
use deconflict_words::documents;
use deconflict_workspace::machine_directory;
use serde_json::{Value, json};

use super::work::Work;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{identity, team_keeper};

/// Of what the machine or the team has once, who has what and who waits for it.
#[derive(Default)]
pub(super) struct HadOnce {
    pub(super) held: Vec<(Claim, Option<Session>)>,
    pub(super) waiting: Vec<PlaceInLine>,
    /// Why nothing is known of it.
    pub(super) trouble: Option<String>,
    /// When the others were last heard of, where they are not now.
    pub(super) known_at: Option<DateTime<Utc>>,
}

impl HadOnce {
    /// A registry that cannot be read keeps nobody from seeing their clone.
    fn of_machine(context: &Context) -> Self {
        let Ok(Some(registry)) = context.existing_machine_registry() else { return Self::default() };
        Self::look(&registry).unwrap_or_default()
    }

    fn of_team(context: &Context) -> Self {
        let looked = context.existing_team_registry().and_then(|registry| {
            let Some(registry) = registry else { return Ok(Self::default()) };
            Ok(Self::look(&registry)?)
        });
        looked.unwrap_or_else(|failure| Self {
            trouble: Some(failure.message),
            known_at: context.location().ok().and_then(team_keeper::known_at),
            ..Self::default()
        })
    }

    fn look<S: Store>(registry: &Registry<S>) -> Result<Self, Error> {
        // Files are a clone's, and shown with it.
        let is_file = |claim: &Claim| claim.resource.is_file() || claim.resource.is_directory();
        let claims = registry.claims()?.into_iter().filter(|claim| claim.stands_against(None) && !is_file(claim));
        let holder = |claim: &Claim| registry.session(claim.holder()?).ok().flatten();
        let held = claims.map(|claim| (holder(&claim), claim)).map(|(holder, claim)| (claim, holder)).collect();
        Ok(Self { held, waiting: registry.places_in_line()?, ..Self::default() })
    }

    /// For programs.
    pub(super) fn document(&self, now: DateTime<Utc>) -> Value {
        json!({
            "claims": self.held.iter().map(|(claim, holder)| documents::claim(claim, holder.as_ref())).collect::<Vec<_>>(),
            "waiting": self.waiting.iter().map(|place| documents::place_in_line(place, now)).collect::<Vec<_>>(),
            "trouble": self.trouble,
            "known_at": self.known_at.map(time::format),
        })
    }
}

/// Everything that is shown, as it was at one moment.
pub(super) struct Picture {
    pub(super) directory: String,
    pub(super) now: DateTime<Utc>,
    pub(super) own: Option<Session>,
    pub(super) unread: usize,
    pub(super) overview: Option<Overview>,
    /// Who waits in line, as far as that was looked for.
    pub(super) waiting: Vec<PlaceInLine>,
    /// What of the machine somebody has or waits for, whichever clone they work in.
    pub(super) machine: HadOnce,
    /// The same of the team, on whichever machine they work.
    pub(super) team: HadOnce,
    pub(super) work: Work,
}

impl Picture {
    pub(super) fn look(context: &Context) -> Result<Self, Failure> {
        Ok(Self { team: HadOnce::of_team(context), ..Self::without_team(context)? })
    }

    /// What can be seen without asking anybody on another machine.
    pub(super) fn without_team(context: &Context) -> Result<Self, Failure> {
        Ok(Self { machine: HadOnce::of_machine(context), ..Self::of_clone(context)? })
    }

    /// What the clone shares.
    pub(super) fn of_clone(context: &Context) -> Result<Self, Failure> {
        let picture = Self::without_work(context)?;
        let Some(registry) = context.existing_registry()?.filter(|_| picture.overview.is_some()) else {
            return Ok(picture);
        };
        Ok(Self { work: Work::look(context), waiting: registry.places_in_line()?, ..picture })
    }

    /// What the machine has once, as a whole.
    pub(super) fn of_machine(context: &Context) -> Result<Self, Failure> {
        let registry = context.existing_machine_registry()?;
        let directory = machine_directory().map_or_else(String::new, |directory| directory.display().to_string());
        Ok(Self {
            directory,
            now: context.now(),
            own: None,
            unread: 0,
            overview: registry.as_ref().map(Registry::overview).transpose()?,
            waiting: registry.as_ref().map(Registry::places_in_line).transpose()?.unwrap_or_default(),
            machine: HadOnce::default(),
            team: HadOnce::default(),
            work: Work::default(),
        })
    }

    /// What the team shares, as a whole.
    pub(super) fn of_team(context: &Context) -> Result<Self, Failure> {
        let registry = context.team_registry()?;
        let (sessions, claims) = (registry.sessions()?, registry.claims()?);
        Ok(Self {
            directory: context.team_settings()?.map(|settings| settings.address).unwrap_or_default(),
            now: context.now(),
            own: None,
            unread: 0,
            overview: Some(Overview { sessions, claims, ..Overview::default() }),
            waiting: registry.places_in_line()?,
            machine: HadOnce::default(),
            team: HadOnce::default(),
            work: Work::default(),
        })
    }

    /// What fits a prompt, which must not wait for git.
    pub(super) fn glance(context: &Context) -> Result<Self, Failure> {
        let picture = Self::without_work(context)?;
        let work = if picture.own.is_some() { Work::look_for_losses(context) } else { Work::default() };
        Ok(Self { work, ..picture })
    }

    fn without_work(context: &Context) -> Result<Self, Failure> {
        let directory = context.location()?.directory.display().to_string();
        let now = context.now();
        let Some(registry) = context.existing_registry()? else {
            let (machine, team) = (HadOnce::default(), HadOnce::default());
            let (overview, waiting, work) = (None, Vec::new(), Work::default());
            return Ok(Self { directory, now, own: None, unread: 0, overview, waiting, machine, team, work });
        };
        let mut overview = registry.overview()?;
        if overview.claims.iter().any(|claim| claim.resource.worktree().is_some()) {
            // Where the directory can only be read, they stay.
            let _ = end_removed_worktrees(&registry, &context.namer()?);
            overview = registry.overview()?;
        }
        let live: Vec<Session> =
            overview.sessions.iter().filter(|session| overview.is_alive(session)).cloned().collect();
        // Whoever names a session that is not there still wants to see those that are.
        let own = identity::find_among(context, &registry, Some(&live)).unwrap_or_default();
        let unread = match &own {
            Some(own) => {
                let unread = registry.unread_messages(&own.id)?;
                unread.iter().filter(|message| own.wants_to_hear(message, now)).count()
            }
            None => 0,
        };
        if let Some(own) = &own {
            overview = overview.as_seen_by(&own.id, now);
        }
        let (machine, team) = (HadOnce::default(), HadOnce::default());
        let (overview, waiting, work) = (Some(overview), Vec::new(), Work::default());
        Ok(Self { directory, now, own, unread, overview, waiting, machine, team, work })
    }

    pub(super) fn is_own_claim(&self, claim: &Claim) -> bool {
        self.own.as_ref().is_some_and(|own| claim.held_by(&own.id))
    }
}

pub(super) fn holders(sessions: &[Session]) -> HashMap<&SessionId, &Session> {
    sessions.iter().map(|session| (&session.id, session)).collect()
}
