//! Contents that no log speaks of are removed, and the others packed.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use deconflict_workspace::{Lock, pack_objects};

use super::Journal;
use super::content_id::ContentId;
use super::error::{Error, failed};
use super::logs::resource_of;
use super::objects::Prepared;

/// How long those who are just adding something are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was removed, and what was not.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// How many contents that were not packed.
    pub(super) loose: usize,
    /// How many contents are in packs.
    pub(super) in_packs: usize,
    /// Those in packs that no log speaks of.
    pub(super) useless_in_packs: Vec<ContentId>,
    /// How many packs there are.
    pub(super) packs: usize,
}

/// The contents that a log speaks of, in damaged lines too.
pub(super) fn contents_in(log: &[u8]) -> HashSet<ContentId> {
    const FIELD: &str = "\"content\":\"";
    let text = String::from_utf8_lossy(log);
    let ids = text.match_indices(FIELD).filter_map(|(position, _)| {
        let start = position + FIELD.len();
        text.get(start..start + 40)?.parse().ok()
    });
    ids.collect()
}

impl Journal {
    /// The contents that logs speak of, each with the path of a file that has or had it. One log may be left out.
    fn spoken_of(&self, without: Option<&str>) -> Result<HashMap<ContentId, String>, Error> {
        let mut found = HashMap::new();
        for log in self.logs.list()?.iter().filter(|log| without != Some(log.name.as_str())) {
            let bytes = self.logs.bytes(&log.name)?;
            let path = resource_of(&bytes).map_or_else(|| log.name.clone(), |resource| resource.relative().to_owned());
            found.extend(contents_in(&bytes).into_iter().map(|content| (content, path.clone())));
        }
        Ok(found)
    }

    /// Removes contents that no log speaks of, if they are among those that are given, or so old that nobody is about to
    /// speak of them. What one log says may count for nothing.
    pub(super) fn remove_contents(
        &self,
        given: &HashSet<ContentId>,
        grace: Duration,
        without: Option<&str>,
    ) -> Result<Removed, Error> {
        let lock = self.contents_lock(Lock::Exclusive, PATIENCE)?;
        let spoken = self.spoken_of(without)?;
        let mut removed = Removed::default();
        let is_old = |written: SystemTime| written.elapsed().is_ok_and(|age| age > grace);
        for (content, _, written) in self.objects.loose()? {
            let may_go = given.contains(&content) || (is_old(written) && lock.is_locked());
            if may_go && !spoken.contains_key(&content) {
                self.objects.remove_loose(content)?;
                removed.loose += 1;
            }
        }
        for pack in self.objects.packs()?.iter() {
            let ids = pack.ids().unwrap_or_default();
            removed.packs += 1;
            removed.in_packs += ids.len();
            removed.useless_in_packs.extend(ids.into_iter().filter(|content| !spoken.contains_key(content)));
        }
        Ok(removed)
    }

    /// Packs what is not packed. Returns how many contents that were.
    pub(super) fn pack_loose(&self) -> Result<usize, Error> {
        let spoken = self.spoken_of(None)?;
        let loose: Vec<ContentId> = self.objects.loose()?.into_iter().map(|(content, ..)| content).collect();
        // One that is damaged would keep git from packing all others.
        let is_whole = |content: &ContentId| self.objects.get_loose(*content).is_ok_and(|bytes| bytes.is_some());
        let whole: Vec<ContentId> = loose.into_iter().filter(is_whole).collect();
        let Some(name) = self.pack(&whole, &spoken)? else { return Ok(0) };
        self.remove_packed(&name)?;
        Ok(whole.len())
    }

    /// Makes one pack of all that logs speak of, packed or not, and removes the packs that there were. What one log says
    /// may count for nothing: what is to be forgotten goes even if git cannot pack.
    pub(super) fn pack_anew(&self, without: Option<&str>) -> Result<usize, Error> {
        let spoken = self.spoken_of(without)?;
        let packs = self.objects.packs()?;
        let is_whole = |content: &ContentId| {
            self.objects.get_loose(*content).is_ok_and(|bytes| bytes.is_some())
                || packs.get(*content).is_ok_and(|bytes| bytes.is_some())
        };
        let whole: Vec<ContentId> = spoken.keys().copied().filter(is_whole).collect();
        let name = self.pack(&whole, &spoken)?;
        match &name {
            Some(name) => self.remove_packed(name)?,
            None if whole.is_empty() => {}
            None if without.is_none() => return Ok(0),
            None => {
                for content in &whole {
                    if let Ok(Some(bytes)) = packs.get(*content) {
                        let path = self.path();
                        self.objects.put(&Prepared::new(*content, &bytes).map_err(failed("compress", &path))?)?;
                    }
                }
            }
        }
        for pack in packs.iter() {
            // One that cannot be opened may be whole, and another time can be.
            if name.as_ref() != Some(&pack.name) && pack.ids().is_some() {
                self.objects.remove_pack(&pack.name)?;
            }
        }
        Ok(whole.len())
    }

    /// Lets git pack contents. Returns the pack's name; `None` if there is no git, it failed, or nothing is to be packed.
    fn pack(&self, contents: &[ContentId], paths: &HashMap<ContentId, String>) -> Result<Option<String>, Error> {
        self.objects.ensure_repository()?;
        self.objects.ensure_packs()?;
        if contents.is_empty() {
            return Ok(None);
        }
        let mut input = String::new();
        for content in contents {
            let path = paths.get(content).map_or("", String::as_str).replace(char::is_control, "?");
            input.extend([content.to_string().as_str(), " ", &path, "\n"]);
        }
        let packed = pack_objects(&self.path(), input.as_bytes());
        Ok(packed.ok().map(|name| format!("pack-{name}")))
    }

    /// Removes what is not only in a pack.
    fn remove_packed(&self, name: &str) -> Result<(), Error> {
        let packs = self.objects.packs()?;
        let Some(pack) = packs.iter().find(|pack| pack.name == name) else { return Ok(()) };
        let ids: HashSet<ContentId> = pack.ids().unwrap_or_default().into_iter().collect();
        for (content, ..) in self.objects.loose()? {
            if ids.contains(&content) {
                self.objects.remove_loose(content)?;
            }
        }
        Ok(())
    }
}
