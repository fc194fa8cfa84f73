//! The words of every message that the server shows by itself or answers to a command, in one place, so that they can
//! be read together. Each says what is the case and what to do next.

use std::path::Path;

use chrono::TimeDelta;
use tower_lsp::ls_types::MessageType;

use super::words;
use crate::snapshot::{Audience, Client, OthersClaim};
use deconflict_changes::{Lost, beside_of};
use deconflict_journal::{Author, Cause, Entry, FileState};
use deconflict_protocol::{MessageKind, Resource, text, time};
use deconflict_registry::{ClaimState, Session, SessionState};
use deconflict_words::COMMIT_OWN;
use deconflict_workspace::DiscoveryError;

/// Another's text is cut after so many characters; the whole of it is in the list of messages.
const LONGEST_TEXT: usize = 400;

/// A subject is cut after so many characters.
const LONGEST_SUBJECT: usize = 120;

/// A session's name with its id is cut after so many characters.
const LONGEST_LISTED: usize = 130;

/// So many names are listed before the rest is counted.
const MOST_NAMES: usize = 3;

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// How grave it is.
    pub(crate) level: MessageType,
    /// What it says.
    pub(crate) text: String,
}

fn information(text: String) -> Notice {
    Notice { level: MessageType::INFO, text }
}

fn warning(text: String) -> Notice {
    Notice { level: MessageType::WARNING, text }
}

fn error(text: String) -> Notice {
    Notice { level: MessageType::ERROR, text }
}

// Claims.

/// The user edits what another holds.
pub(crate) fn held_by_another(resource: &Resource, others: &OthersClaim, audience: &Audience) -> Notice {
    let file = words::resource(resource);
    let holder = words::holder(others);
    let period = words::period(&others.claim, audience);
    if others.is_own_window {
        return information(format!(
            "{file} has unsaved changes in {holder}, {period}. Save or undo them there before you save here."
        ));
    }
    let sentence = || format!("{}.", who_holds(&file, others, audience));
    match others.claim.standing {
        ClaimState::Damaged | ClaimState::Pending => {
            warning(format!("The claim on {file} is damaged. Run \"deconflict doctor\" before you save."))
        }
        ClaimState::Idle => warning(format!("{} It looks forgotten, so you may take it over.", sentence())),
        _ if others.is_own_agent() => {
            information(format!("{} It learns of what you save at its next turn.", sentence()))
        }
        _ if others.claim.allows_coordination() => warning(format!(
            "{} Your save would overwrite theirs: talk to {holder} first, or ask for its release.",
            sentence()
        )),
        _ => warning(format!("{} Your save would overwrite theirs: wait until it is free.", sentence())),
    }
}

/// One action changed many files, and others hold some of them.
pub(crate) fn some_held_by_others(changed: usize, held: &[(Resource, OthersClaim)]) -> Notice {
    warning(format!(
        "Others hold {} of the {changed} files that you just changed: {}. Your saves would overwrite theirs: talk to them first.",
        held.len(),
        list(&with_holders(held))
    ))
}

/// Others began to edit what the user holds; `None` if nobody did.
pub(crate) fn contended<'a>(mut editors: impl Iterator<Item = (&'a Resource, &'a str)>) -> Option<Notice> {
    let (resource, who) = editors.next()?;
    let sentence = edits_too(resource, who);
    Some(information(match editors.count() {
        0 => format!("{sentence}. Talk to {} about who saves first.", name(who)),
        more => format!(
            "{sentence}, and {more} more of your files are being edited by others. Talk to them about who saves first."
        ),
    }))
}

/// Somebody edits what the user holds, in a sentence without its full stop.
pub(crate) fn edits_too(resource: &Resource, who: &str) -> String {
    words::sentence_of(&format!("{} is editing {}, which you hold", name(who), words::resource(resource)))
}

