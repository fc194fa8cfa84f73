import { commands, env, l10n, window } from "vscode";
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
    const title = l10n.t("What You Work On");
    const target = await askText(title, l10n.t("In a few words, for the others to see"), { value: own?.current_work ?? "" });
    if (target === undefined) {
      return;
    }
    const progress = await askText(title, l10n.t("How far it is, such as 40%; may be empty"), {
      value: own?.progress ?? "",
      mayBeEmpty: true,
    });
    if (progress === undefined) {
      return;
    }
    const answer = await server.execute("setWork", { target, ...(progress === "" ? {} : { progress }) });
    if (answer !== undefined) {
      window.setStatusBarMessage(`$(check) ${l10n.t("The others see what you work on")}`, 5_000);
      await knowledge.read();
    }
  }

  async function heartbeat(): Promise<void> {
    if ((await server.execute("heartbeat")) !== undefined) {
      window.setStatusBarMessage(`$(check) ${l10n.t("The others see that you are at work")}`, 5_000);
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
        l10n.t("Nothing of {0} is shown by itself for an hour.", nameOf(session)),
        undo,
      );
      if (chosen === undo) {
        await setMuted(session, 0);
      }
    }
  }

  async function unmute(argument: Argument): Promise<void> {
    if (!(argument instanceof SessionNode) && knowledge.muted.length === 0) {
      void window.showInformationMessage(l10n.t("You have muted nobody."));
      return;
    }
    const session =
      argument instanceof SessionNode
        ? argument.session.session_id
        : await askSession(knowledge, l10n.t("Unmute"), { everyone: false, among: knowledge.muted });
    if (session !== undefined && (await setMuted(session, 0))) {
      window.setStatusBarMessage(`$(check) ${l10n.t("You hear of {0} again", nameOf(session))}`, 5_000);
    }
  }

  /** For no minutes ends it. */
  async function setMuted(session: string, minutes: number): Promise<boolean> {
    const answer = await server.execute("mute", { session, minutes });
    if (answer !== undefined) {
      knowledge.setMuted(session, minutes);
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
    heartbeat,
    mute,
    unmute,
    status,
    showBoard,
    restart,
    copySessionId,
    openWalkthrough,
    refresh: () => knowledge.read(),
    showOutput: () => {
      output.show();
      return Promise.resolve();
    },
  };
}
