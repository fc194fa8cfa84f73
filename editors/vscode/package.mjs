// Packages the extension into a `.vsix` for one platform, with the server's binary in it.
//
//   node package.mjs BINARY [OUT.vsix]      for this platform
//   node package.mjs --target linux-arm64 BINARY [OUT.vsix]
//   node package.mjs --links URL BINARY     for the marketplace, where the page's pictures and links need an address
import { chmod, copyFile, mkdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createVSIX } from "@vscode/vsce";

const { values, positionals } = parseArgs({
  options: {
    target: { type: "string", default: `${process.platform}-${process.arch}` },
    links: { type: "string" },
  },
  allowPositionals: true,
});
const [binary, out = `deconflict-${values.target}.vsix`] = positionals;
if (binary === undefined) {
  console.error("usage: npm run package -- [--target PLATFORM] [--links URL] BINARY [OUT.vsix]");
  process.exit(2);
}
const folder = fileURLToPath(new URL(".", import.meta.url));
const bin = `${folder}bin`;
const name = basename(binary).endsWith(".exe") ? "deconflict.exe" : "deconflict";
await mkdir(bin, { recursive: true });
try {
  await copyFile(binary, `${bin}/${name}`);
  await chmod(`${bin}/${name}`, 0o755);
  await createVSIX({
    cwd: folder,
    packagePath: out,
    target: values.target,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: values.links !== undefined,
    baseContentUrl: values.links,
    baseImagesUrl: values.links,
    skipLicense: false,
  });
} finally {
  await rm(bin, { recursive: true, force: true });
}
