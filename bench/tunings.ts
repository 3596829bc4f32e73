/** What tuning finds out, for one run of a benchmark. */
import type { Tuning, Tunings } from '../src/engine/tuning';
import { round, type Row } from './report';

/** Keeps what tuning found out for one load, and how long that took: between its two writings. */
export class MemoryTunings implements Tunings {
  private readonly written: { tuning: Tuning; at: number }[] = [];

  read(): Promise<null> {
    return Promise.resolve(null);
  }

  write(_key: string, tuning: Tuning): Promise<void> {
    this.written.push({ tuning, at: performance.now() });
    return Promise.resolve();
  }

  get row(): Row {
    const [first, last] = this.written;
    if (!last) return { matvec: 'not tuned' };
    const { matvec, resident, matrices } = last.tuning;
    const told = (shape: object | null) => (shape ? Object.values(shape).join() : 'none');
    return {
      matvec: told(matvec),
      resident: told(resident),
      matrices: Number(matrices),
      tuningMs: round(last.at - first.at),
    };
  }
}