/// The computer slept, and others took over what had lapsed meanwhile.
pub(crate) fn lost_while_asleep(lost: &[(Resource, Option<OthersClaim>)]) -> Notice {
    let names: Vec<String> = lost
        .iter()
        .map(|(resource, successor)| match successor {
            Some(successor) => format!("{} (now {})", words::resource(resource), words::holder(successor)),
            None => words::resource(resource),
        })
        .collect();
    error(format!("While this computer slept, you lost {}. Look at what changed before you save.", list(&names)))
}

/// The time of day went back, and every lease with it.
pub(crate) fn clock_went_back(by: TimeDelta) -> Notice {
    // Two clocks were read for it, one after the other.
    let by = TimeDelta::seconds((by.num_milliseconds() + 500) / 1_000);
    warning(format!(
        "This computer's clock went back by {}. You keep what you hold, and others' claims may last that much longer. If the time is wrong now, set the clock.",
        time::duration_in_words(by)
    ))
}

/// What the user was waiting for, with unsaved changes, is theirs now.
pub(crate) fn free_and_claimed(resource: &Resource) -> Notice {
    information(format!("{} is free now, and you hold it.", words::resource(resource)))
}

/// What the user was waiting for came free, but their text is older than the one on disk.
pub(crate) fn free_but_changed(resource: &Resource) -> Notice {
    warning(format!(
        "{} is free now, but it changed on disk while you were editing. Compare the two before you save; nobody holds it.",
        words::resource(resource)
    ))
}

/// A file that the user begins to edit has others' uncommitted changes too.
pub(crate) fn others_beside(resource: &Resource, owners: &[Author]) -> Notice {
    let names: Vec<String> = owners.iter().map(|owner| text::one_line(&owner.label, LONGEST_LISTED)).collect();
    information(format!("{} {COMMIT_OWN}", beside_of(&words::resource(resource), &list(&names))))
}

/// Somebody took something of the user's: one sentence says what.
pub(crate) fn lost(sentence: &str, client: Client) -> Notice {
    warning(format!("{sentence} What was there is kept: {} brings it back.", verb("restore", client)))
}

/// The same where it happened under text that the user has not saved.
pub(crate) fn lost_under_unsaved(sentence: &str, client: Client) -> Notice {
    let ways = if client.has_colon_commands {
        let [merge, restore] = ["merge", "restore"].map(|name| verb(name, client));
        format!("{merge} merges it into your unsaved text, {restore} brings back what was there.")
    } else {
        // There is no such verb for a terminal, which does not know the text.
        "Code actions merge it into your unsaved text or bring back what was there.".to_owned()
    };
    warning(format!("{sentence} {ways}"))
}

/// The user changed what others hold or have uncommitted changes in, and they were told.
pub(crate) fn took_from_others(change: &Entry, lost: &[Lost]) -> Notice {
    let file = words::resource(&change.resource);
    let names = |held: bool| -> Vec<String> {
        let such = lost.iter().filter(|lost| lost.is_work() != held);
        such.map(|lost| format!("{}'s", text::one_line(&lost.owner.label, LONGEST_LISTED))).collect()
    };
    let (claims, changes) = (names(true), names(false));
    let mut facts = Vec::new();
    if !claims.is_empty() {
        let deed = match (&change.after, &change.cause) {
            (FileState::Absent, _) => "Deleted or moved away in spite of",
            (_, Cause::Save) => "Saved over",
            _ => "Wrote over",
        };
        facts.push(format!("{deed} {} claim of {file}.", list(&claims)));
    }
    if !changes.is_empty() {
        let deed = match (&change.after, &change.cause) {
            (FileState::Absent, _) => "Deleted or moved away",
            (_, Cause::Save) => "Saved",
            _ => "Wrote",
        };
        facts.push(format!("{deed} {file}, and {} uncommitted changes in it are gone.", list(&changes)));
    }
    warning(format!("{} They were told, and what was there is kept.", facts.join(" ")))
}

/// What [`lost`] and [`took_from_others`] would say of several files.
pub(crate) fn several_changed<'a>(files: impl IntoIterator<Item = &'a Resource>, client: Client) -> Notice {
    let names: Vec<String> = files.into_iter().map(words::resource).collect();
    warning(format!(
        "The same happened to {}. What was there is kept: {} lists what is unsettled.",
        list(&names),
        verb("status", client)
    ))
}

