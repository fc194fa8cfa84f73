import { basename } from "node:path";
import { commands, l10n, type QuickPickItem, ThemeIcon, Uri, window } from "vscode";
import type { BlamedLine, Change } from "../protocol";
import type { Tools } from "../tools";
import { ChangeNode } from "../views/nodes";
import { ago, authorName, causeWords, clockTime, extent } from "../words";
import { activeFile, type Argument, givenSubjects, menuArgument } from "./target";

interface ChangeItem extends QuickPickItem {
  readonly change: Change;
}

/** What somebody can do about what was changed in a file. */
export function historyCommands(tools: Tools): Record<string, (argument: Argument) => Promise<void>> {
  const { server, knowledge, fileHistory, journalDocuments } = tools;

  async function history(argument: Argument): Promise<void> {
    const uri = fileMeant(argument);
    if (uri !== undefined && uri.toString() !== activeFile()?.toString()) {
      await commands.executeCommand("vscode.open", uri);
    }
    await commands.executeCommand("deconflict.history.focus");
  }

  /** Compares what stood before and after a change. */
  async function openChange(argument: Argument): Promise<void> {
    const found = await changeMeant(argument);
    if (found !== undefined) {
      await journalDocuments.compare(found.uri, found.change, found.change);
    }
  }

  /** Compares what stood before a change with the file as it is. */
  async function compareWithNow(argument: Argument): Promise<void> {
    const found = await changeMeant(argument);
    if (found !== undefined) {
      await journalDocuments.compareWithNow(found.uri, found.change);
    }
  }

  /** Brings back what stood before a change: the one given, or one that the user picks. */
  async function restore(argument: Argument): Promise<void> {
    const uri = fileMeant(argument);
    if (uri === undefined) {
      return;
    }
    const entry = entryOf(argument) ?? (await askChange(uri))?.id;
    if (entry !== undefined && (await server.execute("restore", { uri: uri.toString(), entry })) !== undefined) {
      await offerUndo(uri, entry);
    }
  }

  /** A restore is a change too, so that it is taken back like any other. */
  async function offerUndo(uri: Uri, entry: string): Promise<void> {
    const [newest] = await fileHistory.of(uri);
    const text = l10n.t("Restored {0}.", basename(uri.fsPath));
    if (newest?.cause !== "restore" || newest.id === entry) {
      // It came into an unsaved text, where the editor's own undo takes it back.
      window.setStatusBarMessage(`$(check) ${text}`, 5_000);
      return;
    }
    const undo = l10n.t("Undo");
    if ((await window.showInformationMessage(text, undo)) === undo) {
      await server.execute("restore", { uri: uri.toString(), entry: newest.id });
    }
  }

  async function merge(argument: Argument): Promise<void> {
    const uri = fileMeant(argument);
    if (uri === undefined) {
      return;
    }
    const answer = await server.execute<{ conflicts: boolean }>("merge", { uri: uri.toString() });
    if (answer?.conflicts === true) {
      const text = l10n.t("You both changed the same lines of {0}. They are marked: choose what stays.", basename(uri.fsPath));
      void window.showWarningMessage(text);
    } else if (answer !== undefined) {
      window.setStatusBarMessage(`$(check) ${l10n.t("Merged. Save when you are happy with it")}`, 5_000);
    }
  }

  /** Says who wrote the line that the cursor is in. */
  async function blame(argument: Argument): Promise<void> {
    const uri = fileMeant(argument);
    const editor = window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri?.toString());
    if (uri === undefined || editor === undefined) {
      return;
    }
    const number = editor.selection.active.line + 1;
    const answer = await server.execute<{ lines: readonly BlamedLine[] }>("blame", { uri: uri.toString(), line: number });
    const line = answer?.lines.find((one) => one.line === number);
    if (line !== undefined) {
      void window.showInformationMessage(aboutLine(line));
    } else if (answer !== undefined) {
      void window.showInformationMessage(l10n.t("Line {0} is not saved yet: you wrote it.", number));
    }
  }

  function aboutLine({ line, label, session, commit, author, at }: BlamedLine): string {
    const own = session !== undefined && session === knowledge.session?.session_id;
    const who = own ? l10n.t("you") : (label ?? author ?? l10n.t("someone unknown here"));
    const when = clockTime(at);
    return commit === undefined
      ? l10n.t("Line {0}: {1}, {2}, not committed yet", line, who, when)
      : l10n.t("Line {0}: {1}, {2}, commit {3}", line, who, when, commit.slice(0, 9));
  }

  /** The change that a row or a menu of the server is about. */
  async function changeMeant(argument: Argument): Promise<{ uri: Uri; change: Change } | undefined> {
    const uri = fileMeant(argument);
    const entry = entryOf(argument);
    if (argument instanceof ChangeNode) {
      return { uri: argument.uri, change: argument.change };
    }
    if (uri === undefined) {
      return undefined;
    }
    const change = (await fileHistory.of(uri)).find(({ id }) => id === entry);
    if (change === undefined) {
      journalDocuments.nothing();
    }
    return change === undefined ? undefined : { uri, change };
  }

  /** The file that is meant, else the one in front. */
  function fileMeant(argument: Argument): Uri | undefined {
    const [given] = givenSubjects(argument);
    const compared = window.activeTextEditor?.document.uri;
    return given?.uri !== undefined
      ? Uri.parse(given.uri)
      : (activeFile() ?? (compared === undefined ? undefined : journalDocuments.fileOf(compared)));
  }

  async function askChange(uri: Uri): Promise<Change | undefined> {
    const now = Date.now();
    const items: ChangeItem[] = (await fileHistory.of(uri)).map((change) => ({
      change,
      label: l10n.t("Before {0}, {1}", authorName(change, knowledge.session?.session_id), ago(change.at, now)),
      description: [causeWords(change), extent(change)].filter((part) => part !== "").join(" · "),
      iconPath: new ThemeIcon("history"),
    }));
    if (items.length === 0) {
      journalDocuments.nothing();
      return undefined;
    }
    const title = l10n.t("Restore {0}", basename(uri.fsPath));
    const chosen = await window.showQuickPick(items, { title, placeHolder: l10n.t("Choose the version to restore") });
    return chosen?.change;
  }

  return { history, openChange, compareWithNow, restore, restoreHere: restore, merge, blame };
}

/** The change that is meant, as a row or a menu of the server says. */
function entryOf(argument: Argument): string | undefined {
  return argument instanceof ChangeNode ? argument.change.id : menuArgument(argument).entry;
}
