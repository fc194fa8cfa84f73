//! Messages between this clone and the others: each goes where its recipient reads.

use std::time::Duration;

use deconflict_protocol::{MessageRecord, Resource, SessionId, time, to_bytes};
use deconflict_registry::{Error, Files, Key, MessageId, Range, Reader, Registry, Series, Store, Transaction};
use deconflict_team::Etcd;
use deconflict_workspace::{Lock, PrivateFolder};
use serde_json::Value;

use super::copies::{Copies, Due};
use super::names::Names;

/// For so long one waits while another fetches.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says in a message's record that it was sent on.
const SENT_ON: &str = "sent_on";

pub(super) struct Letters<'a> {
    pub(super) here: &'a Registry<Files>,
    pub(super) team: &'a Registry<Etcd>,
    pub(super) folder: &'a PrivateFolder,
}

impl Letters<'_> {
    /// Sends on what somebody here wrote to sessions of other clones.
    pub(super) fn send(&self, due: &Due, names: &Names, others: &Copies<'_, Etcd, Files>) -> Result<(), Error> {
        let reader = self.here.store().reader()?;
        let keys =
            if due.is_everything { reader.scan(&[Range::AllDirect])? } else { due.keys.iter().cloned().collect() };
        for key in keys {
            let Key::Entry(Series::Direct(to), name) = &key else { continue };
            if !others.contains(&Key::Session(to.clone())) {
                continue;
            }
            let Some(found) = reader.get(&key)? else { continue };
            let Ok(mut whole) = serde_json::from_slice::<Value>(&found.bytes) else { continue };
            let Ok(record) = MessageRecord::read(&found.bytes) else { continue };
            let Some(sender) = record.sender().filter(|_| whole[SENT_ON] != true) else { continue };
            let from = names.in_team(&sender);
            let resource = renamed(&record, |resource| names.among_all(resource));
            let record = MessageRecord { from: Some(from.to_string()), resource, ..record };
            let at = time::split_stamp(name).map_or(found.stamp.modified, |(at, _)| at);
            let Ok(bytes) = to_bytes(&record) else { continue };
            self.team.store().add(&Series::Direct(to.clone()), &from, at, &bytes)?;
            whole[SENT_ON] = true.into();
            let Ok(bytes) = to_bytes(&whole) else { continue };
            self.here.store().commit(&mut |tx: &mut Transaction<'_>| {
                // What was not read is taken for new.
                if tx.get(&key)?.is_some() {
                    tx.put(key.clone(), bytes.clone());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Brings what sessions of this clone were sent.
    pub(super) fn fetch(&self, due: &Due, names: &Names, ours: &Copies<'_, Files, Etcd>) -> Result<(), Error> {
        let is_for = |there: &SessionId| {
            due.is_everything
                || due.keys.iter().any(|key| match key {
                    Key::Entry(Series::Direct(to), _) => to == there,
                    Key::Entry(Series::Broadcasts, _) => true,
                    _ => false,
                })
        };
        for (own, there) in ours.sources() {
            let (Key::Session(own), Key::Session(there)) = (own, there) else { continue };
            if !is_for(there) {
                continue;
            }
            self.fetch_for(own, there, names)?;
        }
        Ok(())
    }

    /// The same for one of them, called `there` among all.
    pub(super) fn fetch_for(&self, own: &SessionId, there: &SessionId, names: &Names) -> Result<(), Error> {
        // Of two who fetch at once the second finds nothing left. Where no lock can be had, what comes twice is shown once.
        let _lock = self.folder.lock("letters", Lock::Exclusive, PATIENCE).ok();
        let mut read: Vec<MessageId> = Vec::new();
        for message in self.team.unread_messages(there)? {
            let resource = renamed(&message.record, |resource| names.own(resource));
            let record = MessageRecord { to: Some(own.to_string()), resource, ..message.record };
            let Some((sender, bytes)) = message.from.zip(to_bytes(&record).ok()) else { continue };
            self.here.store().add(&Series::Direct(own.clone()), &sender, message.sent_at, &bytes)?;
            read.push(message.id);
        }
        self.team.mark_read(there, &read).map(drop)
    }
}

/// What a message is about, as it is called where it goes.
fn renamed(record: &MessageRecord, name: impl Fn(&Resource) -> Option<Resource>) -> Option<String> {
    let said = record.resource.as_ref()?;
    let there = Resource::parse(said).and_then(|resource| name(&resource));
    Some(there.map_or_else(|| said.clone(), |resource| resource.spelled()))
}
