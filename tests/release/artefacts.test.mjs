// Everything that a release offers, made by its own scripts and tried from nothing but what it contains, in an empty home.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Home } from "./support/home.mjs";
import { release, root, target } from "./support/release.mjs";

const read = (...parts) => readFileSync(join(...parts), "utf8");

test("a release", async (t) => {
  const { dist, built } = release(t);
  const version = execFileSync(join(built, "deconflict"), ["--version"], { encoding: "utf8" });
  const archive = `deconflict-${target}.tar.gz`;

  /** What every way of installing comes to: the program answers, is well, and goes again with all that it brought. */
  function works(home) {
    const said = home.run("deconflict", ["--version"]);
    assert.deepEqual(said, { code: 0, said: version });
    const doctor = home.run("deconflict", ["doctor"]);
    assert.equal(doctor.code, 0, doctor.said);
    const removed = home.run("deconflict", ["setup", "--remove"]);
    assert.equal(removed.code, 0, removed.said);
  }

  await t.test("installs from a folder, sets itself up, and leaves nothing when it goes", (t) => {
    const home = new Home(t);
    const installed = home.run("sh", [join(dist, "install.sh")], { DECONFLICT_DOWNLOAD: dist });
    assert.equal(installed.code, 0, installed.said);
    works(home);
    assert.deepEqual(home.files(), []);
  });

  await t.test("installs from a web server, by a script from a pipe", async (t) => {
    const address = await serve(t, dist);
    const home = new Home(t);
    const installed = await home.runBeside("sh", ["-c", `curl -fsSL ${address}/install.sh | sh`], { DECONFLICT_DOWNLOAD: address });
    assert.equal(installed.code, 0, installed.said);
    works(home);
  });

  await t.test("is not installed where the archive is damaged, or where there is none", (t) => {
    const damaged = new Home(t);
    const here = join(damaged.path, "../download");
    cpSync(dist, here, { recursive: true });
    appendFileSync(join(here, archive), "x");
    const refused = damaged.run("sh", [join(dist, "install.sh")], { DECONFLICT_DOWNLOAD: here });
    assert.equal(refused.code, 1);
    assert.match(refused.said, /did not arrive whole/);
    renameSync(join(here, archive), join(here, "elsewhere"));
    const missing = damaged.run("sh", [join(dist, "install.sh")], { DECONFLICT_DOWNLOAD: here });
    assert.equal(missing.code, 1);
    assert.match(missing.said, /cannot fetch/);
    assert.deepEqual(damaged.files(), []);
  });

  await t.test("puts the program alone where somebody wants that", (t) => {
    const home = new Home(t);
    const folder = join(home.path, "tools");
    const env = { DECONFLICT_DOWNLOAD: dist, DECONFLICT_INSTALL_DIR: folder };
    for (let times = 0; times < 2; times += 1) {
      const installed = home.run("sh", [join(dist, "install.sh")], env);
      assert.equal(installed.code, 0, installed.said);
    }
    assert.deepEqual(home.files(), ["tools/deconflict"]);
  });

  await t.test("takes the program with the C library that this machine has, however old", (t) => {
    const home = new Home(t);
    const env = { DECONFLICT_DOWNLOAD: join(home.path, "nothing") };
    const asks = (getconf) => {
      home.run("sh", ["-c", `printf '#!/bin/sh\\n${getconf}\\n' >"$HOME/.local/bin/getconf"; chmod +x "$HOME/.local/bin/getconf"`]);
      return home.run("sh", [join(dist, "install.sh")], env).said;
    };
    mkdirSync(join(home.path, ".local/bin"), { recursive: true });
    assert.match(asks("echo glibc 2.17"), /-linux-gnu/);
    assert.match(asks("exit 1"), /-linux-musl/);
  });

  await t.test("runs from npm's packages, which need no network and leave the program behind", (t) => {
    const home = new Home(t, ["node", "npx"]);
    const packages = readdirSync(dist).filter((it) => it.endsWith(".tgz")).map((it) => `--package=${join(dist, it)}`);
    assert.equal(packages.length, 2);
    const npx = (...args) => home.run("npx", ["--yes", "--offline", ...packages, "--", "deconflict", ...args]);
    const installed = npx("setup");
    assert.equal(installed.code, 0, installed.said);
    assert.equal(npx("check").code, home.run("deconflict", ["check"]).code, "the program's own code comes through");
    works(home);
    assert.deepEqual(home.files(), []);
  });

  await t.test("says what to do where npm left the program out", (t) => {
    const home = new Home(t, ["node", "npm"]);
    const wrapper = join(dist, readdirSync(dist).find((it) => /^deconflict-\d.*\.tgz$/.test(it)));
    const options = ["--offline", "--no-audit", "--no-fund", "--omit=optional", "--prefix", home.path];
    const installed = home.run("npm", ["install", ...options, wrapper]);
    assert.equal(installed.code, 0, installed.said);
    const ran = home.run(join(home.path, "node_modules/.bin/deconflict"), ["--version"]);
    assert.equal(ran.code, 3);
    assert.match(ran.said, /--omit=optional/);
  });

  await t.test("is what Mason installs by the entry for its registry, and updates and removes", async (t) => {
    const mason = process.env.DECONFLICT_MASON_NVIM;
    const nvim = join(root, ".editors/nvim-0.12/bin/nvim");
    if (mason === undefined || !existsSync(nvim)) return t.skip("DECONFLICT_MASON_NVIM names no clone of mason.nvim, or Neovim is not here");
    const home = new Home(t, ["node"]);
    execFileSync("tar", ["-xzf", join(dist, "entries.tar.gz"), "-C", home.path]);
    const registry = join(home.path, "registry");
    mkdirSync(join(registry, "packages/deconflict"), { recursive: true });
    renameSync(join(home.path, "entries/mason/package.yaml"), join(registry, "packages/deconflict/package.yaml"));
    // Mason reads registries of one's own by `yq`; what it asks of that is one document as one line of JSON.
    mkdirSync(join(home.path, ".local/bin"), { recursive: true });
    const yaml = join(root, "editors/vscode/node_modules/js-yaml/index.js");
    const yq = `console.log(JSON.stringify(require(${JSON.stringify(yaml)}).load(require("fs").readFileSync(0, "utf8"))));`;
    writeFileSync(join(home.path, ".local/bin/yq"), `#!/usr/bin/env node\n${yq}\n`, { mode: 0o755 });
    const address = await serve(t, dist);
    const look = `
      vim.opt.rtp:prepend('${mason}')
      require('mason').setup({ registries = { 'file:${registry}' }, github = { download_url_template = '${address}/%s/%s/%s' } })
      local registry = require('mason-registry')
      local function fail(why) io.stderr:write(why .. '\\n', vim.fn.execute('messages')) vim.cmd.cquit() end
      local read, done = nil, nil
      registry.refresh(function(ok) read = ok end)
      vim.wait(30000, function() return read ~= nil end)
      if not read then fail('the registry cannot be read') end
      local package = registry.get_package('deconflict')
      for _ = 1, 2 do
        done = nil
        package:install({ force = true }, function(ok, why) done = { ok = ok, why = vim.inspect(why) } end)
        vim.wait(60000, function() return done ~= nil end)
        if not (done and done.ok) then fail('not installed: ' .. (done and done.why or '')) end
      end
      io.stdout:write(vim.fn.exepath('deconflict'), '\\n', vim.fn.system({ 'deconflict', '--version' }))
      package:uninstall()
      vim.wait(30000, function() return not package:is_installed() end)
      if vim.fn.exepath('deconflict') ~= '' then fail('still there') end
      vim.cmd('qall!')`;
    const script = join(home.path, "look.lua");
    writeFileSync(script, look);
    const ran = await home.runBeside(nvim, ["--headless", "--clean", "-c", `luafile ${script}`]);
    assert.equal(ran.code, 0, ran.said);
    assert.match(ran.said, /mason\/bin\/deconflict\n/);
    assert.ok(ran.said.includes(version), ran.said);
  });

  const vsix = join(dist, readdirSync(dist).find((it) => it.endsWith(".vsix")));

  await t.test("has an extension whose program sets itself up as well", (t) => {
    const home = new Home(t);
    const unpacked = join(home.path, "../extension");
    execFileSync("unzip", ["-q", vsix, "-d", unpacked]);
    const installed = home.run(join(unpacked, "extension/bin/deconflict"), ["setup"]);
    assert.equal(installed.code, 0, installed.said);
    works(home);
    assert.deepEqual(home.files(), []);
  });

  await t.test("has an extension whose page stands on its own, with nothing in it that nobody needs", () => {
    const listed = execFileSync("unzip", ["-Z1", vsix], { encoding: "utf8" }).trim().split("\n").sort();
    const expected = [
      "[Content_Types].xml", "extension.vsixmanifest",
      ...["LICENSE.txt", "bin/deconflict", "changelog.md", "dist/extension.js", "package.json", "package.nls.json", "readme.md"],
      ...["claimed.png", "conversation.png", "first-line.png", "icon.png", "view.png", "view.svg"].map((it) => `images/${it}`),
      ...["l10n/bundle.l10n.json", "walkthrough/settings.md", "walkthrough/terminal.md"],
    ].map((it) => (/^(\[|extension\.vs)/.test(it) ? it : `extension/${it}`));
    assert.deepEqual(listed, expected.sort());
    const page = execFileSync("unzip", ["-p", vsix, "extension/readme.md"], { encoding: "utf8" });
    const links = [...page.matchAll(/\]\(([^)]*)\)/g)].map(([, link]) => link);
    assert.ok(links.length > 3);
    for (const link of links) assert.match(link, /^(https:|#)/, "a relative link leads nowhere on that page");
    for (const link of links.filter((it) => /\.png$/.test(it))) {
      const [, path] = link.match(/\/raw\/v[^/]*\/(.*)$/);
      assert.ok(existsSync(join(root, path)), `${path} is not in the repository`);
    }
  });

  await t.test("tells what it is made of, and its sums are right", () => {
    const { components, metadata } = JSON.parse(read(dist, "deconflict.cdx.json"));
    assert.equal(`deconflict ${metadata.component.version}\n`, version);
    const names = new Set(components.map((it) => it.name));
    assert.ok(names.has("tower-lsp-server") && names.has("deconflict-registry"));
    assert.ok(!names.has("stateright"), "what only tests need is not in the program");
    execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: dist });
    assert.equal(read(dist, "SHA256SUMS").trim().split("\n").length, readdirSync(dist).filter((it) => !/sha256$|notes|SUMS/.test(it)).length);
    assert.match(read(dist, "notes.md"), /^The first version|^- /);
  });
});

/** Serves a folder's files by their last name, whatever comes before it in an address, as a release's are named. */
async function serve(t, folder) {
  const server = createServer((request, answer) => {
    const path = join(folder, basename(request.url));
    if (existsSync(path)) answer.end(readFileSync(path));
    else answer.writeHead(404).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}
