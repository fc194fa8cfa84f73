import { commands, l10n, type QuickPickItem, QuickPickItemKind, ThemeIcon, Uri, window, workspace } from "vscode";
import type { Tools } from "../tools";
import { isStale } from "../protocol";
import { aboutClaim, enumeration, resourceName } from "../words";
import { activeFile, type Argument, givenSubjects } from "./target";

interface Action extends QuickPickItem {
  readonly command?: string;
}

/** What can be done with the file in front, and with everything else: offered where one clicks on the status bar. */
export function actionCommands(tools: Tools): Record<string, (argument: Argument) => Promise<void>> {
  const { knowledge, places } = tools;

  async function actions(argument: Argument): Promise<void> {
    const [given] = givenSubjects(argument);
    const file = given?.uri === undefined ? activeFile() : Uri.parse(given.uri);
    const items = [...(file === undefined ? [] : ofFile(file)), ...ofWindow()];
    const title = file === undefined ? "Deconflict" : `Deconflict: ${file.path.split("/").at(-1) ?? ""}`;
    const chosen = await window.showQuickPick(items, { title, placeHolder: placeHolder(file) });
    if (chosen?.command !== undefined) {
      await commands.executeCommand(`deconflict.${chosen.command}`, ...(isAboutFile(chosen.command) && file !== undefined ? [file] : []));
    }
  }

  function placeHolder(file: Uri | undefined): string {
    const [claim] = file === undefined ? [] : places.claimsOf(file, [...knowledge.othersClaims, ...knowledge.ownClaims]);
    return claim === undefined ? l10n.t("What do you want to do?") : aboutClaim(claim, Date.now());
  }

  /** What there is to do about a file. */
  function ofFile(file: Uri): Action[] {
    const [others] = places.claimsOf(file, knowledge.othersClaims);
    const [own] = places.claimsOf(file, knowledge.ownClaims);
    const stale = knowledge.claims.find((claim) => claim.own !== true && isStale(claim) && places.uriOf(claim.path)?.fsPath === file.fsPath);
    const claimed = others ?? own;
    const heading = [{ label: claimed === undefined ? l10n.t("This file") : resourceName(claimed), kind: QuickPickItemKind.Separator }];
    const history = action("history", "history", l10n.t("Show History of This File"));
    if (others !== undefined) {
      const talk = others.allow_coordination === false ? [] : [
        action("requestRelease", "question", l10n.t("Ask to Release…")),
        action("sendMessage", "comment", l10n.t("Send Message…")),
      ];
      return [
        ...heading,
        ...talk,
        action("tellWhenFree", "bell", l10n.t("Notify Me")),
        action("showChanges", "diff", l10n.t("Show What They Changed")),
        ...(tools.autoSave.isPaused(file) ? [action("resumeAutoSave", "edit", l10n.t("Edit Anyway"))] : []),
        action("takeOver", "warning", l10n.t("Take Over…")),
        history,
      ];
    }
    if (own !== undefined) {
      return [...heading, action("release", "unlock", l10n.t("Release")), action("handOff", "arrow-swap", l10n.t("Hand Off…")), history];
    }
    const takeOver = stale === undefined ? [] : [action("takeOver", "history", l10n.t("Take Over…"))];
    return [...heading, ...takeOver, action("claim", "lock", l10n.t("Claim File")), history];
  }

  function ofWindow(): Action[] {
    const unread = knowledge.unread.length;
    const isQuiet = workspace.getConfiguration("deconflict").get<boolean>("quiet", false);
    return [
      { label: l10n.t("More"), kind: QuickPickItemKind.Separator },
      ...(knowledge.losses.length === 0 ? [] : [action("status", "warning", l10n.t("Show What Others Changed"), enumeration(knowledge.losses.map((loss) => knowledge.sentenceOf(loss))))]),
      action("messages", "mail", l10n.t("Read Messages"), unread === 0 ? undefined : l10n.t("{0} unread", unread)),
      action("status", "organization", l10n.t("Show Who Is Here")),
      action("setWork", "edit", l10n.t("Set My Status…")),
      action("showBoard", "preview", l10n.t("Show Status Board")),
      isQuiet ? action("quietOff", "bell", l10n.t("Turn Quiet Mode Off")) : action("quietOn", "bell-slash", l10n.t("Turn Quiet Mode On")),
    ];
  }

  return { actions };
}

function action(command: string, icon: string, label: string, description?: string): Action {
  return { command, label, iconPath: new ThemeIcon(icon), ...(description === undefined ? {} : { description }) };
}

/** The others are about the window. */
function isAboutFile(command: string): boolean {
  return ["requestRelease", "sendMessage", "tellWhenFree", "showChanges", "resumeAutoSave", "takeOver", "history", "release", "handOff", "claim"].includes(command);
}