/// Why a merge is not possible.
pub(crate) const NO_DOCUMENT: &str = "Open the file first: its text in the editor is what gets merged.";
pub(crate) const NO_EDITS: &str = "This editor doesn't let other programs change its text, so nothing was merged.";
pub(crate) const NOTHING_UNSAVED: &str = "Everything here is saved, so there is nothing to merge.";
pub(crate) const NO_BASE: &str = "The text that both of you started from is not known, so nothing was merged.";

/// What somebody else wrote was merged into the user's unsaved text without being asked for.
pub(crate) fn merged(resource: &Resource) -> Notice {
    let file = words::resource(resource);
    information(format!(
        "{file} was changed on disk, in other places than your unsaved text, so both changes are in it now. Undo takes that back."
    ))
}

/// What the user asked to be told of came free.
pub(crate) fn free(resource: &Resource) -> Notice {
    let then = if resource.is_file() || resource.is_directory() { ": your next edit claims it" } else { "" };
    information(format!("{} is free now{then}.", words::resource(resource)))
}

/// A request for release was granted without asking, because the document was saved and left alone.
pub(crate) fn released_on_request(resource: &Resource, asked_by: &str) -> Notice {
    information(format!("Released {} to {}, who asked for it.", words::resource(resource), name(asked_by)))
}

/// The user asked an agent of theirs for something, and its turn is over.
pub(crate) fn yielded(resource: &Resource, name: &str) -> Notice {
    let file = words::resource(resource);
    information(words::sentence_of(&format!(
        "{name} has ended its turn and released {file}. Your next edit claims it."
    )))
}

/// A file was renamed or moved to a name that another holds.
pub(crate) fn moved_onto_held(from: &Resource, to: &Resource, others: &OthersClaim) -> Notice {
    let who = words::holder(others);
    warning(format!(
        "You moved {} to {}, which {who} holds. Talk to {who} before you go on.",
        words::resource(from),
        words::resource(to)
    ))
}

// Messages of others.

/// A message arrived.
pub(crate) fn arrived(
    sender: &str,
    kind: &MessageKind,
    resource: Option<&Resource>,
    subject: &str,
    body: &str,
    is_held_here: bool,
) -> Notice {
    let sender = name(sender);
    let Some(what) = resource.map(words::resource).filter(|_| says_itself(kind)) else {
        let said = said(subject, body);
        return match kind {
            _ if said.is_empty() => information(format!("{sender} sent you an empty message.")),
            MessageKind::ReleaseRequest => warning(format!("{sender} asks you for a release: {said}")),
            _ => information(format!("{sender} writes: {said}")),
        };
    };
    // The subject of these says what they are. So does the text of some, as every program writes it by itself.
    let said = text::one_line(body, LONGEST_TEXT);
    let repeats = matches!(kind, MessageKind::Released | MessageKind::TakenOver) && said.contains(&what);
    let is_new = !said.is_empty() && !repeats;
    let said = if is_new { format!(": {}", with_full_stop(&said)) } else { ".".to_owned() };
    match kind {
        MessageKind::ReleaseRequest => {
            warning(format!("{sender} asks you to release {what}{said} Release it when you are ready, or answer."))
        }
        MessageKind::TakenOver => {
            warning(format!("{sender} took over {what} from you{said} Look at what changed before you save it."))
        }
        MessageKind::Released => {
            let now = if is_held_here { "You hold it now." } else { "It is free now." };
            information(format!("{sender} released {what}{said} {now}"))
        }
        MessageKind::HandOff => information(format!("{sender} handed {what} off to you{said}")),
        _ => information(format!("{sender} is done with {what}{said}")),
    }
}

/// True for the kinds whose own words are better than their subject.
fn says_itself(kind: &MessageKind) -> bool {
    match kind {
        MessageKind::ReleaseRequest
        | MessageKind::TakenOver
        | MessageKind::Released
        | MessageKind::HandOff
        | MessageKind::WorkCompleted => true,
        MessageKind::Note | MessageKind::Other(_) => false,
    }
}

