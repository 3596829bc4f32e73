// Whether the computer runs on battery, asked of the system now and then. Knows no editor.
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** How long an answer is taken for, in milliseconds. Asking Windows starts a program. */
const KEPT_MS = 60_000;
const TIMEOUT_MS = 10_000;

const run = promisify(execFile);

/** Tells at once what was known last; asks anew in the background. */
export class Power {
  private onBattery = false;
  private askedAt = -Infinity;
  private readonly ask: () => Promise<boolean>;

  constructor(ask: () => Promise<boolean> = askSystem) {
    this.ask = ask;
  }

  /** False until known, and where there is no battery. */
  get isOnBattery(): boolean {
    if (performance.now() - this.askedAt > KEPT_MS) {
      this.askedAt = performance.now();
      this.ask().then(
        (answer) => (this.onBattery = answer),
        () => (this.onBattery = false),
      );
    }
    return this.onBattery;
  }
}

function askSystem(): Promise<boolean> {
  const { platform, env } = process;
  if (platform === 'linux') return linuxOnBattery('/sys/class/power_supply');
  if (platform === 'darwin') return output('/usr/bin/pmset', '-g', 'batt').then(macOnBattery);
  if (platform !== 'win32') return Promise.resolve(false);
  const system = join(env.SystemRoot ?? 'C:\\Windows', 'System32');
  const shell = join(system, 'WindowsPowerShell', 'v1.0', 'powershell.exe');
  const query = '(Get-CimInstance -ClassName Win32_Battery).BatteryStatus';
  return output(shell, '-NoProfile', '-NonInteractive', '-Command', query).then(windowsOnBattery);
}

async function output(program: string, ...args: string[]): Promise<string> {
  return (await run(program, args, { timeout: TIMEOUT_MS, windowsHide: true })).stdout;
}

/** A battery of the computer itself, and not of a mouse, discharges; `folder` is sysfs's. */
export async function linuxOnBattery(folder: string): Promise<boolean> {
  const read = (supply: string, file: string) =>
    readFile(join(folder, supply, file), 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
  for (const supply of await readdir(folder)) {
    if ((await read(supply, 'type')) !== 'Battery') continue;
    if ((await read(supply, 'scope')) === 'Device') continue;
    if ((await read(supply, 'status')) === 'Discharging') return true;
  }
  return false;
}

/** Reads what `pmset -g batt` prints. */
export function macOnBattery(printed: string): boolean {
  return /Now drawing from 'Battery Power'/.test(printed);
}

/** Reads one Win32_Battery.BatteryStatus a line: 1 discharging, 4 low, 5 critical. */
export function windowsOnBattery(printed: string): boolean {
  return /^\s*[145]\s*$/m.test(printed);
}
