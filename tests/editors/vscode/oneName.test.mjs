// One session is called the same wherever somebody meets it, in a real window and beside it.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually, TRY } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

const FILE = "src/login.ts";
/** What Ada's agent is called by everybody else. */
const LABEL = "Ada's Claude Code";

describe("Ada's agent, as Grace meets it", () => {
  let workspace, window, claude, grace;
  const surfaces = {};
  const play = (name, act) => scene(name, () => [window], act);

  before(async () => {
    workspace = new Workspace("shop");
    workspace.setPerson("Ada");
    editor.code.setPerson("Grace");
    claude = workspace.agent("5f0c9a52-71e4-4b6e-9d1f-6f0d3b0c8a77", workspace.home);
    claude.start();
    claude.prompt();
    claude.edit(FILE, `${workspace.read(FILE)}// by Claude\n`);
    window = await editor.code.open(workspace.folder);
    await window.openFile(FILE);
  });

  after(async () => {
    await window?.close();
    await workspace?.remove();
  });

  /** What a verb or git says to somebody whom it refuses. */
  const refusal = (run) => {
    try {
      run();
    } catch (error) {
      return String(error.stderr);
    }
    assert.fail("it was not refused");
  };

  play("in the editor", async () => {
    const hint = window.page.locator(".view-line", { hasText: "since" }).first();
    await hint.waitFor();
    surfaces.hint = await hint.innerText();
    surfaces["status bar"] = await eventually("a holder in the status bar", async () => {
      const text = await window.statusText();
      return /has been editing this/.test(text) ? text : undefined;
    });
    const hover = window.page.locator(".monaco-hover:visible", { hasText: "has been editing" }).first();
    await eventually("the hover", async () => {
      await window.page.mouse.move(600, 600);
      await window.editor.locator(".view-line").first().hover({ position: { x: 60, y: 8 }, timeout: TRY });
      await hover.waitFor({ timeout: TRY });
      return true;
    });
    surfaces.hover = await hover.innerText();
    assert.doesNotMatch(surfaces.hover, /%2F|\.claim|generation/);
    await window.command("Problems: Focus on Problems View");
    const problem = window.page.locator(".markers-panel .monaco-list-row", { hasText: "has been editing" }).first();
    await problem.waitFor();
    surfaces.diagnostic = await problem.innerText();
    await window.command("View: Hide Panel");
  });

  play("in the view", async () => {
    await window.showView();
    for (const [list, part] of [["Sessions", "Claude"], ["Claims", "login.ts"]]) {
      await window.row(list, part).first().waitFor();
      surfaces[`view of ${list.toLowerCase()}`] = await window.row(list, part).first().innerText();
    }
  });

  play("in toasts and refusals", async () => {
    await window.openFile(FILE);
    await window.type("// and Grace\n");
    const toast = window.notification("Talk first?");
    await toast.waitFor();
    surfaces.toast = await toast.innerText();
    ({ session_id: grace } = workspace.servers()[0]);
    await window.command("Notifications: Clear All Notifications");
    await window.undoAll();
    await window.command("Deconflict: Claim File");
    const refused = window.notification("Ask for its release, wait, or take it over");
    await refused.waitFor();
    surfaces.refusal = await refused.innerText();
    await window.command("Notifications: Clear All Notifications");
  });

  play("in messages", async () => {
    workspace.deconflict("send", grace, "Half an hour more", "--session", claude.id);
    const toast = window.notification("Half an hour more");
    await toast.waitFor();
    surfaces["message's toast"] = await toast.innerText();
    await window.showView();
    const row = window.row("Messages", "Half an hour more");
    await row.waitFor();
    surfaces.message = await row.innerText();
    await row.click();
    const conversation = window.webview().locator("main");
    await conversation.getByText("Half an hour more").waitFor();
    surfaces.conversation = await conversation.innerText();
  });

  play("on the board, in the terminal and from git", async () => {
    surfaces.board = await eventually("the claim on the board", () => {
      const rows = workspace.read("COORDINATION/STATUS_BOARD.md").split("\n");
      return rows.find((row) => row.startsWith(`- **file/${FILE}**`));
    });
    surfaces.terminal = refusal(() => workspace.run(["check", FILE, "--session", grace], editor.code.base));
    workspace.run(["guard", "--install"], editor.code.base);
    workspace.gitOf(editor.code.base, "add", FILE);
    surfaces["git's refusal"] = refusal(() => workspace.gitOf(editor.code.base, "commit", "--quiet", "-m", "All of it"));
  });

  play("it is the same on all of them", async () => {
    assert.equal(Object.keys(surfaces).length, 14);
    // Commands are for programs, which take ids.
    const told = (text) => text.split("\n").filter((line) => !/deconflict |DECONFLICT_SESSION/.test(line)).join("\n");
    for (const [surface, text] of Object.entries(surfaces)) {
      // A blank that does not break stands in lines of the editor.
      const plain = told(text).replaceAll("\u00a0", " ");
      assert.ok(plain.includes(LABEL), `${surface}: ${text}`);
      assert.ok(!plain.includes(claude.id) && !/\broot\b/.test(plain), `${surface} tells an id or a login: ${text}`);
    }
  });
});
