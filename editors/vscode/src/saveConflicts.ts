import { basename } from "node:path";
import { commands, l10n, languages, type TextDocument, TextDocumentSaveReason, window, workspace } from "vscode";
import { type Disposable, disposeAll } from "./disposable";
import type { LossNotices } from "./lossNotices";

/** The editor has written a file or refused to after so many milliseconds. */
const SAVING = 1_000;

/** Offers to merge when the editor does not save a text because the file on disk is newer. */
export class SaveConflicts implements Disposable {
  /** Documents for which the offer stands already. */
  private readonly offered = new Set<string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly subscriptions: Disposable[];

  constructor(private readonly losses: LossNotices) {
    this.subscriptions = [
      workspace.onWillSaveTextDocument(({ document, reason }) => {
        if (reason === TextDocumentSaveReason.Manual && wasOverwritten(document)) {
          this.lookAgain(document);
        }
      }),
    ];
  }

  dispose(): void {
    this.timers.forEach(clearTimeout);
    disposeAll(this.subscriptions);
  }

  private lookAgain(document: TextDocument): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const isOffered = this.losses.isInSight(document.uri);
      if (document.isDirty && !document.isClosed && !isOffered && wasOverwritten(document)) {
        void this.offer(document);
      }
    }, SAVING);
    this.timers.add(timer);
  }

  private async offer(document: TextDocument): Promise<void> {
    const uri = document.uri.toString();
    if (this.offered.has(uri)) {
      return;
    }
    this.offered.add(uri);
    const merge = l10n.t("Merge Their Changes");
    const text = l10n.t("{0} was not saved, because it was changed on disk.", basename(document.fileName));
    const chosen = await window.showWarningMessage(text, merge);
    this.offered.delete(uri);
    if (chosen === merge) {
      await commands.executeCommand("deconflict.merge", document.uri);
    }
  }
}

/** True while the server says that somebody else changed the file below this text. */
function wasOverwritten(document: TextDocument): boolean {
  return languages
    .getDiagnostics(document.uri)
    .some(({ source, code }) => source === "deconflict" && (typeof code === "object" ? code.value : code) === "overwritten");
}
