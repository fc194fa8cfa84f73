// A window as its user sees it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { artifacts } from "./places.mjs";
import { eventually, TRY } from "./wait.mjs";

export class Window {
  constructor(page, context) {
    this.page = page;
    this.context = context;
    /** Every notice that popped up since the window was opened: its text and its buttons. */
    this.toasts = [];
  }

  /** Notes down each notice that pops up, however short it stays, from the next page that is loaded on. */
  async recordToasts() {
    await this.page.exposeFunction("deconflictToast", (text, buttons) => {
      this.toasts.push({ text, buttons });
    });
    await this.page.addInitScript(() => {
      const seen = new WeakSet();
      const look = () => {
        for (const toast of document.querySelectorAll(".notification-toast")) {
          const message = toast.querySelector(".notification-list-item-message")?.textContent ?? "";
          if (!seen.has(toast) && message !== "") {
            seen.add(toast);
            // Its buttons are drawn with it, or a moment later.
            setTimeout(() => {
              const buttons = [...toast.querySelectorAll(".monaco-button.monaco-text-button")].map((button) => button.textContent);
              void globalThis.deconflictToast(message, buttons);
            }, 100);
          }
        }
      };
      new MutationObserver(look).observe(document, { childList: true, subtree: true });
    });
  }

  /** The extension is at work. */
  async ready() {
    await this.statusItem.waitFor();
    await eventually("a running extension", async () => !/starting/.test((await this.statusText()) ?? "starting"));
  }

  /** In a browser the editor may read a workspace's file before it has a disk; then it has no folders until it is loaded again. */
  async haveFolders() {
    const folder = this.explorer.locator(".monaco-list-row").first();
    const none = this.page.getByText("You have not yet added a folder to the workspace").first();
    await eventually("folders in the window", async () => {
      await folder.or(none).first().waitFor({ timeout: TRY });
      if (await folder.isVisible()) {
        return true;
      }
      await this.page.reload();
      return false;
    });
  }

  get statusItem() {
    return this.page.locator('.statusbar-item[id*="deconflict.deconflict"]');
  }

  /** What a screen reader says of the status-bar item. */
  async statusText() {
    return this.statusItem.locator("a").first().getAttribute("aria-label", { timeout: TRY });
  }

  /** The status-bar item while it is to be noticed. */
  get warningInStatusBar() {
    return this.page.locator('.statusbar-item.warning-kind[id*="deconflict.deconflict"]');
  }

  get explorer() {
    return this.page.locator(".explorer-folders-view");
  }

