/** Waits for an end, but no longer than until the abort; passes a failure on. */
export async function untilAborted(signal: AbortSignal, ended: Promise<void>): Promise<void> {
  if (signal.aborted) return;
  let leave = () => {};
  const aborted = new Promise<void>((resolve) => (leave = resolve));
  signal.addEventListener('abort', leave, { once: true });
  await Promise.race([ended, aborted]).finally(() => signal.removeEventListener('abort', leave));
}
