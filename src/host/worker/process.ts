// The worker's process as the operating system sees it.
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts the script in a process of its own; `log` gets every line that it prints. */
export function forkWorker(script: string, log: (line: string) => void): ChildProcess {
  // In a desktop VS Code the program is Electron, which must be told to be Node.
  const electron = 'electron' in process.versions ? { ELECTRON_RUN_AS_NODE: '1' } : {};
  const child = fork(script, [], {
    execPath: process.execPath,
    execArgv: [],
    env: { ...process.env, ...electron },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', log);
  return child;
}
