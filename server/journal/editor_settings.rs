//! What editors add to what the user says for all programs, as far as other programs go by it. It lies with the journal, and
//! not among the sessions' records, which tell the same: those are nothing to trust.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use deconflict_protocol::{Resource, SessionId};
use deconflict_workspace::{Exclusions, Lock};
use serde::{Deserialize, Serialize};

use super::error::{Error, failed};
use super::{Journal, Limits};

const NAME: &str = "editors.json";

/// No more of it is read, in bytes.
const LONGEST: u64 = 1 << 20;

const PATIENCE: Duration = Duration::from_millis(500);

/// What one editor adds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EditorSettings {
    /// Globs of files of which nothing is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Globs of files that cannot be merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusive: Vec<String>,
    /// For how many days changes are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// How many megabytes are kept at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub megabytes: Option<f64>,
}

type ByEditor = BTreeMap<String, EditorSettings>;

impl Journal {
    /// Notes what the editor of a session wants, from now until it wants something else.
    pub fn note_editor(&self, session: &SessionId, wanted: &EditorSettings) -> Result<(), Error> {
        let known = self.editors();
        if known.get(session.as_str()).map_or(*wanted == EditorSettings::default(), |known| known == wanted) {
            return Ok(());
        }
        self.change_editors(|editors| {
            if *wanted == EditorSettings::default() {
                editors.remove(session.as_str());
            } else {
                editors.insert(session.to_string(), wanted.clone());
            }
        })
    }

    /// Forgets what editors wanted that are gone.
    pub fn forget_editors(&self, is_gone: impl Fn(&SessionId) -> bool) -> Result<(), Error> {
        let is_known_to_be_gone = |id: &String| SessionId::foreign(id).map_or(true, |id| is_gone(&id));
        if !self.editors().keys().any(is_known_to_be_gone) {
            return Ok(());
        }
        self.change_editors(|editors| editors.retain(|id, _| !is_known_to_be_gone(id)))
    }

    /// True for a file of which the user wants nothing to be kept, wherever they said so.
    pub fn is_excluded(&self, resource: &Resource) -> bool {
        let path = Path::new(resource.relative());
        let has =
            |globs: &[String]| !globs.is_empty() && Exclusions::new(globs).is_some_and(|them| them.contains(path));
        has(self.settings.journal_exclude.as_deref().unwrap_or_default())
            || self.editors().values().any(|editor| has(&editor.exclude))
    }

    /// Globs of files that cannot be merged, wherever the user said so.
    pub fn exclusive(&self) -> Vec<String> {
        let mut globs = self.settings.claims_exclusive.clone().unwrap_or_default();
        globs.extend(self.editors().into_values().flat_map(|editor| editor.exclusive));
        globs
    }

    /// How much is kept: the most that anybody wants, or what is usual.
    pub fn limits(&self) -> Limits {
        let editors = self.editors();
        let most = |own: Option<f64>, of: fn(&EditorSettings) -> Option<f64>| {
            editors.values().filter_map(of).chain(own).reduce(f64::max)
        };
        Limits::said(
            most(self.settings.journal_days, |editor| editor.days),
            most(self.settings.journal_megabytes, |editor| editor.megabytes),
        )
    }

    /// What cannot be read wants nothing.
    fn editors(&self) -> ByEditor {
        let read = self.folder.read(NAME, LONGEST).ok().flatten();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn change_editors(&self, change: impl FnOnce(&mut ByEditor)) -> Result<(), Error> {
        let path = self.path().join(NAME);
        let write = || {
            let file = self.folder.lock(NAME, Lock::Exclusive, PATIENCE)?;
            let (_, bytes) = file.read_end(LONGEST)?;
            let mut editors = serde_json::from_slice(&bytes).unwrap_or_default();
            change(&mut editors);
            file.replace(&serde_json::to_vec(&editors)?)
        };
        write().map_err(failed("write", &path))
    }
}
