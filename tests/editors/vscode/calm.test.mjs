// What people see on a day of work: calm, clear, and never lost.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { extension } from "./support/places.mjs";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

/** What the extension wrote into its output channel, in each window of an editor. */
function logsOf(code) {
  const data = join(code.base, "data");
  const logs = readdirSync(data, { recursive: true }).map(String).filter((name) => /Deconflict\.log$/.test(name));
  return logs.map((name) => readFileSync(join(data, name), "utf8"));
}

describe("somebody with auto save on, and a file that another holds", () => {
  let workspace, claude, window;
  const play = (name, act) => scene(name, () => [window], act);

  before(async () => {
    workspace = new Workspace("shop");
    const settings = { "files.autoSave": "afterDelay", "files.autoSaveDelay": 10_000, "deconflict.sessionName": "Grace" };
    workspace.write(".vscode/settings.json", JSON.stringify(settings));
    claude = workspace.person("claude");
    claude.run("claim", "file", "src/login.ts", "--for", "2h");
    window = await editor.code.open(workspace.folder);
  });

  after(async () => {
    await window?.close();
    await workspace?.remove();
  });

  play("only looking at it pauses nothing and writes no setting", async () => {
    const settings = editor.code.settings();
    await window.openFile("src/login.ts");
    await window.page.locator(".view-line", { hasText: "held by claude" }).waitFor();
    await window.page.locator(".squiggly-info").first().waitFor();
    await eventually("a status bar that tells who", async () => /claude holds this/.test(await window.statusText()));
    assert.equal(await window.warningInStatusBar.count(), 0, "no colour for a look");
    // Another file is edited and given back, so that everything had its time.
    await window.openFile("src/order.ts");
    await window.type("// mine\n");
    await workspace.waitForClaim("src/order.ts");
    await window.undoAll();
    await workspace.waitForNoClaim("src/order.ts");
    await window.openFile("src/login.ts");
    assert.equal(await window.page.locator(".squiggly-error").count(), 0);
    assert.equal(editor.code.settings(), settings);
    assert.equal(await window.page.locator(".notification-toast").count(), 0);
  });

  play("Edit Anyway lasts until somebody else holds it", async () => {
    await window.openFile("src/login.ts");
    await window.type("// all the same\n");
    const warning = window.notification("Your save would overwrite theirs. Talk first? Auto save waits for your answer.");
    await warning.waitFor();
    assert.equal(await window.page.locator(".notification-toast").count(), 1, "one cause, one notice");
    await window.warningInStatusBar.waitFor();
    await window.button(warning, "Edit Anyway").click();
    await eventually("an auto save", () => workspace.read("src/login.ts").includes("// all the same"));

    // The same holder again, by another claim.
    claude.run("release", "file", "src/login.ts");
    await window.page.locator(".view-line", { hasText: "held by claude" }).waitFor({ state: "detached" });
    claude.run("claim", "file", "src/login.ts", "--for", "1h", "--force");
    await window.page.locator(".view-line", { hasText: "held by claude" }).waitFor();
    await window.command("Notifications: Clear All Notifications");
    await window.type("// and again\n");
    await eventually("an auto save", () => workspace.read("src/login.ts").includes("// and again"));
    assert.equal(await warning.count(), 0);

    const grace = workspace.person("Alan");
    grace.run("claim", "file", "src/login.ts", "--for", "1h", "--force");
    await window.page.locator(".view-line", { hasText: "held by Alan" }).waitFor();
    await window.type("// who now\n");
    await window.notification("Alan holds src/login.ts until").waitFor();
    await window.save();
    await window.command("View: Close All Editors");
  });
});

