// An empty home with a repository beside it, and nothing on the path but what a test puts there.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** What any system has. */
const SYSTEM = [
  "awk", "basename", "cat", "chmod", "cp", "curl", "cut", "dirname", "env", "getconf", "git", "grep", "gzip", "head", "id",
  "find", "ln", "ls", "mkdir", "mktemp", "mv", "readlink", "rm", "sed", "sh", "sha256sum", "sleep", "sort", "tar", "touch", "tr", "uname",
];

export class Home {
  constructor(t, programs = []) {
    const scratch = mkdtempSync(join(tmpdir(), "reach-"));
    t.after(() => rmSync(scratch, { recursive: true, force: true }));
    this.path = join(scratch, "home");
    this.workspace = join(scratch, "workspace");
    const bin = join(scratch, "bin");
    for (const folder of [this.path, this.workspace, bin]) mkdirSync(folder);
    for (const program of SYSTEM) symlinkSync(find(program), join(bin, program));
    const others = programs.map((program) => dirname(find(program)));
    this.env = {
      HOME: this.path,
      PATH: [join(this.path, ".local/bin"), bin, ...others].join(delimiter),
      LANG: "C.UTF-8",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.com",
      GIT_COMMITTER_NAME: "Ada",
      GIT_COMMITTER_EMAIL: "ada@example.com",
    };
    execFileSync("git", ["init", "-q", this.workspace], { env: this.env });
  }

  /** Runs a command in the repository, and gives its code and what it said. */
  run(command, args = [], env = {}) {
    const ran = spawnSync(command, args, {
      cwd: this.workspace,
      env: { ...this.env, ...env },
      encoding: "utf8",
      timeout: 120_000,
    });
    return { code: ran.status, said: `${ran.error ?? ""}${ran.stdout}${ran.stderr}` };
  }

  /** Does the same while this process goes on answering others. */
  async runBeside(command, args = [], env = {}) {
    const running = spawn(command, args, {
      cwd: this.workspace,
      env: { ...this.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
    });
    const said = [];
    for (const stream of [running.stdout, running.stderr]) stream.on("data", (data) => said.push(data));
    const code = await new Promise((done) => running.on("close", done));
    return { code, said: Buffer.concat(said).toString() };
  }

  /** All files below the home, folders of caches aside. */
  files() {
    return readdirSync(this.path, { recursive: true, withFileTypes: true })
      .filter((it) => !it.isDirectory())
      .map((it) => join(it.parentPath ?? it.path, it.name).slice(this.path.length + 1))
      .filter((it) => !/^(\.npm|\.cache)\//.test(it))
      .sort();
  }
}

function find(program) {
  return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
}
