//! What the loop can ask of a worker, and what it is told back.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use ropey::Rope;
use serde_json::{Map, Value};
use tower_lsp::ls_types::{Uri, WorkspaceEdit};

use super::command::EditorCommand;
use super::diagnostic_code::Code;
use super::reply::Reply;
use super::text::OnDisk;
use deconflict_changes::Lost;
use deconflict_journal::{Author, Entry, FileState, Settlement};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    Activity, Claim, Draft, Holding, Message, MessageId, MoveOutcome, Muted, Recipient, ReleaseOutcome, RenewOutcome,
    Session, View,
};

/// Something to be done at one directory.
#[derive(Debug)]
pub(crate) enum Job {
    /// Registers the session if the directory exists, or makes its record again if that is gone.
    Join,
    /// Never claims by itself what matches these globs.
    Exclude(Vec<String>),
    /// Tells what the editor wants that others than it need to know too.
    Share(Map<String, Value>),
    /// The editor moved or deleted what is at these paths.
    Moved(Vec<PathBuf>),
    /// What the editor is about to save, and when it said so.
    Saving(PathBuf, DateTime<Utc>),
    /// Tells whoever keeps the journal that all that the editor had said when this was asked for is known there.
    JournalHeard,
    /// Keeps what stands at these paths, and answers the editor that will move or delete it.
    Keep(Vec<PathBuf>, Option<Reply<Option<WorkspaceEdit>>>),
    /// Reads what this session lost in a file.
    ReadLosses(Resource),
    /// Ends losses.
    Settle(Vec<SettledLoss>, Settlement),
    /// Compares a document with its file, and perhaps claims it.
    CheckDisk(Box<DiskCheck>),
    /// Tells which of these documents' files were written since the last such check.
    CheckFiles(Vec<(Uri, PathBuf)>),
    /// Gives up this very holding, if it is still there.
    Release(Holding),
    /// Gives this very holding up to the person's own agent, which waits for it right now.
    GiveWay(Holding),
    /// Prolongs a holding by a lease from now.
    Renew(Holding, TimeDelta),
    /// Says since when a document was left unsaved and untouched, or that it is touched again.
    MarkIdle(Holding, Option<DateTime<Utc>>),
    /// Reads who holds a resource now.
    Verify(Resource),
    /// Tells which of these, of what the machine has once, nobody holds.
    LookAtMachine(Vec<Resource>),
    /// Lets a claim follow its file.
    Move(Box<Move>),
    /// Tells the others what is edited here without being held.
    SetEditing(Vec<Resource>),
    SetName(String),
    /// Refreshes the promise to be alive.
    KeepAlive,
    Heartbeat(Activity),
    Send(Recipient, Box<Draft>),
    MarkRead(Vec<MessageId>),
    /// Does what the user asked for, under the number of the question.
    Command(u64, Box<EditorCommand>),
    /// Watches the processes of these sessions most closely.
    Interest(Vec<SessionId>),
    /// Brings the status board up to date within a second.
    RefreshBoard,
    /// Releases everything and completes the session. It is the last job.
    Complete,
}

/// What a session says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// What the editor calls itself.
    pub(crate) client: Option<String>,
    /// What the user wants the session to be called.
    pub(crate) name: Option<String>,
    /// The editor's process.
    pub(crate) client_pid: Option<u32>,
    /// Sessions that this window had before it was loaded again, one for each of its directories.
    pub(crate) earlier: Vec<SessionId>,
}

/// A comparison of a document with its file.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact")]
pub(crate) struct DiskCheck {
    pub(crate) uri: Uri,
    /// Counts the checks of the document, so that an answer is known by its question.
    pub(crate) number: u64,
    /// When it was asked for.
    pub(crate) asked_at: DateTime<Utc>,
    /// Its path as the editor names it.
    pub(crate) path: PathBuf,
    /// Its text; `None` where it cannot be compared.
    pub(crate) text: Option<Rope>,
    /// The loop takes it for edited; counts where the file cannot be compared.
    pub(crate) is_edited: bool,
    /// That it is edited was found out before, and does not have to be.
    pub(crate) is_known_edited: bool,
    /// The editor has just saved it, perhaps with another last line end.
    pub(crate) is_saved: bool,
    /// It was saved since the last check.
    pub(crate) is_new_save: bool,
    /// The texts that it had while it was saved.
    pub(crate) saving: Vec<Rope>,
    /// What that save replaced, and those before it that were not found.
    pub(crate) saved_over: Vec<SavedOver>,
    /// What to do if it is unsaved.
    pub(crate) claim: Option<EditClaim>,
}

