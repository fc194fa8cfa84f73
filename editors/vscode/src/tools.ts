import type { LogOutputChannel } from "vscode";
import type { AutoSavePause } from "./autoSave";
import type { Conversations } from "./conversations";
import type { FileHistory } from "./fileHistory";
import type { HeldFiles } from "./heldFiles";
import type { JournalDocuments } from "./journalDocuments";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Server } from "./server";

/** What the commands work with. */
export interface Tools {
  readonly server: Server;
  readonly knowledge: Knowledge;
  readonly places: Places;
  readonly autoSave: AutoSavePause;
  readonly heldFiles: HeldFiles;
  readonly fileHistory: FileHistory;
  readonly journalDocuments: JournalDocuments;
  readonly conversations: Conversations;
  readonly output: LogOutputChannel;
}
