// The packaged extension in a real VS Code: two windows on one workspace, a Neovim, and somebody at a terminal.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Neovim } from "./support/neovim.mjs";
import { scene, useEditor } from "./support/scene.mjs";
import { eventually } from "./support/wait.mjs";
import { Workspace } from "./support/workspace.mjs";

const editor = useEditor();

describe("two windows, a Neovim and a terminal on one workspace", () => {
  let workspace, ada, bob, neovim, claude;
  const play = (name, act) => scene(name, () => [ada, bob], act);

  before(async () => {
    workspace = new Workspace();
    claude = workspace.person("claude · login form");
    claude.run("claim", "file", "src/login.ts", "--for", "2h");
    claude.run("heartbeat", "working", "the login form", "implementing", "--progress", "60%");
    ada = await editor.code.open(workspace.folder);
    bob = await editor.code.open(workspace.folder);
    neovim = await Neovim.start(workspace);
  });

  after(async () => {
    await neovim?.stop();
    await ada?.close();
    await bob?.close();
    await workspace?.remove();
  });

  play("the program in the package serves, with no Rust about", async () => {
    const [server] = await eventually("two servers", () => (workspace.servers().length === 2 ? workspace.servers() : undefined));
    const running = readlinkSync(`/proc/${server.pid}/exe`);
    assert.match(running, /extensions\/deconflict\.deconflict-[^/]+\/bin\/deconflict$/);
    assert.equal(server.client, "code-server");
  });

  play("typing claims a file, and everyone sees it", async () => {
    await ada.openFile("src/order.ts");
    await ada.type("// mine\n");
    await workspace.waitForClaim("src/order.ts");
    await ada.waitForBadge("order.ts", "◇");

    // The badge is there without opening the file; the rest is in the file.
    await bob.openFile("src/order.ts");
    await bob.waitForBadge("order.ts", "◆");
    await bob.page.locator(".view-line", { hasText: /held\sby\syour\sVS\sCode(\s2)?\ssince/ }).waitFor();
    await bob.page.locator(".squiggly-info").first().waitFor();
    await eventually("a status bar that tells who", async () => /has been editing this since/.test(await bob.statusText()));
    await bob.page.locator(".view-line").first().locator("span span").first().hover();
    const hover = bob.page.locator(".monaco-hover:visible");
    await hover.getByText(/Your\sVS\sCode(\s2)?\shas\sbeen\sediting\sthis\sfile\ssince/).first().waitFor();

    await bob.showView();
    await bob.row("Claims", "order.ts").waitFor();
    await bob.row("Sessions", "claude · login form").filter({ hasText: "the login form · 60%" }).waitFor();

    neovim.command("edit src/order.ts");
    await eventually("a diagnostic in Neovim", () => neovim.diagnostics().includes("VS Code"));

    await ada.undoAll();
    await workspace.waitForNoClaim("src/order.ts");
    await bob.page.locator(".view-line", { hasText: "held by you" }).waitFor({ state: "detached" });
    await eventually("nothing in Neovim", () => neovim.diagnostics() === "");
    await bob.command("View: Show Explorer");
    await bob.waitForBadge("order.ts", "◆", { isThere: false });
    await bob.waitForBadge("login.ts", "◆");
  });

  play("the first edit of what another holds brings one warning with buttons", async () => {
    await bob.openFile("src/login.ts");
    await bob.type("// too\n");
    const warning = bob.notification("claude · login form holds src/login.ts until");
    await warning.waitFor();
    for (const name of ["Ask to Release", "Show Diff", "Edit Anyway"]) {
      await bob.button(warning, name).waitFor();
    }
    assert.equal(await warning.locator(".monaco-button.monaco-text-button").count(), 3);
    await bob.screenshot("warning-dark");
    await bob.button(warning, "Ask to Release").click();
    await bob.question("A message for the holder").waitFor();
    await bob.ask("May I add a line?");
    await eventually("the message", () => claude.messages().some((message) => message.message === "May I add a line?"));
    await warning.waitFor({ state: "detached" });
    await bob.type("// once\n");
    await bob.page.locator(".view-line", { hasText: "// once" }).waitFor();
    await eventually("a status bar that tells who", async () => /claude/.test(await bob.statusText()));
    assert.equal(await warning.count(), 0, "it warned twice");
  });

  play("a message is shown once and answered", async () => {
    const [first, second] = workspace.servers().map((server) => server.session_id);
    for (const to of [first, second]) {
      claude.run("send", to, "Login form", "Until noon, then it is yours.");
    }
    const notice = bob.notification("Until noon");
    await notice.waitFor();
    await bob.button(notice, "Reply").click();
    await bob.question("Reply to claude").waitFor();
    await bob.ask("Fine with me");
    const reply = await eventually("the reply", () => claude.messages().find((message) => message.message === "Fine with me"));
    assert.equal(reply.subject, "Re: Login form");
    assert.ok(reply.in_reply_to, "it says what it answers");
    const other = ada.notification("Until noon");
    await ada.button(other, "Open").click();
    const conversation = ada.webview();
    await conversation.locator("article", { hasText: "Until noon, then it is yours." }).getByText("claude · login form").waitFor();
  });

  play("the menu of the first line acts", async () => {
    await bob.openFile("src/login.ts");
    const entry = await bob.openFirstLineMenu("Ask claude · login form to release login.ts");
    await entry.click();
    await bob.question("Ask to Release").waitFor();
    await bob.ask("Whenever you are done");
    await eventually("the request", () => claude.messages().find((message) => message.type === "release_request"));
  });

  play("the palette claims, tells, hands off and releases, and asks for what it needs", async () => {
    await ada.openFile("docs/guide.md");
    await ada.command("Deconflict: Claim File");
    const claim = await workspace.waitForClaim("docs/guide.md");
    assert.notEqual(claim.automatic, true);

    await ada.command("Deconflict: Set My Status");
    await ada.ask("the guide");
    await ada.question("How far along is it").waitFor();
    await ada.ask("10%");
    await eventually("the work", () => workspace.records("sessions").some((it) => it.current_work === "the guide" && it.progress === "10%"));

    await ada.command("Deconflict: Send Message");
    await ada.ask("", { pick: "Everyone" });
    await ada.question("What do you want to say").waitFor();
    await ada.ask("I am rewriting it");
    await eventually("the broadcast", () => claude.messages().find((message) => message.message === "I am rewriting it"));

    await ada.command("Deconflict: Hand Off");
    await ada.ask("", { pick: "claude · login form" });
    await ada.question("Notes").waitFor();
    await ada.ask("Only the first chapter is missing");
    await workspace.waitForClaim("docs/guide.md", claude.id);

    await ada.openFile("README.md");
    await ada.command("Deconflict: Claim File");
    await workspace.waitForClaim("README.md");
    await ada.command("Deconflict: Release Everything I Hold");
    await workspace.waitForNoClaim("README.md");
  });

  play("the view acts on what it lists", async () => {
    await bob.showView();
    const row = bob.row("Claims", "guide.md");
    await row.hover();
    await row.getByRole("button", { name: "Notify Me" }).click();
    await bob.page.locator(".statusbar-item").filter({ hasText: "You will be told when it is free" }).waitFor();
    claude.run("release", "file", "docs/guide.md");
    await bob.notification("docs/guide.md is free now").waitFor();
    claude.run("send", "broadcast", "Lunch", "Back in half an hour");
    const message = bob.row("Messages", "Lunch");
    await message.hover();
    await message.getByRole("button", { name: "Mark as Read" }).click();
    await message.locator(".codicon-mail-read").waitFor();
  });

  play("who waits stands in the list, is told once it is free, and leaves the queue from there", async () => {
    claude.run("claim", "resource", "db");
    await ada.command("Terminal: Create New Terminal");
    await ada.page.locator(".terminal-wrapper.active .xterm-helper-textarea").focus();
    await ada.page.keyboard.type("deconflict run --with db --wait 10m -- touch served; echo $? > ended\n");
    await ada.showView();
    const place = ada.row("Claims", "number 1 in line").filter({ hasText: "db" });
    await place.waitFor();
    await bob.showView();
    await bob.row("Claims", "number 1 in line").filter({ hasText: "db" }).waitFor();
    const held = bob.row("Claims", "resource db");
    await held.hover();
    await held.getByRole("button", { name: "Notify Me" }).click();
    await bob.page.locator(".statusbar-item").filter({ hasText: "You will be told when it is free" }).waitFor();
    await place.hover();
    await ada.screenshot("waiting-dark");
    await place.getByRole("button", { name: "Leave the Queue" }).click();
    await ada.page.locator(".statusbar-item").filter({ hasText: "Left the queue for db" }).waitFor();
    await place.waitFor({ state: "detached" });
    await eventually("the end of the wait", () => existsSync(workspace.path("ended")) && workspace.read("ended") === "1\n");
    assert.equal(existsSync(workspace.path("served")), false);
    claude.run("release", "resource", "db");
    await bob.notification("db is free now").waitFor();
    await ada.page.locator(".terminal-wrapper.active .xterm-helper-textarea").focus();
    await ada.page.keyboard.type("exit\n");
    await ada.page.locator(".terminal-wrapper").waitFor({ state: "detached" });
  });

  play("a muted session is not heard of until it is unmuted", async () => {
    await bob.openFile("README.md");
    await bob.command("Deconflict: Claim File");
    const { claimed_by: bobs } = await workspace.waitForClaim("README.md");
    await bob.command("Deconflict: Release");
    await bob.showView();
    await bob.command("Deconflict: Mute for an Hour");
    await bob.ask("", { pick: "claude · login form" });
    await bob.notification("Messages from claude · login form are muted for an hour").waitFor();
    await bob.row("Sessions", "claude · login form").filter({ hasText: "muted" }).waitFor();
    claude.run("send", bobs, "Quietly", "Only if you look");
    await bob.row("Messages", "Quietly").locator(".codicon-mail").waitFor();
    // A word of somebody else comes after it, and is shown.
    const grace = workspace.person("grace");
    grace.run("send", bobs, "Aloud", "Did you see?");
    await bob.notification("Did you see?").waitFor();
    assert.equal(await bob.notification("Only if you look").count(), 0);

    // A reload changes nothing of it, and lists nothing twice.
    await bob.reload();
    await bob.showView();
    await bob.row("Sessions", "claude · login form").filter({ hasText: "muted" }).waitFor();
    assert.equal(await bob.row("Sessions", "claude · login form").count(), 1);
    await bob.row("Messages", "Quietly").waitFor();
    assert.equal(await bob.row("Messages", "Quietly").count(), 1);
    assert.ok(workspace.servers().some(({ session_id: id, status }) => id === bobs && status === "active"));
    bob.toasts.length = 0;
    claude.run("send", bobs, "Quieter", "Still only if you look");
    grace.run("send", bobs, "Aloud", "And this?");
    await bob.notification("And this?").waitFor();
    assert.deepEqual(bob.toasts.map(({ text }) => text).filter((text) => /claude|only if you look/.test(text)), []);

    await bob.command("Deconflict: Unmute");
    await bob.ask("", { pick: "claude · login form" });
    await bob.row("Sessions", "muted").waitFor({ state: "detached" });
    claude.run("send", bobs, "Again", "Now you hear me");
    await bob.notification("Now you hear me").waitFor();
    grace.run("end");
  });

  play("an entry that is gone when its menu is used does nothing to the file in front", async () => {
    await bob.openFile("src/order.ts");
    await bob.command("Deconflict: Claim File");
    const { claimed_by: bobs } = await workspace.waitForClaim("src/order.ts");
    workspace.deconflict("claim", "task", "short", "--session", bobs);
    await bob.showView();
    await bob.row("Claims", "task short").click({ button: "right" });
    const entry = bob.menuEntry("Release");
    await entry.waitFor();
    workspace.deconflict("release", "task", "short", "--session", bobs);
    await bob.row("Claims", "task short").waitFor({ state: "detached" });
    await entry.click();
    await bob.notification("That entry was gone before you chose").waitFor();
    assert.equal(workspace.claim("src/order.ts")?.claimed_by, bobs);
    await bob.command("Deconflict: Release");
    await workspace.waitForNoClaim("src/order.ts");
  });

  play("what is held is taken over only by force, and asked for before", async () => {
    await bob.openFile("src/login.ts");
    await bob.command("Deconflict: Take Over");
    const dialog = bob.page.locator(".monaco-dialog-box");
    await dialog.getByText("claude · login form").first().waitFor();
    assert.equal(workspace.claim("src/login.ts").claimed_by, claude.id);
    await dialog.locator(".monaco-button", { hasText: "Take Over by Force" }).click();
    await eventually("the take-over", () => workspace.claim("src/login.ts")?.claimed_by !== claude.id);
    await eventually("the word to whom it was taken from", () => claude.messages().find((it) => it.type === "taken_over"));
  });

  play("what its holder left behind is taken over without more ado", async () => {
    const gone = workspace.person("gone");
    workspace.writeExpiredClaim(gone.id, "src/invoice.ts");
    await bob.openFile("src/invoice.ts");
    await bob.showView();
    const row = bob.row("Claims", "invoice.ts").filter({ hasText: "expired" });
    await row.hover();
    await row.getByRole("button", { name: "Take Over" }).click();
    await eventually("the take-over", () => workspace.claim("src/invoice.ts")?.claimed_by !== gone.id);
    await bob.command("Deconflict: Release");
    await bob.row("Claims", "invoice.ts").waitFor({ state: "detached" });
  });

  play("terminals of the window act for its session", async () => {
    await bob.command("Terminal: Create New Terminal");
    await bob.page.locator(".terminal-wrapper.active .xterm-helper-textarea").focus();
    await bob.page.keyboard.type("deconflict claim task from-the-terminal\n");
    const claim = await workspace.waitForClaim("from-the-terminal");
    assert.ok(workspace.servers().some((server) => server.session_id === claim.claimed_by));
    await bob.page.keyboard.type("exit\n");
    await bob.page.locator(".terminal-wrapper").waitFor({ state: "detached" });
  });

  play("a server that is killed comes back to what it held", async () => {
    const { claimed_by: session } = workspace.claim("src/login.ts");
    const sessions = workspace.servers().length;
    const { pid } = workspace.servers().find((server) => server.session_id === session);
    process.kill(pid, "SIGKILL");
    const again = await eventually("another server of the same session", () =>
      workspace.servers().find((server) => server.session_id === session && server.pid !== pid),
    );
    await workspace.waitForClaim("src/login.ts", session);
    await eventually("a running extension", async () => /you hold [1-9]/.test(await bob.statusText()));
    await bob.command("Deconflict: Restart Server");
    await eventually("the same session with another server", () =>
      workspace.servers().some((server) => server.session_id === session && server.pid !== again.pid),
    );
    assert.equal(workspace.servers().length, sessions);
  });

  play("the walkthrough opens, and shows how it begins", async () => {
    await ada.command("Deconflict: Get Started");
    const page = ada.page.locator(".gettingStartedContainer");
    await page.getByText("Edit a file, and it is yours").first().waitFor();
    await ada.screenshot("walkthrough-dark");
  });

  play("a window that is closed gives everything back", async () => {
    await ada.openFile("src/api/routes.ts");
    await ada.type("// soon gone\n");
    await workspace.waitForClaim("src/api/routes.ts");
    await ada.close();
    ada = undefined;
    await workspace.waitForNoClaim("src/api/routes.ts");
  });
});