/// A text that stood in a file until the editor saved another one.
#[derive(Debug, Clone)]
pub(crate) struct SavedOver {
    pub(crate) text: Rope,
    /// It was seen there, or saved there. Else it is only what was opened.
    pub(crate) is_certain: bool,
}

/// The terms on which an edit claims a document.
#[derive(Debug, Clone)]
pub(crate) struct EditClaim {
    pub(crate) lease: TimeDelta,
    /// Also if the text equals the file, because it was saved meanwhile.
    pub(crate) even_if_saved: bool,
    /// Only if the file still has this text.
    pub(crate) only_if_file_is: Option<Rope>,
}

/// A loss that comes to its end: the change, and whose loss it was.
pub(crate) type SettledLoss = (Entry, SessionId);

/// Something that this session lost by a change, and that is not settled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OwnLoss {
    /// The change.
    pub(crate) entry: Entry,
    /// Who lost: this session, or an earlier one of the same person.
    pub(crate) owner: SessionId,
    /// Where the file is, or was.
    pub(crate) path: Option<PathBuf>,
    /// What happened, as agents read it too.
    pub(crate) sentence: String,
    /// The same for people alone.
    pub(crate) notice: String,
    /// The user was told of it.
    pub(crate) is_told: bool,
    /// It is the user's own doing and took nothing away, unless something is unsaved here.
    pub(crate) takes_nothing: bool,
}

impl OwnLoss {
    /// The session that made the change, if that is known.
    pub(crate) fn author(&self) -> Option<&SessionId> {
        self.entry.author.as_ref().map(|author| &author.session)
    }

    /// What it is called in a diagnostic.
    pub(crate) fn code(&self) -> Code {
        if self.entry.after == FileState::Absent { Code::Deleted } else { Code::Overwritten }
    }
}

/// A file that moved.
#[derive(Debug)]
pub(crate) struct Move {
    /// What is held at the old place.
    pub(crate) holding: Holding,
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// Nobody said that it moved: it did only if nothing is left at the old place.
    pub(crate) only_if_gone: bool,
}

/// Where a path is, seen from the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claimability {
    /// It can be claimed under this name.
    Inside {
        resource: Resource,
        /// An edit may claim it: it is neither ignored nor excluded nor internal.
        by_itself: bool,
        /// It is edited by people at all: neither ignored nor internal.
        is_work: bool,
    },
    /// It cannot be claimed, for this reason.
    Outside(String),
}

impl Claimability {
    /// What a claim of it would be a claim of.
    pub(crate) fn resource(&self) -> Option<&Resource> {
        match self {
            Self::Inside { resource, .. } => Some(resource),
            Self::Outside(_) => None,
        }
    }
}

/// A claim that stands against another, and its holder's session, if that has a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InTheWay {
    pub(crate) claim: Claim,
    pub(crate) holder: Option<Session>,
}

/// Why something could not be done. The loop puts it into words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// Another session holds it.
    Claimed(Resource, Box<InTheWay>),
    /// Nobody holds it, and these wait for it.
    Queued(Resource, Vec<String>),
    /// Nobody of the user's waits with that ticket.
    NotWaiting,
    /// It is held, and not by this session.
    NotHolder(Resource, Box<InTheWay>),
    /// It cannot be given away while the session keeps this claim of its own, which overlaps it.
    KeepsOverlapping(Resource, Box<InTheWay>),
    NotHeld(Resource),
    /// The session holds it itself, so that there is nobody to ask.
    HeldByAsker(Resource),
    /// It changed hands since the menu was made.
    Changed(Resource),
    /// The holder doesn't want messages about it.
    NoCoordination(Resource, Box<InTheWay>),
    /// The document cannot be claimed, for this reason.
    Outside(String),
    /// No live session has this id; these are the live ones.
    UnknownSession(String, Vec<String>),
    /// This session has been silent, so that nothing can be given to it.
    NotLive(Box<Session>),
    /// To whom? These are the live sessions.
    WhichSession(Purpose, Vec<String>),
    /// There is no directory, and none is made by itself.
    NotThere,
    /// The session takes no part, for this reason.
    Inactive(String),
    /// Something failed; the first text is a word for programs.
    Failed(&'static str, String),
}

