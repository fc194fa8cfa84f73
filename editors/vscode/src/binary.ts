import { constants } from "node:fs";
import { access, chmod } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { l10n, workspace } from "vscode";

const NAME = process.platform === "win32" ? "deconflict.exe" : "deconflict";

/** Where the program is, and whether it came with the extension. */
export interface Binary {
  readonly path: string;
  readonly isBundled: boolean;
}

/** The program cannot be found; the message says what to do. */
export class BinaryNotFound extends Error {}

/** Finds the program: the one that the user names, else the one in the extension, else the one on the PATH. */
export async function findBinary(extensionFolder: string): Promise<Binary> {
  const named = workspace.getConfiguration("deconflict").get<string>("server.path", "").trim();
  if (named !== "") {
    const path = named.replace(/^~(?=[/\\]|$)/, homedir());
    if (await isExecutable(path)) {
      return { path, isBundled: false };
    }
    throw new BinaryNotFound(
      l10n.t('"{0}" is not a program that can be run. Correct the setting "deconflict.server.path", or empty it.', path),
    );
  }
  const bundled = join(extensionFolder, "bin", NAME);
  if ((await isExecutable(bundled)) || (await makeExecutable(bundled))) {
    return { path: bundled, isBundled: true };
  }
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, NAME);
    if (folder !== "" && (await isExecutable(path))) {
      return { path, isBundled: false };
    }
  }
  throw new BinaryNotFound(
    l10n.t('The program "deconflict" was not found. Install it, or name it in the setting "deconflict.server.path".'),
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Some ways of unpacking an extension lose the file's mode. */
async function makeExecutable(path: string): Promise<boolean> {
  return chmod(path, 0o755).then(
    () => true,
    () => false,
  );
}
