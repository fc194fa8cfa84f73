import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { commands, ConfigurationTarget, env, l10n, window, workspace } from "vscode";
import { askSession, askText } from "../ask";
import type { Tools } from "../tools";
import { SessionNode } from "../views/nodes";
import { oneLine } from "../words";
import type { Argument } from "./target";

const MUTED_MINUTES = 60;

/** What somebody can do about the own session, the server and the view. */
export function sessionCommands(tools: Tools): Record<string, (argument: Argument) => Promise<void>> {
  const { server, knowledge, output } = tools;

  async function setWork(): Promise<void> {
    const own = knowledge.sessions.find((session) => session.own === true);
    const title = l10n.t("My Status");
    const target = await askText(title, l10n.t("What are you working on, in a few words?"), { value: own?.current_work ?? "" });
    if (target === undefined) {
      return;
    }
    const progress = await askText(title, l10n.t("How far along is it, such as 40%? (optional)"), {
      value: own?.progress ?? "",
      mayBeEmpty: true,
    });
    if (progress === undefined) {
      return;
    }
    const answer = await server.execute("setWork", { target, ...(progress === "" ? {} : { progress }) });
    if (answer !== undefined) {
      window.setStatusBarMessage(`$(check) ${l10n.t("The others see your status")}`, 5_000);
      await knowledge.read();
    }
  }

  async function mute(argument: Argument): Promise<void> {
    const session =
      argument instanceof SessionNode
        ? argument.session.session_id
        : await askSession(knowledge, l10n.t("Mute for an Hour"), { everyone: false });
    if (session !== undefined && (await setMuted(session, MUTED_MINUTES))) {
      const undo = l10n.t("Undo");
      const chosen = await window.showInformationMessage(
        l10n.t("Messages from {0} are muted for an hour.", nameOf(session)),
        undo,
      );
      if (chosen === undo) {
        await setMuted(session, 0);
      }
    }
  }

  async function unmute(argument: Argument): Promise<void> {
    if (!(argument instanceof SessionNode) && knowledge.muted.length === 0) {
      void window.showInformationMessage(l10n.t("You haven't muted anyone."));
      return;
    }
    const session =
      argument instanceof SessionNode
        ? argument.session.session_id
        : await askSession(knowledge, l10n.t("Unmute"), { everyone: false, among: knowledge.muted });
    if (session !== undefined && (await setMuted(session, 0))) {
      window.setStatusBarMessage(`$(check) ${l10n.t("Unmuted {0}", nameOf(session))}`, 5_000);
    }
  }

  /** For no minutes ends it. */
  async function setMuted(session: string, minutes: number): Promise<boolean> {
    const answer = await server.execute("mute", { session, minutes });
    if (answer !== undefined) {
      await knowledge.read();
    }
    return answer !== undefined;
  }

  function nameOf(session: string): string {
    return oneLine(knowledge.sessionOf(session)?.label ?? session, 40);
  }

  async function status(): Promise<void> {
    await commands.executeCommand("workbench.view.extension.deconflict");
    await knowledge.read();
  }

  async function showBoard(): Promise<void> {
    await server.execute("showBoard");
  }

  /** Makes the coordination directory in a folder where none is made by itself. */
  async function initialize(): Promise<void> {
    const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
    const folder = folders.length > 1 ? await window.showWorkspaceFolderPick() : folders[0];
    const program = server.binary?.path;
    if (folder === undefined || program === undefined) {
      return;
    }
    try {
      await promisify(execFile)(program, ["init"], { cwd: folder.uri.fsPath });
      window.setStatusBarMessage(`$(check) ${l10n.t("Deconflict is now active in {0}", folder.name)}`, 5_000);
      await server.restart();
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      void window.showErrorMessage(l10n.t("Deconflict couldn't do that: {0}", cause));
    }
  }

  async function setQuiet(isQuiet: boolean): Promise<void> {
    await workspace.getConfiguration("deconflict").update("quiet", isQuiet ? true : undefined, ConfigurationTarget.Global);
    const text = isQuiet ? l10n.t("Nothing pops up any more. The status bar shows what is new") : l10n.t("Notices pop up again");
    window.setStatusBarMessage(`$(check) ${text}`, 5_000);
  }

  async function restart(): Promise<void> {
    await server.restart();
  }

  async function copySessionId(argument: Argument): Promise<void> {
    if (argument instanceof SessionNode) {
      await env.clipboard.writeText(argument.session.session_id);
    }
  }

  async function openWalkthrough(): Promise<void> {
    await commands.executeCommand("workbench.action.openWalkthrough", "deconflict.deconflict#start", false);
  }

  return {
    setWork,
    mute,
    unmute,
    status,
    showBoard,
    restart,
    initialize,
    quietOn: () => setQuiet(true),
    quietOff: () => setQuiet(false),
    copySessionId,
    openWalkthrough,
    refresh: () => knowledge.read(),
    showOutput: () => {
      output.show();
      return Promise.resolve();
    },
  };
}
