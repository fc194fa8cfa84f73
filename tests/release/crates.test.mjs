// The crates as crates.io would get them: complete, with nothing in them that nobody needs, and enough to install from.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { platforms, version } from "../../.github/release/platforms.mjs";
import { Home } from "./support/home.mjs";
import { root } from "./support/release.mjs";

const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const packed = join(target, "package");
const cargo = (args, options) =>
  execFileSync("cargo", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 26, ...options });

test("all crates could be published", () => {
  rmSync(packed, { recursive: true, force: true });
  // Compiling each of them from its package is done below, once for all.
  cargo(["publish", "--workspace", "--dry-run", "--no-verify", "--locked", "--allow-dirty"]);
  const crates = readdirSync(join(root, "server"), { withFileTypes: true }).filter(
    (it) => existsSync(join(root, "server", it.name, "Cargo.toml")),
  );
  cargo(["package", "--workspace", "--no-verify", "--locked", "--allow-dirty"]);
  const made = readdirSync(packed).filter((it) => it.endsWith(".crate"));
  assert.equal(made.length, crates.length + 1);
  const { packages } = JSON.parse(cargo(["metadata", "--format-version=1", "--no-deps", "--locked"]));
  for (const it of packages.filter(({ name }) => name.startsWith("deconflict"))) {
    for (const field of ["description", "license", "repository", "homepage", "readme", "rust_version"]) {
      assert.ok(it[field], `${it.name} has no ${field}`);
    }
    assert.ok(it.keywords.length > 0 && it.keywords.length <= 5 && it.categories.length > 0, it.name);
  }
});

test("the program's package has what setup carries, and no tests", () => {
  const listed = cargo(["package", "--list", "--locked", "--allow-dirty"]).trim().split("\n");
  const carried = execFileSync("bash", ["-c", CARRIED], { cwd: root, encoding: "utf8" }).trim().split("\n");
  assert.ok(carried.length > 50);
  assert.deepEqual(listed.filter((it) => it.startsWith("editors/")).sort(), [...new Set(carried)].sort());
  const others = listed.filter((it) => !/^(editors|server\/cli)\//.test(it));
  const expected = [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE", "README.md"];
  assert.deepEqual(others, [...expected, "server/build.rs", "server/main.rs", "server/order.txt"]);
  const bytes = statSync(join(packed, `deconflict-${version}.crate`)).size;
  assert.ok(bytes < 2 << 20, `${bytes} bytes`);
});

test("`cargo binstall` is led to the archive of each platform, and to the program in it", () => {
  const { packages } = JSON.parse(cargo(["metadata", "--format-version=1", "--no-deps", "--locked"]));
  const { repository, metadata } = packages.find((it) => it.name === "deconflict");
  for (const { target, archive, program, os } of platforms) {
    const said = { ...metadata.binstall, ...(os === "win32" && metadata.binstall.overrides["cfg(windows)"]) };
    const values = { name: "deconflict", bin: "deconflict", repo: repository, version, target, "binary-ext": os === "win32" ? ".exe" : "" };
    const filled = (text) => text.replace(/{ ([a-z-]+) }/g, (_, key) => values[key] ?? assert.fail(key));
    assert.equal(filled(said["pkg-url"]), `${repository}/releases/download/v${version}/${archive}`);
    assert.equal(filled(said["bin-dir"]), os === "win32" ? program : `deconflict-${target}/${program}`);
    assert.equal(said["pkg-fmt"], archive.endsWith(".zip") ? "zip" : "tgz");
  }
});

// What `server/cli/setup/assets.rs` embeds, by its own patterns, as far as git knows it.
const CARRIED = `
  shopt -s globstar nullglob
  sed -n 's/^#\\[include = "\\(.*\\)"\\]$/\\1/p' server/cli/setup/assets.rs | while IFS= read -r pattern; do
    eval "git ls-files -- editors/$pattern"
  done`;

test("the packages are enough to install from, without Node and without this checkout", (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "crates-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const crates = readdirSync(packed).filter((it) => it.endsWith(".crate"));
  for (const crate of crates) execFileSync("tar", ["-xzf", join(packed, crate)], { cwd: scratch });
  const patches = crates
    .map((it) => it.replace(/\.crate$/, ""))
    .filter((it) => it !== `deconflict-${version}`)
    .map((it) => `${it.replace(`-${version}`, "")} = { path = "${join(scratch, it)}" }`);
  // Cargo reads what stands here as the user's own settings; their packages of others are found as ever.
  mkdirSync(join(scratch, ".cargo"));
  writeFileSync(join(scratch, ".cargo/config.toml"), `[patch.crates-io]\n${patches.join("\n")}\n`);
  // With the versions that everything here is tested with, which are compiled already. Ours come from no registry yet.
  const package_ = join(scratch, `deconflict-${version}`);
  const lock = readFileSync(join(package_, "Cargo.lock"), "utf8");
  const ours = /(name = "deconflict-.*"\nversion = ".*"\n)source = ".*"\n(?:checksum = ".*"\n)?/g;
  writeFileSync(join(package_, "Cargo.lock"), lock.replace(ours, "$1"));
  const tools = join(scratch, "tools");
  mkdirSync(tools);
  for (const name of ["cargo", "rustc", "cc", "as", "ld", "ar", "git", "sh"]) {
    symlinkSync(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(tools, name));
  }
  const installed = join(scratch, "installed");
  cargo(["install", "--debug", "--locked", "--offline", "--path", package_, "--root", installed, "--target-dir", target], {
    cwd: scratch,
    env: { ...process.env, PATH: tools },
  });

  const home = new Home(t);
  for (const folder of [".config/nvim", ".claude", ".codex", ".gemini", ".cursor"]) mkdirSync(join(home.path, folder), { recursive: true });
  const everything = ["neovim", "helix", "emacs", "kakoune", "zed", "claude-code", "codex", "gemini", "cursor", "opencode"];
  const setUp = home.run(join(installed, "bin/deconflict"), ["setup", ...everything]);
  assert.equal(setUp.code, 0, setUp.said);
  assert.equal(home.run("deconflict", ["--version"]).said, `deconflict ${version}\n`);
  assert.ok(home.files().length > 40, home.files().join("\n"));
  // Codex' hooks wait for its user's trust, which nobody gives for them.
  const { said } = home.run("deconflict", ["doctor"]);
  assert.match(said, /✓ Neovim is set up/);
  assert.doesNotMatch(said, /^✗|^! (?!Codex may not run the hooks yet)/m, said);
  const removed = home.run("deconflict", ["setup", "--remove"]);
  assert.equal(removed.code, 0, removed.said);
});
