//! The names of the commands that an editor can have executed, each with one object as its argument.
//!
//! What a menu starts carries `interactive: true`, so that a refusal is shown, and `expected`, the claim as it was when
//! the menu was made (`{session, resource, id, generation}`): if another claim is there by now, nothing is done. Wherever
//! a command takes the `uri` of a document, that of a folder will do, and so will a claim's `resource`, such as
//! `task/deploy`.

/// `{uri}`: claims the document by hand.
pub const CLAIM: &str = "deconflict.claim";
/// `{uri}`: releases the document.
pub const RELEASE: &str = "deconflict.release";
/// `{}`: releases everything that the session holds.
pub const RELEASE_ALL: &str = "deconflict.releaseAll";
/// `{uri, force?}`: takes a claim over.
pub const TAKE_OVER: &str = "deconflict.takeOver";
/// `{uri, message?}`: asks the holder to release.
pub const REQUEST_RELEASE: &str = "deconflict.requestRelease";
/// `{to, subject, message, uri?, inReplyTo?}`: writes to a session. For an editor that asks for the text itself, a menu adds the
/// selected text as `quotation`, which the editor appends to the message.
pub const SEND_MESSAGE: &str = "deconflict.sendMessage";
/// `{unreadOnly?}`: lists messages.
pub const MESSAGES: &str = "deconflict.messages";
/// `{ids}`: marks messages as read.
pub const MARK_READ: &str = "deconflict.markRead";
/// `{uri, to, notes?}`: gives a claim to another session.
pub const HAND_OFF: &str = "deconflict.handOff";
/// `{target, phase?, progress?, nextAction?, estimatedCompletion?}`: says what the session works on.
pub const SET_WORK: &str = "deconflict.setWork";
/// `{action?}`: gives a sign of life.
pub const HEARTBEAT: &str = "deconflict.heartbeat";
/// `{}`: returns sessions, claims, messages and findings.
pub const STATUS: &str = "deconflict.status";
/// `{session, minutes?}`: keeps quiet about a session for an hour, or as long as told; 0 ends it. Returns `until`.
pub const MUTE: &str = "deconflict.mute";
/// `{}`: opens the status board.
pub const SHOW_BOARD: &str = "deconflict.showBoard";

/// `{uri}`: tells the user once the document comes free, open or not. Only in menus.
pub const TELL_WHEN_FREE: &str = "deconflict.tellWhenFree";
/// `{uri}`: shows the saved text against the last commit. Only in menus.
pub const SHOW_CHANGES: &str = "deconflict.showChanges";
/// `{uri, code}`: takes note of a diagnostic, so that it warns no more. `code` is the diagnostic's. Only in menus.
pub const ACKNOWLEDGE: &str = "deconflict.acknowledge";

/// Every command, as advertised to the editor.
pub const ALL: [&str; 17] = [
    CLAIM,
    RELEASE,
    RELEASE_ALL,
    TAKE_OVER,
    REQUEST_RELEASE,
    SEND_MESSAGE,
    MESSAGES,
    MARK_READ,
    HAND_OFF,
    SET_WORK,
    HEARTBEAT,
    STATUS,
    MUTE,
    SHOW_BOARD,
    TELL_WHEN_FREE,
    SHOW_CHANGES,
    ACKNOWLEDGE,
];
