import { commands, l10n, Uri, window, workspace } from "vscode";
import { popupsOfContenders } from "./contenders";
import { type Disposable, disposeAll } from "./disposable";
import { type HeldFiles, warns } from "./heldFiles";
import type { Knowledge } from "./knowledge";
import type { Log } from "./log";
import type { LossNotices } from "./lossNotices";
import { type Popup, type Popups, Urgency } from "./popups";
import { type Claim, type Contended, isHere, type Message, type Notice, type Taken } from "./protocol";
import type { Server } from "./server";
import { popupsOfTaken } from "./takenNotices";
import { isUnsaved } from "./unsaved";
import { MessageNode } from "./views/nodes";
import { enumeration, holderName, resourceName, warning } from "./words";

/** As in the language server protocol. */
const ERROR = 1;
const WARNING = 2;

/** The user edits what another holds. */
interface HeldNotice {
  readonly notice: Notice;
  readonly uri: Uri;
  readonly claim: Claim;
  /** It was the user's until then. */
  readonly isTaken?: boolean;
}

/** Somebody wrote. */
interface MessageNotice {
  readonly notice: Notice;
}

/** Shows what the server wants told, with buttons for what can be done about it. */
export class Notices implements Disposable {
  private readonly addNotice: (one: HeldNotice | MessageNotice) => void;
  private readonly addContenders: (one: Contended) => void;
  private readonly addTaken: (one: Taken) => void;
  private readonly addFact: (one: Notice) => void;
  private readonly subscriptions: Disposable[];

