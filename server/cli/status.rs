//! `deconflict status`

mod keys;
mod page;
mod picture;
mod watch;
mod work;

use deconflict_protocol::text::one_line;
use deconflict_registry::{Claim, Concern, DamagedRecord, Overview};
use deconflict_words::documents;
use picture::{Picture, holders};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::{Output, terminal_width};
use super::scope::ScopeWord;
use super::words;

/// Show sessions, claims, messages and what needs coordinating
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep showing changes as they happen; arrows scroll, q quits
    #[arg(long, conflicts_with = "oneline")]
    watch: bool,
    /// One short line, for a prompt
    #[arg(long)]
    oneline: bool,
    /// Only what this clone shares, or this machine, or the team
    #[arg(long, value_name = "SCOPE", conflicts_with = "watch")]
    scope: Option<ScopeWord>,
}

/// No longer page is printed, in bytes: whoever wants everything asks for JSON.
const LONGEST_PAGE: usize = 30_000;

/// How many lines of each section are shown, as many of these as fit.
const MOST_LINES: [usize; 7] = [usize::MAX, 200, 100, 50, 20, 10, 3];

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.watch {
        return watch::run(context);
    }
    let picture = match arguments.scope {
        _ if arguments.oneline => Picture::glance(context)?,
        Some(ScopeWord::Machine) => Picture::of_machine(context)?,
        Some(ScopeWord::Team) => Picture::of_team(context)?,
        Some(ScopeWord::Clone) => Picture::of_clone(context)?,
        None => Picture::look(context)?,
    };
    context.output.answer(
        || picture.document(),
        || {
            if arguments.oneline {
                picture.one_line()
            } else if context.shared.original {
                picture.as_the_original()
            } else {
                picture.in_words(terminal_width())
            }
        },
    )?;
    if !arguments.oneline && !context.location()?.may_be_joined() {
        Output::remark(
            "You are only watching here, because git tracks this directory. To join it: deconflict init --adopt",
        );
    }
    Ok(Exit::Done)
}

impl Picture {
    fn document(&self) -> Value {
        let Some(overview) = &self.overview else {
            return json!({
                "directory": self.directory, "exists": false, "session": null, "sessions": [], "claims": [],
                "waiting": [], "machine": self.machine.document(self.now), "team": self.team.document(self.now), "messages": [], "unread": 0, "coordination_needed": [], "uncommitted": [], "damaged": [],
            });
        };
        let holders = holders(&overview.sessions);
        let needed = overview.coordination_needed.iter().map(documents::finding);
        let claim = |claim: &Claim| documents::claim(claim, claim.holder().and_then(|id| holders.get(id).copied()));
        json!({
            "directory": self.directory,
            "exists": true,
            "session": self.own.as_ref().map(documents::session),
            "sessions": overview.sessions.iter().map(documents::session).collect::<Vec<_>>(),
            "claims": overview.claims.iter().map(claim).collect::<Vec<_>>(),
            "waiting": self.waiting.iter().map(|place| documents::place_in_line(place, self.now)).collect::<Vec<_>>(),
            "machine": self.machine.document(self.now),
            "team": self.team.document(self.now),
            "messages": overview.recent_messages.iter().map(documents::message).collect::<Vec<_>>(),
            "unread": self.unread,
            "coordination_needed": needed.chain(self.work.findings(self.now)).collect::<Vec<_>>(),
            "uncommitted": self.work.uncommitted(),
            "uncommitted_not_shown": self.work.not_looked_into(),
            "damaged": damaged(overview).map(documents::damaged).collect::<Vec<_>>(),
        })
    }

    /// What fits a prompt; nothing where nobody coordinates.
    fn one_line(&self) -> String {
        let Some(overview) = &self.overview else { return String::new() };
        let active = || overview.claims.iter().filter(|claim| claim.is_active());
        let own = active().filter(|claim| self.is_own_claim(claim)).count();
        let others = active().count() - own;
        if let Some(session) = &self.own {
            let lost = match self.work.losses_of(session) {
                0 => String::new(),
                lost => format!(", {lost} lost"),
            };
            return format!("{own} held, {others} by others, {} unread{lost}", self.unread);
        }
        let live = overview.sessions.iter().filter(|session| overview.is_alive(session)).count();
        format!("{}, {}", words::count(live, "session"), words::count(others, "claim"))
    }

    /// The whole picture, in lines of at most this width.
    fn in_words(&self, width: usize) -> String {
        let Some(overview) = &self.overview else {
            return format!("{}\n", page::nobody_here(self).join("\n"));
        };
        let sections = page::sections(self, overview, width).into_iter().filter(|section| !section.is_optional());
        let sections: Vec<_> = sections.collect();
        let cut_to = |most| {
            let shown = sections.iter().map(|section| section.cut_to(most).join("\n") + "\n");
            shown.collect::<Vec<_>>().join("\n")
        };
        let fits = |page: &String| page.len() <= LONGEST_PAGE;
        MOST_LINES.into_iter().map(cut_to).find(fits).unwrap_or_else(|| cut_to(1))
    }

    /// What the original's session-status.sh prints.
    fn as_the_original(&self) -> String {
        let mut text = "=== ACTIVE SESSIONS ===\n".to_owned();
        let overview = self.overview.as_ref();
        for session in overview.into_iter().flat_map(|overview| &overview.sessions) {
            let told = documents::session(session);
            let field = |name: &str, default: &str| {
                told[name].as_str().map_or_else(|| default.to_owned(), |text| one_line(text, words::PHRASE))
            };
            text.push_str(&format!(
                "{}: {} - {} (last: {})\n",
                one_line(session.id.as_str(), words::PHRASE),
                field("status", "unknown"),
                field("current_work", "idle"),
                field("last_heartbeat", "unknown"),
            ));
        }
        text.push_str("\n=== ACTIVE CLAIMS ===\n");
        for claim in overview.into_iter().flat_map(|overview| &overview.claims) {
            text.push_str(&format!(
                "{}: {} (claimed by {})\n",
                one_line(claim.resource.resource_type().as_str(), 40),
                one_line(claim.resource.name(), 200),
                claim.holder().map_or_else(|| "unknown".to_owned(), |id| one_line(id.as_str(), words::PHRASE)),
            ));
        }
        text
    }
}

pub(super) fn damaged(overview: &Overview) -> impl Iterator<Item = &DamagedRecord> {
    overview.coordination_needed.iter().filter_map(|finding| match finding {
        Concern::Damaged(record) => Some(record),
        _ => None,
    })
}
