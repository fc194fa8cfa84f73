import { commands, l10n, Uri, window } from "vscode";
import { type HeldFiles, warns } from "./heldFiles";
import type { Knowledge } from "./knowledge";
import type { Claim, Message, Notice } from "./protocol";
import type { LossNotices } from "./lossNotices";
import type { Server } from "./server";
import { MessageNode } from "./views/nodes";
import { resourceName, warning } from "./words";
import { type Disposable, disposeAll } from "./disposable";

/** As in the language server protocol. */
const ERROR = 1;
const WARNING = 2;
const INFORMATION = 3;

/** Shows what the server wants told, with buttons for what can be done about it. */
export class Notices implements Disposable {
  private readonly subscriptions: Disposable[];

  constructor(
    server: Server,
    private readonly knowledge: Knowledge,
    private readonly heldFiles: HeldFiles,
    private readonly losses: LossNotices,
  ) {
    this.subscriptions = [
      server.onNotice((notice) => {
        void this.show(notice);
      }),
    ];
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private async show(notice: Notice): Promise<void> {
    switch (notice.about?.kind) {
      case "held":
        await this.warnOfHolder(notice, Uri.parse(notice.about.uri), notice.about.claim);
        return;
      case "lost":
        this.losses.add(notice.about);
        return;
      case "message":
        await showMessage(notice, notice.about.message);
        return;
      case undefined:
        await shownByLevel(notice.level)(notice.text);
    }
  }

  /** The one warning when the user begins to edit what another holds. */
  private async warnOfHolder(notice: Notice, uri: Uri, claim: Claim): Promise<void> {
    if (!warns()) {
      return;
    }
    const isPaused = this.heldFiles.warned(uri, claim);
    const holder = this.knowledge.sessionOf(claim.claimed_by);
    const isOwnWindow = notice.level > WARNING;
    const canWrite =
      !isOwnWindow && claim.allow_coordination !== false && (holder?.state === "live" || holder?.state === "silent");
    // Five buttons fit into a notification only if they are short.
    const message = l10n.t("Message");
    const request = l10n.t("Ask for It");
    const tell = l10n.t("When Free");
    const changes = l10n.t("Changes");
    const editAnyway = l10n.t("Edit Anyway");
    const buttons = [...(canWrite ? [message, request] : []), tell, changes, editAnyway];
    const fact = isOwnWindow ? notice.text : warning(claim, Date.now());
    const advice = isOwnWindow ? "" : l10n.t("Please agree before you save.");
    const pause = isPaused ? l10n.t("Auto save is paused for this file until you decide.") : "";
    const text = [fact, advice, pause].filter((part) => part !== "").join(" ");
    const show = shownByLevel(isOwnWindow ? INFORMATION : WARNING);
    let chosen = await show(text, ...buttons);
    while (chosen === changes) {
      // Looking is not deciding.
      await commands.executeCommand("deconflict.showChanges", { uri: uri.toString() });
      chosen = await show(text, ...buttons.filter((button) => button !== changes));
    }
    const argument = { uri: uri.toString(), ...(claim.expected === undefined ? {} : { expected: claim.expected }) };
    switch (chosen) {
      case message:
        await commands.executeCommand("deconflict.sendMessage", {
          uri: uri.toString(),
          to: claim.claimed_by,
          subject: resourceName(claim),
        });
        break;
      case request:
        await commands.executeCommand("deconflict.requestRelease", argument);
        break;
      case tell:
        await commands.executeCommand("deconflict.tellWhenFree", { uri: uri.toString() });
        break;
      case editAnyway:
        this.heldFiles.accept(uri, claim);
        break;
      default:
        // Closed without an answer: auto save stays paused, as the first line says, until the file is saved.
        break;
    }
  }
}

/** Another's message, which the server has marked as read by now. */
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

function shownByLevel(level: number): (text: string, ...buttons: string[]) => Thenable<string | undefined> {
  return (text, ...buttons) => {
    if (level === ERROR) {
      return window.showErrorMessage(text, ...buttons);
    }
    return level === WARNING ? window.showWarningMessage(text, ...buttons) : window.showInformationMessage(text, ...buttons);
  };
}
