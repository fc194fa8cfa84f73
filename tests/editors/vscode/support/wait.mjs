/** In milliseconds. A loaded machine is slow; nothing here is told apart by being fast. */
export const DEADLINE = 30_000;

/** How long one try may take that is followed by another: a window that is busy loses keys and clicks. */
export const TRY = 3_000;

const PACE = 25;

/** Waits until `probe` returns something, and returns it. What it waits for itself may take a `TRY`, and is tried again. */
export async function eventually(what, probe, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  for (;;) {
    const found = await tried(probe);
    if (found !== undefined && found !== false && found !== null) {
      return found;
    }
    if (performance.now() > end) {
      throw new Error(`there was never ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PACE));
  }
}

/** What a probe finds; nothing yet, when what it waited for did not come in its time. */
async function tried(probe) {
  try {
    return await probe();
  } catch (error) {
    if (error.name === "TimeoutError") {
      return undefined;
    }
    throw error;
  }
}
