// A day of work on which nobody gets in anybody's way: nothing pops up, no setting is changed, and no claim is left over.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

/** Files for a replacement in many of them at once: more than twenty are one action. */
const PARTS = Array.from({ length: 24 }, (_, number) => `src/parts/part${String(number).padStart(2, "0")}.md`);

/** A claim that a replacement made is given back a minute after its save. */
const AFTER_A_MINUTE = 100_000;

describe("a calm day of Ada's, with her Claude Code, and with Bob at other files", () => {
  let workspace, window, bob, claude, settings, git;
  /** Nothing popped up, and the user's settings are what they wrote. */
  const isCalm = () => {
    assert.deepEqual(window.toasts.splice(0), []);
    assert.equal(editor.code.settings(), settings);
  };
  const play = (name, act) =>
    scene(name, () => [window], async () => {
      await act();
      isCalm();
    });
  const own = () => workspace.records("claims").filter(({ claimed_by: holder }) => holder !== bob.id);

  before(async () => {
    workspace = new Workspace("shop");
    workspace.setPerson("Bob");
    editor.code.setPerson("Ada");
    git = (...words) => workspace.gitOf(editor.code.base, ...words);
    for (const part of PARTS) {
      workspace.write(part, "The colour of this part.\n");
    }
    workspace.write(".gitignore", ".vscode\n");
    workspace.write("package.json", '{ "name": "shop" }\n');
    workspace.git("add", ".");
    workspace.git("commit", "--quiet", "-m", "Parts");
    bob = workspace.person("Bob");
    bob.run("claim", "docs/guide.md", "--for", "4h");
    claude = workspace.agent("5f0c9a52-71e4-4b6e-9d1f-6f0d3b0c8a11", editor.code.base);
    claude.start();
    settings = editor.code.settings();
    workspace.changeSettings({
      "editor.formatOnSave": true,
      "typescript.updateImportsOnFileMove.enabled": "never",
      "js/ts.updateImportsOnFileMove.enabled": "never",
    });
    window = await editor.code.open(workspace.folder);
  });

  after(async () => {
    await window?.close();
    await workspace?.remove();
  });

  play("saves, and a format on save", async () => {
    await window.openFile("package.json");
    await window.page.keyboard.press("Control+A");
    await window.page.keyboard.type('{   "name":"the shop"');
    await workspace.waitForClaim("package.json");
    await window.press(["Control+S"], "a formatted file", () => /^\{\n? +"name": "the shop"/.test(workspace.read("package.json")));
    await window.openFile("README.md");
    await window.type("Saved by hand.\n");
    await window.save();
    await window.type("And again.\n");
    await window.save();
  });

  for (const [mode, leave] of [
    ["afterDelay", async () => undefined],
    ["onFocusChange", () => window.openFile("src/order.ts")],
    ["onWindowChange", () => window.leave()],
  ]) {
    play(`auto save: ${mode}`, async () => {
      workspace.changeSettings({ "files.autoSave": mode, "files.autoSaveDelay": 300 });
      await window.openFile("README.md");
      await window.type(`By auto save ${mode}.\n`);
      await leave();
      await eventually("an auto save", () => workspace.read("README.md").includes(`By auto save ${mode}.`));
      await window.leave(false);
      workspace.changeSettings({ "files.autoSave": "off" });
    });
  }

  play("what is undone is free again", async () => {
    await window.openFile("src/api/routes.ts");
    await window.type("// or not\n");
    await workspace.waitForClaim("src/api/routes.ts");
    await window.undoAll();
    await workspace.waitForNoClaim("src/api/routes.ts");
  });

  play("a stash and a pop, in a shell and by the editor", async () => {
    await window.openFile("README.md");
    const saved = workspace.read("README.md");
    const gone = window.editor.locator(".view-line", { hasText: "Saved by hand" });
    // Each stays so long that everybody has looked at it.
    git("stash", "--quiet");
    await gone.waitFor({ state: "detached" });
    await window.waitForBadge("README.md", "M", { isThere: false });
    git("stash", "pop", "--quiet");
    await gone.waitFor();
    await window.waitForBadge("README.md", "M");
    await window.command("Git: Stash");
    await window.question("stash message").waitFor();
    await window.ask("noon");
    await gone.waitFor({ state: "detached" });
    await window.waitForBadge("README.md", "M", { isThere: false });
    await window.command("Git: Pop Latest Stash");
    await gone.waitFor();
    assert.equal(workspace.read("README.md"), saved);
  });

  play("a commit, and branches to and fro", async () => {
    git("commit", "--quiet", "--all", "-m", "A morning");
    await window.openFile("README.md");
    const line = window.editor.locator(".view-line", { hasText: "Saved by hand" });
    git("switch", "--quiet", "--create", "elsewhere", "HEAD~1");
    await line.waitFor({ state: "detached" });
    await window.openFile("src/order.ts");
    await window.type("// elsewhere\n");
    await window.save();
    git("commit", "--quiet", "--all", "-m", "Elsewhere");
    git("switch", "--quiet", "main");
    await window.openFile("README.md");
    await line.waitFor();
  });

  play("a replacement in many files", async () => {
    await window.replaceInFiles("colour", "color");
    await eventually("the replacement on disk", () => PARTS.every((part) => workspace.read(part).includes("color of")));
  });

  play("a file that is renamed while it is edited", async () => {
    await window.command("View: Show Explorer");
    await window.openFile("src/invoice.ts");
    await window.type("// renamed\n");
    const { claimed_by: ada } = await workspace.waitForClaim("src/invoice.ts");
    await window.rename("invoice.ts", "bill.ts");
    await workspace.waitForClaim("src/bill.ts", ada);
    await workspace.waitForNoClaim("src/invoice.ts");
    await window.save();
  });

  play("an unsaved text that outlives the window, and is there once", async () => {
    await window.openFile("src/login.ts");
    await window.type("// before the reload\n");
    const { claimed_by: ada } = await workspace.waitForClaim("src/login.ts");
    await editor.code.waitForBackup("// before the reload");
    await window.reload();
    await workspace.waitForClaim("src/login.ts", ada);
    await window.openFile("src/login.ts");
    await window.editor.locator(".view-line", { hasText: "before the reload" }).waitFor();
    await window.showView();
    await window.row("Sessions", "Ada").first().waitFor();
    assert.equal(await window.row("Sessions", "Ada").count(), 1);
    assert.equal(workspace.servers().length, 1);
    await window.command("View: Show Explorer");
    await window.save();
  });

  play("an agent that works, and whose files are corrected while it does and afterwards", async () => {
    claude.prompt();
    const files = ["src/login.ts", "src/order.ts", "src/api/routes.ts"];
    await window.command("View: Close All Editors");
    await eventually("free files", () => files.every((file) => workspace.claim(file) === undefined));
    await window.openFile(files[0]);
    for (const file of files) {
      claude.edit(file, `${workspace.read(file)}// by Claude\n`);
      await workspace.waitForClaim(file, claude.id);
    }
    await window.editor.locator(".view-line", { hasText: "by Claude" }).waitFor();
    // While its turn runs, a word in passing is all.
    await window.type("// by Ada, meanwhile\n");
    await window.page.locator(".statusbar-item", { hasText: "Your Claude Code has been editing src/login.ts since" }).waitFor();
    await window.save();
    claude.stop();
    // What it left is gone over in git's comparison, and corrected.
    for (const file of files) {
      await window.openFile(file);
      await window.command("Git: Open Changes");
      await window.page.locator(".monaco-diff-editor .modified .view-line", { hasText: "by Claude" }).first().waitFor();
      await window.command("View: Close Editor");
      await window.openFile(file);
      await window.type("// corrected by Ada\n");
      await eventually("the agent to give way", () => workspace.claim(file)?.claimed_by !== claude.id);
      await window.save();
    }
    claude.prompt();
    assert.match(claude.edit(files[0], "// all new\n"), /"deny".*login\.ts/, "it is told before it writes over that");
    claude.stop();
    claude.end();
  });

  play("at the end of the day nobody holds anything but what they said", async () => {
    await window.command("View: Close All Editors");
    await eventually("an end of all claims by edits", () => own().length === 0, AFTER_A_MINUTE);
    assert.deepEqual(workspace.records("claims").map(({ resource_name: name }) => name), ["docs/guide.md"]);
    const status = JSON.parse(workspace.deconflict("status", "--json"));
    assert.deepEqual(status.coordination_needed, []);
    const silence = /you hold 0, others hold 0 of your open files, 0 unread$/;
    await eventually("a status that says so", async () => silence.test(await window.statusText()));
  });

  scene("what comes after all that is the first word of the day", () => [window], async () => {
    const [{ session_id: ada }] = workspace.servers();
    bob.run("send", ada, "", "Good night");
    await window.notification("Good night").waitFor();
    await eventually("a note of it", () => window.toasts.length === 1);
    assert.match(window.toasts[0].text, /Good night/);
    assert.equal(editor.code.settings(), settings);
  });
});
