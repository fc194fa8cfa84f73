import { commands, l10n, window } from "vscode";
import type { Contended } from "./protocol";
import { oneLine } from "./words";

/** Tells the holder who began to edit what they hold. */
export async function tellOfContenders([first, ...more]: readonly Contended[]): Promise<void> {
  if (first === undefined) {
    return;
  }
  const sentence = oneLine(first.sentence, 200);
  const text = more.length === 0 ? l10n.t("{0}.", sentence) : l10n.t("{0}, and {1} more of your files are being edited by others.", sentence, more.length);
  const talk = l10n.t("Send Message…");
  if ((await window.showInformationMessage(text, talk)) === talk) {
    await commands.executeCommand("deconflict.sendMessage", { to: first.session });
  }
}
