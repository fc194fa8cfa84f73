// Several causes at the same time are one notice, with the buttons of the most urgent one.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { extension } from "./support/places.mjs";

const { buildSync } = createRequire(join(extension, "package.json"))("esbuild");

/** The extension's own module, which needs nothing of the editor. */
async function load() {
  const entryPoints = [join(extension, "src", "popups.ts")];
  const [{ text }] = buildSync({ entryPoints, bundle: true, format: "esm", write: false }).outputFiles;
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

test("what comes within two seconds is one notice, and what comes later another", async (context) => {
  const { Popups, Urgency } = await load();
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const shown = [];
  const popups = new Popups();
  const sourceOf = (name, urgency) =>
    popups.source((all) => (all.length === 0 ? [] : [{ text: `${name}: ${all.join(", ")}.`, urgency, show: async (text) => void shown.push([name, text]) }]));
  const fact = sourceOf("Fact", Urgency.Fact);
  const message = sourceOf("Message", Urgency.Message);
  const loss = sourceOf("Loss", Urgency.Loss);

  fact("free");
  context.mock.timers.tick(1_000);
  message("hello");
  message("again");
  loss("a.ts");
  context.mock.timers.tick(999);
  assert.deepEqual(shown, []);
  context.mock.timers.tick(1);
  assert.deepEqual(shown.splice(0), [["Loss", "Loss: a.ts. Message: hello, again. Fact: free."]]);

  message("later");
  context.mock.timers.tick(2_000);
  assert.deepEqual(shown.splice(0), [["Message", "Message: later."]]);

  fact("never");
  popups.dispose();
  context.mock.timers.tick(2_000);
  assert.deepEqual(shown, []);
});
