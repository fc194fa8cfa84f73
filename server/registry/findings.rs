//! What else the status board tells: findings of those who know more than the directory's records say.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Registry;

/// Somebody who knows what needs coordinating beyond the records of the directory.
pub trait Findings: Debug + Send + Sync {
    /// What needs coordinating, a sentence each, the newest first, with absolute times. What cannot be found out is left out.
    fn sentences(&self, now: DateTime<Utc>) -> Vec<String>;
}

impl<S> Registry<S> {
    /// The same registry, whose status board tells these too.
    #[must_use]
    pub fn with_findings(self, findings: Arc<dyn Findings>) -> Self {
        Self { findings: Some(findings), ..self }
    }

    /// What others found that needs coordinating.
    pub(super) fn findings(&self, now: DateTime<Utc>) -> Vec<String> {
        self.findings.as_ref().map_or_else(Vec::new, |findings| findings.sentences(now))
    }
}
