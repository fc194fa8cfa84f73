// Prints what the program is made of, as CycloneDX: node sbom.mjs >deconflict.cdx.json
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, version } from "./platforms.mjs";

const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--format-version=1", "--locked"], { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 }),
);
const packages = new Map(metadata.packages.map((it) => [it.id, it]));
const needs = new Map(
  metadata.resolve.nodes.map(({ id, deps }) => [
    id,
    // What is needed for building and testing alone is not in the program.
    deps.filter((it) => it.dep_kinds.some(({ kind }) => kind === null)).map((it) => it.pkg),
  ]),
);
const main = metadata.resolve.root;
const reached = new Set([main]);
for (const id of reached) needs.get(id).forEach((it) => reached.add(it));

const checksums = new Map(
  readFileSync(join(root, "Cargo.lock"), "utf8")
    .split("[[package]]")
    .map((text) => ["name", "version", "checksum"].map((key) => text.match(new RegExp(`^${key} = "(.*)"$`, "m"))?.[1]))
    .map(([name, of, checksum]) => [`${name}@${of}`, checksum]),
);
const purl = (id) => `pkg:cargo/${packages.get(id).name}@${packages.get(id).version}`;

function component(id) {
  const { name, version: of, license, description } = packages.get(id);
  const checksum = checksums.get(`${name}@${of}`);
  return {
    type: id === main ? "application" : "library",
    "bom-ref": purl(id),
    name,
    version: of,
    ...(description && { description: description.trim() }),
    ...(checksum && { hashes: [{ alg: "SHA-256", content: checksum }] }),
    ...(license && { licenses: [{ expression: license.replaceAll("/", " OR ") }] }),
    purl: purl(id),
  };
}

const others = [...reached].filter((id) => id !== main).sort((a, b) => purl(a).localeCompare(purl(b)));
const document = {
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: { component: component(main) },
  components: others.map(component),
  dependencies: [main, ...others].map((id) => ({ ref: purl(id), dependsOn: [...new Set(needs.get(id).map(purl))] })),
};
if (document.metadata.component.version !== version) throw new Error("Cargo.lock is of another version");
console.log(JSON.stringify(document, undefined, 2));
