//! Who acts where a verb needs a session and a person need not have one: outside of any agent it acts for the person then,
//! by a session that lasts as long as the verb.

use deconflict_changes::{author_of, gives_way, is_same_person};
use deconflict_journal::Author;
use deconflict_platform as platform;
use deconflict_protocol::{DEFAULT_LEASE, Resource, SessionId};
use deconflict_registry::{
    Activity, ClaimAllOutcome, Completion, EDIT_LEASE, Error, Holding, NewSession, Obstacle, Predecessor, Registry,
    Session, Terms,
};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{held, identity, processes, upkeep};

/// Who acts.
pub(super) struct Acting {
    pub(super) registry: Registry,
    pub(super) session: Session,
    /// No agent does.
    is_person: bool,
    /// The session was made for this verb.
    is_passing: bool,
}

impl Acting {
    /// Does something as whoever calls, and ends the session that was made for it. Where `--session` names whose work is
    /// meant, that session acts if the caller has none.
    pub(super) fn run(
        context: &Context,
        meant: Option<&SessionId>,
        act: impl FnOnce(&Self) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let acting = Self::enter(context, meant, Registry::register)?;
        let ended = act(&acting);
        acting.end(context);
        ended
    }

    /// Whoever runs a command. It makes the directory where nobody coordinates yet. A session that is made for it is
    /// registered by what it takes.
    pub(super) fn for_a_command(context: &Context) -> Result<Self, Failure> {
        let registry = context.registry_or_create()?;
        identity::register_agents_own(context, &registry)?;
        Self::enter(context, None, Registry::unregistered)
    }

    /// Registers the session that was made for this verb, where nothing did so yet: others may write to it.
    pub(super) fn arrive(&self) -> Result<(), Failure> {
        if self.is_passing {
            self.registry.arrive(&self.session)?;
        }
        Ok(())
    }

    /// Ends the session that was made for this verb.
    pub(super) fn end(&self, context: &Context) {
        if self.is_passing {
            if let Err(error) = self.registry.complete(&self.session.id, &Completion::default()) {
                Output::remark(&format!("The session of this command could not be ended: {error}."));
            }
            upkeep::tidy_up(context, &self.registry);
        }
    }

    /// The same once a command is over that left nothing running, with what it held. One that ended before anybody could
    /// notice it is not on the board either.
    pub(super) fn end_of_command(&self, holdings: &[Holding], was_noticed: bool) {
        if !self.is_passing {
            return;
        }
        if let Err(error) = self.registry.dismiss(&self.session.id, holdings) {
            Output::remark(&format!("The session of this command could not be ended: {error}."));
        }
        upkeep::clean_up_when_due(&self.registry);
        if was_noticed {
            upkeep::refresh_board(&self.registry);
        }
    }

    pub(super) fn is_passing(&self) -> bool {
        self.is_passing
    }

    fn enter(
        context: &Context,
        meant: Option<&SessionId>,
        begin: impl FnOnce(&Registry, NewSession) -> Result<Session, Error>,
    ) -> Result<Self, Failure> {
        let (registry, session) = match meant {
            None => identity::enter_or_person(context)?,
            Some(meant) => {
                let registry = context.registry()?;
                let named = registry.session(meant)?.filter(Session::is_live);
                match identity::besides_flag(&registry)? {
                    Some(session) => (registry, Some(session)),
                    None if named.is_some() || processes::run_by_an_agent() => {
                        identity::enter(context).map(|(registry, session)| (registry, Some(session)))?
                    }
                    None => (registry, None),
                }
            }
        };
        let is_passing = session.is_none();
        let session = if let Some(session) = session {
            session
        } else {
            let new = NewSession {
                client: Some("terminal".to_owned()),
                is_passing: true,
                // If it is killed, what it claimed is free at once.
                keeper: Some(platform::current_process()),
                ..context.new_session()?
            };
            begin(&registry, new)?
        };
        let is_agents = session.agent().is_some() || session.client().is_some_and(deconflict_agents::is_agent_name);
        let is_person = is_passing || !(is_agents || processes::run_by_an_agent());
        Ok(Self { registry, session, is_person, is_passing })
    }

