import { basename } from "node:path";
import { commands, l10n, type TextDocumentContentProvider, Uri, window, workspace } from "vscode";
import type { Disposable } from "./disposable";
import type { Change, ChangeTexts } from "./protocol";
import type { Server } from "./server";
import { changeTitle } from "./words";

const SCHEME = "deconflict-journal";

/** What stood in a file before or after a change. */
interface Side {
  readonly uri: string;
  readonly entry: string;
  readonly side: "before" | "after";
}

/** Shows what stood in files, in the editor's own comparison. Nothing of it can be edited. */
export class JournalDocuments implements TextDocumentContentProvider, Disposable {
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(private readonly server: Server) {}

  async provideTextDocumentContent(document: Uri): Promise<string> {
    const { uri, entry, side } = JSON.parse(document.query) as Side;
    const answer = await this.server.query<{ texts: ChangeTexts }>("history", { uri, entry });
    return answer?.texts[side] ?? l10n.t("What stood here is not kept, or is no text.");
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
    void window.showInformationMessage(l10n.t("No change of this file is kept."));
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function sideOf(uri: Uri, change: Change, side: "before" | "after"): Uri {
  const query: Side = { uri: uri.toString(), entry: change.id, side };
  // With the file's own name, so that it is shown in the file's language.
  return Uri.from({ scheme: SCHEME, path: `/${basename(uri.fsPath)}`, query: JSON.stringify(query) });
}
