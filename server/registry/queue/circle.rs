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
        let tickets = self.other_tickets(reader, own)?;
        let mut others = Vec::new();
        self.add_waits(reader, &tickets, &mut others)?;
        Ok(closed_by(&mine, &others))
    }

    /// The same where some of those who wait, here or in another registry, hold what others wait for in the other one.
    pub(super) fn circle_across(
        &self,
        beside: &Self,
        whom: For<'_>,
        wants: &[Want],
        own: Option<&TicketKey>,
    ) -> Result<Option<Vec<CircleLink>>, Error> {
        let (here, there) = match (self.reader(), beside.reader()) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(Error::Missing { .. }), _) | (_, Err(Error::Missing { .. })) => return Ok(None),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let mine = self.waits(&*here, whom, wants)?;
        let (waiting, beside_it) = (self.other_tickets(&*here, own)?, beside.other_tickets(&*there, None)?);
        let mut others = Vec::new();
        self.add_waits(&*here, &waiting, &mut others)?;
        beside.add_waits(&*there, &beside_it, &mut others)?;
        Ok(closed_by(&mine, &others))
    }

    fn other_tickets(&self, reader: &dyn Reader, own: Option<&TicketKey>) -> Result<Vec<StoredTicket>, Error> {
        let mut tickets: Vec<StoredTicket> = Vec::new();
        for key in ticket_keys(reader)?.into_iter().filter(|key| Some(key) != own) {
            if let Some(ticket) = read_ticket(reader, &key)?
                && ticket.record.given_up != Some(true)
                && !self.has_left(reader, &ticket)?
            {
                tickets.push(ticket);
            }
        }
        Ok(tickets)
    }

    fn add_waits<'a>(
        &self,
        reader: &dyn Reader,
        tickets: &'a [StoredTicket],
        waits: &mut Vec<Waits<'a>>,
    ) -> Result<(), Error> {
        for ticket in tickets {
            if let Some(whom) = ticket.whom() {
                waits.push(self.waits(reader, whom, ticket.record.wants())?);
            }
        }
        Ok(())
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

/// The circle that a wait closes; `None` if it can end.
fn closed_by<'a>(mine: &Waits<'a>, others: &[Waits<'a>]) -> Option<Vec<CircleLink>> {
    let mut stuck: Vec<&Waits> = others.iter().chain([mine]).collect();
    loop {
        let still: Vec<&Waits> = stuck.iter().filter(|waits| !waits.can_end(&stuck)).copied().collect();
        if still.len() == stuck.len() {
            break;
        }
        stuck = still;
    }
    stuck.iter().any(|waits| std::ptr::eq(*waits, mine)).then(|| links(mine, &stuck))
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