  constructor(
    server: Server,
    private readonly knowledge: Knowledge,
    private readonly heldFiles: HeldFiles,
    popups: Popups,
    private readonly losses: LossNotices,
    private readonly log: Log,
  ) {
    this.addNotice = popups.source((all) => this.popupsOf(all));
    // Who saved over it meanwhile is told of by that.
    this.addContenders = popups.source<Contended>((all) => popupsOfContenders(all.filter(({ uri }) => !losses.isNew(uri))));
    this.addTaken = popups.source(popupsOfTaken);
    this.addFact = popups.source(popupsOfFacts);
    this.subscriptions = [
      server.onNotice((notice) => {
        this.take(notice);
      }),
    ];
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private take(notice: Notice): void {
    const { about } = notice;
    this.log.decided(`notice (${about?.kind ?? "plain"})`, undefined, notice.text);
    if (about?.kind === "held") {
      // Auto save is paused in quiet mode too.
      this.addNotice({ notice, uri: Uri.parse(about.uri), claim: about.claim });
      return;
    }
    if (isQuiet() && !(about === undefined && notice.level === ERROR)) {
      return;
    }
    switch (about?.kind) {
      case "contended":
        about.all.forEach(this.addContenders);
        return;
      case "lost":
        this.losses.add(about);
        return;
      case "took":
        this.addTaken(about);
        return;
      case "message":
      case "messages":
        this.addNotice({ notice });
        return;
      case undefined:
        this.addFact(notice);
    }
  }

  private popupsOf(all: readonly (HeldNotice | MessageNotice)[]): readonly Popup[] {
    // What was saved meanwhile is told of as saved, and of what was undone there is nothing to tell.
    const held = all.filter((one) => "claim" in one).filter(({ uri }) => isUnsaved(uri));
    const messages = all.filter((one) => !("claim" in one)).map(({ notice }) => notice);
    // Whoever lost an unsaved file to another is told that they edit what another holds, too: that is one cause.
    const told = held.map((one) => ({ ...one, isTaken: messages.some((message) => isTakeOver(message, one.claim)) }));
    const left = messages.filter((message) => !held.some((one) => isTakeOver(message, one.claim) && !this.isSilent(one)));
    return [...this.popupsOfHolders(told), ...popupsOfMessages(left)];
  }

  /** True if nothing is said of it. */
  private isSilent({ uri, claim }: HeldNotice): boolean {
    return !warns() || this.heldFiles.isAccepted(uri, claim) || this.knowledge.isOfSamePerson(claim.claimed_by);
  }

  /** The one warning when the user begins to edit what others hold. */
  private popupsOfHolders(all: readonly HeldNotice[]): readonly Popup[] {
    const news = warns() ? all.filter(({ uri, claim }) => !this.heldFiles.isAccepted(uri, claim)) : [];
    const mine = news.filter(({ claim }) => this.knowledge.isOfSamePerson(claim.claimed_by));
    const theirs = news.filter((one) => !mine.includes(one));
    for (const { notice } of mine) {
      // An agent of the user's or another window of theirs is at the same file: a word in passing.
      window.setStatusBarMessage(`$(info) ${notice.text}`, 10_000);
    }
    const [first, ...more] = theirs;
    return first === undefined ? [] : [more.length === 0 ? this.popupOfOne(first) : this.popupOfMany(theirs)];
  }

  private popupOfOne({ uri, claim, isTaken }: HeldNotice): Popup {
    const pause = this.heldFiles.warned(uri, claim) ? l10n.t("Auto save waits for your answer.") : "";
    const cause = isTaken !== true ? warning(claim, Date.now()) : l10n.t("{0} took over {1} from you.", holderName(claim), resourceName(claim));
    const text = [cause, l10n.t("Your save would overwrite theirs. Talk first?"), pause].filter((part) => part !== "").join(" ");
    return { text, urgency: Urgency.Warning, show: (told) => this.askAboutOne(told, uri, claim) };
  }

  private async askAboutOne(told: string, uri: Uri, claim: Claim): Promise<void> {
    const ask = this.canBeAsked(claim) ? l10n.t("Ask to Release") : l10n.t("Notify Me");
    const show = l10n.t("Show Diff");
    const edit = l10n.t("Edit Anyway");
    const argument = { uri: uri.toString(), ...(claim.expected === undefined ? {} : { expected: claim.expected }) };
    let chosen = await window.showWarningMessage(told, ask, show, edit);
    if (chosen === show) {
      // Looking is not deciding.
      await commands.executeCommand("deconflict.showChanges", { uri: uri.toString() });
      chosen = await window.showWarningMessage(told, ask, edit);
    }
    this.log.decided("answer to the warning", uri, chosen ?? "none");
    if (chosen === edit) {
      this.heldFiles.accept(uri, claim);
    } else if (chosen === ask) {
      await commands.executeCommand(this.canBeAsked(claim) ? "deconflict.requestRelease" : "deconflict.tellWhenFree", argument);
    }
    // Closed without an answer: auto save stays paused, as the first line says, until the file is saved.
  }

  private popupOfMany(all: readonly HeldNotice[]): Popup {
    const isPaused = all.map(({ uri, claim }) => this.heldFiles.warned(uri, claim)).some((paused) => paused);
    const held = all.map(({ claim }) => `${resourceName(claim)} (${holderName(claim)})`);
    const text = [
      l10n.t("Others hold {0} of the files you just changed: {1}.", all.length, enumeration(held)),
      l10n.t("Your save would overwrite theirs."),
      isPaused ? l10n.t("Auto save waits for your answer.") : "",
    ];
    return { text: text.filter((part) => part !== "").join(" "), urgency: Urgency.Warning, show: (told) => this.askAboutMany(told, all) };
  }

  private async askAboutMany(told: string, all: readonly HeldNotice[]): Promise<void> {
    const show = l10n.t("Show Who");
    const edit = l10n.t("Edit Anyway");
    const chosen = await window.showWarningMessage(told, show, edit);
    if (chosen === edit) {
      for (const { uri, claim } of all) {
        this.heldFiles.accept(uri, claim);
      }
    } else if (chosen === show) {
      await commands.executeCommand("deconflict.claims.focus");
    }
  }

  private canBeAsked(claim: Claim): boolean {
    const holder = this.knowledge.sessionOf(claim.claimed_by);
    return claim.allow_coordination !== false && holder !== undefined && isHere(holder);
  }
}

/** True if a message tells that this very claim was taken from the user. */
function isTakeOver({ about }: Notice, claim: Claim): boolean {
  const message = about?.kind === "message" ? about.message : undefined;
  return message?.type === "taken_over" && message.resource === `${claim.resource_type}/${claim.resource_name}`;
}

/** Others' messages. They stay unread until the user opens or answers them. */
function popupsOfMessages(notices: readonly Notice[]): readonly Popup[] {
  const [only, ...more] = notices;
  if (only === undefined) {
    return [];
  }
  if (only.about?.kind === "message" && more.length === 0) {
    const { message } = only.about;
    return [{ text: only.text, urgency: Urgency.Message, show: (told) => showMessage(told, only.level, message) }];
  }
  const senders = notices.map(({ about }) => (about?.kind === "message" ? about.message.sender_label : undefined));
  const names = [...new Set(senders.filter((name) => name !== undefined))];
  const text = names.length === 0 ? l10n.t("You have new messages.") : l10n.t("New messages from {0}.", enumeration(names));
  const show = async (told: string) => {
    const read = l10n.t("Read");
    if ((await window.showInformationMessage(told, read)) === read) {
      await commands.executeCommand("deconflict.messages");
    }
  };
  return [{ text, urgency: Urgency.Message, show }];
}

async function showMessage(text: string, level: number, message: Message): Promise<void> {
  const reply = l10n.t("Reply…");
  const open = l10n.t("Open");
  const release = l10n.t("Release");
  const canRelease = message.type === "release_request" && message.resource !== undefined;
  const chosen = await shownByLevel(level)(text, ...(canRelease ? [release] : []), reply, open);
  const node = new MessageNode(message);
  switch (chosen) {
    case reply:
      await commands.executeCommand("deconflict.reply", node);
      break;
    case open:
      await commands.executeCommand("deconflict.openMessage", node);
      break;
    case release:
      await commands.executeCommand("deconflict.release", node);
      // That is an answer.
      await commands.executeCommand("deconflict.markMessageRead", node);
      break;
    default:
      break;
  }
}

/** What needs no answer. */
function popupsOfFacts(notices: readonly Notice[]): readonly Popup[] {
  return notices.map(({ text, level }) => {
    const show = async (told: string) => {
      await shownByLevel(level)(told);
    };
    return { text, urgency: level === ERROR ? Urgency.Loss : Urgency.Fact, show };
  });
}

/** True if the user wants nothing to pop up. */
function isQuiet(): boolean {
  return workspace.getConfiguration("deconflict").get<boolean>("quiet", false);
}

function shownByLevel(level: number): (text: string, ...buttons: string[]) => Thenable<string | undefined> {
  return (text, ...buttons) => {
    if (level === ERROR) {
      return window.showErrorMessage(text, ...buttons);
    }
    return level === WARNING ? window.showWarningMessage(text, ...buttons) : window.showInformationMessage(text, ...buttons);
  };
}
