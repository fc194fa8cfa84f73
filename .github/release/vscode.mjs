// Packages the VS Code extension round each built program: node vscode.mjs BINARIES OUT
// `npm ci` in editors/vscode comes first.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { built, root, version } from "./platforms.mjs";

const [binaries, out] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(out, { recursive: true });
for (const { vscode, path } of built(binaries)) {
  const vsix = join(out, `deconflict-${vscode}-${version}.vsix`);
  execFileSync("node", ["package.mjs", "--target", vscode, path, vsix], {
    cwd: join(root, "editors/vscode"),
    stdio: ["ignore", "ignore", "inherit"],
  });
}
