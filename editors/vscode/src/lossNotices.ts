import { basename } from "node:path";
import { commands, l10n, Uri, window } from "vscode";
import { type Popup, type Popups, Urgency } from "./popups";
import type { Loss } from "./protocol";
import { isUnsaved } from "./unsaved";
import { enumeration } from "./words";

/** The editor puts a notice aside after so many milliseconds. */
const IN_SIGHT = 10_000;

/** Tells what a change by somebody else took from the user, with the ways back: one notice for one cause. */
export class LossNotices {
  private readonly gather: (loss: Loss) => void;
  /** When the newest loss in each file was heard of. */
  private readonly heardAt = new Map<string, number>();
  /** The files of which a notice waits for an answer, and since when. */
  private readonly open = new Map<string, number>();

  constructor(popups: Popups) {
    this.gather = popups.source<Loss>((all) => {
      // Of several changes of one file the first took what the user had.
      const losses = new Map([...all].reverse().map((one) => [one.uri, one]));
      return this.popupsOf([...losses.values()].reverse());
    });
  }

  add(loss: Loss): void {
    this.heardAt.set(loss.uri, Date.now());
    this.gather(loss);
  }

  /** True for a file of which a loss has just been told, or is about to be. */
  isNew(uri: string | null | undefined): boolean {
    const heardAt = this.heardAt.get(uri ?? "");
    return heardAt !== undefined && Date.now() - heardAt < IN_SIGHT;
  }

  /** True while the user sees a notice about the file. */
  isInSight(uri: Uri): boolean {
    const since = this.open.get(uri.toString());
    return since !== undefined && Date.now() - since < IN_SIGHT;
  }

  private popupsOf(losses: readonly Loss[]): readonly Popup[] {
    const [first, ...more] = losses;
    if (first === undefined) {
      return [];
    }
    const names = losses.map(({ uri }) => basename(Uri.parse(uri).fsPath));
    const several = l10n.t("Others changed your work in {0} files: {1}.", losses.length, enumeration(names));
    const show = async (told: string) => {
      for (const { uri } of losses) {
        this.open.set(uri, Date.now());
      }
      await (more.length === 0 ? showOne(first, told) : showMany(losses, told));
      for (const { uri } of losses) {
        this.open.delete(uri);
      }
    };
    return [{ text: more.length === 0 ? first.sentence : several, urgency: Urgency.Loss, show }];
  }
}

async function showOne(loss: Loss, text: string): Promise<void> {
  const merge = l10n.t("Merge");
  const restore = l10n.t("Restore");
  const show = l10n.t("Show Diff");
  const keep = l10n.t("Keep Theirs");
  const buttons = isUnsaved(Uri.parse(loss.uri)) ? [merge, show] : [restore, show, keep];
  let chosen = await window.showWarningMessage(text, ...buttons);
  while (chosen === show) {
    // Looking is not deciding.
    await commands.executeCommand("deconflict.openChange", loss);
    chosen = await window.showWarningMessage(text, ...buttons.filter((button) => button !== show));
  }
  switch (chosen) {
    case merge:
      await commands.executeCommand("deconflict.merge", { uri: loss.uri });
      break;
    case restore:
      await commands.executeCommand("deconflict.restoreHere", loss);
      break;
    case keep:
      await commands.executeCommand("deconflict.acknowledge", loss);
      break;
    default:
      // Closed without an answer: the first line of the file goes on saying it.
      break;
  }
}

async function showMany(losses: readonly Loss[], text: string): Promise<void> {
  const restore = l10n.t("Restore All");
  const show = l10n.t("Show Who");
  const keep = l10n.t("Keep Theirs");
  let chosen = await window.showWarningMessage(text, restore, show, keep);
  if (chosen === show) {
    // Looking is not deciding.
    await commands.executeCommand("deconflict.status");
    chosen = await window.showWarningMessage(text, restore, keep);
  }
  for (const loss of chosen === undefined ? [] : losses) {
    await commands.executeCommand(chosen === restore ? "deconflict.restoreHere" : "deconflict.acknowledge", loss);
  }
}
