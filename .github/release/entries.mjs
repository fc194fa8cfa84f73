// Fills version and address into what other projects' lists take, and packs it: node entries.mjs OUT
//
// `entries/` has a folder for each list. Who sends what where is told in README.md beside.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { name, owner, repository, root, version } from "./platforms.mjs";

const out = resolve(process.argv[2]);
const scratch = mkdtempSync(join(tmpdir(), "entries-"));
const folder = join(scratch, "entries");
const packed = join(out, "entries.tar.gz");
try {
  cpSync(join(root, ".github/release/entries"), folder, { recursive: true });
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile())) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const text = readFileSync(path, "utf8")
      .replaceAll("@REPOSITORY@", repository)
      .replaceAll("@OWNER@", owner)
      .replaceAll("@NAME@", name)
      .replaceAll("@VERSION@", version);
    writeFileSync(path, text);
  }
  execFileSync("tar", ["-C", scratch, "--owner=0", "--group=0", "--sort=name", "-czf", packed, "entries"]);
} finally {
  rmSync(scratch, { recursive: true });
}
