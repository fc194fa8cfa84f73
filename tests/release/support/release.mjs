// A release of this checkout for this machine alone, made by the release's own script.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../..", import.meta.url));
export const target = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;

/** Makes it, and gives the folder in which it lies. DECONFLICT_PROGRAM names the program. */
export function release(t) {
  const program = process.env.DECONFLICT_PROGRAM ?? join(root, "target/debug/deconflict");
  const scratch = mkdtempSync(join(tmpdir(), "release-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const built = join(scratch, "built", target);
  mkdirSync(built, { recursive: true });
  // A program that was built to be debugged is several times as large.
  execFileSync("strip", ["-o", join(built, "deconflict"), program]);
  const dist = join(scratch, "dist");
  execFileSync(join(root, ".github/release/package"), [join(scratch, "built"), dist], {
    env: { ...process.env, DECONFLICT_PARTIAL_RELEASE: "1" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { dist, built };
}