/// Several messages arrived at once.
pub(crate) fn several_arrived(count: usize, senders: &[String]) -> Notice {
    let mut names: Vec<String> = Vec::new();
    for sender in senders.iter().map(|sender| name(sender)) {
        if !names.contains(&sender) {
            names.push(sender);
        }
    }
    information(format!("{count} new messages, from {}. The command \"deconflict.messages\" lists them.", list(&names)))
}

/// The user asked for messages, and there are none.
pub(crate) fn nothing_unread() -> Notice {
    information("You have no new messages.".to_owned())
}

/// The user asked for messages, and there are more than can be shown at once.
pub(crate) fn more_unread(count: usize) -> Notice {
    information(format!("{count} more messages are new: read your messages again to see them."))
}

// The coordination directory and the settings.

/// A folder has no directory that could be used.
pub(crate) fn no_directory(error: &DiscoveryError) -> Notice {
    let cause = deconflict_words::sentence(&error.to_string());
    match error {
        DiscoveryError::Unsuitable { .. } => {
            warning(format!("{cause} If you trust it, name it in your setting \"deconflict.directory\"."))
        }
        DiscoveryError::DoesNotContain { .. } | DiscoveryError::NoParent { .. } | DiscoveryError::NotOne { .. } => {
            self::error(format!(
                "{cause} It is named in your setting \"deconflict.directory\", or in `DECONFLICT_DIR`."
            ))
        }
        DiscoveryError::NoWorkspace { .. } | DiscoveryError::TooManyFiles { .. } => failed(&cause),
    }
}

/// The directory is tracked by git and was never joined.
pub(crate) fn not_adopted(directory: &Path) -> Notice {
    warning(format!(
        "{} is tracked by git, so it may have come with the clone. Deconflict stays out of it until you run \"deconflict init --adopt\" there.",
        path(directory)
    ))
}

/// No lock keeps others out, because the directory's file system has none.
pub(crate) fn only_advice(directory: &Path) -> Notice {
    warning(format!(
        "Claims are only advice here: the file system of {} cannot lock files for everybody who uses it, so two sessions may both be told that they hold a file. Put the directory on another file system, and name it in your setting \"deconflict.directory\".",
        path(directory)
    ))
}

/// No guard looks at commits.
pub(crate) fn guard_missing(sentence: String) -> Notice {
    information(sentence)
}

/// The directory cannot be written to.
pub(crate) fn read_only(directory: &Path) -> Notice {
    warning(format!(
        "{} cannot be written to: you can see what others hold, but they can't see your edits. Ask its owner for write access.",
        path(directory)
    ))
}

/// The directory was deleted or replaced under the server.
pub(crate) fn directory_lost(claimed_again: &[Resource], taken_by_others: &[(Resource, OthersClaim)]) -> Notice {
    let again: Vec<String> = claimed_again.iter().map(words::resource).collect();
    let deleted = "The coordination directory was deleted, and every claim with it.";
    let said = match again.as_slice() {
        [] => deleted.to_owned(),
        again => format!("{deleted} Claimed again, because you have unsaved changes: {}.", list(again)),
    };
    if taken_by_others.is_empty() {
        return warning(said);
    }
    let taken = list(&with_holders(taken_by_others));
    error(format!("{said} Others were faster with: {taken}. Look at what changed there before you save."))
}

/// Changes by others cannot be watched, so they are looked for every few seconds.
pub(crate) fn cannot_watch(directory: &Path, cause: &str) -> Notice {
    warning(format!(
        "Changes in {} cannot be watched ({}), so it is checked every few seconds instead.",
        path(directory),
        text::one_line(cause, LONGEST_SUBJECT)
    ))
}

/// A setting has a value that cannot be used.
pub(crate) fn wrong_setting(setting: &str, problem: &str, used_instead: &str) -> Notice {
    warning(format!(
        "The setting \"deconflict.{setting}\" {}; {used_instead} is used instead.",
        text::one_line(problem, LONGEST_TEXT)
    ))
}

