// Pictures of everything that people see, in each theme and at each zoom. One is enough to see that all of it comes up;
// `DECONFLICT_PICTURES=1` makes them all.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { extension, themes } from "./support/places.mjs";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually, TRY } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

/** What a theme is called, and how the editor's own styles tell it. */
const THEMES = [
  ["dark", "Dark Modern", "vs-dark"],
  ["light", "Light Modern", "vs"],
  ["contrast", "Default High Contrast", "hc-black"],
  ["contrast-light", "Default High Contrast Light", "hc-light"],
];
const SCREEN = { width: 1440, height: 900 };

/** Which part of a picture at 150 % is kept in `editors/vscode/images`, large enough to be read where it is shown small. */
const KEPT = {
  claimed: { x: 0, y: 0, width: 640, height: 400 },
  "first-line": { x: 0, y: 0, width: 960, height: 480 },
  view: { x: 0, y: 0, width: 960, height: 600 },
  conversation: { x: 0, y: 0, width: 720, height: 450 },
};

for (const zoom of themes([1, 1.5])) {
  describe(`a busy morning at ${zoom * 100} %`, () => {
    let workspace, window, ada, alan, claude, grace;
    const play = (name, act) => scene(`${name} at ${zoom * 100} %`, () => [window], act);
    const viewport = { width: SCREEN.width / zoom, height: SCREEN.height / zoom };
    const open = (place) => editor.code.open(place, { viewport, deviceScaleFactor: zoom });

    const show = async ([, name, style], of = window, place = workspace) => {
      place.changeSettings({ "workbench.colorTheme": name });
      await of.page.locator(`.monaco-workbench.${style}`).waitFor();
      // What was drawn in the theme before is drawn anew within a frame.
      await of.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    };
    /** One picture in each theme. What goes by itself when another theme comes is brought up in each. */
    const picture = async (name, bringUp = async () => undefined, putAway = async () => undefined) => {
      for (const theme of themes(THEMES)) {
        await show(theme);
        await bringUp();
        await window.screenshot(`${name}-${theme[0]}-${zoom * 100}`);
        if (zoom > 1 && theme === THEMES[0] && name in KEPT) {
          await window.screenshot(`kept-${name}`, KEPT[name]);
        }
        await putAway();
      }
    };
    const escape = () => window.page.keyboard.press("Escape");
    /** A notice stays while the pointer is on it. */
    const keep = async (notice) => {
      await notice.waitFor();
      await notice.hover();
    };
    const widget = () => window.page.locator(".quick-input-widget:visible");
    const inFront = async (keys, found) => {
      await window.press(["Escape", ...keys], "what is asked for", async () => (await found.count()) > 0);
    };

    before(async () => {
      workspace = new Workspace("shop");
      workspace.write(".gitignore", ".vscode\n");
      workspace.git("add", ".");
      workspace.git("-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "Morning");
      workspace.changeSettings({ "editor.minimap.enabled": false, "workbench.colorTheme": THEMES[0][1] });
      workspace.setPerson("Ada");
      editor.code.setPerson("Grace");
      ada = workspace.person("Ada");
      alan = workspace.person("Alan");
      claude = workspace.agent(`5f0c9a52-71e4-4b6e-9d1f-6f0d3b0c8a1${zoom === 1 ? 1 : 2}`, workspace.home);
      claude.start();
      claude.prompt();
      claude.edit("src/login.ts", workspace.read("src/login.ts").replace("Hello", "Welcome back"));
      ada.run("claim", "directory", "docs", "--for", "90m");
      ada.run("heartbeat", "working", "invoices in euros", "testing", "--progress", "90%");
      alan.run("claim", "task", "deploy", "--for", "30m");
      workspace.person("Edsger").run("end");
      window = await open(workspace.folder);
      await window.openFile("src/order.ts");
      await window.type("// rounding\n");
      grace = (await workspace.waitForClaim("src/order.ts")).claimed_by;
    });

    after(async () => {
      await window?.close();
      await workspace?.remove();
    });

    play("the file that one edits", async () => {
      await window.waitForBadge("order.ts", "◇");
      await window.waitForBadge("login.ts", "◆");
      await picture("claimed");
    });

    play("the first line of a file that an agent holds, its hover and its menu", async () => {
      await window.openFile("src/login.ts");
      const hint = window.page.locator(".view-line", { hasText: /held\sby\sAda's\sClaude\sCode\ssince\s\d\d:\d\d/ });
      await hint.waitFor();
      await picture("first-line", () => window.openFirstLineMenu("to release login.ts"), escape);
      const hover = window.page.locator(".monaco-hover:visible", { hasText: "Ada's Claude Code" });
      await picture("hover", () =>
        eventually("the hover", async () => {
          await window.page.mouse.move(viewport.width / 2, viewport.height / 2);
          await window.editor.locator(".view-line").first().hover({ position: { x: 60, y: 8 }, timeout: TRY });
          await hover.first().waitFor({ timeout: TRY });
          return true;
        }),
      );
    });

    play("what can be done with the file in front", async () => {
      const row = widget().locator(".monaco-list-row", { hasText: "Notify Me" });
      await picture("actions", () => inFront(["Control+K", "Alt+A"], row), escape);
    });

    play("what can be done with a file in the explorer", async () => {
      const entry = window.page.locator(".monaco-submenu .action-label", { hasText: "Show History of This File" });
      const bringUp = () =>
        eventually("the menu", async () => {
          await escape();
          await window.file("login.ts").click({ button: "right", timeout: TRY });
          await window.menuEntry("Deconflict").hover({ timeout: TRY });
          await window.page.keyboard.press("ArrowRight");
          await entry.waitFor({ timeout: TRY });
          return true;
        });
      await picture("explorer-menu", bringUp, async () => {
        await escape();
        await escape();
      });
      await window.command("View: Focus Active Editor Group");
    });

    play("to whom one writes", async () => {
      const row = widget().locator(".monaco-list-row", { hasText: "Everyone" });
      await picture(
        "recipients",
        async () => {
          await window.command("Deconflict: Send Message");
          await row.waitFor();
        },
        escape,
      );
    });

    play("that a take-over is by force", async () => {
      const dialog = window.page.locator(".monaco-dialog-box");
      await window.openFile("src/login.ts");
      await window.command("Deconflict: Take Over");
      await dialog.locator(".monaco-button", { hasText: "Take Over by Force" }).waitFor();
      await picture("take-over");
      await escape();
      await dialog.waitFor({ state: "detached" });
    });

    play("the notice of a clash, with its first line and status bar", async () => {
      await window.openFile("src/login.ts");
      await window.type("// too\n");
      await keep(window.notification("Talk first?"));
      await picture("clash");
      await window.showView();
      const finding = window.view("Sessions").locator(".message").first();
      await eventually("the finding by names alone", async () => {
        const told = await finding.innerText({ timeout: TRY });
        return /You are editing src\/login\.ts, which Ada's Claude Code holds\./.test(told) && !told.includes("session-");
      });
      await window.view("Sessions").locator(".pane-header", { hasText: "⚠ 1" }).waitFor();
      await picture("finding");
      await window.command("Notifications: Clear All Notifications");
      await window.undoAll();
    });

    play("the views, and a message's notice", async () => {
      await window.showView();
      alan.run("send", "broadcast", "Deploying at noon", "Please push before.");
      ada.run("send", grace, "Invoices", "I need order.ts until noon. Can you wait?", "--resource", "file", "src/order.ts");
      await window.row("Messages", "Deploying at noon").waitFor();
      await window.row("Messages", "Invoices").waitFor();
      await keep(window.notification("until noon"));
      await picture("view");
      await window.command("Notifications: Clear All Notifications");
    });

    play("a conversation", async () => {
      await window.row("Messages", "Invoices").click();
      const page = window.webview();
      await page.getByText("Reply…").click();
      await window.question("Reply to Ada").waitFor();
      await picture("reply");
      await window.ask("Yes, I only round the totals.");
      await page.locator("article.own", { hasText: "I only round" }).waitFor();
      await picture("conversation");
    });

    play("the status board", async () => {
      await window.command("Deconflict: Show Status Board");
      await window.webview().locator("h2", { hasText: "Active Sessions" }).first().waitFor();
      await picture("board");
      await window.openFile("src/order.ts");
      await window.save();
      await window.command("View: Close All Editors");
    });

    play("the history of a file, and one change of it", async () => {
      await window.openFile("src/invoice.ts");
      await window.type("// one\n");
      await window.save();
      await window.type("// two\n");
      await window.save();
      await window.command("Deconflict: Show History of This File");
      const changes = window.view("History").locator(".monaco-list-row");
      await eventually("two changes", async () => (await changes.count()) >= 2);
      await changes.first().click();
      await window.page.locator(".monaco-diff-editor").first().waitFor();
      await picture("history");
      await window.command("View: Close All Editors");
    });

    play("what the agent changed, alone", async () => {
      await window.openFile("src/login.ts");
      await window.command("Deconflict: Show What They Changed");
      await window.page.locator(".monaco-diff-editor .modified .view-line", { hasText: "Welcome back" }).waitFor();
      await picture("changes");
      await window.command("View: Close All Editors");
    });

    play("the notice of a loss", async () => {
      await window.openFile("src/api/routes.ts");
      await window.type("// Grace's\n");
      await workspace.waitForClaim("src/api/routes.ts");
      workspace.write("src/api/routes.ts", workspace.read("src/api/routes.ts").replace("/login", "/sign-in"));
      await keep(window.notification("which you hold"));
      await picture("loss");
      await window.command("Notifications: Clear All Notifications");
      await window.undoAll();
    });

    play("the commands in the palette", async () => {
      const row = widget().locator(".monaco-list-row", { hasText: "Deconflict: Ask to Release" });
      await picture(
        "palette",
        () =>
          eventually("the commands", async () => {
            await escape();
            await window.page.keyboard.press("F1");
            await widget().locator("input").first().fill(">Deconflict: ", { timeout: TRY });
            await row.first().waitFor({ timeout: TRY });
            return true;
          }),
        escape,
      );
    });

    play("the walkthrough, each of whose steps ticks when it is done", async () => {
      const steps = window.page.locator(".gettingStartedContainer .getting-started-step");
      const step = (title) => steps.filter({ hasText: title });
      const choose = async (title) => {
        await window.command("Deconflict: Get Started");
        await step(title).first().click();
        await step(title).locator(".step-description-container").first().waitFor();
      };
      const follow = (title, link) => step(title).getByText(link, { exact: true }).first().click();
      const ticked = (title) => step(title).locator(".codicon.complete").first().waitFor();

      await window.command("View: Close All Editors");
      await choose("Edit a file");
      await picture("walkthrough-edit");
      await window.openFile("src/order.ts");
      await window.type("// from the walkthrough\n");
      await workspace.waitForClaim("src/order.ts");
      await window.save();
      await choose("Edit a file");
      await ticked("Edit a file");

      await window.command("View: Show Explorer");
      await choose("See who");
      await picture("walkthrough-meet");
      await follow("See who", "Show Who Is Here");
      await ticked("See who");

      await choose("Talk before");
      await picture("walkthrough-talk");
      await follow("Talk before", "Set My Status");
      await window.question("What are you working on").waitFor();
      await picture("status");
      await escape();
      await ticked("Talk before");

      await choose("From the terminal");
      await picture("walkthrough-terminal");
      await follow("From the terminal", "Open a Terminal");
      await window.page.locator(".terminal-wrapper").first().waitFor();
      await choose("From the terminal");
      await ticked("From the terminal");

      await choose("Make it yours");
      await picture("walkthrough-settings");
      await follow("Make it yours", "Open Settings");
      const setting = window.page.locator(".setting-item-contents", { hasText: "Session Name" }).first();
      await setting.waitFor();
      await picture("settings");
      await escape();
      await setting.waitFor({ state: "detached" });
      await choose("Make it yours");
      await ticked("Make it yours");
      await window.command("Terminal: Kill All Terminals");
      await window.command("View: Close All Editors");
    });

    play("the extension's own page, with its pictures", async () => {
      // They are shown from where a release has them.
      const { repository, version } = JSON.parse(readFileSync(join(extension, "package.json"), "utf8"));
      const released = `${repository.url}/raw/v${version}/${repository.directory}/`;
      await window.context.route(`${released}**`, (route) => route.fulfill({ path: join(extension, route.request().url().slice(released.length)) }));
      await window.command("Extensions: Show Installed Extensions");
      await window.page.locator(".extension-list-item", { hasText: "Deconflict" }).first().click();
      const page = window.webview();
      await page.locator("h1", { hasText: "Deconflict" }).waitFor();
      const images = page.locator("img");
      await eventually("all its pictures", async () => {
        const widths = await images.evaluateAll((all) => all.map(({ naturalWidth }) => naturalWidth));
        return widths.length >= 3 && widths.every((width) => width > 0);
      });
      await picture("page");
      await images.nth(1).scrollIntoViewIfNeeded();
      await picture("page-below");
      await window.command("View: Close All Editors");
      await window.command("View: Show Explorer");
    });

    play("a folder outside of git", async () => {
      const base = mkdtempSync(join(tmpdir(), "deconflict-plain-"));
      const folder = join(base, "notes");
      mkdirSync(join(folder, ".vscode"), { recursive: true });
      writeFileSync(join(folder, "todo.md"), "# To do\n");
      const plain = { changeSettings: (settings) => writeFileSync(join(folder, ".vscode", "settings.json"), JSON.stringify(settings)) };
      const outside = await open(folder);
      await outside.command("Deconflict: Show Who Is Here");
      await outside.page.locator(".pane").getByText("Start Here").first().waitFor();
      for (const theme of themes(THEMES)) {
        await show(theme, outside, plain);
        await outside.screenshot(`start-${theme[0]}-${zoom * 100}`);
      }
      await outside.close();
      await eventually("an end of the folder", () => {
        rmSync(base, { recursive: true, force: true });
        return !existsSync(base);
      });
      assert.ok(!existsSync(base));
    });
  });
}
