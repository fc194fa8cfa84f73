// Gathers every text that the extension shows into `l10n/bundle.l10n.json`, which translators start from.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";

/** The bundle's text, from every `l10n.t("…")` in the sources. */
export async function gatherStrings(folder) {
  const sources = (await readdir(join(folder, "src"), { recursive: true })).filter((name) => name.endsWith(".ts"));
  const strings = new Set();
  for (const name of sources) {
    const text = await readFile(join(folder, "src", name), "utf8");
    const visit = (node) => {
      if (ts.isCallExpression(node) && node.expression.getText(file) === "l10n.t") {
        const [message] = node.arguments;
        if (message === undefined || !ts.isStringLiteralLike(message)) {
          throw new Error(`${name}: l10n.t needs a literal text, or it cannot be translated`);
        }
        strings.add(message.text);
      }
      ts.forEachChild(node, visit);
    };
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest);
    visit(file);
  }
  const bundle = Object.fromEntries([...strings].sort().map((text) => [text, text]));
  return `${JSON.stringify(bundle, null, 2)}\n`;
}

/** What is wrong with the texts of `package.json`: keys that have no text, and texts that nobody uses. */
export async function missingStrings(folder) {
  const manifest = await readFile(join(folder, "package.json"), "utf8");
  const used = new Set([...manifest.matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key));
  const known = new Set(Object.keys(JSON.parse(await readFile(join(folder, "package.nls.json"), "utf8"))));
  return [
    ...[...used].filter((key) => !known.has(key)).map((key) => `package.nls.json lacks "${key}"`),
    ...[...known].filter((key) => !used.has(key)).map((key) => `package.nls.json has "${key}", which package.json never uses`),
  ];
}