/// Further coordination directories lie below the one that is used.
pub(crate) fn nested_directories(used: &Path, nested: &[&Path]) -> Notice {
    let names: Vec<String> = nested.iter().map(|nested| path(nested)).collect();
    warning(format!(
        "{} is used, and those below it are not: {}. Delete them if nobody needs them.",
        path(used),
        list(&names)
    ))
}

/// A record cannot be read.
pub(crate) fn damaged(file: &Path) -> Notice {
    warning(format!("{} is damaged, and was left alone. \"deconflict doctor\" says how to fix it.", path(file)))
}

/// Something failed; `cause` is a whole sentence.
pub(crate) fn failed(cause: &str) -> Notice {
    error(format!(
        "{} \"deconflict doctor\" may say why.",
        deconflict_words::sentence(&text::one_line(cause, LONGEST_TEXT))
    ))
}

// Refusals of commands: what stands in `message`.

/// Another holds it.
pub(crate) fn refused_held(resource: &Resource, others: &OthersClaim, audience: &Audience) -> String {
    let held = who_holds(&words::resource(resource), others, audience);
    if !others.claim.allows_coordination() {
        return format!("{held}. Please wait until it is free.");
    }
    format!("{held}. Ask for its release, wait, or take it over by force.")
}

/// Who has been editing a file or holds it, and since or until when, without its full stop.
fn who_holds(file: &str, others: &OthersClaim, audience: &Audience) -> String {
    let (holder, period) = (words::holder(others), words::period(&others.claim, audience));
    words::sentence_of(&match others.claim.standing {
        ClaimState::Idle => format!("{holder} left {file} with unsaved changes, {period}"),
        _ if others.claim.is_automatic() => format!("{holder} has been editing {file} {period}"),
        _ => format!("{holder} holds {file} {period}"),
    })
}

/// It is free, and others wait for it.
pub(crate) fn refused_queued(resource: &Resource, ahead: &[String]) -> String {
    let names: Vec<String> = ahead.iter().take(3).map(|name| text::one_line(name, LONGEST_LISTED)).collect();
    format!(
        "{} is free, and {} waited for it first. Please wait, or take it over by force.",
        words::resource(resource),
        names.join(", ")
    )
}

/// The wait that was to end is over.
pub(crate) fn refused_not_waiting() -> String {
    "None of your sessions is waiting there any more.".to_owned()
}

/// It is held, but not by this session.
pub(crate) fn refused_not_holder(resource: &Resource, others: &OthersClaim, audience: &Audience) -> String {
    let (holder, file) = (words::holder(others), words::resource(resource));
    format!(
        "You don't hold {file}, {holder} does, {}. Only its holder can do that; you can ask for its release.",
        words::period(&others.claim, audience)
    )
}

/// Nobody holds it.
pub(crate) fn refused_not_held(resource: &Resource) -> String {
    format!("Nobody holds {}, so there is nothing to ask for.", words::resource(resource))
}

/// It cannot be given away together with what the giver keeps.
pub(crate) fn refused_keeps_overlapping(resource: &Resource, kept: &Resource) -> String {
    let (resource, kept) = (words::resource(resource), words::resource(kept));
    format!("You also hold {kept}, which overlaps {resource}; release {kept} first.")
}

/// Whoever asks for it holds it.
pub(crate) fn refused_held_by_asker(resource: &Resource) -> String {
    format!("You hold {} yourself.", words::resource(resource))
}

/// The document lies outside the workspace.
pub(crate) fn refused_outside(document: &str) -> String {
    format!(
        "{} lies outside the workspace, so it cannot be claimed. Open the folder that it is in.",
        text::one_line(document, LONGEST_SUBJECT)
    )
}

/// There is no coordination directory, and none is made by itself.
pub(crate) fn refused_inactive() -> String {
    "Deconflict is not active in this folder. Run \"deconflict init\" in it, or set \"deconflict.activation\" to \"always\"."
        .to_owned()
}

