// A small git repository in a folder of its own, and what others do in it from a terminal.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "./wait.mjs";
import { program } from "./places.mjs";

const FILES = {
  "README.md": "# Orders\n\nTakes orders and sends invoices.\n",
  "src/order.ts": "export interface Order {\n  id: number;\n  total: number;\n}\n\nexport function total(orders: Order[]): number {\n  return orders.reduce((sum, order) => sum + order.total, 0);\n}\n",
  "src/invoice.ts": 'import { total } from "./order";\n\nexport function invoice(): string {\n  return `Total: ${total([])}`;\n}\n',
  "src/login.ts": '// Greets whoever signs in.\nexport function login(name: string): string {\n  return `Hello, ${name}`;\n}\n',
  "src/api/routes.ts": 'export const routes = ["/orders", "/invoices", "/login"];\n',
  "docs/guide.md": "# Guide\n\nHow to place an order.\n",
};

export class Workspace {
  constructor(name = "orders") {
    this.base = realpathSync(mkdtempSync(join(tmpdir(), "deconflict-vscode-")));
    this.folder = join(this.base, name);
    this.home = join(this.base, "home");
    mkdirSync(this.home, { recursive: true });
    for (const [file, text] of Object.entries(FILES)) {
      this.write(file, text);
    }
    this.git("init", "--quiet", "--initial-branch=main");
    this.git("add", ".");
    this.git("-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "Begin");
  }

  path(file) {
    return join(this.folder, file);
  }

  read(file) {
    return readFileSync(this.path(file), "utf8");
  }

  write(file, text) {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), text);
  }

  /** Changes settings of the workspace, which windows on it follow at once. */
  changeSettings(changed) {
    this.settings = { ...this.settings, ...changed };
    this.write(".vscode/settings.json", JSON.stringify(this.settings));
  }

  git(...words) {
    return this.gitOf(this.home, ...words);
  }

  /** Runs git for whoever has this home. */
  gitOf(home, ...words) {
    const env = { ...process.env, HOME: home, GIT_CONFIG_NOSYSTEM: "1" };
    return execFileSync("git", words, { cwd: this.folder, env, encoding: "utf8" });
  }

  /** Registers somebody who works from a terminal; their verbs are run by the answer. */
  person(name, ...words) {
    const id = this.deconflict("start", "--name", name, ...words).trim();
    return {
      id,
      run: (...verb) => this.deconflict(...verb, "--session", id),
      messages: () => JSON.parse(this.deconflict("messages", "--all", "--peek", "--json", "--session", id)).messages,
    };
  }

  /** What git calls whoever works here from a terminal. */
  setPerson(name) {
    writeFileSync(join(this.home, ".gitconfig"), `[user]\n\tname = ${name}\n\temail = ${name.toLowerCase()}@example.org\n`);
  }

  /** A session of Claude Code, as far as its hooks tell of it, of whoever has this home. */
  agent(session, home) {
    const tell = (name, fields = {}) => {
      const event = { session_id: session, transcript_path: "/nowhere", cwd: this.folder, permission_mode: "default", hook_event_name: name, ...fields };
      return this.run(["hook", "claude-code"], home, JSON.stringify(event));
    };
    const tool = (name, file) => tell(name, { tool_name: "Edit", tool_input: { file_path: this.path(file), old_string: "a", new_string: "b" } });
    return {
      id: `claude-code-${session}`,
      start: () => tell("SessionStart", { source: "startup" }),
      prompt: () => tell("UserPromptSubmit", { prompt: "go on" }),
      /** Edits a file if it may. Returns what the hook said before. */
      edit: (file, text) => {
        const said = tool("PreToolUse", file);
        if (!said.includes('"deny"')) {
          this.write(file, text);
          tool("PostToolUse", file);
        }
        return said;
      },
      stop: () => tell("Stop", { stop_hook_active: false }),
      end: () => tell("SessionEnd", { reason: "other" }),
    };
  }

  deconflict(...words) {
    return this.run(words, this.home);
  }

  /** Runs the program for whoever has this home. */
  run(words, home, input = "") {
    const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, "config"), NO_COLOR: "1" };
    delete env.DECONFLICT_SESSION;
    delete env.DECONFLICT_DIR;
    return execFileSync(program, words, { cwd: this.folder, env, input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
  }

  /** The records in one folder of the coordination directory. */
  records(kind) {
    const folder = join(this.folder, "COORDINATION", kind);
    try {
      return readdirSync(folder)
        .filter((name) => !name.startsWith(".") && /\.(json|claim)$/.test(name))
        .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
    } catch {
      return [];
    }
  }

  /** A claim whose time is over, as a script leaves one. */
  writeExpiredClaim(holder, file) {
    const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
    const record = {
      resource_type: "file",
      resource_name: file,
      claimed_by: holder,
      claimed_at: ago(20),
      expires_at: ago(5),
      allow_coordination: true,
    };
    this.write(`COORDINATION/claims/file-${encodeURIComponent(file)}.claim`, JSON.stringify(record));
  }

  claim(file) {
    return this.records("claims").find((claim) => claim.resource_name === file);
  }

  waitForClaim(file, holder) {
    return eventually(`a claim of ${file}`, () => {
      const claim = this.claim(file);
      return claim !== undefined && (holder === undefined || claim.claimed_by === holder) ? claim : undefined;
    });
  }

  waitForNoClaim(file) {
    return eventually(`no claim of ${file}`, () => (this.claim(file) === undefined ? true : undefined));
  }

  /** The live sessions kept by an editor's server. */
  servers() {
    return this.records("sessions").filter((session) => session.status !== "completed" && session.keepalive !== undefined);
  }

  /** Servers of windows that were just closed may still write their last words. */
  async remove() {
    await eventually("an end of the workspace", () => {
      try {
        rmSync(this.base, { recursive: true, force: true });
        return true;
      } catch {
        return undefined;
      }
    });
  }
}
