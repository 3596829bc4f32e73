/**
 * `lckv demo`: placeholder until the demo is written.
 */

/** Runs the command. */
export function demo(_args: string[]): Promise<void> {
  return Promise.reject(new Error('There is no demo yet.'));
}
