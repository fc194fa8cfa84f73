import { basename } from "node:path";
import { commands, l10n, Uri, window } from "vscode";
import type { Disposable } from "./disposable";
import { Gathering } from "./gathering";
import type { Taken } from "./protocol";
import { enumeration } from "./words";

/** Tells which files of others the user deleted or moved away, and puts them back: one notice for one deed. */
export class TakenNotices implements Disposable {
  private readonly gathering = new Gathering<Taken>((all) => {
    void offer(all);
  });

  add(taken: Taken): void {
    this.gathering.add(taken);
  }

  dispose(): void {
    this.gathering.dispose();
  }
}

async function offer(told: readonly Taken[]): Promise<void> {
  // A file that is moved can be told of twice: when its text goes, and when its name does.
  const all = told.filter(({ uri }, index) => told.findIndex((other) => other.uri === uri) === index);
  const [first, ...more] = all;
  if (first === undefined) {
    return;
  }
  const names = enumeration(all.map(({ uri }) => basename(Uri.parse(uri).fsPath)));
  const restore = more.length === 0 ? l10n.t("Restore") : l10n.t("Restore All");
  const several = l10n.t("Deleted or moved away {0} files that others work on: {1}. They were told.", all.length, names);
  const chosen = await window.showWarningMessage(more.length === 0 ? first.sentence : several, restore);
  for (const { uri, entry } of chosen === restore ? all : []) {
    await commands.executeCommand("deconflict.restoreHere", { uri, entry });
  }
}
