import { commands, type ExtensionContext, l10n, type Uri, window, workspace } from "vscode";
import { AutoSavePause } from "./autoSave";
import { actionCommands } from "./commands/actions";
import { claimCommands } from "./commands/claims";
import { historyCommands } from "./commands/history";
import { messageCommands } from "./commands/messages";
import { sessionCommands } from "./commands/session";
import type { Argument } from "./commands/target";
import type { Tools } from "./tools";
import { Contexts } from "./contexts";
import { Conversations } from "./conversations";
import { Decorations } from "./decorations";
import { FileHistory } from "./fileHistory";
import { HandClaims } from "./handClaims";
import { HeldFiles } from "./heldFiles";
import { JournalDocuments } from "./journalDocuments";
import { Knowledge } from "./knowledge";
import { Log } from "./log";
import { LossNotices } from "./lossNotices";
import { Notices } from "./notices";
import { Places } from "./places";
import { Popups } from "./popups";
import { SaveConflicts } from "./saveConflicts";
import { Server } from "./server";
import { StatusBar } from "./statusBar";
import { shareSessionWithTerminals } from "./terminals";
import { ClaimsList } from "./views/claims";
import { HistoryList } from "./views/history";
import { MessagesList } from "./views/messages";
import { SessionsList } from "./views/sessions";

/** Settings that the server takes only when it starts. */
const AT_START = ["deconflict.server.path", "deconflict.directory", "deconflict.activation"];

/** Commands that a view's title offers too. There they get the row that has the focus, if any has. */
const OF_TITLES = new Set([
  "actions",
  "claim",
  "history",
  "markRead",
  "openWalkthrough",
  "quietOff",
  "quietOn",
  "refresh",
  "releaseAll",
  "restart",
  "sendMessage",
  "setWork",
  "showBoard",
  "showOutput",
]);

let running: Server | undefined;
let pause: AutoSavePause | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const output = window.createOutputChannel("Deconflict", { log: true });
  const server = new Server(context, output);
  running = server;
  const log = new Log(output);
  const knowledge = new Knowledge(server);
  const places = new Places();
  const autoSave = new AutoSavePause(context);
  pause = autoSave;
  const heldFiles = new HeldFiles(knowledge, places, autoSave, context.workspaceState, log);
  const conversations = new Conversations(server, knowledge, places);
  const fileHistory = new FileHistory(server, knowledge);
  const popups = new Popups();
  const lossNotices = new LossNotices(popups);
  const journalDocuments = new JournalDocuments(server);
  const tools: Tools = {
    server,
    knowledge,
    places,
    autoSave,
    heldFiles,
    fileHistory,
    journalDocuments,
    conversations,
    output,
  };

  context.subscriptions.push(
    output,
    knowledge,
    places,
    autoSave,
    heldFiles,
    conversations,
    fileHistory,
    journalDocuments,
    new StatusBar(server, knowledge, places),
    new SessionsList(knowledge, places),
    new ClaimsList(knowledge, places),
    new MessagesList(knowledge),
    new HistoryList(knowledge, fileHistory),
    new Decorations(knowledge, places),
    popups,
    new Contexts(knowledge, places),
    new HandClaims(server, knowledge, places, context.workspaceState, log),
    new Notices(server, knowledge, heldFiles, popups, lossNotices, log),
    new SaveConflicts(lossNotices),
    shareSessionWithTerminals(context, server, knowledge),
    workspace.onDidChangeConfiguration((change) => {
      if (AT_START.some((setting) => change.affectsConfiguration(setting))) {
        void server.restart();
      }
    }),
    workspace.onDidChangeWorkspaceFolders(() => {
      void server.start();
    }),
  );
  const all = { ...actionCommands(tools), ...claimCommands(tools), ...historyCommands(tools), ...messageCommands(tools), ...sessionCommands(tools) };
  for (const [name, run] of Object.entries(all)) {
    const command = async (...given: [Argument?, Uri[]?]) => {
      if (isOfVanishedRow(name, given)) {
        void window.showInformationMessage(l10n.t("That entry was gone before you chose it. Nothing was done."));
      } else {
        await run(given[0], given[1]);
      }
    };
    context.subscriptions.push(commands.registerCommand(`deconflict.${name}`, command));
  }
  await server.start();
}

/** The server gives everything back before the window is gone. */
export async function deactivate(): Promise<void> {
  await Promise.all([running?.stop(), pause?.end()]);
}

/**
 * True if a command was chosen from a row that was gone by then. It must not be taken for one without an argument, as the
 * palette's, which is about the file in front.
 */
function isOfVanishedRow(name: string, given: [Argument?, Uri[]?]): boolean {
  return given.length > 0 && given[0] === undefined && !OF_TITLES.has(name);
}
