//! Whether the team's registry can be used, where this clone has a team. Without one nothing is contacted.

use std::time::Duration;

use deconflict_registry::Error;

use super::super::context::Context;
use super::super::failure;
use super::super::words;
use super::report::Report;

/// A write that takes longer is felt at each claim.
const SLOW: Duration = Duration::from_millis(100);

/// Clocks that differ by more make the times wrong that people read. Leases end by etcd's alone.
const CLOCKS: Duration = Duration::from_secs(5);

/// The first version whose gateway speaks as this program does.
const OLDEST: (u32, u32) = (3, 4);

impl Report {
    pub(super) fn check_team(&mut self, context: &Context) {
        let settings = match context.team_settings() {
            Ok(Some(settings)) => settings,
            Ok(None) => return,
            Err(failure) => return self.problem(failure.reason, &failure.message, NAME_IT),
        };
        self.fact("team", "Team", settings.address.clone());
        let registry = match context.team_registry() {
            Ok(registry) => registry,
            Err(failure) => {
                let mend = failure.advice.first().cloned().unwrap_or_else(|| NAME_IT.to_owned());
                return self.problem(failure.reason, &failure.message, mend);
            }
        };
        let health = match registry.store().health(context.now()) {
            Ok(health) => health,
            Err(error @ Error::CutOff { .. }) => {
                let message = failure::sentence(&error.to_string());
                return self.problem(
                    "team-cut-off",
                    message,
                    "See whether it runs, and whether this machine can reach it.",
                );
            }
            Err(error) => {
                let message = failure::sentence(&error.to_string());
                return self.problem("team-declined", message, NAME_IT);
            }
        };
        let milliseconds = health.written_in.as_millis();
        self.good("team", format!("The team's etcd {} can be written to, in {milliseconds} ms.", health.version));
        if health.written_in > SLOW {
            self.note(
                "team-slow",
                format!("The team's etcd took {milliseconds} ms to write something."),
                "Each claim of the team takes about twice that. Is it far away, or its disk slow?",
            );
        }
        if version(&health.version).is_some_and(|version| version < OLDEST) {
            let message = format!("The team's etcd is of version {}, and teams need at least 3.4.", health.version);
            self.problem("team-version", message, "Upgrade the cluster.");
        }
        if let Some(ahead) = health.ahead.filter(|ahead| ahead.abs().to_std().is_ok_and(|ahead| ahead > CLOCKS)) {
            let by = deconflict_protocol::time::duration_in_words(ahead.abs());
            let direction = if ahead.num_seconds() > 0 { "ahead of" } else { "behind" };
            self.note(
                "team-clock",
                format!("The clock of the team's etcd is {by} {direction} this machine's, so times that people read are wrong."),
                "Claims end by etcd's clock alone. Set whichever clock is wrong.",
            );
        }
        match registry.sessions() {
            Ok(sessions) => {
                let live = sessions.iter().filter(|session| session.is_live()).count();
                self.fact("team_sessions", "In the team", words::count(live, "session"));
            }
            Err(error) => self.problem("team-rights", failure::sentence(&error.to_string()), NAME_IT),
        }
    }
}

const NAME_IT: &str = "Name the team again, as it should be: deconflict team set URL";

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
