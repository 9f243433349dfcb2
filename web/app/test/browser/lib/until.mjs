// Waiting for what has to come.

// machines that run everything at once are slow, and stand still at times
export const PATIENCE_MS = 60_000;

/** Waits until a condition holds. */
export async function until(condition, what, timeout = PATIENCE_MS) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
