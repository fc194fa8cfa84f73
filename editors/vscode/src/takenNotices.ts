import { basename } from "node:path";
import { commands, l10n, Uri, window } from "vscode";
import { type Popup, Urgency } from "./popups";
import type { Taken } from "./protocol";
import { enumeration } from "./words";

/** Tells which files of others the user wrote over, deleted or moved away, and puts these back: one notice for one deed. */
export function popupsOfTaken(all: readonly Taken[]): readonly Popup[] {
  // A file that is moved can be told of twice: when its text goes, and when its name does.
  const files = all.filter(({ uri }, index) => all.findIndex((other) => other.uri === uri) === index);
  const [deleted, saved] = [files.filter((file) => file.is_deleted), files.filter((file) => !file.is_deleted)];
  return [...popupsOfDeleted(deleted), ...popupsOfSaved(saved)];
}

function popupsOfSaved(all: readonly Taken[]): readonly Popup[] {
  const several = l10n.t(
    "Saved over {0} files that others are working on: {1}. They were told, and what was there is kept.",
    all.length,
    namesOf(all),
  );
  const text = all.length > 1 ? several : all[0]?.sentence;
  const show = async (told: string) => {
    await window.showWarningMessage(told);
  };
  return text === undefined ? [] : [{ text, urgency: Urgency.Deed, show }];
}

function popupsOfDeleted(all: readonly Taken[]): readonly Popup[] {
  const [first, ...more] = all;
  if (first === undefined) {
    return [];
  }
  const several = l10n.t("Deleted or moved away {0} files that others are working on: {1}. They were told.", all.length, namesOf(all));
  const show = async (told: string) => {
    const restore = more.length === 0 ? l10n.t("Restore") : l10n.t("Restore All");
    const chosen = await window.showWarningMessage(told, restore);
    for (const { uri, entry } of chosen === restore ? all : []) {
      await commands.executeCommand("deconflict.restoreHere", { uri, entry });
    }
  };
  return [{ text: more.length === 0 ? first.sentence : several, urgency: Urgency.Deed, show }];
}

function namesOf(all: readonly Taken[]): string {
  return enumeration(all.map(({ uri }) => basename(Uri.parse(uri).fsPath)));
}