  file(name) {
    return this.explorer.locator(".monaco-list-row").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** The entries of a file's menu in the explorer, below ours. */
  async explorerMenu(name) {
    await this.command("View: Show Explorer");
    await eventually(`the menu of ${name}`, async () => {
      await this.page.keyboard.press("Escape");
      await this.file(name).click({ button: "right", timeout: TRY });
      await this.menuEntry("Deconflict").hover({ timeout: TRY });
      await this.page.keyboard.press("ArrowRight");
      await this.page.locator(".monaco-submenu .action-label", { hasText: "Show History of This File" }).waitFor({ timeout: TRY });
      return true;
    });
    const entries = await this.page.locator(".monaco-submenu .action-label").allInnerTexts();
    await this.page.keyboard.press("Escape");
    await this.page.keyboard.press("Escape");
    return entries.map((entry) => entry.trim()).filter((entry) => entry !== "");
  }

  /** Waits for a file's badge in the explorer, or for its absence. It is drawn by a style, so that it is no text. */
  async waitForBadge(name, badge, { isThere = true } = {}) {
    await eventually(`${isThere ? "the" : "no"} badge "${badge}" on ${name}`, async () => {
      const labels = await this.file(name).locator(".monaco-icon-label").all();
      const shown = await Promise.all(
        labels.map((label) => label.evaluate((element) => getComputedStyle(element, "::after").content).catch(() => "")),
      );
      return shown.some((text) => text.includes(badge)) === isThere;
    });
  }

  /** How often a file's row in the explorer was drawn anew while something else was done. */
  async redrawsOf(name, act) {
    const row = await this.file(name).elementHandle();
    await row.evaluate((element) => {
      element.redraws = 0;
      element.redrawObserver = new MutationObserver((all) => (element.redraws += all.length));
      element.redrawObserver.observe(element, { attributes: true, childList: true, subtree: true, characterData: true });
    });
    await act();
    return row.evaluate((element) => {
      element.redrawObserver.disconnect();
      return element.redraws;
    });
  }

  get editor() {
    return this.page.locator(".editor-group-container.active .monaco-editor").first();
  }

  /** Opens a file of the workspace by its name. */
  async openFile(path) {
    const name = path.split("/").at(-1);
    const input = this.page.locator(".quick-input-widget:visible input:focus").first();
    const row = this.page.locator(".quick-input-widget:visible .quick-input-list .monaco-list-row").filter({ hasText: name }).first();
    const tab = this.page.locator(".tab.active").filter({ hasText: name });
    await eventually(`${path} in front`, async () => {
      await this.page.keyboard.press("Control+P");
      await input.fill(path, { timeout: TRY });
      await row.click({ timeout: TRY });
      await tab.waitFor({ timeout: TRY });
      return true;
    });
    await this.editor.locator(".view-line").first().waitFor();
    // Where it is scrolled down, the shadow above the text would be in the way.
    await this.page.keyboard.press("Control+Home");
    await this.editor.locator(".view-lines").click({ position: { x: 300, y: 100 } });
  }

  /** Answers the open input box or pick list. */
  async ask(text, { pick = undefined } = {}) {
    const widget = this.page.locator(".quick-input-widget:visible");
    await widget.waitFor();
    const input = widget.locator("input").first();
    await input.fill(text);
    if (pick !== undefined) {
      await widget.locator(".quick-input-list .monaco-list-row").filter({ hasText: pick }).first().click();
      return;
    }
    await input.press("Enter");
  }

  /** The question that the open input asks. */
  question(text) {
    return this.page.locator(".quick-input-widget:visible").filter({ hasText: text });
  }

  /** Runs a command by its name in the palette, once it is offered there. */
  async command(title) {
    const widget = this.page.locator(".quick-input-widget:visible");
    const row = widget.locator(".quick-input-list .monaco-list-row").filter({ hasText: title }).first();
    const isThere = (locator) => locator.waitFor({ timeout: TRY }).then(() => true, () => false);
    // Something else may be about to take the focus back, which closes the palette; and what it offers is decided when it
    // opens, maybe a moment before there is something to do.
    await eventually(`the command "${title}" in the palette`, async () => {
      await this.page.keyboard.press("F1");
      if (!(await isThere(widget.locator("input:focus")))) {
        return false;
      }
      await widget.locator("input").first().fill(`>${title}`, { timeout: TRY });
      if (await isThere(row)) {
        await row.click({ timeout: TRY });
        return true;
      }
      await this.page.keyboard.press("Escape");
      return false;
    });
  }

  /**
   * Presses keys until it is so: a window that is busy loses some, or does not know yet what they mean for the file in
   * front.
   */
  async press(keys, what, isSo) {
    await eventually(what, async () => {
      for (const key of keys) {
        await this.page.keyboard.press(key);
      }
      return eventually(what, isSo, TRY).catch((error) => {
        if (error.message === `there was never ${what}`) {
          return false;
        }
        throw error;
      });
    });
  }

  /** Types at the end of the file in front. */
  async type(text) {
    await this.editor.locator(".view-lines").click({ position: { x: 300, y: 100 } });
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text);
  }

  /** Undoes everything that was typed into the file in front. */
  async undoAll() {
    const dirty = this.page.locator(".tab.active.dirty");
    await eventually("an unchanged text", async () => {
      await this.page.keyboard.press("Control+Z");
      return (await dirty.count()) === 0;
    });
  }

  async save() {
    const clean = this.page.locator(".tab.active:not(.dirty)");
    await this.press(["Control+S"], "a saved file", async () => (await clean.count()) > 0);
  }

  /** Opens the menu of the first line. What is told of the line may come a moment later, and closes it again. */
  async openFirstLineMenu(entry) {
    const offered = this.page.locator(".action-widget").getByText(entry);
    await eventually(`the entry "${entry}" in the first line's menu`, async () => {
      await this.page.keyboard.press("Control+Home");
      await this.page.keyboard.press("Control+.");
      return offered.waitFor({ timeout: TRY }).then(
        () => true,
        () => this.page.keyboard.press("Escape"),
      );
    });
    return offered;
  }

