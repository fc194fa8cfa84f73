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
  "src/login.ts": 'export function login(name: string): string {\n  return `Hello, ${name}`;\n}\n',
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

  git(...words) {
    const env = { ...process.env, HOME: this.home, GIT_CONFIG_NOSYSTEM: "1" };
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

  deconflict(...words) {
    const env = { ...process.env, HOME: this.home, NO_COLOR: "1" };
    delete env.DECONFLICT_SESSION;
    delete env.DECONFLICT_DIR;
    return execFileSync(program, words, { cwd: this.folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
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