describe("somebody who has auto save on, and likes it light", () => {
  let workspace, claude, window;
  const play = (name, act) => scene(name, () => [window], act);

  before(async () => {
    workspace = new Workspace("shop");
    workspace.write(
      ".vscode/settings.json",
      // On a busy machine, the editor needs seconds to write a setting.
      JSON.stringify({ "files.autoSave": "afterDelay", "files.autoSaveDelay": 10_000, "workbench.colorTheme": "Light Modern" }),
    );
    claude = workspace.person("claude · login form");
    claude.run("claim", "file", "src/login.ts", "--for", "2h");
    claude.run("claim", "directory", "docs", "--for", "1h");
    window = await editor.code.open(workspace.folder);
  });

  after(async () => {
    await window?.close();
    await workspace?.remove();
  });

  play("auto save waits for a decision about a file that another holds", async () => {
    const before = workspace.read("src/login.ts");
    await window.openFile("src/login.ts");
    await window.type("// waits\n");
    const warning = window.notification("Auto save waits for your answer");
    await warning.waitFor();
    // Another window of the same user, who has nothing to pause there, leaves it so.
    const elsewhere = new Workspace("elsewhere");
    const another = await editor.code.open(elsewhere.folder);
    assert.match(editor.code.settings(), /autoSaveWhenNoErrors/);
    await another.close();
    await elsewhere.remove();
    // What nobody else holds is saved meanwhile, so that auto save had its chance.
    await window.openFile("src/invoice.ts");
    await window.type("// saved\n");
    await eventually("an auto save elsewhere", () => workspace.read("src/invoice.ts").includes("// saved"));
    assert.equal(workspace.read("src/login.ts"), before);
    await window.openFile("src/login.ts");
    await window.screenshot("auto-save-light");
    await window.button(await window.notificationInCenter("Auto save waits for your answer"), "Edit Anyway").click();
    await eventually("an auto save", () => workspace.read("src/login.ts").includes("// waits"));
  });

  play("whoever saves by hand has decided", async () => {
    await window.openFile("docs/guide.md");
    await window.type("By hand.\n");
    const warning = window.notification("Auto save waits for your answer");
    await warning.waitFor();
    await window.editor.locator(".view-lines").click({ position: { x: 300, y: 100 } });
    await window.press(["Control+S"], "the saved file", () => workspace.read("docs/guide.md").includes("By hand"));
    await window.command("View: Close All Editors");
    await eventually("the user's own setting again", () => !editor.code.settings().includes("autoSaveWhenNoErrors"));
  });

  play("what cannot be paused is not said to be", async () => {
    const settings = editor.code.settings();
    const ghost = workspace.person("ghost");
    ghost.run("claim", "file", "src/api/routes.ts");
    editor.code.writeSettings("{ this is broken");
    await window.openFile("src/api/routes.ts");
    await window.type("// all the same\n");
    await window.notification("Auto save can't be paused for files that others hold. Unable to write into").waitFor();
    const warning = window.notification("ghost holds src/api/routes.ts");
    await warning.waitFor();
    assert.doesNotMatch(await warning.innerText(), /Auto save waits/);
    await window.save();
    editor.code.writeSettings(settings);
    await window.command("View: Close All Editors");
  });

  play("nobody is warned who turned it off", async () => {
    workspace.write(".vscode/settings.json", JSON.stringify({ "deconflict.warnings.firstEdit": false }));
    const ghost = workspace.person("ghost");
    ghost.run("claim", "file", "src/order.ts");
    await window.openFile("src/order.ts");
    await window.page.locator(".view-line", { hasText: "held by ghost" }).waitFor();
    await window.command("Notifications: Clear All Notifications");
    await window.type("// quiet\n");
    await window.page.locator(".squiggly-warning").first().waitFor();
    // The word that comes after the warning would have: the message is told in the order of the pipe.
    ghost.run("send", workspace.servers()[0].session_id, "Order", "Thanks");
    await window.notification("Thanks").waitFor();
    assert.equal(await window.notification("ghost holds src/order.ts").count(), 0);
  });
});

