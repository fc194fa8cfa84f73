//! What the editor's menus offer about a document. Each offer is a command, which looks at the facts again when it
//! runs: a menu may stand open for a while.

use tower_lsp::ls_types::{CodeActionKind, CodeActionOrCommand, CodeActionTriggerKind, Command};

use super::offer::{Offer, QUICK_FIX};
use super::words;
use crate::diagnostic_code::Code;
use crate::snapshot::{ActionRequest, Audience, DocumentSnapshot, OthersClaim};
use deconflict_protocol::SessionId;
use deconflict_protocol::text::one_line;
use deconflict_registry::{Claim, ClaimState, Session};

/// The kinds of actions that the server offers, as advertised to the editor.
pub(crate) const KINDS: [&str; 7] = [QUICK_FIX, CLAIM, RELEASE, RELEASE_ALL, HAND_OFF, SHOW_BOARD, MESSAGES];

const OUR_SOURCES: &str = "source.deconflict";
const CLAIM: &str = "source.deconflict.claim";
const RELEASE: &str = "source.deconflict.release";
const RELEASE_ALL: &str = "source.deconflict.releaseAll";
const HAND_OFF: &str = "source.deconflict.handOff";
const SHOW_BOARD: &str = "source.deconflict.showBoard";
const MESSAGES: &str = "source.deconflict.messages";

const HIDE: &str = "Hide this notice";

/// So many sessions are offered to hand a file to in an editor that cannot ask for one.
const MOST_RECIPIENTS: usize = 8;

/// True if the request asks for `source.deconflict.*` by name. The broad `source` is what editors ask for on each save,
/// and a request without kinds is the light bulb: neither asks for ours.
pub(crate) fn wants_sources(request: &ActionRequest) -> bool {
    request.context.only.iter().flatten().any(|kind| is_or_is_below(kind.as_str(), OUR_SOURCES))
}

/// The actions for a request, those of the gravest diagnostic first. None is ever preferred.
pub(crate) fn code_actions(
    snapshot: &DocumentSnapshot,
    audience: &Audience,
    request: &ActionRequest,
) -> Vec<CodeActionOrCommand> {
    let menu = ActionMenu { snapshot, audience, request };
    let quick_fixes = if menu.wants_quick_fixes() { menu.quick_fixes() } else { Vec::new() };
    let sources = if wants_sources(request) { menu.sources() } else { Vec::new() };
    quick_fixes.into_iter().chain(sources).map(|offer| offer.shown(audience, &request.context.diagnostics)).collect()
}

/// What clicking on an inlay hint does: writing to the holder, if that can read it and wants to.
pub(super) fn message_from_hint(
    others: &OthersClaim,
    snapshot: &DocumentSnapshot,
    audience: &Audience,
) -> Option<Command> {
    let to = reachable(others)?;
    let file = words::file_name(&snapshot.resource);
    Some(Offer::message(&to, &words::holder(others), &how_long(&file), None, snapshot, audience).command())
}

struct ActionMenu<'a> {
    snapshot: &'a DocumentSnapshot,
    audience: &'a Audience,
    request: &'a ActionRequest,
}

