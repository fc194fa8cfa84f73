import { basename } from "node:path";
import { commands, l10n, Uri, window } from "vscode";
import type { Disposable } from "./disposable";
import { Gathering } from "./gathering";
import type { Taken } from "./protocol";
import { enumeration } from "./words";

/** Tells which files of others the user wrote over, deleted or moved away, and puts these back: one notice for one deed. */
export class TakenNotices implements Disposable {
  private readonly gathering = new Gathering<Taken>((all) => {
    // A file that is moved can be told of twice: when its text goes, and when its name does.
    const files = all.filter(({ uri }, index) => all.findIndex((other) => other.uri === uri) === index);
    void tellOfSaved(files.filter((file) => !file.is_deleted));
    void offerDeleted(files.filter((file) => file.is_deleted));
  });

  add(taken: Taken): void {
    this.gathering.add(taken);
  }

  dispose(): void {
    this.gathering.dispose();
  }
}

async function tellOfSaved(all: readonly Taken[]): Promise<void> {
  const several = l10n.t(
    "Saved over {0} files that others are working on: {1}. They were told, and what was there is kept.",
    all.length,
    namesOf(all),
  );
  const text = all.length > 1 ? several : all[0]?.sentence;
  if (text !== undefined) {
    await window.showWarningMessage(text);
  }
}

async function offerDeleted(all: readonly Taken[]): Promise<void> {
  const [first, ...more] = all;
  if (first === undefined) {
    return;
  }
  const restore = more.length === 0 ? l10n.t("Restore") : l10n.t("Restore All");
  const several = l10n.t("Deleted or moved away {0} files that others are working on: {1}. They were told.", all.length, namesOf(all));
  const chosen = await window.showWarningMessage(more.length === 0 ? first.sentence : several, restore);
  for (const { uri, entry } of chosen === restore ? all : []) {
    await commands.executeCommand("deconflict.restoreHere", { uri, entry });
  }
}

function namesOf(all: readonly Taken[]): string {
  return enumeration(all.map(({ uri }) => basename(Uri.parse(uri).fsPath)));
}