describe("a window without a folder", () => {
  let window;

  scene("nothing of it is in the way, and who asks is told what it needs", () => [window], async () => {
    window = await editor.code.openEmpty();
    await window.command("Deconflict: Show Status Board");
    await window.notification("open the folder your files are in").waitFor();
    assert.equal(await window.statusItem.count(), 0);
    await window.close();
  });
});

describe("two repositories in one window", () => {
  let orders, billing, window;
  const play = (name, act) => scene(name, () => [window], act);

  before(async () => {
    orders = new Workspace("orders");
    billing = new Workspace("billing");
    orders.write("src/basket.ts", "export {};\n");
    billing.write("src/ledger.ts", "export {};\n");
    const file = join(orders.base, "both.code-workspace");
    writeFileSync(file, JSON.stringify({ folders: [{ path: orders.folder }, { path: billing.folder }], settings: {} }));
    window = await editor.code.open(file);
  });

  after(async () => {
    await window?.close();
    await orders?.remove();
    await billing?.remove();
  });

  play("each has its own session and claims, and the view shows both", async () => {
    const claude = billing.person("claude · invoices");
    claude.run("claim", "file", "src/invoice.ts", "--for", "1h");
    await window.openFile("src/basket.ts");
    await window.type("// for orders\n");
    const one = await orders.waitForClaim("src/basket.ts");
    await window.openFile("src/ledger.ts");
    await window.type("// for billing\n");
    const other = await billing.waitForClaim("src/ledger.ts");
    assert.equal(orders.claim("src/ledger.ts"), undefined);
    assert.equal(billing.claim("src/basket.ts"), undefined);
    const [first] = orders.servers();
    const [second] = billing.servers();
    assert.equal(first.session_id, one.claimed_by);
    assert.equal(second.session_id, other.claimed_by);
    assert.equal(first.pid, second.pid, "it is one server");

    await window.showView();
    for (const name of ["basket.ts", "ledger.ts", "invoice.ts"]) {
      await window.row("Claims", name).waitFor();
    }
    await window.row("Sessions", "claude · invoices").waitFor();
    const headings = await window.headings("Sessions");
    assert.deepEqual(headings.map((text) => /^\w+/.exec(text)?.[0]), ["billing", "orders"]);
    assert.equal(await window.row("Sessions", "(2)").count(), 0, "one person in two repositories is one person");
    await window.screenshot("two-repositories-dark");
    await window.command("Deconflict: Release Everything I Hold");
    await orders.waitForNoClaim("src/basket.ts");
    await billing.waitForNoClaim("src/ledger.ts");
    assert.ok(billing.claim("src/invoice.ts"), "what others hold stays");
  });
});

