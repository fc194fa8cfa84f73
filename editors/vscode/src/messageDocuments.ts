import { l10n, languages, type TextDocumentContentProvider, Uri, window, workspace } from "vscode";
import type { Message } from "./protocol";
import { clockTime, isBroadcast, oneLine, senderName } from "./words";
import type { Disposable } from "./disposable";

const SCHEME = "deconflict-message";

/** Shows messages as plain text that cannot be edited: what others wrote is never taken for markup. */
export class MessageDocuments implements TextDocumentContentProvider, Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.query) ?? l10n.t("This message is not here any more.");
  }

  async show(message: Message): Promise<void> {
    this.texts.set(message.id, wholeText(message));
    const title = oneLine(message.subject ?? "", 40).replace(/[/\\]/g, "∕") || l10n.t("Message");
    const uri = Uri.from({ scheme: SCHEME, path: `/${title}`, query: message.id });
    const document = await workspace.openTextDocument(uri);
    await languages.setTextDocumentLanguage(document, "plaintext");
    await window.showTextDocument(document, { preview: true });
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function wholeText(message: Message): string {
  const head = [
    [l10n.t("From"), senderName(message)],
    [l10n.t("To"), isBroadcast(message) ? l10n.t("all") : l10n.t("you")],
    [l10n.t("Sent"), clockTime(message.timestamp)],
    [l10n.t("About"), oneLine(message.display_name ?? "", 200)],
    [l10n.t("Subject"), oneLine(message.subject ?? "", 300)],
  ] as const;
  const lines = head.filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}`);
  // Whatever steers a terminal or turns the direction of writing has no place here; line breaks have.
  const text = message.message.replace(/\r\n?/g, "\n").replace(/[^\P{C}\n\t]/gu, "�");
  return `${lines.join("\n")}\n\n${text}\n`;
}
