// Packs each built program into an archive, with its checksum, and the installers beside: node archives.mjs BINARIES OUT
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { built, repository, root, version } from "./platforms.mjs";

const [binaries, out] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(out, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), "archives-"));
try {
  built(binaries).forEach(pack);
  ["install.sh", "install.ps1"].forEach(stamp);
} finally {
  rmSync(scratch, { recursive: true });
}

/** An archive holds the program, the licence and what to read first. */
function pack({ target, program, path, archive }) {
  const name = `deconflict-${target}`;
  const folder = join(scratch, name);
  mkdirSync(folder);
  copyFileSync(path, join(folder, program));
  chmodSync(join(folder, program), 0o755);
  for (const file of ["LICENSE", "README.md"]) copyFileSync(join(root, file), join(folder, file));
  copyFileSync(join(root, "server/CHANGELOG.md"), join(folder, "CHANGELOG.md"));
  const packed = join(out, archive);
  rmSync(packed, { force: true });
  if (archive.endsWith(".zip")) {
    // Whoever opens it on Windows gets a folder by themselves.
    execFileSync("zip", ["-q", "-9", "-X", "-r", packed, "."], { cwd: folder });
  } else {
    const owner = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name", `--mtime=@${made()}`];
    execFileSync("tar", ["-C", scratch, ...owner, "-I", "gzip -9n", "-cf", packed, name]);
  }
  record(archive);
}

/** When the last commit was made, so that the same sources give the same archive. */
function made() {
  return execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" }).trim();
}

/** An installer fetches the version that it came with. */
function stamp(installer) {
  const text = readFileSync(join(root, ".github/release", installer), "utf8");
  const stamped = text.replaceAll("@VERSION@", version).replaceAll("@REPOSITORY@", repository);
  writeFileSync(join(out, installer), stamped, { mode: 0o755 });
  record(installer);
}

function record(file) {
  const sum = createHash("sha256").update(readFileSync(join(out, file))).digest("hex");
  writeFileSync(join(out, `${file}.sha256`), `${sum}  ${file}\n`);
}
