import { commands, l10n, Uri, window, workspace } from "vscode";
import { tellOfContenders } from "./contenders";
import { type Disposable, disposeAll } from "./disposable";
import { Gathering } from "./gathering";
import { type HeldFiles, warns } from "./heldFiles";
import type { Knowledge } from "./knowledge";
import type { Log } from "./log";
import type { LossNotices } from "./lossNotices";
import { type Claim, isHere, type Message, type Notice } from "./protocol";
import type { Server } from "./server";
import type { TakenNotices } from "./takenNotices";
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
  private readonly gathering = new Gathering<HeldNotice | MessageNotice>((all) => {
    this.show(all);
  });
  private readonly subscriptions: Disposable[];

  constructor(
    server: Server,
    private readonly knowledge: Knowledge,
    private readonly heldFiles: HeldFiles,
    private readonly losses: LossNotices,
    private readonly taken: TakenNotices,
    private readonly log: Log,
  ) {
    this.subscriptions = [
      this.gathering,
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
    switch (about?.kind) {
      case "held":
        this.gathering.add({ notice, uri: Uri.parse(about.uri), claim: about.claim });
        return;
      case "contended":
        if (!isQuiet()) {
          void tellOfContenders(about.all);
        }
        return;
      case "lost":
        if (!isQuiet()) {
          this.losses.add(about);
        }
        return;
      case "took":
        if (!isQuiet()) {
          this.taken.add(about);
        }
        return;
      case "message":
      case "messages":
        if (!isQuiet()) {
          this.gathering.add({ notice });
        }
        return;
      case undefined:
        if (!isQuiet() || notice.level === ERROR) {
          void shownByLevel(notice.level)(notice.text);
        }
    }
  }

  private show(all: readonly (HeldNotice | MessageNotice)[]): void {
    // What was saved meanwhile is told of as saved, and of what was undone there is nothing to tell.
    const held = all.filter((one) => "claim" in one).filter(({ uri }) => isUnsaved(uri));
    const messages = all.filter((one) => !("claim" in one)).map(({ notice }) => notice);
    // Whoever lost an unsaved file to another is told that they edit what another holds, too: that is one cause.
    const told = held.map((one) => ({ ...one, isTaken: messages.some((message) => isTakeOver(message, one.claim)) }));
    const left = messages.filter((message) => !held.some((one) => isTakeOver(message, one.claim) && !this.isSilent(one)));
    void this.warnOfHolders(told);
    if (left.length > 0) {
      void showMessages(left);
    }
  }

  /** True if nothing is said of it. */
  private isSilent({ uri, claim }: HeldNotice): boolean {
    return !warns() || this.heldFiles.isAccepted(uri, claim) || this.knowledge.isOfSamePerson(claim.claimed_by);
  }

  /** The one warning when the user begins to edit what others hold. */
  private async warnOfHolders(all: readonly HeldNotice[]): Promise<void> {
    const news = warns() ? all.filter(({ uri, claim }) => !this.heldFiles.isAccepted(uri, claim)) : [];
    const mine = news.filter(({ claim }) => this.knowledge.isOfSamePerson(claim.claimed_by));
    const theirs = news.filter((one) => !mine.includes(one));
    for (const { notice } of mine) {
      // An agent of the user's or another window of theirs is at the same file: a word in passing.
      window.setStatusBarMessage(`$(info) ${notice.text}`, 10_000);
    }
    const [first, ...more] = theirs;
    if (first !== undefined) {
      await (more.length === 0 ? this.warnOfOne(first) : this.warnOfMany(theirs));
    }
  }

  private async warnOfOne({ uri, claim, isTaken }: HeldNotice): Promise<void> {
    const pause = this.heldFiles.warned(uri, claim) ? l10n.t("Auto save waits for your answer.") : "";
    const cause = isTaken !== true ? warning(claim, Date.now()) : l10n.t("{0} took over {1} from you.", holderName(claim), resourceName(claim));
    const text = [cause, l10n.t("Your save would overwrite theirs. Talk first?"), pause];
    const ask = this.canBeAsked(claim) ? l10n.t("Ask to Release") : l10n.t("Notify Me");
    const show = l10n.t("Show Diff");
    const edit = l10n.t("Edit Anyway");
    const argument = { uri: uri.toString(), ...(claim.expected === undefined ? {} : { expected: claim.expected }) };
    const told = text.filter((part) => part !== "").join(" ");
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

  private async warnOfMany(all: readonly HeldNotice[]): Promise<void> {
    const isPaused = all.map(({ uri, claim }) => this.heldFiles.warned(uri, claim)).some((paused) => paused);
    const held = all.map(({ claim }) => `${resourceName(claim)} (${holderName(claim)})`);
    const text = [
      l10n.t("Others hold {0} of the files you just changed: {1}.", all.length, enumeration(held)),
      l10n.t("Your save would overwrite theirs."),
      isPaused ? l10n.t("Auto save waits for your answer.") : "",
    ];
    const show = l10n.t("Show Who");
    const edit = l10n.t("Edit Anyway");
    const chosen = await window.showWarningMessage(text.filter((part) => part !== "").join(" "), show, edit);
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
async function showMessages(notices: readonly Notice[]): Promise<void> {
  const [only] = notices;
  if (only?.about?.kind === "message" && notices.length === 1) {
    await showMessage(only, only.about.message);
    return;
  }
  const senders = notices.map(({ about }) => (about?.kind === "message" ? about.message.sender_label : undefined));
  const names = [...new Set(senders.filter((name) => name !== undefined))];
  const text = only !== undefined && names.length === 0 ? l10n.t("You have new messages.") : l10n.t("New messages from {0}.", enumeration(names));
  const read = l10n.t("Read");
  if ((await window.showInformationMessage(text, read)) === read) {
    await commands.executeCommand("deconflict.messages");
  }
}

async function showMessage(notice: Notice, message: Message): Promise<void> {
  const reply = l10n.t("Reply…");
  const open = l10n.t("Open");
  const release = l10n.t("Release");
  const canRelease = message.type === "release_request" && message.resource !== undefined;
  const chosen = await shownByLevel(notice.level)(notice.text, ...(canRelease ? [release] : []), reply, open);
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
      break;
    default:
      break;
  }
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
