// A Neovim without a face, with our plugin.
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { neovim, neovimPlugin, program } from "./places.mjs";
import { eventually } from "./wait.mjs";

export class Neovim {
  static async start(workspace) {
    const socket = join(workspace.base, "nvim.sock");
    const setup = `lua vim.opt.rtp:prepend(${JSON.stringify(neovimPlugin)}) vim.g.deconflict = { cmd = ${JSON.stringify(program)} }`;
    const env = { ...process.env, HOME: workspace.home };
    delete env.DECONFLICT_SESSION;
    const child = spawn(neovim, ["--headless", "--clean", "--listen", socket, "--cmd", setup], {
      cwd: workspace.folder,
      env,
      stdio: "ignore",
    });
    const editor = new Neovim(child, socket);
    await eventually("a Neovim", () => {
      try {
        return editor.evaluate("1") === "1";
      } catch {
        return undefined;
      }
    });
    return editor;
  }

  constructor(child, socket) {
    this.child = child;
    this.socket = socket;
  }

  evaluate(expression) {
    const words = ["--server", this.socket, "--remote-expr", expression];
    return execFileSync(neovim, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }

  command(text) {
    this.evaluate(`execute(${JSON.stringify(text)})`);
  }

  /** The messages of the diagnostics in the buffer in front. */
  diagnostics() {
    const lua = "vim.iter(vim.diagnostic.get(0)):map(function(it) return it.message end):join(' | ')";
    return this.evaluate(`luaeval("${lua}")`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }
}