describe("a folder that nobody trusts yet", () => {
  let workspace, window;
  const play = (name, act) => scene(name, () => [window], act);

  before(async () => {
    workspace = new Workspace("stranger");
    workspace.write("run-me.sh", `#!/bin/sh\ntouch "${workspace.path("ran")}"\n`);
    chmodSync(workspace.path("run-me.sh"), 0o755);
    const settings = { "deconflict.server.path": workspace.path("run-me.sh"), "deconflict.activation": "never" };
    workspace.write(".vscode/settings.json", JSON.stringify(settings));
    editor.code.writeSettings(editor.code.settings().replace('"security.workspace.trust.enabled": false', '"security.workspace.trust.enabled": true'));
    window = await editor.code.open(workspace.folder);
  });

  after(async () => {
    editor.code.writeSettings(editor.code.settings().replace('"security.workspace.trust.enabled": true', '"security.workspace.trust.enabled": false'));
    await window?.close();
    await workspace?.remove();
  });

  play("it works there, and runs nothing that the folder names", async () => {
    await window.page.locator(".statusbar-item", { hasText: "Restricted Mode" }).waitFor();
    await window.openFile("src/order.ts");
    await window.type("// mine\n");
    const { claimed_by: session } = await workspace.waitForClaim("src/order.ts");
    const { pid } = workspace.servers().find((server) => server.session_id === session);
    assert.match(readlinkSync(`/proc/${pid}/exe`), /extensions\/deconflict\.deconflict-[^/]+\/bin\/deconflict$/);
    assert.equal(existsSync(workspace.path("ran")), false);
    await window.undoAll();
    await workspace.waitForNoClaim("src/order.ts");
  });
});

