// Packages the extension into a `.vsix` for one platform, with the server's binary in it.
//
//   node package.mjs BINARY [OUT.vsix]      for this platform
//   node package.mjs --target linux-arm64 BINARY [OUT.vsix]
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createVSIX } from "@vscode/vsce";

const { values, positionals } = parseArgs({
  options: {
    target: { type: "string", default: `${process.platform}-${process.arch}` },
  },
  allowPositionals: true,
});
const [binary, out = `deconflict-${values.target}.vsix`] = positionals;
if (binary === undefined) {
  console.error("usage: npm run package -- [--target PLATFORM] BINARY [OUT.vsix]");
  process.exit(2);
}
const sources = fileURLToPath(new URL(".", import.meta.url));
// Editors and marketplaces show pictures on an extension's page by whole addresses alone: those of this release's files.
const { repository, version } = JSON.parse(await readFile(join(sources, "package.json"), "utf8"));
const links = `${repository.url}/raw/v${version}/${repository.directory}`;
// What goes into the package is gathered in a folder of its own, so that several may be packaged at once.
const folder = await mkdtemp(join(tmpdir(), "deconflict-package-"));
try {
  const isSource = (path) => !["node_modules", "src", "bin"].some((name) => path.startsWith(join(sources, name)));
  await cp(sources, folder, { recursive: true, filter: isSource });
  const name = basename(binary).endsWith(".exe") ? "deconflict.exe" : "deconflict";
  await mkdir(join(folder, "bin"), { recursive: true });
  await copyFile(binary, join(folder, "bin", name));
  await chmod(join(folder, "bin", name), 0o755);
  await createVSIX({
    cwd: folder,
    packagePath: resolve(out),
    target: values.target,
    dependencies: false,
    allowMissingRepository: true,
    baseContentUrl: links,
    baseImagesUrl: links,
    skipLicense: false,
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