/// What another session is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To write to it.
    Message,
    /// To give it a claim.
    HandOff,
    /// To hear nothing of it for a while.
    Mute,
}

/// What a command changed, for the loop to know.
#[derive(Debug, Clone)]
pub(crate) enum Consequence {
    /// The session holds this now.
    Holds(Claim),
    /// The session gave this up.
    Freed(Claim),
    /// The session gave this to another.
    HandedOff(Resource),
    /// An agent of the user's whose turn is over, called so, gave this up when it was asked for it.
    Yielded(Resource, String),
    /// These messages are read.
    Read(Vec<MessageId>),
    /// These sessions are muted now, until then.
    Muted(Muted),
    /// The user asked for the messages, and these are unread.
    Unread(Vec<Message>),
    /// This file is to be shown.
    Show(PathBuf),
    /// An open document is to have this text.
    Edit(Uri, String),
    /// An open document is to have both sides' changes.
    Merged {
        /// The document.
        uri: Uri,
        /// Its new text.
        text: String,
        /// What stands on disk.
        theirs: Rope,
        /// Nobody asked for it.
        is_by_itself: bool,
    },
    /// The user wants to know when this is free.
    Awaits(Resource),
    /// The same of what the machine has once.
    AwaitsOfMachine(Resource),
}

/// What came of the claim that an edit asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClaimResult {
    /// The session holds it now.
    Granted(Claim),
    /// It or something that overlaps it is another's.
    Refused(Claim),
    /// The file is not as it was when the edit began.
    ChangedOnDisk,
    /// There is no reason to claim it: it is as on disk, or never claimed by itself.
    NotNeeded,
    /// The session takes no part, or something failed.
    Failed(Refusal),
}

/// What was done.
#[derive(Debug)]
pub(crate) enum JobResult {
    /// The session is registered, with what it holds from before.
    Joined {
        session: Session,
        claims: Vec<Claim>,
        /// What the directory has; the loop fills it.
        view: View,
        directory: PathBuf,
    },
    /// The directory can be read, but not written.
    Observing {
        /// What the directory has; the loop fills it.
        view: View,
        directory: PathBuf,
    },
    /// Claims keep nobody out, because the directory's file system cannot lock files. Told once.
    OnlyAdvice(PathBuf),
    /// No guard looks at commits although an agent is here, as a sentence with the ways to go on.
    GuardMissing(String),
    /// The directory is tracked by git and not to be joined.
    NotAdopted(PathBuf),
    /// Answers [`Job::CheckFiles`]: the documents whose files were written.
    Written(Vec<Uri>),
    /// Answers [`Job::CheckDisk`].
    DiskChecked {
        uri: Uri,
        /// The question that this answers.
        number: u64,
        place: Claimability,
        on_disk: OnDisk,
        /// What came of the claim, if one was asked for.
        claim: Option<ClaimResult>,
    },
    /// What this session lost in a file and is not settled; perhaps nothing any more.
    Losses(Resource, Vec<OwnLoss>),
    /// Whoever keeps the journal asks for [`Job::JournalHeard`].
    JournalAsks,
    /// A file that the user begins to edit has these others' uncommitted changes.
    Beside(Resource, Vec<Author>),
    /// The user changed a file, and others lost something by it and were told.
    TookFromOthers { change: Box<Entry>, path: PathBuf, lost: Vec<Lost> },
    /// Answers [`Job::Release`] and [`Job::GiveWay`].
    Released(Holding, ReleaseOutcome),
    /// Answers [`Job::Renew`] and [`Job::MarkIdle`].
    Renewed(Holding, RenewOutcome),
    /// Answers [`Job::Verify`].
    Verified(Resource, Option<Claim>),
    /// Nobody holds these, of what the machine has once.
    FreeOfMachine(Vec<Resource>),
    /// Answers [`Job::Move`]; `None` if nothing moved.
    Moved(Holding, Option<(PathBuf, MoveOutcome)>),
    /// Answers [`Job::MarkRead`] and any command that does the same.
    Read(Vec<MessageId>),
    /// Answers [`Job::Command`].
    Commanded { question: u64, answer: Result<Value, Refusal>, consequences: Vec<Consequence> },
    /// The others could not be told what is edited here: [`Job::SetEditing`] came to nothing.
    EditingUntold,
    /// A job that answers nothing failed.
    Failed(String),
    /// Answers [`Job::Complete`].
    Completed,
}
