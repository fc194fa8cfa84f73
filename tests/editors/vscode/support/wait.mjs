/** In milliseconds. A loaded machine is slow; nothing here is told apart by being fast. */
export const DEADLINE = 30_000;

const PACE = 25;

/** Waits until `probe` returns something, and returns it. */
export async function eventually(what, probe, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false && found !== null) {
      return found;
    }
    if (performance.now() > end) {
      throw new Error(`there was never ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PACE));
  }
}
