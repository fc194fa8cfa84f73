//! What sessions, claims and messages tell of themselves, read from their records.

use chrono::{DateTime, Utc};

use super::store::Key;
use super::store::files::names::relative_path;
use super::{Claim, Message, Session};
use deconflict_platform::{self as platform, Process, ScopeRelation};
use deconflict_protocol::{MessageKind, text, time};

impl Session {
    /// What whoever looks calls it: `Ada`, `Ada's Claude Code`, and to Ada `your Claude Code`. Safe to show.
    pub fn label(&self) -> String {
        if self.is_own() { self.record.own_label(&self.id) } else { self.record.label(&self.id) }
    }

    /// True for a session of the person who looks.
    pub fn is_own(&self) -> bool {
        self.viewer.0.as_ref().is_some_and(|viewer| viewer.is_person_of(&self.record))
    }

    /// What everybody calls it, for what others read too. Safe to show.
    pub fn label_for_all(&self) -> String {
        self.record.label(&self.id)
    }

    /// The label and the id, for a list from which a command takes one: `"Ada (Neovim)" (session-…)`.
    pub fn label_and_id(&self) -> String {
        text::name_and_id(&self.label(), self.id.as_str())
    }

    /// What it is working on, as it says.
    pub fn work(&self) -> Option<&str> {
        given(self.record.current_work.as_deref())
    }

    /// The program that it runs in, as it says.
    pub fn client(&self) -> Option<&str> {
        given(self.record.client.as_deref())
    }

    /// Whose it is, as people are called.
    pub fn person(&self) -> Option<&str> {
        given(self.record.person.as_deref())
    }

    /// Which coding agent it is, as a word.
    pub fn agent(&self) -> Option<&str> {
        given(self.record.agent.as_deref())
    }

    /// True if its user gave it a name.
    pub fn is_named(&self) -> bool {
        given(self.record.name.as_deref()).is_some()
    }

    /// True if it promises to refresh its record: a server keeps it.
    pub fn is_kept_alive(&self) -> bool {
        self.record.keepalive.is_some()
    }

    /// True if this process of this machine keeps it.
    pub fn is_kept_by(&self, pid: u32, started: &str) -> bool {
        self.record.pid == Some(pid)
            && self.record.process_started.as_deref().is_none_or(|recorded| recorded == started)
            && self.is_of_this_scope()
    }

    /// True if it serves this process of this machine: an editor or agent.
    pub fn serves(&self, pid: u32) -> bool {
        self.record.client_pid == Some(pid) && self.is_of_this_scope()
    }

    /// The process that it serves, wherever that means something: an editor or agent.
    pub fn client_pid(&self) -> Option<u32> {
        self.record.client_pid
    }

    /// True for a server that keeps the session of an editor that this user has open on this machine.
    pub fn is_editor_of_user(&self, user: Option<&str>) -> bool {
        let own = self.record.user.as_deref();
        self.is_kept_alive() && own.is_some() && own == user && self.is_of_this_scope()
    }

    /// True for an editor of the person whose agent the other session is, wherever that runs: in the editor itself, in its
    /// terminal or in another one.
    pub fn is_editor_of_person_of(&self, agent: &Session) -> bool {
        let is_around = || agent.client_pid().is_some_and(|pid| self.serves(pid));
        self.is_kept_alive() && self.agent().is_none() && (is_around() || self.record.is_of_same_person(&agent.record))
    }

    /// True for a coding agent of the person who looks.
    pub fn is_own_agent(&self) -> bool {
        self.agent().is_some() && self.is_own()
    }

    /// True if it says that it can do this.
    pub fn has_capability(&self, word: &str) -> bool {
        self.record.capabilities.iter().any(|capability| capability == word)
    }

    /// The process that keeps it, on this machine.
    pub fn keeper(&self) -> Option<Process> {
        let started = self.record.process_started.clone().unwrap_or_default();
        self.record.pid.filter(|_| self.is_of_this_scope()).map(|pid| Process { pid, started })
    }

    /// True if one process keeps both.
    pub fn shares_keeper_with(&self, other: &Session) -> bool {
        self.keeper().is_some() && self.keeper() == other.keeper()
    }

    /// True if numbers of processes mean here what they mean in its record.
    fn is_of_this_scope(&self) -> bool {
        self.record.pid_scope.as_deref().is_some_and(|scope| platform::relation_to(scope) == ScopeRelation::Same)
    }
}

impl Claim {
    /// What its holder does with it, as it says.
    pub fn phase(&self) -> Option<&str> {
        given(self.record.phase.as_deref())
    }

    /// The random id of this holding; absent in other programs' records.
    pub fn id(&self) -> Option<&str> {
        self.record.id.as_deref()
    }

    /// Greater than that of any holding before it; absent in other programs' records.
    pub fn generation(&self) -> Option<u64> {
        self.record.generation
    }

    /// What the record says that is claimed, where it says another name than the file's.
    pub fn recorded_name(&self) -> Option<&str> {
        self.record.resource_name.as_deref()
    }

    /// Since when its document has been unsaved and untouched.
    pub fn idle_since(&self) -> Option<DateTime<Utc>> {
        self.record.idle_since.as_deref().and_then(time::parse)
    }

    /// Where its record is, as people and programs are told: below the coordination directory.
    pub fn record_path(&self) -> String {
        relative_path(&Key::Claim(self.key.clone()))
    }
}

impl Message {
    /// Whom it is from, as it says.
    pub fn sender_name(&self) -> Option<&str> {
        given(self.record.from.as_deref())
    }

    /// One line about it, in at most so many characters. Safe to show.
    pub fn subject(&self, longest: usize) -> Option<String> {
        given(self.record.subject.as_deref()).map(|subject| text::one_line(subject, longest))
    }

    /// The same; without a subject the beginning of its text.
    pub fn headline(&self, longest: usize) -> String {
        self.subject(longest).unwrap_or_else(|| text::one_line(&self.text(), longest))
    }

    /// Its text, wherever the sender put it.
    pub fn text(&self) -> String {
        self.record.text()
    }

    /// What kind of message it is.
    pub fn kind(&self) -> MessageKind {
        self.record.kind()
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}
