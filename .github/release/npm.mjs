// Packs the npm packages, one for each built program and one that starts the right one: node npm.mjs BINARIES OUT
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { built, description, name, owner, platforms, repository, root, version } from "./platforms.mjs";

const [binaries, out] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(out, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), "npm-"));
const common = {
  version,
  license: "MIT",
  repository: { type: "git", url: `git+${repository}.git` },
  homepage: `${repository}#readme`,
  bugs: `${repository}/issues`,
};
const nameOf = ({ npm }) => `@deconflict/${npm}`;

try {
  for (const platform of built(binaries)) {
    const { os, cpu, libc, program, path } = platform;
    const folder = start(platform.npm, {
      name: nameOf(platform),
      description: `The program of deconflict for ${platform.npm}`,
      os: [os],
      cpu: [cpu],
      ...(libc && { libc: [libc] }),
      // A package manager that keeps packages in archives has to unpack this one.
      preferUnplugged: true,
      files: ["bin"],
    });
    mkdirSync(join(folder, "bin"));
    copyFileSync(path, join(folder, "bin", program));
    chmodSync(join(folder, "bin", program), 0o755);
    writeFileSync(join(folder, "README.md"), `The program of [deconflict](${repository}) for ${platform.npm}.\n`);
    pack(folder);
  }
  const folder = start("deconflict", {
    name: "deconflict",
    description,
    mcpName: `io.github.${owner}/${name}`,
    keywords: ["coding-agents", "coordination", "file-locks", "language-server", "mcp"],
    type: "module",
    bin: { deconflict: "deconflict.mjs" },
    files: ["deconflict.mjs"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(platforms.map((it) => [nameOf(it), version])),
  });
  for (const file of ["deconflict.mjs", "README.md"]) {
    copyFileSync(join(root, ".github/release/npm", file), join(folder, file));
  }
  chmodSync(join(folder, "deconflict.mjs"), 0o755);
  pack(folder);
} finally {
  rmSync(scratch, { recursive: true });
}

function start(folderName, fields) {
  const folder = join(scratch, folderName);
  mkdirSync(folder);
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  const { name: called, ...others } = fields;
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ name: called, ...common, ...others }, undefined, 2)}\n`);
  return folder;
}

function pack(folder) {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", out], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}