  /** An entry of the open context menu. */
  menuEntry(name) {
    return this.page.locator(".monaco-menu .action-item:visible").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  notification(text) {
    return this.page.locator(".notification-toast").filter({ hasText: text });
  }

  /** The same in the list of notifications, where they stay when nobody answered them at once. */
  async notificationInCenter(text) {
    await this.command("Notifications: Show Notifications");
    return this.page.locator(".notifications-center .notification-list-item").filter({ hasText: text });
  }

  button(notification, name) {
    return notification.locator(".monaco-button").filter({ hasText: name });
  }

  /** One of the view's lists, opened. */
  view(name) {
    return this.page.locator(".pane").filter({ has: this.page.locator(`.pane-header[aria-label^="${name}"]`) });
  }

  row(view, text) {
    return this.view(view).locator(".monaco-list-row").filter({ hasText: text });
  }

  /** The texts of a view's rows as they stand below each other; in the page, rows stand in the order of their making. */
  async rows(view, level = undefined) {
    const rows = this.view(view).locator(`.monaco-list-row${level === undefined ? "" : `[aria-level='${level}']`}`);
    const found = await rows.evaluateAll((all) => all.map((row) => [Number(row.dataset.index), row.innerText.trim()]));
    return found.sort(([one], [other]) => one - other).map(([, text]) => text);
  }

  /** The same of its headings. */
  headings(view) {
    return this.rows(view, 1);
  }

  async showView() {
    await this.command("Deconflict: Show Who Is Here");
    await this.view("Sessions").locator(".monaco-list-row").first().waitFor();
  }

  /** What stands in the page that an extension shows in front. */
  webview() {
    return this.page.frameLocator("iframe.webview.ready:visible, iframe.webview:visible").frameLocator("#active-frame");
  }

  /** A picture of the window, or of a part of it. */
  async screenshot(name, clip) {
    mkdirSync(artifacts, { recursive: true });
    const path = join(artifacts, `${name}.png`);
    // What is just sliding into sight is shown where it comes to rest.
    await this.page.screenshot({ path, clip, animations: "disabled" });
    return path;
  }

  /** Loads the window again, as its user does. */
  async reload() {
    await this.page.reload();
    await this.ready();
  }

  /** Another program comes to the front; with `false` the window is there again. */
  async leave(isAway = true) {
    await this.page.evaluate((away) => {
      document.hasFocus = () => !away;
      globalThis.dispatchEvent(new Event(away ? "blur" : "focus"));
    }, isAway);
  }

  /** Renames a file in the explorer. */
  async rename(name, to) {
    await this.command("View: Show Explorer");
    const input = this.explorer.locator("input");
    await eventually(`a box for the new name of ${name}`, async () => {
      await this.file(name).click({ timeout: TRY });
      await this.page.keyboard.press("F2");
      await input.fill(to, { timeout: TRY });
      return true;
    });
    await input.press("Enter");
    await this.file(to).waitFor();
  }

  /** Deletes a file in the explorer. */
  async delete(name) {
    await this.command("View: Show Explorer");
    await eventually(`an end of ${name}`, async () => {
      // It may have gone since the key was pressed, and the next in the list must not go with it.
      if ((await this.file(name).count()) === 0) {
        return true;
      }
      await this.file(name).click({ timeout: TRY });
      await this.page.keyboard.press("Delete");
      await this.file(name).waitFor({ state: "detached", timeout: 3 * TRY });
      return true;
    });
  }

  /** Replaces a text in all files, and saves them. */
  async replaceInFiles(text, replacement) {
    await this.command("Search: Replace in Files");
    const search = this.page.locator(".search-view .search-widget");
    await search.locator(".search-container textarea").fill(text);
    await search.locator(".replace-container textarea").fill(replacement);
    await this.page.locator(".search-view .messages").getByText(/\d+ results? in/).waitFor();
    await search.locator(".replace-container a[aria-label^='Replace All']").click();
    await this.page.locator(".monaco-dialog-box .monaco-button", { hasText: "Replace" }).first().click();
  }

  /** Closes the window as its user does, so that the editor can say goodbye. */
  async close() {
    await this.page.goto("about:blank");
    await this.context.close();
  }
}
