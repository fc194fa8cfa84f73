// Bundles the extension into `dist/extension.js`. With `--check` it only says whether the committed bundle is what the
// sources make, byte for byte.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));
const outfile = `${folder}dist/extension.js`;
const check = process.argv.includes("--check");

const result = await build({
  absWorkingDir: folder,
  entryPoints: ["src/extension.ts"],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  minify: true,
  // Stack traces of users should name functions.
  keepNames: true,
  legalComments: "inline",
  write: !check,
  logLevel: "warning",
});

if (check) {
  const built = Buffer.from(result.outputFiles[0].contents);
  const committed = await readFile(outfile).catch(() => Buffer.alloc(0));
  if (!built.equals(committed)) {
    console.error("editors/vscode/dist/extension.js is not what its sources make: run `npm run build` there and commit it.");
    process.exit(1);
  }
}
