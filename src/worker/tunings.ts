/** What engine/tuning.ts found out, in a small file of the host's. A file that is no such is as good as none. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Tuning, Tunings } from '../engine/tuning';

/** Tunings by key, in one JSON object. */
export class TuningFile implements Tunings {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async read(key: string): Promise<unknown> {
    return (await this.all())[key];
  }

  /** Where it cannot be kept, the next load finds it out again. */
  async write(key: string, tuning: Tuning): Promise<void> {
    const text = JSON.stringify({ ...(await this.all()), [key]: tuning }, null, 2);
    const part = `${this.path}.${process.pid}.part`;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      await writeFile(part, text);
      await rename(part, this.path);
    } catch {
      return;
    }
  }

  private async all(): Promise<Record<string, unknown>> {
    try {
      const json: unknown = JSON.parse(await readFile(this.path, 'utf8'));
      return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : {};
    } catch {
      return {};
    }
  }
}
