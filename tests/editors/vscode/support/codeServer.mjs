// A real VS Code: its server half in a process, its window in a browser.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { browser, chromium, codeServer, node, pathWithoutRust } from "./places.mjs";
import { DEADLINE, eventually } from "./wait.mjs";
import { Window } from "./window.mjs";

const QUIET = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];

/** What a tester wants of an editor: nothing that opens, saves or asks by itself. */
const SETTINGS = {
  "files.autoSave": "off",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "extensions.autoCheckUpdates": false,
  "git.openRepositoryInParentFolders": "never",
  "chat.disableAIFeatures": true,
  "window.commandCenter": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.colorTheme": "Dark Modern",
};

/** One profile: its settings and extensions, and the server that runs with them. */
export class CodeServer {
  static async start(vsix, settings = {}) {
    const base = mkdtempSync(join(tmpdir(), "deconflict-code-"));
    const folders = ["--user-data-dir", join(base, "data"), "--extensions-dir", join(base, "extensions")];
    const env = { ...process.env, HOME: base, XDG_CONFIG_HOME: join(base, "config"), PATH: pathWithoutRust() };
    delete env.DECONFLICT_SESSION;
    delete env.NODE_OPTIONS;
    mkdirSync(join(base, "data", "User"), { recursive: true });
    mkdirSync(join(base, "config"), { recursive: true });
    writeFileSync(join(base, "data", "User", "settings.json"), JSON.stringify({ ...SETTINGS, ...settings }, null, 2));
    const installed = execFileSync(node, [codeServer, ...folders, "--install-extension", vsix], { env, encoding: "utf8" });
    if (!installed.includes("was successfully installed")) {
      throw new Error(`the extension was not installed: ${installed}`);
    }
    const child = spawn(node, [codeServer, ...folders, ...QUIET, "--bind-addr", "127.0.0.1:0"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const address = await addressOf(child);
    const chrome = await chromium.launch({
      executablePath: browser(),
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    return new CodeServer(base, child, address, chrome);
  }

  constructor(base, child, address, chrome) {
    this.base = base;
    this.child = child;
    this.address = address;
    this.chrome = chrome;
  }

  /** The user's settings, as the editor left them. */
  settings() {
    return readFileSync(this.settingsPath, "utf8");
  }

  writeSettings(text) {
    writeFileSync(this.settingsPath, text);
  }

  /** What git calls the person whose windows these are. */
  setPerson(name) {
    writeFileSync(join(this.base, ".gitconfig"), `[user]\n\tname = ${name}\n\temail = ${name.toLowerCase()}@example.org\n`);
  }

  /** Waits until the editor has put aside an unsaved text, so that it comes back when the window is loaded again. */
  waitForBackup(text) {
    const folder = join(this.base, "data", "User", "Backups");
    const holds = (name) => {
      try {
        return readFileSync(join(folder, name), "utf8").includes(text);
      } catch {
        return false;
      }
    };
    return eventually("a copy of the unsaved text", () => {
      try {
        return readdirSync(folder, { recursive: true }).map(String).some(holds);
      } catch {
        return false;
      }
    });
  }

  get settingsPath() {
    return join(this.base, "data", "User", "settings.json");
  }

  /** Opens a window on a folder, or on the folders that a workspace file names, as somebody with a browser of their own. */
  async open(place, options = {}) {
    const context = await this.chrome.newContext({
      viewport: { width: 1280, height: 800 },
      permissions: ["clipboard-read", "clipboard-write"],
      ...options,
    });
    context.setDefaultTimeout(DEADLINE);
    const page = await context.newPage();
    const kind = place.endsWith(".code-workspace") ? "workspace" : "folder";
    const window = new Window(page, context);
    await window.recordToasts();
    await page.goto(`${this.address}/?${kind}=${encodeURIComponent(place)}`);
    if (kind === "workspace") {
      await window.haveFolders();
    }
    await window.ready();
    return window;
  }

  /** Opens a window on nothing. */
  async openEmpty() {
    const context = await this.chrome.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(DEADLINE);
    const page = await context.newPage();
    await page.goto(`${this.address}/?ew=true`);
    return new Window(page, context);
  }

  async stop() {
    await this.chrome.close();
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
    // Its extension hosts may still be writing when it is gone.
    await eventually("an end of the profile", () => {
      try {
        rmSync(this.base, { recursive: true, force: true });
        return true;
      } catch {
        return undefined;
      }
    });
  }
}

/** Where the server listens, as it says itself. */
async function addressOf(child) {
  const said = [];
  child.stderr.on("data", (chunk) => said.push(String(chunk)));
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    const listening = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(line);
    if (listening) {
      child.stdout.resume();
      return listening[1];
    }
  }
  throw new Error(`code-server did not start:\n${said.join("\n")}`);
}
