#!/usr/bin/env node
// Starts the program that was installed for this machine, as another package. Nothing is downloaded here.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";

const require = createRequire(import.meta.url);

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => stop(`cannot be started: ${error.message}`));
// What ends this process ends the program, which then gives back what its session holds.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

/** The program of the package for this machine. On Linux the one for its C library comes first; that for musl runs anywhere. */
function program() {
  const name = process.platform === "win32" ? "deconflict.exe" : "deconflict";
  const base = `@deconflict/${process.platform}-${process.arch}`;
  for (const package_ of process.platform === "linux" ? ofLinux(base) : [base]) {
    try {
      return require.resolve(`${package_}/bin/${name}`);
    } catch {
      // Another may be installed.
    }
  }
  stop(
    `the package ${base} is not installed. Either there is no program for this machine, or optional packages were ` +
      "left out: install again without --omit=optional.",
  );
}

function ofLinux(base) {
  const usesGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
  return usesGlibc ? [base, `${base}-musl`] : [`${base}-musl`];
}

function stop(why) {
  console.error(`deconflict: ${why}`);
  process.exit(3);
}
