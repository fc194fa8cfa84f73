//! Which changes are no longer kept.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::Resource;

use super::Journal;
use super::content_id::ContentId;
use super::entry::{Entry, EntryId, Line};
use super::error::Error;
use super::file_log::{FileLog, Tip};
use super::logs::resource_of;
use super::packing::contents_in;

/// What was dropped.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// How many changes.
    pub(super) entries: usize,
    /// The contents that their lines spoke of. Other lines may speak of them too.
    pub(super) contents: HashSet<ContentId>,
}

/// Lines that only say again what stands there are dropped when there are so many.
const SIGHTS: usize = 200;

impl Journal {
    /// Drops all changes before a time that may go.
    pub(super) fn drop_older(
        &self,
        limit: DateTime<Utc>,
        is_needed: &dyn Fn(&Resource, &Entry) -> bool,
    ) -> Result<Dropped, Error> {
        let mut dropped = Dropped::default();
        for log in self.logs.list()? {
            let bytes = self.logs.bytes(&log.name)?;
            let Some(resource) = resource_of(&bytes) else {
                // It names no file that it could be needed for.
                if DateTime::<Utc>::from(log.written) < limit {
                    self.logs.open_named(&log.name)?.replace(&[])?;
                }
                continue;
            };
            let seen = FileLog::parse(&bytes);
            let going = may_go(&seen, &resource, limit, is_needed);
            if going.is_empty() && !is_worth_shortening(&seen, limit) {
                continue;
            }
            let open = self.logs.open_named(&log.name)?;
            // Without the lock, what others add meanwhile would be lost.
            if !open.is_locked() {
                continue;
            }
            let before = open.read()?;
            let mut now = FileLog::parse(&before);
            let kept = kept_lines(&mut now, &resource, &going, limit);
            open.replace(&kept.iter().collect::<Vec<_>>())?;
            dropped.entries += going.len();
            dropped.contents.extend(contents_in(&before));
        }
        Ok(dropped)
    }

    /// A later time before which lies a quarter of the changes that may go; `None` if there are none.
    pub(super) fn quarter_after(
        &self,
        limit: DateTime<Utc>,
        is_needed: &dyn Fn(&Resource, &Entry) -> bool,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let mut times = Vec::new();
        for log in self.logs.list()? {
            let bytes = self.logs.bytes(&log.name)?;
            let Some(resource) = resource_of(&bytes) else { continue };
            let log = FileLog::parse(&bytes);
            let going = may_go(&log, &resource, DateTime::<Utc>::MAX_UTC, is_needed);
            times.extend(log.entries().iter().filter(|entry| going.contains(&entry.id)).map(|entry| entry.at));
        }
        times.sort_unstable();
        let last = times.get(times.len() / 4).map(|at| *at + TimeDelta::nanoseconds(1));
        Ok(last.filter(|next| *next > limit))
    }
}

/// The changes before a time that may go.
fn may_go(
    log: &FileLog,
    resource: &Resource,
    limit: DateTime<Utc>,
    is_needed: &dyn Fn(&Resource, &Entry) -> bool,
) -> HashSet<EntryId> {
    let entries = log.entries();
    if entries.first().is_none_or(|oldest| oldest.at >= limit) {
        return HashSet::new();
    }
    let unsettled: HashSet<EntryId> =
        log.losses().into_iter().filter(|loss| loss.settled.is_none()).map(|loss| loss.entry.id).collect();
    let goes = |entry: &Entry| entry.at < limit && !unsettled.contains(&entry.id) && !is_needed(resource, entry);
    entries.into_iter().filter(goes).map(|entry| entry.id).collect()
}

/// True if a log says little but what stands there: again and again, or long ago.
fn is_worth_shortening(log: &FileLog, limit: DateTime<Utc>) -> bool {
    let sights = log.lines().iter().filter(|line| matches!(line, Line::Seen { .. })).count();
    let has_changes = log.lines().iter().any(|line| matches!(line, Line::Change(_)));
    sights > SIGHTS || (!has_changes && log.tip().is_none_or(|tip| tip.at < limit))
}

/// What stays of a log.
fn kept_lines(log: &mut FileLog, resource: &Resource, going: &HashSet<EntryId>, limit: DateTime<Utc>) -> Vec<Line> {
    let stays = |line: &Line| line.entry().is_some_and(|entry| !going.contains(entry));
    let oldest = log.lines().iter().filter(|line| matches!(line, Line::Change(_)) && stays(line)).find_map(Line::at);
    let since = oldest.map_or(limit, |oldest| oldest.min(limit));
    let newest = log.lines().iter().rposition(|line| Tip::of(line).is_some());
    let is_empty = oldest.is_none() && log.tip().is_none_or(|tip| tip.at < limit);
    if is_empty {
        return Vec::new();
    }
    let mut kept = Vec::new();
    for (position, line) in log.lines().iter().enumerate() {
        let is_tip = newest == Some(position);
        match line {
            Line::Given { at, .. } | Line::Committed { at, .. } if *at >= since => kept.push(line.clone()),
            Line::Seen { .. } if is_tip => kept.push(line.clone()),
            Line::Given { .. } | Line::Committed { .. } | Line::Seen { .. } => {}
            Line::Change(entry) if is_tip && !stays(line) => kept.push(Line::Seen {
                resource: resource.clone(),
                state: entry.after.clone(),
                stamp: entry.stamp,
                at: entry.at,
            }),
            line => kept.extend(stays(line).then(|| line.clone())),
        }
    }
    kept
}