/// The claim is another one than when the menu was made.
pub(crate) fn refused_changed(resource: &Resource) -> String {
    format!(
        "{} changed hands while the menu was open, so nothing was done. Please look again.",
        words::resource(resource)
    )
}

/// A command without a document while not exactly one is open.
pub(crate) fn refused_which_document(open: &[Resource]) -> String {
    if open.is_empty() {
        return "No file is open. Open one first, or name it as \"uri\".".to_owned();
    }
    let names: Vec<String> = open.iter().map(words::resource).collect();
    format!("Which file? Name it as \"uri\". Open files: {}.", names.join(", "))
}

/// A message or a file for nobody in particular, or a file for oneself.
pub(crate) fn refused_which_session(may_be_all: bool, live: &[String]) -> String {
    let all = if may_be_all { ", or \"broadcast\" for all" } else { "" };
    if live.is_empty() {
        return format!("To whom? Name another session as \"to\"{all}. Nobody else is here at the moment.");
    }
    format!("To whom? Name another session as \"to\"{all}. Here now: {}.", listed(live))
}

/// To be muted, but which session?
pub(crate) fn refused_whom_to_mute(live: &[String]) -> String {
    if live.is_empty() {
        return "Nobody else is here to mute at the moment.".to_owned();
    }
    format!("Mute whom? Name it as \"session\". Here now: {}.", listed(live))
}

/// A message or a file for a session that is not there.
pub(crate) fn refused_unknown_session(id: &str, live: &[String]) -> String {
    let id = name(id);
    if live.is_empty() {
        return format!("There is no live session \"{id}\", and nobody else is here at the moment.");
    }
    format!("There is no live session \"{id}\". Here now: {}.", listed(live))
}

/// A claim can be given only to a session that gives signs of life.
pub(crate) fn refused_not_live(session: &Session, audience: &Audience) -> String {
    let (who, since) = (text::one_line(&session.label_and_id(), LONGEST_LISTED), session.last_sign);
    let state = match session.state {
        SessionState::Completed => "has ended",
        SessionState::Gone => "is gone",
        SessionState::Silent | SessionState::Live => "has been silent",
    };
    format!("{who} {state} (last seen {}), so nothing can be handed to it.", words::moment(since, audience))
}

// Building blocks.

/// A verb as it is typed where the user is.
fn verb(name: &str, client: Client) -> String {
    let program = if client.has_colon_commands { ":Deconflict" } else { "deconflict" };
    format!("\"{program} {name}\"")
}

/// Sessions to choose from, each with its name and its id.
fn listed(live: &[String]) -> String {
    live.iter().map(|live| text::one_line(live, LONGEST_LISTED)).collect::<Vec<_>>().join(", ")
}

fn said(subject: &str, body: &str) -> String {
    let subject = text::one_line(subject, LONGEST_SUBJECT);
    let body = text::one_line(body, LONGEST_TEXT);
    match (subject.is_empty(), body.is_empty()) {
        (true, _) => body,
        (_, true) => subject,
        _ if body.starts_with(&subject) => body,
        _ => format!("{subject}: {body}"),
    }
}

fn name(of: &str) -> String {
    let name = text::one_line(of, 60);
    if name.is_empty() { "Somebody".to_owned() } else { name }
}

fn path(path: &Path) -> String {
    text::one_line(&path.display().to_string(), 200)
}

fn with_full_stop(said: &str) -> String {
    let said = text::one_line(said, LONGEST_TEXT);
    if said.ends_with(['.', '!', '?', '…']) { said } else { format!("{said}.") }
}

fn with_holders(held: &[(Resource, OthersClaim)]) -> Vec<String> {
    let named = |(resource, others): &(_, _)| format!("{} ({})", words::resource(resource), words::holder(others));
    held.iter().map(named).collect()
}

/// "a, b, c and 4 more".
fn list(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= MOST_NAMES => format!("{} and {last}", first.join(", ")),
        _ => {
            let (shown, rest) = names.split_at(MOST_NAMES);
            format!("{} and {} more", shown.join(", "), rest.len())
        }
    }
}
