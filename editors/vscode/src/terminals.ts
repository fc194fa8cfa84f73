import { dirname } from "node:path";
import { type ExtensionContext, l10n, MarkdownString, workspace } from "vscode";
import type { Knowledge } from "./knowledge";
import type { Server } from "./server";
import { type Disposable, disposeAll } from "./disposable";

/** Lets the terminals of this window act for its session, and find the program that came with the extension. */
export function shareSessionWithTerminals(context: ExtensionContext, server: Server, knowledge: Knowledge): Disposable {
  const environment = context.environmentVariableCollection;
  // A session of yesterday is none of today's terminals' business.
  environment.persistent = false;
  environment.description = new MarkdownString(l10n.t("Lets `deconflict` in this terminal act as this window's session"));
  const update = () => {
    const isWanted = workspace.getConfiguration("deconflict").get<boolean>("terminal.environment", true);
    const session = isWanted ? knowledge.session?.session_id : undefined;
    if (environment.get("DECONFLICT_SESSION")?.value === session) {
      return;
    }
    if (session === undefined) {
      // While the server starts again the session is only out of sight, and comes back under the same name.
      if (knowledge.participation !== "starting" || !isWanted) {
        environment.clear();
      }
      return;
    }
    environment.replace("DECONFLICT_SESSION", session);
    const { binary } = server;
    if (binary?.isBundled === true) {
      environment.append("PATH", `${process.platform === "win32" ? ";" : ":"}${dirname(binary.path)}`);
    }
  };
  const subscriptions = [knowledge.onChange(update), workspace.onDidChangeConfiguration(update)];
  return {
    dispose: () => {
    disposeAll(subscriptions);
    },
  };
}
