// Where things are: what was fetched, what was built, and where pictures go.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../../", import.meta.url)).replace(/\/$/, "");
const fetched = join(root, ".editors", "vscode");

/** VS Code for browsers, and the Node that it needs. */
export const codeServer = join(fetched, "code-server", "node_modules", "code-server", "out", "node", "entry.js");
export const node = join(fetched, "node", "node_modules", "node", "bin", "node");
export const neovim = process.env.DECONFLICT_NVIM_0_12 ?? join(root, ".editors", "nvim-0.12", "bin", "nvim");
export const neovimPlugin = join(root, "editors", "nvim");
/** The program and the packaged extension that are tested. */
export const program = process.env.DECONFLICT_PROGRAM ?? join(root, "target", "debug", "deconflict");
export const extension = join(root, "editors", "vscode");
export const artifacts = join(root, "artifacts", "vscode");

/** With `DECONFLICT_PICTURES=1` pictures of everything are made in all themes; else one theme is enough to see it work. */
export const themes = (all) => (process.env.DECONFLICT_PICTURES === "1" ? all : all.slice(0, 1));

export const { chromium } = createRequire(join(fetched, "playwright", "package.json"))("playwright-core");

/** Where Chromium is, by whatever name. */
export function browser() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error("chromium was not found: tests/editors/fetch-vscode installs it");
  }
  return found;
}

/** A PATH without any folder that has Rust or the program on it. */
export function pathWithoutRust() {
  const has = (folder) => ["cargo", "rustc", "deconflict"].some((name) => existsSync(join(folder, name)));
  return [dirname(node), ...(process.env.PATH ?? "").split(delimiter).filter((folder) => !has(folder))].join(delimiter);
}
