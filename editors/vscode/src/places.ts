import { realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { EventEmitter, Uri, workspace } from "vscode";
import { blocks, type Claim } from "./protocol";
import type { Disposable } from "./disposable";

/**
 * Where claimed things are in this window. The server names places without symbolic links, the window as its folders were
 * opened, so that the folders' real paths have to be known.
 */
export class Places implements Disposable {
  private folders: { readonly real: string; readonly opened: string }[] = [];
  private readonly emitter = new EventEmitter<void>();
  /** The folders' real paths are known anew. */
  readonly onChange = this.emitter.event;
  private readonly subscription: Disposable;

  constructor() {
    void this.resolve();
    this.subscription = workspace.onDidChangeWorkspaceFolders(() => void this.resolve());
  }

  /** The claimed file or folder as this window names it. */
  uriOf(path: string | null | undefined): Uri | undefined {
    if (path === null || path === undefined) {
      return undefined;
    }
    const folder = this.folders.find(({ real }) => isAtOrBelow(path, real));
    return Uri.file(folder === undefined ? path : join(folder.opened, relative(folder.real, path)));
  }

  /** The claims that keep this file or folder: of itself, or of a folder above it. */
  claimsOf(uri: Uri, claims: readonly Claim[]): Claim[] {
    const path = uri.fsPath;
    return claims.filter((claim) => {
      const claimed = this.uriOf(claim.path)?.fsPath;
      if (claimed === undefined || !blocks(claim)) {
        return false;
      }
      return claimed === path || (claim.resource_type === "directory" && isAtOrBelow(path, claimed));
    });
  }

  dispose(): void {
    this.subscription.dispose();
    this.emitter.dispose();
  }

  private async resolve(): Promise<void> {
    const opened = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
    this.folders = await Promise.all(
      opened.map(async ({ uri }) => ({
        opened: uri.fsPath,
        real: await realpath(uri.fsPath).catch(() => uri.fsPath),
      })),
    );
    this.emitter.fire();
  }
}

/** Every folder above a path, the nearest first. */
export function foldersAbove(path: string): string[] {
  const above: string[] = [];
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    above.push(folder);
  }
  return above;
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