    /// Whose what it changes is.
    pub(super) fn author(&self) -> Author {
        author_of(&self.session)
    }

    /// True for the caller's own changes; to a person those of all their sessions and agents are.
    pub(super) fn is_own(&self, author: &Author) -> bool {
        if self.is_person { is_same_person(author, &self.author()) } else { author.session == self.session.id }
    }

    /// True for the caller's own changes, those of a person's agents aside.
    pub(super) fn is_by_hand(&self, author: &Author) -> bool {
        author.session == self.session.id || (author.agent.is_none() && self.is_own(author))
    }

    /// True for the changes that the caller speaks for: those of the session, and where a person has none those of their
    /// editors and shells, and what their agents left.
    pub(super) fn speaks_for(&self, author: &Author) -> Result<bool, Failure> {
        if !self.is_passing || !is_same_person(author, &self.author()) {
            return Ok(author.session == self.session.id);
        }
        if author.agent.is_none() {
            return Ok(true);
        }
        let session = self.registry.session(&author.session)?;
        Ok(match session.filter(Session::is_live) {
            Some(agent) => self.registry.is_waiting(&agent)?,
            None => true,
        })
    }

    /// Claims files as an edit of them does: all of them, or none.
    pub(super) fn claim(&self, context: &Context, files: &[Resource]) -> Result<(), Failure> {
        if files.is_empty() {
            return Ok(());
        }
        let terms = Terms {
            lease: if self.is_person { EDIT_LEASE } else { DEFAULT_LEASE },
            automatic: true,
            branch: context.branch()?,
            worktree: context.worktree()?,
            ..Terms::default()
        };
        let claim = |predecessor| self.registry.claim_all(&self.session.id, predecessor, files, &terms);
        let mut outcome = claim(None)?;
        if let ClaimAllOutcome::Refused(obstacles) = &outcome
            && let Some(agent) = self.own_agent_that_waits(obstacles)?
        {
            outcome = claim(Some(Predecessor::WhileWaiting(&agent)))?;
        }
        match outcome {
            ClaimAllOutcome::Granted(_) => Ok(()),
            ClaimAllOutcome::Refused(obstacles) => Err(self.refusal(context, &obstacles)),
        }
    }

    /// An agent whose turn has ended gives way to its own user.
    fn own_agent_that_waits(&self, obstacles: &[Obstacle]) -> Result<Option<SessionId>, Failure> {
        let mut holders = obstacles.iter().map(|obstacle| obstacle.by.holder());
        let Some(Some(holder)) = holders.next() else { return Ok(None) };
        if !self.is_person || holders.any(|other| other != Some(holder)) {
            return Ok(None);
        }
        let session = self.registry.session(holder)?;
        Ok(session.filter(|session| gives_way(session, &self.session)).map(|session| session.id))
    }

    fn refusal(&self, context: &Context, obstacles: &[Obstacle]) -> Failure {
        let refusals = obstacles.iter().map(|it| held::refusal(context, &self.registry, &it.wanted, &it.by));
        let mut refusals = refusals.collect::<Vec<_>>().into_iter();
        let Some(mut failure) = refusals.next() else {
            return Failure::refused("claimed", "Another session holds it.");
        };
        for other in refusals {
            failure.message.push_str(&format!("\n{}", other.message));
        }
        failure
    }

    /// Says what was done, to those who look at the session.
    pub(super) fn note(&self, action: &str, files: &[Resource]) {
        if self.is_passing {
            return;
        }
        let files_touched = files.iter().map(|file| file.name().to_owned()).collect();
        let activity = Activity { action: action.to_owned(), files_touched, ..Activity::default() };
        upkeep::sign_of_life(&self.registry, &self.session, &activity);
    }
}
