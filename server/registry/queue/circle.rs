//! Waits that could never end, because those who wait hold what each other waits for.

use super::super::claims::Claim;
use super::super::store::{Reader, Store};
use super::super::{Error, Registry};
use super::picking::For;
use super::ticket::{StoredTicket, TicketKey, read_ticket, ticket_keys};
use deconflict_protocol::{Resource, SessionId, Want};

/// One step of a circle: what somebody would wait for, and who would hold it for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct CircleLink {
    /// What is waited for.
    pub wanted: Resource,
    /// Who holds it, and waits in turn.
    pub held_by: SessionId,
}

/// Somebody who waits, with what is in the way of each thing that would do.
struct Waits<'a> {
    whom: For<'a>,
    wants: Vec<(usize, Vec<InTheWay>)>,
}

/// Something that would do, with the claims that are in its way.
type InTheWay = (Resource, Vec<Claim>);

impl Waits<'_> {
    /// True if enough becomes free without any of these going on.
    fn can_end(&self, stuck: &[&Waits<'_>]) -> bool {
        let is_pinned = |claim: &Claim| stuck.iter().any(|other| other.whom.pins(claim));
        self.wants.iter().all(|(count, candidates)| {
            candidates.iter().filter(|(_, claims)| !claims.iter().any(is_pinned)).count() >= *count
        })
    }
}

impl<S: Store> Registry<S> {
    /// The circle that a wait would close; `None` if it can end.
    pub(super) fn circle(
        &self,
        reader: &dyn Reader,
        whom: For<'_>,
        wants: &[Want],
        own: Option<&TicketKey>,
    ) -> Result<Option<Vec<CircleLink>>, Error> {
        let mine = self.waits(reader, whom, wants)?;
        let mut tickets: Vec<StoredTicket> = Vec::new();
        for key in ticket_keys(reader)?.into_iter().filter(|key| Some(key) != own) {
            if let Some(ticket) = read_ticket(reader, &key)?
                && !self.has_left(reader, &ticket)?
            {
                tickets.push(ticket);
            }
        }
        let mut others = Vec::new();
        for ticket in &tickets {
            if let Some(whom) = ticket.whom() {
                others.push(self.waits(reader, whom, ticket.record.wants())?);
            }
        }
        let mut stuck: Vec<&Waits> = others.iter().chain([&mine]).collect();
        loop {
            let still: Vec<&Waits> = stuck.iter().filter(|waits| !waits.can_end(&stuck)).copied().collect();
            if still.len() == stuck.len() {
                break;
            }
            stuck = still;
        }
        Ok(stuck.iter().any(|waits| std::ptr::eq(*waits, &raw const mine)).then(|| links(&mine, &stuck)))
    }

    fn waits<'a>(&self, reader: &dyn Reader, whom: For<'a>, wants: &[Want]) -> Result<Waits<'a>, Error> {
        let mut found = Vec::new();
        for want in wants {
            let mut candidates = Vec::new();
            let mut free = 0;
            for candidate in want.candidates() {
                let claims = self.in_the_way(reader, whom, &candidate)?;
                free += usize::from(claims.is_empty());
                candidates.push((candidate, claims));
                // The rest of thousands of ports tells nothing more.
                if free >= want.count() {
                    break;
                }
            }
            found.push((want.count(), candidates));
        }
        Ok(Waits { whom, wants: found })
    }
}

/// From one who waits to the next, until it comes round.
fn links(mine: &Waits<'_>, stuck: &[&Waits<'_>]) -> Vec<CircleLink> {
    let mut links: Vec<CircleLink> = Vec::new();
    let mut now = mine;
    while links.len() <= stuck.len() {
        let all = now.wants.iter().flat_map(|(_, candidates)| candidates);
        let pinned = all.flat_map(|(wanted, claims)| claims.iter().map(move |claim| (wanted, claim))).find_map(
            |(wanted, claim)| {
                let by = stuck.iter().find(|other| other.whom.pins(claim))?;
                Some((wanted, *by))
            },
        );
        let Some((wanted, by)) = pinned else { break };
        links.push(CircleLink { wanted: wanted.clone(), held_by: by.whom.session.clone() });
        if std::ptr::eq(by, mine) || links.iter().filter(|link| link.held_by == *by.whom.session).count() > 1 {
            break;
        }
        now = by;
    }
    links
}
