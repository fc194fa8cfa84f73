import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ConfigurationTarget, type Uri, workspace } from "vscode";
import type { Disposable } from "./disposable";

/** The editor's own setting by which a file with an error in it is not saved automatically. */
const NAME = "autoSaveWhenNoErrors";
/** A window says so often that it still needs it, in milliseconds. */
const SIGN = 60_000;
/** A window that gave no sign for so long, in milliseconds, is gone, whoever has its process number now. */
const GONE = 5 * SIGN;

/** What could not be written is tried again after so long, in milliseconds. */
const RETRY = 60_000;

/** The user's own value, `null` if they have none. */
interface Before {
  readonly value: boolean | null;
}

/**
 * Turns `files.autoSaveWhenNoErrors` on for as long as a window of this machine needs it, and puts the user's own value
 * back when none does any more, after a crash with the next window. Each window that needs it keeps a small file with
 * that value. A file is written at once, where the editor's own storage takes longer than some people take to type.
 */
export class AutoSaveSetting implements Disposable {
  private isWanted = false;
  private failedAt = -RETRY;
  private turn: Promise<void> = Promise.resolve();
  private readonly own: string;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly folder: string,
    private readonly failed: (cause: string) => void,
  ) {
    this.own = join(folder, `${process.pid}.json`);
    this.timer = setInterval(() => {
      this.giveSign();
    }, SIGN);
    this.apply();
  }

  /** True where it can work for this file: unless the workspace's own settings turn it off. */
  isPossible(uri: Uri): boolean {
    const values = workspace.getConfiguration("files", uri).inspect<boolean>(NAME);
    return !this.hasFailed && (values?.workspaceFolderValue ?? values?.workspaceValue) !== false;
  }

  want(isWanted: boolean): void {
    if (this.isWanted !== isWanted) {
      this.isWanted = isWanted;
      this.apply();
    }
  }

  /** Makes sure of it after the setting changed: another window may have put it back. */
  apply(): void {
    const action = () => this.applyNow();
    this.turn = this.turn.then(action, action);
  }

  /** Gives it up, as far as the closing window still can. */
  async end(): Promise<void> {
    this.want(false);
    await this.turn;
  }

  dispose(): void {
    clearInterval(this.timer);
  }

  private get hasFailed(): boolean {
    return performance.now() - this.failedAt < RETRY;
  }

  private async applyNow(): Promise<void> {
    const settings = workspace.getConfiguration("files");
    const value = settings.inspect<boolean>(NAME)?.globalValue ?? null;
    const { before, isNeededElsewhere, left } = this.look();
    try {
      if (this.isWanted) {
        this.remember(before ?? { value });
        if (value !== true) {
          await settings.update(NAME, true, ConfigurationTarget.Global);
        }
      } else {
        const isOurs = value === true && before !== undefined && before.value !== true;
        if (isOurs && !isNeededElsewhere) {
          await settings.update(NAME, before.value ?? undefined, ConfigurationTarget.Global);
        }
        // Only now: whoever needs it meanwhile still finds the user's value.
        rmSync(this.own, { force: true });
      }
      for (const path of left) {
        rmSync(path, { force: true });
      }
    } catch (error) {
      if (this.isWanted) {
        this.failedAt = performance.now();
        this.failed(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** What the windows that need it know of the user's own value, and what crashed ones left. */
  private look(): { before: Before | undefined; isNeededElsewhere: boolean; left: string[] } {
    const paths = namesIn(this.folder).map((name) => join(this.folder, name));
    const others = paths.filter((path) => path !== this.own);
    return {
      before: paths.map(read).find((before) => before !== undefined),
      isNeededElsewhere: others.some(isAlive),
      left: others.filter((path) => !isAlive(path)),
    };
  }

  private remember(before: Before): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(this.own, JSON.stringify(before));
  }

  private giveSign(): void {
    if (this.isWanted) {
      try {
        utimesSync(this.own, new Date(), new Date());
      } catch {
        // Whoever cleared the folder is answered with the next change.
      }
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+\.json$/.test(name));
  } catch {
    return [];
  }
}

function read(path: string): Before | undefined {
  try {
    const { value } = JSON.parse(readFileSync(path, "utf8")) as Partial<Before>;
    return { value: typeof value === "boolean" ? value : null };
  } catch {
    return undefined;
  }
}

function isAlive(path: string): boolean {
  try {
    process.kill(Number.parseInt(basename(path), 10), 0);
    return Date.now() - statSync(path).mtimeMs < GONE;
  } catch {
    return false;
  }
}
