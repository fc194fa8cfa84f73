// The packaged extension in an editor, for all tests of one file.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { CodeServer } from "./codeServer.mjs";
import { extension, program } from "./places.mjs";

/**
 * Packages the extension and installs it into an editor, which is there as `code` while the tests of the file run; for
 * `secondPerson` into another one too, as `other`, with a home of its own.
 */
export function useEditor({ settings = {}, secondPerson = false } = {}) {
  const editor = { code: undefined, other: undefined };
  let vsix;
  before(async () => {
    vsix = join(mkdtempSync(join(tmpdir(), "deconflict-vsix-")), "deconflict.vsix");
    execFileSync("node", ["package.mjs", program, vsix], { cwd: extension, stdio: ["ignore", "ignore", "inherit"] });
    editor.code = await CodeServer.start(vsix, settings);
    editor.other = secondPerson ? await CodeServer.start(vsix, settings) : undefined;
  });
  after(async () => {
    await editor.code?.stop();
    await editor.other?.stop();
    rmSync(dirname(vsix), { recursive: true, force: true });
  });
  return editor;
}

/** A test of which a picture is taken when it fails: that says more than the words. */
export function scene(name, windows, act) {
  return test(name, async (context) => {
    try {
      await act(context);
    } catch (error) {
      for (const [index, window] of windows().entries()) {
        await window?.screenshot(`failed ${name} ${index}`.replace(/\W+/g, "-")).catch(() => undefined);
      }
      throw error;
    }
  });
}
