import { EventEmitter, type Uri, window, workspace } from "vscode";
import { activeFile } from "./commands/target";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Change } from "./protocol";
import type { Server } from "./server";

/** Causes to read are gathered for so many milliseconds. */
const GATHERING = 150;
/** A change by nobody known is waited for by the server; after so many milliseconds it is written down in any case. */
const WRITTEN_DOWN = 1_500;

/** What was changed in the file in front, newest first. It is read while somebody looks at it. */
export class FileHistory implements Disposable {
  private readonly emitter = new EventEmitter<void>();
  readonly onChange = this.emitter.event;

  /** The file in front, or the last that was. */
  uri: Uri | undefined;
  changes: readonly Change[] = [];

  private readonly subscriptions: Disposable[];
  private soon: NodeJS.Timeout | undefined;
  private later: NodeJS.Timeout | undefined;
  private reads = 0;
  private isWatched = false;
  private lastRead = "";

  constructor(
    private readonly server: Server,
    knowledge: Knowledge,
  ) {
    const read = () => {
      this.readSoon();
    };
    const readTwice = () => {
      this.readSoon();
      clearTimeout(this.later);
      this.later = setTimeout(read, WRITTEN_DOWN);
    };
    this.subscriptions = [
      this.emitter,
      knowledge.onChange(read),
      server.onChange(read),
      window.onDidChangeActiveTextEditor(read),
      window.tabGroups.onDidChangeTabs(read),
      workspace.onDidSaveTextDocument(readTwice),
      workspace.onDidChangeTextDocument(({ document }) => {
        // Read again from disk, as another has written it.
        if (!document.isDirty && document.uri.toString() === this.uri?.toString()) {
          readTwice();
        }
      }),
    ];
  }

  /** Whether somebody looks at it. */
  watched(isWatched: boolean): void {
    this.isWatched = isWatched;
    if (isWatched) {
      void this.read();
    }
  }

  /** Reads the changes of a file, newest first. */
  async of(uri: Uri): Promise<readonly Change[]> {
    const answer = await this.server.query<{ entries: readonly Change[] }>("history", { uri: uri.toString() });
    return answer?.entries ?? [];
  }

  dispose(): void {
    clearTimeout(this.soon);
    clearTimeout(this.later);
    disposeAll(this.subscriptions);
  }

  private readSoon(): void {
    if (this.isWatched) {
      this.soon ??= setTimeout(() => {
        this.soon = undefined;
        void this.read();
      }, GATHERING);
    }
  }

  private async read(): Promise<void> {
    const number = ++this.reads;
    const uri = activeFile() ?? this.uri;
    const changes = uri === undefined ? [] : await this.of(uri);
    const read = JSON.stringify([uri?.toString(), changes]);
    // A list that is drawn again and again never comes to rest.
    if (number === this.reads && read !== this.lastRead) {
      this.lastRead = read;
      this.uri = uri;
      this.changes = changes;
      this.emitter.fire();
    }
  }
}