describe("two windows on one clone", () => {
  let workspace, ada, bob, claude;
  const play = (name, act) => scene(name, () => [ada, bob], act);

  before(async () => {
    workspace = new Workspace("shop");
    claude = workspace.person("claude");
    ada = await editor.code.open(workspace.folder);
    bob = await editor.code.open(workspace.folder);
  });

  after(async () => {
    await ada?.close();
    await bob?.close();
    await workspace?.remove();
  });

  const history = (file, count) =>
    eventually(`${count} changes of ${file} in the journal`, () => {
      const { entries } = JSON.parse(workspace.deconflict("history", file, "--json"));
      return entries.filter(({ session }) => session !== undefined).length >= count ? entries : undefined;
    });

  play("what the holder changed is shown alone, in the editor's own comparison", async () => {
    const file = "src/order.ts";
    await ada.openFile(file);
    await ada.type("// by the first window\n");
    await ada.save();
    await history(file, 1);
    await ada.command("Deconflict: Release");
    await workspace.waitForNoClaim(file);
    await bob.openFile(file);
    await bob.page.keyboard.press("Control+Home");
    await bob.page.keyboard.type("/* by the second window */ ");
    await bob.save();
    await history(file, 2);
    await ada.openFile(file);
    await ada.page.locator(".view-line", { hasText: /your\sVS\sCode/ }).waitFor();
    await ada.command("Deconflict: Show What They Changed");
    const modified = ada.page.locator(".monaco-diff-editor .modified .view-lines");
    await modified.locator(".view-line", { hasText: "by the second window" }).waitFor();
    assert.equal(await modified.locator(".view-line", { hasText: "by the first window" }).count(), 0);
    await ada.page.locator(".tab.active", { hasText: "what" }).waitFor();
    await ada.screenshot("difference-dark");
    const left = readdirSync(editor.code.base, { recursive: true }).filter((name) => String(name).endsWith(".diff"));
    assert.deepEqual(left, []);
    await ada.command("View: Close All Editors");
  });

  play("a message stays unread until it is opened, in a conversation of both sides that survives a reload", async () => {
    await bob.command("View: Close All Editors");
    await bob.openFile("README.md");
    await bob.command("Deconflict: Claim File");
    const { claimed_by: bobs } = await workspace.waitForClaim("README.md");
    claude.run("send", "broadcast", "Lunch", "Back at one");
    claude.run("send", bobs, "Login form", "Until noon <b>only</b>", "--resource", "file", "README.md");
    const notice = bob.notification("Until noon");
    await notice.waitFor();
    await notice.hover();
    await notice.locator(".codicon-notifications-clear").click();
    await eventually("two unread messages", async () => /2 unread/.test(await bob.statusText()));

    await bob.page.reload();
    await bob.ready();
    await eventually("the same session", () => workspace.servers().some(({ session_id: id, status }) => id === bobs && status === "active"));
    await bob.notification("Until noon").waitFor();
    await eventually("still two unread messages", async () => /2 unread/.test(await bob.statusText()));
    await workspace.waitForClaim("README.md", bobs);
    await bob.showView();
    await eventually("two messages in the list, the newest first", async () => {
      const [newest, oldest, ...more] = await bob.rows("Messages");
      return /Login form: Until noon/.test(newest) && /Lunch/.test(oldest) && more.length === 0;
    });

    await bob.row("Messages", "Login form: Until noon").click();
    const page = bob.webview();
    const theirs = page.locator("article.theirs", { hasText: "Until noon <b>only</b>" });
    await theirs.waitFor();
    await theirs.getByText("claude").waitFor();
    await theirs.getByText("README.md").waitFor();
    await eventually("nothing of it unread", async () => !/unread/.test((await bob.statusText()).replace("0 unread", "")));
    await page.getByText("Reply…").click();
    await bob.question("Reply to claude").waitFor();
    await bob.ask("Fine with me");
    await page.locator("article.own", { hasText: "Fine with me" }).waitFor();
    await eventually("the reply", () => claude.messages().some(({ message }) => message === "Fine with me"));
    await bob.screenshot("conversation-dark");
    await bob.command("View: Close All Editors");
    await bob.command("View: Show Explorer");
  });

  play("whoever releases from the notice of a request has answered it", async () => {
    await bob.openFile("README.md");
    const { claimed_by: bobs } = await workspace.waitForClaim("README.md");
    claude.run("send", bobs, "May I?", "--type", "release_request", "--resource", "file", "README.md");
    await bob.button(bob.notification("claude asks you to release README.md"), "Release").click();
    await workspace.waitForNoClaim("README.md");
    await eventually("nothing unread", async () => / 0 unread/.test(await bob.statusText()));
    await bob.command("Deconflict: Claim File");
    await workspace.waitForClaim("README.md");
    // The pointer is where notices are, and keeps whatever is there.
    await bob.command("Notifications: Clear All Notifications");
  });

  play("the status bar, the keys and the menus offer what can be done with the file", async () => {
    claude.run("claim", "file", "src/login.ts", "--for", "2h");
    await ada.openFile("src/login.ts");
    await ada.page.locator(".view-line", { hasText: "held by claude" }).waitFor();
    await ada.page.locator(".editor-actions a[aria-label*='What to Do with This File']").first().waitFor();
    await ada.statusItem.click();
    const list = ada.page.locator(".quick-input-widget:visible");
    for (const entry of ["Ask to Release…", "Notify Me", "Show What They Changed", "Take Over…", "Set My Status…"]) {
      await list.locator(".monaco-list-row", { hasText: entry }).first().waitFor();
    }
    await ada.screenshot("actions-dark");
    await ada.page.keyboard.press("Escape");

    await ada.openFile("src/invoice.ts");
    const keys = ["Control+K", "Alt+C"];
    await ada.press(keys, "a claim by keys", () => workspace.claim("src/invoice.ts") !== undefined);
    await ada.press(keys, "a release by keys", () => workspace.claim("src/invoice.ts") === undefined);
    const held = await ada.explorerMenu("login.ts");
    assert.ok(held.includes("Notify Me") && !held.includes("Claim File") && !held.includes("Release"), held.join(", "));
    const free = await ada.explorerMenu("invoice.ts");
    assert.ok(free.includes("Claim File") && !free.includes("Notify Me") && !free.includes("Take Over…"), free.join(", "));
  });

  play("a mark stays beside git's own, and the directory's own folder is hidden", async () => {
    claude.run("claim", "file", "src/order.ts", "--for", "2h");
    await ada.command("View: Show Explorer");
    await ada.waitForBadge("order.ts", "◆");
    await ada.waitForBadge("order.ts", "M");
    assert.equal(await ada.file("COORDINATION").count(), 0);
    assert.ok(existsSync(workspace.path("COORDINATION")));
  });

  play("a claim of one file draws no other anew", async () => {
    await ada.waitForBadge("order.ts", "◆");
    const redraws = await ada.redrawsOf("order.ts", async () => {
      claude.run("claim", "file", "src/invoice.ts", "--for", "2h");
      await ada.waitForBadge("invoice.ts", "◆");
      claude.run("release", "file", "src/invoice.ts");
      await ada.waitForBadge("invoice.ts", "◆", { isThere: false });
    });
    assert.equal(redraws, 0);
  });

  play("the board is shown as it is meant to be read", async () => {
    await ada.command("Deconflict: Show Status Board");
    await ada.webview().locator("h2", { hasText: "Active Sessions" }).first().waitFor();
    await ada.command("View: Close All Editors");
  });

  play("in quiet mode nothing pops up, and the status bar tells", async () => {
    await bob.command("Deconflict: Turn Quiet Mode On");
    await eventually("a mark of it", async () => /quiet mode is on/.test(await bob.statusText()));
    const { claimed_by: bobs } = workspace.claim("README.md");
    claude.run("send", bobs, "Quietly", "Only if you look");
    await eventually("an unread message", async () => /1 unread/.test(await bob.statusText()));
    await bob.openFile("src/login.ts");
    await bob.type("// too\n");
    await bob.page.locator(".squiggly-warning").first().waitFor();
    assert.equal(await bob.page.locator(".notification-toast").count(), 0);
    await bob.undoAll();
    await bob.command("Deconflict: Turn Quiet Mode Off");
    await eventually("no mark of it", async () => !/quiet/.test(await bob.statusText()));
  });

  play("sessions stand in groups: who is here, agents that wait, and who left", async () => {
    const headings = (...expected) =>
      eventually(`the headings ${expected.join(", ")}`, async () => {
        const found = await ada.headings("Sessions");
        return found.length === expected.length && expected.every((heading, number) => heading.test(found[number]));
      });
    workspace.person("Alan").run("end");
    const agent = workspace.agent("5f0c9a52-71e4-4b6e-9d1f-6f0d3b0c8a44", workspace.home);
    agent.start();
    agent.prompt();
    await ada.showView();
    await headings(/^Here Now\s*4$/, /^Left in the Last Hour\s*1$/);
    agent.stop();
    await headings(/^Here Now\s*3$/, /^Agents Waiting for Their User\s*1$/, /^Left in the Last Hour\s*1$/);
    await ada.row("Sessions", "Claude Code").waitFor();
    await ada.screenshot("waiting-agents-dark");
    agent.prompt();
    await headings(/^Here Now\s*4$/, /^Left in the Last Hour\s*1$/);
    agent.end();
    await headings(/^Here Now\s*3$/, /^Left in the Last Hour\s*2$/);
  });

  play("the log tells what runs, for whom and where", async () => {
    const { version } = JSON.parse(readFileSync(join(extension, "package.json"), "utf8"));
    const [{ session_id: session }] = workspace.servers();
    const facts = [`extension ${version}, starting /`, `deconflict ${version} runs`, `session ${session} ("`, `") in ${workspace.folder}, process `];
    const texts = logsOf(editor.code);
    assert.ok(texts.some((text) => facts.every((fact) => text.includes(fact)) && /, process \d+$/m.test(text)), texts.join("\n"));
  });

  play("what comes at once is one notice", async () => {
    await ada.command("Notifications: Clear All Notifications");
    claude.run("claim", "file", "src/api/routes.ts", "docs/guide.md");
    const isHeld = () => eventually("the holder", async () => /claude holds this/.test(await ada.statusText()));
    await ada.openFile("docs/guide.md");
    await isHeld();
    await ada.command("Deconflict: Notify Me");
    await ada.page.locator(".statusbar-item").filter({ hasText: "You will be told when it is free" }).waitFor();
    await ada.openFile("src/api/routes.ts");
    await isHeld();
    await ada.command("Deconflict: Ask to Release");
    await ada.question("A message for the holder").waitFor();
    await ada.ask("May I?");
    const { from: adas } = await eventually("the request", () => claude.messages().find(({ message }) => message === "May I?"));
    ada.toasts.length = 0;
    // One verb, and two reasons to tell of it.
    claude.run("release", "src/api/routes.ts", "docs/guide.md");
    await eventually("a notice", () => ada.toasts.length > 0);
    // What comes later comes after all of it.
    await ada.command("Notifications: Clear All Notifications");
    claude.run("send", adas, "", "That was all");
    await eventually("what came later", () => ada.toasts.some(({ text }) => /That was all/.test(text)));
    const [{ text, buttons }, ...more] = ada.toasts;
    assert.match(text, /^claude released src\/api\/routes\.ts.*docs\/guide\.md is free now/, JSON.stringify(ada.toasts));
    assert.ok(buttons.length <= 3 && more.length === 1, JSON.stringify(ada.toasts));
  });

  play("at debug level the log tells each decision", async () => {
    await ada.command("Developer: Set Log Level");
    await ada.ask("", { pick: "Deconflict" });
    await ada.ask("", { pick: "Debug" });
    await ada.openFile("src/invoice.ts");
    await ada.command("Deconflict: Claim File");
    const { claimed_by: adas } = await workspace.waitForClaim("src/invoice.ts");
    claude.run("send", adas, "Log", "A word that is decided about");
    await ada.notification("A word that is decided about").waitFor();
    await eventually("the decision in the log", () => logsOf(editor.code).some((text) => /\[debug\] notice .*A word that is decided about/.test(text)));
  });
});

describe("a folder outside of git", () => {
  scene("it can be started with by a button", () => [], async () => {
    const base = mkdtempSync(join(tmpdir(), "deconflict-plain-"));
    const folder = join(base, "notes");
    mkdirSync(folder);
    writeFileSync(join(folder, "todo.md"), "# To do\n");
    const window = await editor.code.open(folder);
    await window.command("Deconflict: Show Who Is Here");
    const button = window.page.locator(".pane").getByText("Start Here").first();
    await button.waitFor();
    await window.screenshot("start-dark");
    await button.click();
    await eventually("a directory", () => existsSync(join(folder, "COORDINATION", "sessions")));
    await window.view("Sessions").locator(".monaco-list-row").first().waitFor();
    await window.close();
    await eventually("an end of the folder", () => {
      try {
        rmSync(base, { recursive: true, force: true });
        return true;
      } catch {
        return undefined;
      }
    });
  });
});