describe("a file that a script changes", () => {
  let workspace, window;

  scene("what was there is told of, shown, brought back and merged", () => [window], async () => {
    workspace = new Workspace("shop");
    const settings = { "deconflict.sessionName": "Grace", "files.autoSave": "off", "editor.minimap.enabled": false };
    workspace.write(".vscode/settings.json", JSON.stringify(settings));
    const claude = workspace.person("claude");
    window = await editor.code.open(workspace.folder, { viewport: { width: 1200, height: 700 } });
    const file = "src/order.ts";
    const ours = workspace.read(file) + "// mine\n";
    const kept = (count) =>
      eventually("the change in the journal", () => {
        const { entries } = JSON.parse(workspace.deconflict("history", file, "--json"));
        // A save that is heard of a moment after it was seen is nobody's until then.
        return entries.length >= count && entries[0].session !== undefined ? entries : undefined;
      });
    await window.openFile(file);
    await window.type("// mine\n");
    await workspace.waitForClaim(file);
    await window.save();
    await kept(1);

    const closeComparison = async () => {
      await window.command("View: Close Editor");
      await window.page.locator(".tab", { hasText: "order.ts:" }).waitFor({ state: "detached" });
      await window.page.locator(".tab.active", { hasText: "order.ts" }).waitFor();
    };

    // The notice, and what it offers.
    workspace.write(file, ours.replace("mine", "gone"));
    const notice = window.notification("Somebody unknown changed");
    await notice.waitFor();
    await eventually("three buttons", async () => (await notice.locator(".monaco-button.monaco-text-button").count()) === 3);
    await window.screenshot("loss-dark");
    await window.button(notice, "Show Diff").click();
    await window.page.locator(".monaco-diff-editor .modified .view-line", { hasText: "// gone" }).waitFor();
    await window.page.locator(".monaco-diff-editor .original .view-line", { hasText: "// mine" }).waitFor();
    await notice.waitFor();
    await window.screenshot("change-dark");
    await window.button(notice, "Restore").click();
    await eventually("the text on disk", () => workspace.read(file) === ours);
    const restored = window.notification("Restored order.ts");
    await window.button(restored, "Undo").click();
    await eventually("the restore to be taken back", () => workspace.read(file).endsWith("// gone\n"));

    // The list of changes.
    await closeComparison();
    await window.command("Deconflict: Show History of This File");
    const rows = window.view("History of This File").locator(".monaco-list-row");
    await eventually("all changes in the list", async () => (await rows.count()) === 4);
    await window.row("History of This File", "unknown").hover();
    await window.screenshot("history-dark");
    await window.row("History of This File", "unknown").getByRole("button", { name: "Restore What Was Here" }).click();
    await eventually("the text on disk", () => workspace.read(file) === ours);
    await window.row("History of This File", "saved").click();
    await window.page.locator(".monaco-diff-editor .modified .view-line", { hasText: "// mine" }).waitFor();

    // Whose a line is.
    await closeComparison();
    await window.page.locator(".view-line", { hasText: "// mine" }).first().click();
    await window.command("Deconflict: Who Wrote This Line");
    await window.notification(/Line \d+: you, .* not committed yet/).waitFor();

    // Unsaved text, and a file that is newer. One of the same length the editor would take for its own.
    await window.type("// more\n");
    workspace.write(file, ours.replace("id: number", "id: string | number"));
    const under = window.notification("Somebody unknown changed");
    await under.getByRole("button", { name: "Merge" }).waitFor();
    await window.screenshot("unsaved-dark");
    await under.hover();
    await under.locator(".codicon-notifications-clear").click();
    const refused = window.notification("order.ts was not saved, because it was changed on disk");
    await window.press(["Control+S"], "a word of why it was not saved", async () => (await refused.count()) > 0);
    await window.screenshot("newer-dark");
    await window.button(refused, "Merge Their Changes").click();
    await window.page.locator(".view-line", { hasText: "id: string | number" }).waitFor();
    await window.page.locator(".view-line", { hasText: "// more" }).waitFor();
    claude.run("end");
    await window.close();
    await workspace.remove();
  });
});

describe("what the machine has once", () => {
  let workspace, window;

  scene("whoever wants it is told once it is free", () => [window], async () => {
    workspace = new Workspace();
    const claude = workspace.person("claude");
    window = await editor.code.open(workspace.folder);
    // It is shared by one user's sessions: here, of whoever has the window's home.
    const ofTheMachine = (verb) => workspace.run([verb, "gpu", "0", "--session", claude.id], editor.code.base);
    ofTheMachine("claim");
    await window.showView();
    const held = window.row("Claims", "gpu 0").filter({ hasText: "this machine" });
    await held.hover();
    await held.getByRole("button", { name: "Notify Me" }).click();
    await window.page.locator(".statusbar-item").filter({ hasText: "You will be told when it is free" }).waitFor();
    ofTheMachine("release");
    await window.notification("gpu 0 is free now").waitFor();
    await held.waitFor({ state: "detached" });
    await window.close();
    await workspace.remove();
  });
});
