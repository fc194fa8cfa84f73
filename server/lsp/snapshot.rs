//! What is known about one open document at one moment, as plain values. The loop builds it from its documents and its
//! view of the directory; everything in [`present`](super::present) turns it into what the editor shows, and needs
//! nothing else: no state, no clock, no disk.

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, Utc};
use tower_lsp::ls_types::{CodeActionContext, DiagnosticSeverity, Range, Uri};

use super::job::OwnLoss;
use deconflict_protocol::Resource;
use deconflict_registry::{Claim, ClaimState, Session};

/// One open document and every claim that matters to it.
#[derive(Debug, Clone)]
pub(crate) struct DocumentSnapshot {
    /// Its URI, exactly as the editor spelled it.
    pub(crate) uri: Uri,
    /// What a claim of it would be a claim of.
    pub(crate) resource: Resource,
    /// The coordination directory, absolute.
    pub(crate) coordination_directory: PathBuf,
    /// How long its first line is without the line break, in UTF-16 code units.
    pub(crate) first_line_length: u32,
    /// True if its text here differs from the file on disk.
    pub(crate) is_edited: bool,
    /// The claim by which this session holds it: of the file, or of a directory above it.
    pub(crate) own_claim: Option<Claim>,
    /// Claims by others of the file or of a directory above it, in whatever standing.
    pub(crate) others: Vec<OthersClaim>,
    /// Claims by others of the same path in another worktree of the repository.
    pub(crate) elsewhere: Vec<OthersClaim>,
    /// Sessions that edit it while this one holds it. Empty unless `own_claim` is there.
    pub(crate) contenders: Vec<Contender>,
    /// Set from when a claim was lost under unsaved changes until the document is claimed again or closed.
    pub(crate) lost: Option<LostClaim>,
    /// What this session lost in it by others' changes, one for each author, the oldest first.
    pub(crate) losses: Vec<OwnLoss>,
}

impl DocumentSnapshot {
    /// Contenders of which the user has not taken note.
    pub(crate) fn new_contenders(&self) -> impl Iterator<Item = &Contender> {
        self.contenders.iter().filter(|contender| !contender.is_acknowledged)
    }

    /// Claims in other worktrees that somebody has, and uncommitted changes in other clones.
    pub(crate) fn held_elsewhere(&self) -> impl Iterator<Item = &OthersClaim> {
        let counts = |standing| matches!(standing, ClaimState::Active | ClaimState::Idle | ClaimState::Uncommitted);
        self.elsewhere.iter().filter(move |others| counts(others.claim.standing))
    }
}

/// A claim by another session.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact about the holder")]
pub(crate) struct OthersClaim {
    pub(crate) claim: Claim,
    /// Its holder's session, if that has a record.
    pub(crate) holder: Option<Session>,
    /// True if the holder is another editor window of the same user on this machine.
    pub(crate) is_own_window: bool,
    /// True if the holder is the user's own agent, which waits: it gives way to the user's first keystroke.
    pub(crate) gives_way: bool,
    /// True if what is unsaved may be the holder's own text: an agent that works through this very editor.
    pub(crate) may_be_typing: bool,
    /// True if the user wants no more warnings about this document and this holding.
    pub(crate) is_muted: bool,
}

impl OthersClaim {
    /// True if an agent of the user's holds it.
    pub(crate) fn is_own_agent(&self) -> bool {
        self.holder.as_ref().is_some_and(Session::is_own_agent)
    }
}

/// Another session that has unsaved changes in a document that this one holds.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) session: Session,
    /// True if it is another editor window of the same user on this machine.
    pub(crate) is_own_window: bool,
    /// True if the user has taken note of it.
    pub(crate) is_acknowledged: bool,
}

/// A claim that this session held and another has now.
#[derive(Debug, Clone)]
pub(crate) struct LostClaim {
    /// Who took it, with the claim as it stands now; `None` where that claim is gone again.
    pub(crate) successor: Option<OthersClaim>,
    /// True if the user has taken note of it.
    pub(crate) is_acknowledged: bool,
}

/// For whom, and when, things are put into words.
#[derive(Debug, Clone)]
pub(crate) struct Audience {
    pub(crate) now: DateTime<Utc>,
    /// How far local time is ahead of UTC now.
    pub(crate) local_offset: FixedOffset,
    pub(crate) client: Client,
    pub(crate) preferences: Preferences,
}

/// What the editor declared, resolved once into plain answers.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent capability of the protocol")]
pub(crate) struct Client {
    pub(crate) related_information: bool,
    pub(crate) diagnostic_data: bool,
    pub(crate) code_action_literals: bool,
    pub(crate) markdown_hover: bool,
    /// Labels of hints may carry commands.
    pub(crate) hint_commands: bool,
    /// `workspace.applyEdit`: what stands in a document can be changed.
    pub(crate) applies_edits: bool,
    /// The editor registers the commands itself and asks for what is missing (`initializationOptions.commands: false`),
    /// so that a message need not come with its text.
    pub(crate) asks_for_text: bool,
    /// `:Deconflict` runs the verbs there (`initializationOptions.colonCommands`), so that advice names that.
    pub(crate) has_colon_commands: bool,
    /// It shows in its own way what there is to do and to know (`initializationOptions.notices`), so that a diagnostic
    /// need only say what is the case.
    pub(crate) is_brief: bool,
}

/// The settings that decide what is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preferences {
    /// `diagnostics.enable`.
    pub(crate) diagnostics: bool,
    /// `diagnostics.severity`: one severity for every notice instead of each one's own.
    pub(crate) severity: Option<DiagnosticSeverity>,
    /// `inlayHints.enable`.
    pub(crate) hints: bool,
    /// `inlayHints.own`.
    pub(crate) own_hints: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { diagnostics: true, severity: None, hints: true, own_hints: false }
    }
}

/// What the editor asks code actions for.
#[derive(Debug, Clone)]
pub(crate) struct ActionRequest {
    /// The selection, or the cursor's place.
    pub(crate) range: Range,
    /// What it was asked with: the diagnostics there, the kinds that are wanted, by whom it was triggered.
    pub(crate) context: CodeActionContext,
    /// The text of `range`, if it isn't empty: it travels with a message as the quotation.
    pub(crate) selected_text: Option<String>,
    /// The live sessions that something could be handed to; looked up only where [`super::present::code_actions::wants_sources`] says so.
    pub(crate) live_sessions: Vec<Session>,
}
