import { commands, l10n, window } from "vscode";
import { type Popup, Urgency } from "./popups";
import type { Contended } from "./protocol";
import { oneLine } from "./words";

/** Tells the holder who began to edit what they hold. */
export function popupsOfContenders([first, ...more]: readonly Contended[]): readonly Popup[] {
  if (first === undefined) {
    return [];
  }
  const sentence = oneLine(first.sentence, 200);
  const text = more.length === 0 ? l10n.t("{0}.", sentence) : l10n.t("{0}, and {1} more of your files are being edited by others.", sentence, more.length);
  const show = async (told: string) => {
    const talk = l10n.t("Send Message…");
    if ((await window.showInformationMessage(told, talk)) === talk) {
      await commands.executeCommand("deconflict.sendMessage", { to: first.session });
    }
  };
  return [{ text, urgency: Urgency.Contender, show }];
}
