//! What tells a session's name from those of its person's other sessions. It is decided when one begins or ends and
//! stands in the records, so that a name is read from one record alone, and everybody reads the same.

use super::session::{change_session, list_sessions, read_session};
use super::store::{Reader, Store, Transaction};
use super::{Error, Registry};
use deconflict_protocol::{SessionId, SessionRecord};

/// Of so many records at most others are looked for: nobody has more sessions that people tell apart.
const MOST_LOOKED_AT: usize = 200;

impl<S: Store> Registry<S> {
    /// Lets a session that begins, and those from which its name has to tell it, be told apart.
    pub(super) fn tell_apart(
        &self,
        tx: &mut Transaction,
        id: &SessionId,
        record: &mut SessionRecord,
    ) -> Result<(), Error> {
        let others = self.others_of_person(tx, id, record)?;
        record.has_alike = Some(true).filter(|_| !others.is_empty());
        let product = record.product();
        let is_free = |number: u32| {
            !others.iter().any(|(_, other)| other.product() == product && other.number.unwrap_or(1) == number)
        };
        if !is_free(record.number.unwrap_or(1)) {
            let most = u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1);
            record.number = (1..=most).find(|number| is_free(*number)).filter(|number| *number > 1);
        }
        for (other, _) in others.iter().filter(|(_, other)| other.has_alike != Some(true)) {
            change_session(tx, other, |session| session.has_alike = Some(true))?;
        }
        Ok(())
    }

    /// The last session that is left of those of a person needs to be told from none any more.
    pub(super) fn leave_alone(&self, tx: &mut Transaction, id: &SessionId) -> Result<(), Error> {
        let Some(ended) = read_session(tx, id)?.and_then(|stored| stored.record) else { return Ok(()) };
        if ended.has_alike != Some(true) {
            return Ok(());
        }
        if let [(last, _)] = &self.others_of_person(tx, id, &ended)?[..] {
            change_session(tx, last, |session| session.has_alike = None)?;
        }
        Ok(())
    }

    /// The live sessions of the same person among which a name is looked for: the same agent's, or editors and shells.
    fn others_of_person(
        &self,
        reader: &dyn Reader,
        id: &SessionId,
        record: &SessionRecord,
    ) -> Result<Vec<(SessionId, SessionRecord)>, Error> {
        // A session that its user named is called so, and no other is mistaken for it.
        if record.name.is_some() || record.user.is_none() {
            return Ok(Vec::new());
        }
        let all = list_sessions(reader)?;
        if all.len() > MOST_LOOKED_AT {
            return Ok(Vec::new());
        }
        let mut others = Vec::new();
        for other in all.into_iter().filter(|other| other != id) {
            let Some(stored) = read_session(reader, &other)? else { continue };
            let is_candidate = stored.record.as_ref().is_some_and(|it| {
                !it.is_completed()
                    && it.name.is_none()
                    && it.is_of_same_person(record)
                    && it.agent == record.agent
                    && it.sub_agent == record.sub_agent
            });
            if !is_candidate {
                continue;
            }
            let session = self.judged(reader, stored);
            if session.is_live() && !session.is_forgotten() {
                others.push((other, session.record));
            }
        }
        Ok(others)
    }
}
