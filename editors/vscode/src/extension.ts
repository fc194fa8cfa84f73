import { commands, type ExtensionContext, type Uri, window, workspace } from "vscode";
import { AutoSavePause } from "./autoSave";
import { claimCommands } from "./commands/claims";
import { messageCommands } from "./commands/messages";
import { sessionCommands } from "./commands/session";
import type { Argument } from "./commands/target";
import type { Tools } from "./tools";
import { Decorations } from "./decorations";
import { HeldFiles } from "./heldFiles";
import { Knowledge } from "./knowledge";
import { MessageDocuments } from "./messageDocuments";
import { Notices } from "./notices";
import { Places } from "./places";
import { Server } from "./server";
import { StatusBar } from "./statusBar";
import { shareSessionWithTerminals } from "./terminals";
import { ClaimsList } from "./views/claims";
import { MessagesList } from "./views/messages";
import { SessionsList } from "./views/sessions";

/** Settings that the server takes only when it starts. */
const AT_START = ["deconflict.server.path", "deconflict.directory", "deconflict.activation"];

let running: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const output = window.createOutputChannel("Deconflict", { log: true });
  const server = new Server(context, output);
  running = server;
  const knowledge = new Knowledge(server);
  const places = new Places();
  const autoSave = new AutoSavePause(context);
  const heldFiles = new HeldFiles(knowledge, places, autoSave);
  const messageDocuments = new MessageDocuments();
  const tools: Tools = { server, knowledge, places, autoSave, messageDocuments, output };

  context.subscriptions.push(
    output,
    knowledge,
    places,
    autoSave,
    heldFiles,
    messageDocuments,
    new StatusBar(knowledge, places),
    new SessionsList(knowledge, places),
    new ClaimsList(knowledge, places),
    new MessagesList(knowledge),
    new Decorations(knowledge, places),
    new Notices(server, knowledge, heldFiles),
    shareSessionWithTerminals(context, server, knowledge),
    knowledge.onChange(() => {
      void commands.executeCommand("setContext", "deconflict.state", knowledge.participation);
      const holds = knowledge.claims.some((claim) => claim.own === true);
      void commands.executeCommand("setContext", "deconflict.holdsSomething", holds);
    }),
    workspace.onDidChangeConfiguration((change) => {
      if (AT_START.some((setting) => change.affectsConfiguration(setting))) {
        void server.restart();
      }
    }),
    workspace.onDidChangeWorkspaceFolders(() => {
      void server.start();
    }),
  );
  const all = { ...claimCommands(tools), ...messageCommands(tools), ...sessionCommands(tools) };
  for (const [name, run] of Object.entries(all)) {
    const command = (argument: Argument, selected?: Uri[]) => run(argument, selected);
    context.subscriptions.push(commands.registerCommand(`deconflict.${name}`, command));
  }
  await commands.executeCommand("setContext", "deconflict.state", knowledge.participation);
  await server.start();
}

/** The server gives everything back before the window is gone. */
export async function deactivate(): Promise<void> {
  await running?.stop();
}
