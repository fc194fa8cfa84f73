// A day with clashes of two people: each is told once to each side, in words that are true.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor({ secondPerson: true });

const PARTS = Array.from({ length: 3 }, (_, number) => `parts/part${String(number).padStart(2, "0")}.md`);

const exactly = (text) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);

/** A moment as people read it. */
const clock = (text) => new Date(text).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

describe("Ada and Bob in windows of their own, in each other's way", () => {
  let workspace, ada, bob, carol, number = 0;

  before(async () => {
    workspace = new Workspace("shop");
    workspace.write(".gitignore", ".vscode\n");
    for (const part of PARTS) {
      workspace.write(part, "The colour of this part.\n");
    }
    workspace.git("add", ".");
    workspace.git("-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "Parts");
    workspace.changeSettings({ "files.autoSave": "off", "typescript.updateImportsOnFileMove.enabled": "never", "explorer.confirmDelete": false, "files.enableTrash": false });
    workspace.setPerson("Carol");
    editor.code.setPerson("Ada");
    editor.other.setPerson("Bob");
    carol = workspace.person("Carol");
    ada = await editor.code.open(workspace.folder);
    bob = await editor.other.open(workspace.folder);
    // Both are known to the others from their first edit on.
    for (const [window, file] of [[ada, "src/order.ts"], [bob, "src/invoice.ts"]]) {
      await window.openFile(file);
      await window.type("// hello\n");
      await workspace.waitForClaim(file);
      await window.undoAll();
      await workspace.waitForNoClaim(file);
    }
  });

  after(async () => {
    await ada?.close();
    await bob?.close();
    await workspace?.remove();
  });

  const sessionOf = (name) => workspace.servers().find(({ person }) => person === name).session_id;

  /** What each side was told of what happened: all that popped up before a word of somebody else's, which comes after it. */
  const toldOf = async (window, name, count) => {
    await eventually(`${count} notices for ${name}`, () => window.toasts.length >= count);
    number += 1;
    const word = `Word number ${number}`;
    carol.run("send", sessionOf(name), "", word);
    await eventually("Carol's word", () => window.toasts.some(({ text }) => text.includes(word)));
    // What came just before it is told with it.
    const alone = `Carol writes: ${word}`;
    return window.toasts.map(({ text, ...rest }) => ({ text: text.replace(alone, "").trim(), ...rest })).filter(({ text }) => text !== "");
  };

  /** One clash: what is done, and what exactly is said of it to both. */
  const clash = (name, act, expected) =>
    scene(name, () => [ada, bob], async () => {
      for (const window of [ada, bob]) {
        await window.command("Notifications: Clear All Notifications");
        window.toasts.length = 0;
      }
      const begun = new Date();
      const now = (text) => text.replace(/ at (\d\d:\d\d)/, (said, time) => ([begun, new Date()].map(clock).includes(time) ? " just now" : said));
      await act();
      const wanted = expected();
      for (const [window, who, said] of [[ada, "Ada", wanted.ada], [bob, "Bob", wanted.bob]]) {
        const told = await toldOf(window, who, said === undefined ? 0 : 1);
        assert.equal(told.length, said === undefined ? 0 : 1, `what ${who} was told: ${JSON.stringify(told)}`);
        for (const { text } of told) {
          assert.match(now(text), said instanceof RegExp ? said : exactly(said), `what ${who} was told`);
        }
        assert.ok(told.every(({ buttons }) => buttons.length <= 3), JSON.stringify(told));
      }
    });

  clash("an edit of what the other holds", async () => {
    await bob.openFile("README.md");
    await bob.command("Deconflict: Claim File");
    await workspace.waitForClaim("README.md");
    await ada.openFile("README.md");
    await ada.page.locator(".view-line", { hasText: "held by Bob until" }).waitFor();
    await ada.type("Ada's line.\n");
  }, () => ({
    ada: `Bob holds README.md until ${clock(workspace.claim("README.md").expires_at)}. Your save would overwrite theirs. Talk first?`,
    bob: "Ada is editing README.md, which you hold.",
  }));

  clash("a save over the other's claim", async () => {
    await ada.openFile("README.md");
    await ada.save();
  }, () => ({
    ada: "Saved over Bob's claim of README.md. They were told, and what was there is kept.",
    bob: 'Ada changed README.md, which you hold, by a save just now.',
  }));

  scene("whoever did it is not warned of their own deed", () => [ada, bob], async () => {
    const told = (window) => window.view("Sessions").getByText("changed README.md");
    await bob.showView();
    await told(bob).first().waitFor();
    await ada.showView();
    await ada.row("Sessions", "Bob").first().waitFor();
    assert.equal(await told(ada).count(), 0);
    for (const window of [ada, bob]) {
      await window.command("View: Show Explorer");
    }
  });

  clash("an edit of what the other edits", async () => {
    await ada.openFile("src/order.ts");
    await ada.type("// Ada's\n");
    await workspace.waitForClaim("src/order.ts");
    await bob.openFile("src/order.ts");
    await bob.page.locator(".view-line", { hasText: "held by Ada since" }).waitFor();
    await bob.type("// Bob's\n");
  }, () => ({
    ada: "Bob is editing src/order.ts, which you hold.",
    bob: `Ada has been editing src/order.ts since ${clock(workspace.claim("src/order.ts").claimed_at)}. Your save would overwrite theirs. Talk first?`,
  }));

  clash("a claim that is taken over by force", async () => {
    await bob.openFile("src/order.ts");
    await bob.command("Deconflict: Take Over");
    await bob.page.locator(".monaco-dialog-box .monaco-button", { hasText: "Take Over by Force" }).click();
    await eventually("the take-over", () => workspace.claim("src/order.ts")?.claimed_by === sessionOf("Bob"));
  }, () => ({
    ada: "Bob took over src/order.ts from you. Look at what changed before you save it.",
  }));

  clash("a script that writes under an unsaved text", async () => {
    await ada.openFile("src/login.ts");
    await ada.type("// Ada's\n");
    await workspace.waitForClaim("src/login.ts");
    workspace.write("src/login.ts", workspace.read("src/login.ts").replace("Hello", "Good morning"));
  }, () => ({ ada: 'Somebody unknown changed src/login.ts, which you hold, just now.' }));

  clash("a file of the other's that is deleted", async () => {
    await ada.openFile("src/invoice.ts");
    await ada.type("// Ada's\n");
    await ada.save();
    await workspace.waitForClaim("src/invoice.ts", sessionOf("Ada"));
    await bob.delete("invoice.ts");
  }, () => ({
    ada: 'Bob deleted or moved away src/invoice.ts, which you hold, just now.',
    bob: "Deleted or moved away src/invoice.ts, and Ada's uncommitted changes in it are gone. They were told, and what was there is kept.",
  }));

  clash("a file of the other's that is renamed", async () => {
    await ada.openFile("docs/guide.md");
    await ada.type("Ada's chapter.\n");
    await workspace.waitForClaim("docs/guide.md", sessionOf("Ada"));
    await ada.save();
    await bob.openFile("docs/guide.md");
    await bob.rename("guide.md", "manual.md");
  }, () => ({
    ada: 'Bob deleted or moved away docs/guide.md, which you hold, just now.',
    bob: "Deleted or moved away docs/guide.md, and Ada's uncommitted changes in it are gone. They were told, and what was there is kept.",
  }));

  clash("a reset that takes uncommitted work in three files", async () => {
    for (const file of PARTS) {
      await ada.openFile(file);
      await ada.type("Ada's words.\n");
      await ada.save();
      await workspace.waitForClaim(file, sessionOf("Ada"));
    }
    workspace.gitOf(editor.other.base, "checkout", "--quiet", "--", "parts");
  }, () => ({ ada: "Others changed your work in 3 files: part00.md, part01.md, part02.md." }));

  clash("a replacement over files that the other holds", async () => {
    for (const file of PARTS) {
      await ada.openFile(file);
      // What was taken away before is gone from the editor too.
      await ada.editor.locator(".view-line", { hasText: "Ada's words" }).first().waitFor({ state: "detached" });
      await ada.type("Ada's words.\n");
      await ada.save();
      await workspace.waitForClaim(file, sessionOf("Ada"));
    }
    await bob.replaceInFiles("colour", "color");
    await eventually("the replacement on disk", () => PARTS.every((part) => workspace.read(part).includes("color of")));
  }, () => ({
    ada: "Others changed your work in 3 files: part00.md, part01.md, part02.md.",
    bob: "Saved over 3 files that others are working on: part00.md, part01.md, part02.md. They were told, and what was there is kept.",
  }));

  clash("a file that the other asks for", async () => {
    await ada.command("View: Show Explorer");
    await ada.openFile("src/api/routes.ts");
    await ada.command("Deconflict: Claim File");
    await workspace.waitForClaim("src/api/routes.ts", sessionOf("Ada"));
    await bob.openFile("src/api/routes.ts");
    await bob.page.locator(".view-line", { hasText: /"\];\s*Ada/ }).waitFor();
    await bob.command("Deconflict: Ask to Release");
    await bob.question("A message for the holder").waitFor();
    await bob.ask("May I?");
  }, () => ({
    ada: "Bob asks you to release src/api/routes.ts: May I? Release it when you are ready, or answer.",
  }));
});
