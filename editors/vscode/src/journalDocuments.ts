import { basename } from "node:path";
import { commands, l10n, type TextDocumentContentProvider, Uri, window, workspace } from "vscode";
import type { Disposable } from "./disposable";
import type { Change, ChangeTexts } from "./protocol";
import type { Server } from "./server";
import { changeTitle } from "./words";

const SCHEME = "deconflict-journal";

/** A text of another time: before or after a change, with or without one session's changes, or as last committed. */
interface Side {
  readonly uri: string;
  readonly entry?: string;
  readonly session?: string;
  readonly side: "before" | "after";
  /** Makes the same side of another moment another document. */
  readonly at?: number;
}

/** Shows what stood in files, in the editor's own comparison. Nothing of it can be edited. */
export class JournalDocuments implements TextDocumentContentProvider, Disposable {
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(private readonly server: Server) {}

  async provideTextDocumentContent(document: Uri): Promise<string> {
    const side = JSON.parse(document.query) as Side;
    const texts = await this.textsOf(side);
    return texts?.[side.side] ?? l10n.t("What was here is not kept, or is not text.");
  }

  /** Compares the last commit with what one session alone made of it. Returns false if it has nothing there. */
  async compareChangesOf(uri: Uri, session: string, name: string): Promise<boolean> {
    const file = basename(uri.fsPath);
    return this.compareTexts({ uri: uri.toString(), session, side: "before", at: Date.now() }, l10n.t("{0}: what {1} changed", file, name));
  }

  /** Compares the last commit with the file as it is saved. Returns false if they are alike. */
  async compareWithCommit(uri: Uri): Promise<boolean> {
    return this.compareTexts({ uri: uri.toString(), side: "before", at: Date.now() }, l10n.t("{0}: since the last commit", basename(uri.fsPath)));
  }

  private async compareTexts(before: Side, title: string): Promise<boolean> {
    const texts = await this.textsOf(before);
    if (texts === undefined || texts.before === texts.after) {
      return false;
    }
    await commands.executeCommand("vscode.diff", documentOf(before), documentOf({ ...before, side: "after" }), title, { preview: true });
    return true;
  }

  private async textsOf({ uri, entry, session }: Side): Promise<ChangeTexts | undefined> {
    const answer =
      entry === undefined && session === undefined
        ? await this.server.query<{ texts?: ChangeTexts }>("showChanges", { uri, texts: true })
        : await this.server.query<{ texts?: ChangeTexts }>("history", { uri, entry, session });
    return answer?.texts;
  }

  /** Compares what stood before the first of these changes with what stood after the last. */
  async compare(uri: Uri, first: Change, last: Change): Promise<void> {
    const title = `${basename(uri.fsPath)}: ${changeTitle(last)}`;
    const [before, after] = [sideOf(uri, first, "before"), sideOf(uri, last, "after")];
    await commands.executeCommand("vscode.diff", before, after, title, { preview: true });
  }

  /** Compares what stood before a change with the file as it is now. */
  async compareWithNow(uri: Uri, change: Change): Promise<void> {
    const title = l10n.t("{0}: before {1} ↔ now", basename(uri.fsPath), changeTitle(change));
    await commands.executeCommand("vscode.diff", sideOf(uri, change, "before"), uri, title, { preview: true });
  }

  /** The file that a document with the text of another time is about. */
  fileOf(document: Uri): Uri | undefined {
    return document.scheme === SCHEME ? Uri.parse((JSON.parse(document.query) as Side).uri) : undefined;
  }

  /** Says that there is nothing to compare. */
  nothing(): void {
    void window.showInformationMessage(l10n.t("No changes to this file are recorded."));
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function sideOf(uri: Uri, change: Change, side: "before" | "after"): Uri {
  return documentOf({ uri: uri.toString(), entry: change.id, side });
}

/** With the file's own name, so that it is shown in the file's language. */
function documentOf(side: Side): Uri {
  return Uri.from({ scheme: SCHEME, path: `/${basename(Uri.parse(side.uri).fsPath)}`, query: JSON.stringify(side) });
}
