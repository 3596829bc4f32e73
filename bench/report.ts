/** What all benchmarks share: rows as a table and as lines of JSON, and statistics. */
import { Gpu, type GpuOptions } from '../src/engine/gpu';

/** One measured row: names and numbers. */
export type Row = Record<string, string | number | null>;

/** Prints rows as a table for people, then as one line of JSON each for tools. */
export function report(bench: string, device: string, rows: Row[]): void {
  console.table(rows);
  for (const row of rows) console.log(JSON.stringify({ bench, device, ...row }));
}

/** Opens the device and says which one it is. */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const gpu = await Gpu.open(options);
  console.log(`${gpu.info.description || gpu.info.vendor}, ${gpu.info.architecture}`);
  return gpu;
}

/** The name under which the device reports itself. */
export function deviceName({ info }: Gpu): string {
  return info.description || info.vendor;
}

/** The value below which a share of the numbers lies; 0.5 is the median. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** Four significant digits. */
export function round(x: number): number {
  return Number(x.toPrecision(4));
}

/** Comma-separated whole numbers of an option. */
export function numbers(option: string): number[] {
  return option.split(',').map(Number);
}
