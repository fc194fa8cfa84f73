// Bundles the extension into `dist/extension.js` and gathers its texts. With `--check` it only says whether what is
// committed is what the sources make, byte for byte.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { gatherStrings, missingStrings } from "./strings.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));

const { outputFiles } = await build({
  absWorkingDir: folder,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  minify: true,
  // Stack traces of users should name functions.
  keepNames: true,
  legalComments: "inline",
  write: false,
  logLevel: "warning",
});
const made = {
  "dist/extension.js": Buffer.from(outputFiles[0].contents),
  "l10n/bundle.l10n.json": Buffer.from(await gatherStrings(folder)),
};

const wrong = await missingStrings(folder);
for (const [name, contents] of Object.entries(made)) {
  if (!process.argv.includes("--check")) {
    await writeFile(folder + name, contents);
  } else if (!contents.equals(await readFile(folder + name).catch(() => Buffer.alloc(0)))) {
    wrong.push(`editors/vscode/${name} is not what its sources make: run \`npm run build\` there and commit it`);
  }
}
for (const problem of wrong) {
  console.error(problem);
}
process.exit(wrong.length === 0 ? 0 : 1);
