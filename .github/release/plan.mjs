// Says what a release consists of, as outputs of a workflow's step, and refuses where version, tag or address disagree:
// ADDRESS=https://… TAG=v1.2.3 node plan.mjs
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { platforms, repository, root, version } from "./platforms.mjs";

const { ADDRESS, TAG } = process.env;
const wrong = [];
const expect = (is, should, what) => {
  if (is !== should) wrong.push(`${what} is ${is}, and should be ${should}`);
};

if (ADDRESS) expect(repository, ADDRESS, "the repository in Cargo.toml (.github/release/move-to changes it everywhere)");
if (TAG) expect(TAG, `v${version}`, "the tag");
for (const file of ["editors/vscode/package.json", "editors/gemini/gemini-extension.json", "editors/claude-code/.claude-plugin/plugin.json"]) {
  expect(JSON.parse(readFileSync(join(root, file), "utf8")).version, version, `the version in ${file}`);
}
for (const file of ["editors/zed/extension.toml", "editors/zed/Cargo.toml.in"]) {
  expect(readFileSync(join(root, file), "utf8").match(/^version = "(.*)"$/m)[1], version, `the version in ${file}`);
}
if (TAG && !readFileSync(join(root, "server/CHANGELOG.md"), "utf8").includes(`\n## ${version}\n`)) {
  wrong.push(`server/CHANGELOG.md has no section ${version}`);
}
if (wrong.length > 0) {
  console.error(wrong.map((it) => `plan: ${it}`).join("\n"));
  process.exit(1);
}

console.log(`version=${version}`);
console.log(`platforms=${JSON.stringify(platforms.map(({ target, runner }) => ({ target, runner })))}`);
