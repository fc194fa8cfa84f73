// A release has everything for each platform. What stands for the programs here are small files: those of other platforms
// cannot be built here, and packing looks into none of them.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { platforms, version } from "../../.github/release/platforms.mjs";
import { root } from "./support/release.mjs";

const read = (command, args, options) => execFileSync(command, args, { encoding: "utf8", ...options });

test("all platforms", async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "platforms-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const [binaries, dist] = ["binaries", "dist"].map((it) => join(scratch, it));
  for (const { target, program } of platforms) {
    mkdirSync(join(binaries, target), { recursive: true });
    writeFileSync(join(binaries, target, program), `the program for ${target}\n`);
  }
  const env = { ...process.env };
  delete env.DECONFLICT_PARTIAL_RELEASE;
  execFileSync(join(root, ".github/release/package"), [binaries, dist], { env, stdio: ["ignore", "ignore", "inherit"] });

  await t.test("each has an archive with its own program where installers look for it", () => {
    for (const { target, program, archive } of platforms) {
      const path = join(dist, archive);
      const said = archive.endsWith(".zip")
        ? read("unzip", ["-p", path, program])
        : read("tar", ["-xzOf", path, `deconflict-${target}/${program}`]);
      assert.equal(said, `the program for ${target}\n`);
      const [sum, named] = readFileSync(`${path}.sha256`, "utf8").trim().split("  ");
      assert.equal(sum, createHash("sha256").update(readFileSync(path)).digest("hex"));
      assert.equal(named, archive);
    }
  });

  await t.test("each has an npm package that installs on it alone, and the one that starts it asks for them all", () => {
    const manifest = (it) => JSON.parse(read("tar", ["-xzOf", join(dist, it), "package/package.json"]));
    for (const { npm, os, cpu, libc, program, target } of platforms) {
      const file = `deconflict-${npm}-${version}.tgz`;
      const { name, ...found } = manifest(file);
      assert.equal(name, `@deconflict/${npm}`);
      assert.deepEqual([found.os, found.cpu, found.libc], [[os], [cpu], libc && [libc]]);
      assert.equal(read("tar", ["-xzOf", join(dist, file), `package/bin/${program}`]), `the program for ${target}\n`);
    }
    const { optionalDependencies } = manifest(`deconflict-${version}.tgz`);
    assert.deepEqual(Object.keys(optionalDependencies), platforms.map(({ npm }) => `@deconflict/${npm}`));
  });

  await t.test("each has an extension for VS Code, marked with the platform and with its program inside", () => {
    for (const { vscode, program, target } of platforms) {
      const vsix = join(dist, `deconflict-${vscode}-${version}.vsix`);
      assert.match(read("unzip", ["-p", vsix, "extension.vsixmanifest"]), new RegExp(`TargetPlatform="${vscode}"`));
      assert.equal(read("unzip", ["-p", vsix, `extension/bin/${program}`]), `the program for ${target}\n`);
    }
  });

  await t.test("the list of checksums has every file", () => {
    const listed = readFileSync(join(dist, "SHA256SUMS"), "utf8").trim().split("\n").map((it) => it.split("  ")[1]);
    const made = readdirSync(dist).filter((it) => !/\.sha256$|^notes\.md$|^SHA256SUMS$/.test(it));
    assert.deepEqual(listed.sort(), made.sort());
  });

  await t.test("nothing is made where one is missing", () => {
    rmSync(join(binaries, platforms[3].target), { recursive: true });
    const made = spawnSync(join(root, ".github/release/package"), [binaries, join(scratch, "again")], { env, encoding: "utf8" });
    assert.notEqual(made.status, 0);
    assert.match(made.stderr, new RegExp(`no program for ${platforms[3].target} in`));
  });
});
