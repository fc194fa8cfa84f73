// What every step of a release knows: the platforms, the version, the address, and which binaries there are.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The top of the checkout. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

const manifest = readFileSync(join(root, "Cargo.toml"), "utf8");
const field = (key) => manifest.match(new RegExp(`^${key} = "(.*)"$`, "m"))[1];

export const version = field("version");
export const repository = field("repository");
export const description = field("description");

// An address that is not real yet has one name for both.
const [first, second = first] = new URL(repository).pathname.slice(1).split("/");
export const [owner, name] = [first, second];

/** All platforms of a release, as `targets` lists them. */
export const platforms = readFileSync(join(here, "targets"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [target, runner, npm, os, cpu, libc, vscode] = line.split(/ +/);
    const isWindows = os === "win32";
    return {
      target,
      runner,
      npm,
      os,
      cpu,
      libc: libc === "-" ? undefined : libc,
      vscode,
      program: isWindows ? "deconflict.exe" : "deconflict",
      archive: `deconflict-${target}.${isWindows ? "zip" : "tar.gz"}`,
    };
  });

/**
 * The platforms of which `binaries` has a program, as `TARGET/deconflict`, with its path.
 *
 * A release needs all of them: one that is missing ends the run, unless DECONFLICT_PARTIAL_RELEASE is set, as tests do.
 */
export function built(binaries) {
  const found = platforms.map((it) => ({ ...it, path: join(binaries, it.target, it.program) }));
  const missing = found.filter((it) => !existsSync(it.path));
  if (missing.length > 0 && !process.env.DECONFLICT_PARTIAL_RELEASE) {
    throw new Error(`no program for ${missing.map((it) => it.target).join(", ")} in ${binaries}`);
  }
  return found.filter((it) => existsSync(it.path));
}
