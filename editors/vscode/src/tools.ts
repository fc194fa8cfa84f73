import type { LogOutputChannel } from "vscode";
import type { AutoSavePause } from "./autoSave";
import type { FileHistory } from "./fileHistory";
import type { JournalDocuments } from "./journalDocuments";
import type { Knowledge } from "./knowledge";
import type { MessageDocuments } from "./messageDocuments";
import type { Places } from "./places";
import type { Server } from "./server";

/** What the commands work with. */
export interface Tools {
  readonly server: Server;
  readonly knowledge: Knowledge;
  readonly places: Places;
  readonly autoSave: AutoSavePause;
  readonly fileHistory: FileHistory;
  readonly journalDocuments: JournalDocuments;
  readonly messageDocuments: MessageDocuments;
  readonly output: LogOutputChannel;
}
