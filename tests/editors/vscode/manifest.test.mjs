// What the extension's manifest and its page promise: everything is named, explained, and there.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { extension } from "./support/places.mjs";

const read = (...names) => readFileSync(join(extension, ...names), "utf8");
const manifest = JSON.parse(read("package.json"));
const texts = JSON.parse(read("package.nls.json"));
const { contributes } = manifest;
const page = read("README.md");

/** The text that a key of the manifest stands for. */
const text = (key) => texts[key.replaceAll("%", "")];
/** What the page says below one of its headings. */
const section = (heading) => page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));

describe("the extension's manifest", () => {
  test("says where it comes from, and what it is", () => {
    for (const address of [manifest.homepage, manifest.repository.url, manifest.bugs.url]) {
      assert.equal(new URL(address).protocol, "https:");
    }
    assert.deepEqual(manifest.categories, ["AI", "Other"]);
    assert.ok(existsSync(join(extension, manifest.icon)));
    assert.ok(text(manifest.description).length <= 145, "a marketplace cuts what is longer");
  });

  test("has every setting on the settings page, with words that explain it", () => {
    for (const [name, setting] of Object.entries(contributes.configuration.properties)) {
      const isOfStrings = setting.type === "array" && setting.items.type === "string";
      assert.ok(["string", "boolean", "number"].includes(setting.type) || isOfStrings, `${name} can only be edited as JSON`);
      assert.match(text(setting.description ?? setting.markdownDescription), /^[A-Z].*\.$/, name);
      assert.equal(setting.enumDescriptions?.length ?? setting.enum?.length, setting.enum?.length, name);
    }
  });

  test("ticks each step of the walkthrough, and shows a picture or a page with it", () => {
    for (const walkthrough of contributes.walkthroughs) {
      assert.ok(walkthrough.steps.length >= 5);
      for (const step of walkthrough.steps) {
        assert.ok(step.completionEvents.length > 0, step.id);
        assert.ok(existsSync(join(extension, step.media.image ?? step.media.markdown)), step.id);
        assert.ok(step.media.image === undefined || text(step.media.altText).length > 20, step.id);
        // The editor draws blocks of code there in the colour of another theme, black on black.
        assert.doesNotMatch(step.media.markdown === undefined ? "" : read(step.media.markdown), /```/, step.id);
      }
    }
  });

  test("has marks that can be told from the background in every kind of theme", () => {
    const backgrounds = { dark: "#1f1f1f", light: "#ffffff", highContrast: "#000000", highContrastLight: "#ffffff" };
    for (const { id, defaults } of contributes.colors) {
      for (const [theme, background] of Object.entries(backgrounds)) {
        const least = theme.startsWith("highContrast") ? 7 : 4.5;
        assert.ok(contrast(defaults[theme], background) >= least, `${id} in ${theme}`);
      }
    }
  });

  test("leaves every text of the program to translators", () => {
    const shown = /(?:show(?:Information|Warning|Error)Message|setStatusBarMessage)\(\s*["'`](?!\$\()|\b(?:title|prompt|placeHolder|label|tooltip|detail): ["'`](?!Deconflict: \$)[A-Za-z]/;
    const sources = readdirSync(join(extension, "src"), { recursive: true }).filter((name) => name.endsWith(".ts"));
    assert.ok(sources.length > 20);
    assert.deepEqual(sources.filter((name) => shown.test(read("src", name))), []);
  });
});

describe("the extension's page", () => {
  test("names every command of the palette, and every key", () => {
    const commands = section("Commands");
    const hidden = new Set(contributes.menus.commandPalette.filter(({ when }) => when === "false").map(({ command }) => command));
    for (const { command, title } of contributes.commands.filter(({ command }) => !hidden.has(command))) {
      const name = text(title).replace("…", "");
      assert.match(commands, new RegExp(`(\\| |, )${name}( \\||,)`), command);
    }
    for (const { key } of contributes.keybindings) {
      const pressed = key.replace(/\b[a-z]/g, (first) => first.toUpperCase());
      assert.ok(commands.includes(`\`${pressed}\``), pressed);
    }
  });

  test("names every setting", () => {
    let group;
    const named = [...section("Settings").matchAll(/`(deconflict\.[\w.]+|\.\w+)`/g)].map(([, name]) => {
      const whole = name.startsWith(".") ? `${group}${name}` : name;
      group = whole.slice(0, whole.lastIndexOf("."));
      return whole;
    });
    assert.deepEqual([...new Set(named)].sort(), Object.keys(contributes.configuration.properties).sort());
  });

  test("says what helps when something is wrong, and shows pictures that are there", () => {
    assert.ok(section("When something is wrong").split("\n").filter((line) => line.startsWith("| ")).length >= 6);
    const pictures = [...page.matchAll(/!\[([^\]]+)\]\(([^)]+)\)/g)];
    assert.ok(pictures.length >= 3);
    for (const [, words, place] of pictures) {
      assert.ok(existsSync(join(extension, place)), place);
      assert.ok(words.length > 10, place);
    }
  });
});

/** How much brighter one colour is than the other, as the web's guidelines for accessible content count it. */
function contrast(one, other) {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}

function luminance(color) {
  const parts = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