impl ActionMenu<'_> {
    fn wants_quick_fixes(&self) -> bool {
        let by_itself = self.request.context.trigger_kind == Some(CodeActionTriggerKind::AUTOMATIC);
        let on_first_line = self.request.range.start.line == 0;
        let is_wanted = |kind: &CodeActionKind| kind.as_str().is_empty() || is_or_is_below(QUICK_FIX, kind.as_str());
        let kind_is_wanted = self.request.context.only.as_ref().is_none_or(|kinds| kinds.iter().any(is_wanted));
        kind_is_wanted && (on_first_line || !by_itself)
    }

    fn quick_fixes(&self) -> Vec<Offer> {
        let mut offers = Vec::new();
        self.about_loss(&mut offers);
        self.about_changes(&mut offers);
        self.about_contenders(&mut offers);
        for others in &self.snapshot.others {
            if words::is_claimed(&others.claim) {
                self.about_holder(others, Code::Claimed, &mut offers);
            } else if !others.claim.stands_against(None) {
                self.about_stale(others, &mut offers);
            }
        }
        self.about_elsewhere(&mut offers);
        offers
    }

    fn about_holder(&self, others: &OthersClaim, code: Code, offers: &mut Vec<Offer>) {
        let (holder, file) = (words::holder(others), self.file());
        let offer = |title: String, command| Offer::new(title, command, self.snapshot).about(code);
        if let Some(to) = reachable(others) {
            let body = match code {
                Code::ClaimLost => format!(
                    "You took {file} over while I had unsaved changes in it. Please talk to me before you save."
                ),
                _ => how_long(&file),
            };
            offers.push(self.message(&to, &holder, &body).about(code));
        }
        if others.claim.allows_coordination() && others.claim.holder().is_some() {
            let request = offer(format!("Ask {holder} to release {file}"), "requestRelease");
            offers.push(
                self.with_quotation(request, &format!("Please release {file} when you can."), "message")
                    .expecting(&others.claim),
            );
        }
        if others.claim.standing == ClaimState::Idle {
            let title = format!("Take over {file} from {holder} ({})", words::period(&others.claim, self.audience));
            offers.push(offer(title, "takeOver").expecting(&others.claim));
        }
        offers.push(offer(format!("Notify me when {file} is free"), "tellWhenFree").expecting(&others.claim));
        offers.push(offer(format!("Show what {holder} changed in {file}"), "showChanges"));
        if others.claim.standing == ClaimState::Active {
            let title = format!("Take over {file} by force, though {holder} holds it");
            offers.push(offer(title, "takeOver").with("force", true).expecting(&others.claim));
        }
        match code {
            Code::Claimed if !others.is_muted => {
                offers.push(self.acknowledge("Don't warn again about this claim", code).expecting(&others.claim));
            }
            Code::ClaimLost => offers.push(self.acknowledge(HIDE, code)),
            _ => {}
        }
    }

    fn about_stale(&self, others: &OthersClaim, offers: &mut Vec<Offer>) {
        let (holder, file) = (words::holder(others), self.file());
        let offer = |title: String, command| Offer::new(title, command, self.snapshot).about(Code::ClaimStale);
        let take_over = offer(format!("Take over {file}: {holder}'s claim no longer counts"), "takeOver");
        offers.push(take_over.expecting(&others.claim));
        offers.push(offer(format!("Show what {holder} changed in {file}"), "showChanges"));
        if let Some(to) = reachable(others) {
            offers.push(self.message(&to, &holder, &format!("Do you still need {file}?")).about(Code::ClaimStale));
        }
    }

    fn about_loss(&self, offers: &mut Vec<Offer>) {
        let Some(lost) = self.snapshot.lost.as_ref().filter(|lost| !lost.is_acknowledged) else { return };
        if let Some(successor) = &lost.successor {
            self.about_holder(successor, Code::ClaimLost, offers);
        } else {
            let title = format!("Claim {} again", self.file());
            offers.push(Offer::new(title, "claim", self.snapshot).about(Code::ClaimLost));
            offers.push(self.acknowledge(HIDE, Code::ClaimLost));
        }
    }

    /// What can be done about others' changes that took something away.
    fn about_changes(&self, offers: &mut Vec<Offer>) {
        let file = self.file();
        for loss in &self.snapshot.losses {
            let code = loss.code();
            let author = loss.entry.author.as_ref().map(|author| author.label.as_str());
            let who = one_line(author.unwrap_or("somebody unknown"), 60);
            let entry = loss.entry.id.as_str();
            let offer =
                |title: String, command| Offer::new(title, command, self.snapshot).with("entry", entry).about(code);
            offers.push(offer(format!("Restore what was in {file} before {who} changed it"), "restore"));
            if self.snapshot.is_edited && self.audience.client.applies_edits && code == Code::Overwritten {
                offers.push(offer(format!("Merge what {who} wrote into this text"), "merge"));
            }
            offers.push(offer(format!("Show what {who} changed in {file}"), "showChanges"));
            offers.push(self.acknowledge(&format!("Keep what {who} made of {file}"), code));
        }
    }

    fn about_contenders(&self, offers: &mut Vec<Offer>) {
        for contender in self.snapshot.new_contenders() {
            let (who, file) = (contender.session.label(), self.file());
            if !contender.is_own_window {
                let body = format!("I hold {file} and am changing it. Please talk to me before you save yours.");
                offers.push(self.message(&contender.session.id, &who, &body).about(Code::Contended));
            }
            if let Some(claim) = &self.snapshot.own_claim {
                let offer = Offer::new(format!("Hand {file} off to {who}"), "handOff", self.snapshot);
                offers.push(offer.with("to", contender.session.id.as_str()).expecting(claim).about(Code::Contended));
            }
        }
        if self.snapshot.new_contenders().next().is_some() {
            offers.push(self.acknowledge(HIDE, Code::Contended));
        }
    }

    fn about_elsewhere(&self, offers: &mut Vec<Offer>) {
        for others in self.snapshot.held_elsewhere() {
            if let Some(to) = reachable(others) {
                let body = format!("We are both changing {}, in two worktrees. Let's merge early.", self.file());
                offers.push(self.message(&to, &words::holder(others), &body).about(Code::ClaimedElsewhere));
            }
        }
    }

    fn sources(&self) -> Vec<Offer> {
        let snapshot = self.snapshot;
        let file = self.file();
        // What another left idle may be claimed.
        let is_held_by_another = snapshot.others.iter().any(|others| others.claim.stands_against(None));
        let mut offers = Vec::new();
        match &snapshot.own_claim {
            None if is_held_by_another => {}
            None => offers.push(Offer::source(CLAIM, format!("Claim {file}"), "claim", snapshot)),
            Some(own) => {
                if own.is_automatic() {
                    offers.push(Offer::source(CLAIM, format!("Claim {file} for 4 hours"), "claim", snapshot));
                }
                let release = Offer::source(RELEASE, format!("Release {file}"), "release", snapshot);
                offers.push(release.expecting(own));
                offers.extend(self.hand_offs(own));
            }
        }
        let always = [
            (RELEASE_ALL, "Release everything I hold", "releaseAll"),
            (SHOW_BOARD, "Show the status board", "showBoard"),
            (MESSAGES, "Read my messages", "messages"),
        ];
        offers.extend(
            always.map(|(kind, title, name)| Offer::source(kind, title.to_owned(), name, snapshot).without_uri()),
        );
        let wanted = self.request.context.only.iter().flatten().map(CodeActionKind::as_str);
        let wanted: Vec<&str> = wanted.filter(|kind| is_or_is_below(kind, OUR_SOURCES)).collect();
        offers.retain(|offer| wanted.iter().any(|kind| is_or_is_below(offer.kind, kind)));
        offers
    }

    /// One offer where the editor asks for the recipient, else one for each.
    fn hand_offs(&self, own: &Claim) -> Vec<Offer> {
        let file = self.file();
        let offer =
            |to: &str| Offer::source(HAND_OFF, format!("Hand {file} off{to}"), "handOff", self.snapshot).expecting(own);
        let to_one = |session: &Session| offer(&format!(" to {}", session.label())).with("to", session.id.as_str());
        match &self.request.live_sessions[..] {
            [] => Vec::new(),
            _ if self.audience.client.asks_for_text => vec![offer("")],
            recipients => recipients.iter().take(MOST_RECIPIENTS).map(to_one).collect(),
        }
    }

    fn file(&self) -> String {
        words::file_name(&self.snapshot.resource)
    }

    fn message(&self, to: &SessionId, who: &str, ready_text: &str) -> Offer {
        let quotation = self.request.selected_text.as_deref();
        Offer::message(to, who, ready_text, quotation, self.snapshot, self.audience)
    }

    fn with_quotation(&self, offer: Offer, ready_text: &str, field: &str) -> Offer {
        offer.with_text(ready_text, field, self.request.selected_text.as_deref(), self.audience)
    }

    fn acknowledge(&self, title: &str, code: Code) -> Offer {
        Offer::new(title.to_owned(), "acknowledge", self.snapshot).with("code", code.as_str()).about(code)
    }
}

fn how_long(file: &str) -> String {
    format!("How long will you need {file}?")
}

/// The holder, if it is there to read a message, wants messages about this claim, and is not the user's own window.
fn reachable(others: &OthersClaim) -> Option<SessionId> {
    let holder = others.holder.as_ref()?;
    (others.claim.allows_coordination() && holder.is_live() && !others.is_own_window).then(|| holder.id.clone())
}

/// True if a kind is another or one of its sub-kinds: `source.deconflict.claim` is below `source.deconflict`.
fn is_or_is_below(kind: &str, above: &str) -> bool {
    kind.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
