// Everything without a mouse, and every label a sentence that a screen reader can say.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { extension } from "./support/places.mjs";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually, TRY } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

describe("somebody without a mouse", () => {
  let workspace, window, claude, keys;
  const play = (name, act) => scene(name, () => [window], act);
  /** True for a file in front that has the focus, which it takes a moment later: from whatever is opened in between. */
  const isInFront = async (name) => {
    const tab = window.page.locator(".tab.active").filter({ hasText: name });
    const focused = window.page.locator(".editor-instance .monaco-editor.focused");
    return (await tab.count()) > 0 && (await focused.count()) > 0;
  };
  /** Puts a text where the focus is, once it is there, and all at once: where the focus goes, keys would go into the file in front. */
  const enter = async (input, text) => {
    await input.waitFor({ timeout: TRY });
    await keys.insertText(text);
  };
  /** Chooses a command in the palette by its name, as it is typed. */
  const palette = async (title) => {
    const input = window.page.locator(".quick-input-widget:visible input:focus").first();
    const first = window.page.locator(".quick-input-widget:visible .monaco-list-row.focused").filter({ hasText: title });
    await eventually(`the command "${title}" in front`, async () => {
      // What is open from before would swallow the key, or what is typed after it.
      await keys.press("Escape");
      await keys.press("F1");
      await enter(input, title);
      await first.waitFor({ timeout: TRY });
      await keys.press("Enter");
      return true;
    });
  };
  const open = async (name) => {
    const input = window.page.locator(".quick-input-widget:visible input:focus").first();
    const first = window.page.locator(".quick-input-widget:visible .monaco-list-row.focused").filter({ hasText: name });
    await eventually(`${name} in front`, async () => {
      if (await isInFront(name)) {
        return true;
      }
      await keys.press("Escape");
      await keys.press("Control+P");
      await enter(input, name);
      await first.waitFor({ timeout: TRY });
      await keys.press("Enter");
      return eventually(`${name} in front`, () => isInFront(name), TRY).catch(() => false);
    });
  };
  /** Goes to a list, and in it to a row from the first on, by keys, until a screen reader says of it what it should. */
  const hear = async (pane, sentence, ...moves) => {
    const row = window.view(pane).locator(".monaco-list:focus .monaco-list-row.focused");
    let said;
    await eventually(`a row that is read as ${sentence}`, async () => {
      // What had the focus before may take it back.
      await palette(`Deconflict: Focus on ${pane} View`);
      for (const key of ["Home", ...moves]) {
        await keys.press(key);
      }
      said = await row.getAttribute("aria-label", { timeout: TRY });
      return sentence.test(said);
    }).catch((error) => assert.match(said ?? error.message, sentence));
  };

  before(async () => {
    workspace = new Workspace("shop");
    workspace.changeSettings({ "deconflict.sessionName": "Grace" });
    claude = workspace.person("claude");
    claude.run("claim", "file", "src/login.ts", "--for", "2h");
    window = await editor.code.open(workspace.folder);
    keys = window.page.keyboard;
  });

  after(async () => {
    await window?.close();
    await workspace?.remove();
  });

  play("claims and releases the file in front", async () => {
    await open("invoice.ts");
    const both = ["Control+K", "Alt+C"];
    await window.press(both, "a claim by keys", () => workspace.claim("src/invoice.ts") !== undefined);
    await window.press(both, "a release by keys", () => workspace.claim("src/invoice.ts") === undefined);
  });

  play("asks the holder from the list of what can be done", async () => {
    await open("login.ts");
    await window.page.locator(".view-line", { hasText: "held by claude" }).waitFor();
    const ask = window.page.locator(".quick-input-widget:visible .monaco-list-row.focused", { hasText: "Ask to Release" });
    await window.press(["Escape", "Control+K", "Alt+A"], "the list of what can be done", async () => (await ask.count()) > 0);
    await keys.press("Enter");
    await window.question("A message for the holder").waitFor();
    await keys.type("Please");
    await keys.press("Enter");
    await eventually("the request", () => claude.messages().some(({ type }) => type === "release_request"));
  });

  play("reaches the first line's menu", async () => {
    await palette("View: Focus Active Editor Group");
    await window.openFirstLineMenu("Ask claude to release");
    await keys.press("Escape");
  });

  play("walks through the lists, and hears sentences", async () => {
    const sessions = window.view("Sessions").locator(".monaco-list-row");
    await window.press(["Control+K", "Alt+W"], "the view by its key", async () => (await sessions.count()) > 0);
    await hear("Claims", /^src\/login\.ts, claude holds this until \d\d:\d\d/);
    await keys.press("Enter");
    await eventually("login.ts in front", () => isInFront("login.ts"));

    await hear("Sessions", /^Grace, here, you/);
    await hear("Sessions", /^claude, here, holds one thing/, "ArrowDown");
    const send = window.page.locator(".monaco-menu .action-item:visible", { hasText: "Send Message" });
    await window.press(["Shift+F10"], "the menu of the row", async () => (await send.count()) > 0);
    await keys.press("Escape");
  });

  play("opens a message and answers it", async () => {
    const [{ session_id: grace }] = workspace.servers();
    claude.run("send", grace, "Login form", "Until noon");
    await eventually("an unread message", async () => /1 unread/.test(await window.statusText()));
    await hear("Messages", /^claude wrote, Login form: Until noon, just now, unread/);
    // A list that was just drawn anew may swallow a key.
    const message = window.webview().locator("article", { hasText: "Until noon" });
    await window.press(["Enter"], "the message", () => message.isVisible());
    const question = window.question("Reply to claude");
    await window.press(["Control+K", "Alt+R"], "the question by its key", () => question.isVisible());
    await keys.type("Fine");
    await keys.press("Enter");
    await eventually("the reply", () => claude.messages().some(({ message }) => message === "Fine"));
    const entry = window.webview().locator("article").first();
    assert.equal(await entry.getAttribute("aria-label"), null);
    assert.equal(await window.webview().locator("main").getAttribute("aria-label"), "Conversation with claude");
  });

  play("answers a notice", async () => {
    await open("login.ts");
    const notice = window.notification("Talk first?");
    await window.press(["Control+End", "x"], "the notice", async () => (await notice.count()) > 0);
    // A notice hides in the list of all of them after a while, so that is where one goes in any case.
    const listed = window.page.locator(".notifications-center .notification-list-item").filter({ hasText: "Talk first?" });
    await window.press(["Control+K", "Control+Shift+N"], "the list of notices", async () => (await listed.count()) > 0);
    const button = listed.locator(".monaco-button:focus");
    await eventually("the button in focus", async () => {
      await keys.press("Tab");
      return (await button.count()) > 0 && (await button.innerText()) === "Edit Anyway";
    });
    await keys.press("Enter");
    await listed.waitFor({ state: "detached" });
    await window.undoAll();
  });

  play("what the status bar says is a sentence", async () => {
    await open("login.ts");
    await eventually("the holder", async () => /^Deconflict: claude holds this until \d\d:\d\d, you hold \d+, others hold 1 of your open files, \d+ unread$/.test(await window.statusText()));
  });
});

test("every action that a menu offers can be reached from the palette or a list", () => {
  const { contributes } = JSON.parse(readFileSync(join(extension, "package.json"), "utf8"));
  const hidden = contributes.menus.commandPalette.filter(({ when }) => when === "false").map(({ command }) => command);
  // What only makes sense for a row is in that row's menu, which has a key.
  const ofRows = new Set(contributes.menus["view/item/context"].map(({ command }) => command));
  // These have another name in the palette, or belong to the server's own menus, which have a key.
  const elsewhere = new Set(["deconflict.refresh", "deconflict.acknowledge"]);
  assert.deepEqual(hidden.filter((command) => !ofRows.has(command) && !elsewhere.has(command)), []);
  const inline = contributes.menus["view/item/context"].filter(({ group }) => group.startsWith("inline"));
  const inMenus = contributes.menus["view/item/context"].filter(({ group }) => !group.startsWith("inline"));
  const alone = inline.filter(({ command }) => !inMenus.some((other) => other.command === command));
  assert.deepEqual(alone.map(({ command }) => command), [], "a button alone cannot be reached by keys");
});
