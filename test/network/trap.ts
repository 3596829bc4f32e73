/** Notes every way to reach the network from Node, and lets none through. */
import dgram from 'node:dgram';
import dns from 'node:dns';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';

/** An attempt: what was called, and from where. */
export interface Attempt {
  what: string;
  stack: string;
}

type Owner = Record<string, (...args: unknown[]) => unknown>;

/** http, https, http2 and tls come by `Socket.connect`, fetch and WebSocket by their names. */
const WAYS: readonly { what: string; owner: object; names: readonly string[] }[] = [
  { what: 'net.Socket', owner: net.Socket.prototype, names: ['connect'] },
  { what: 'net.Server', owner: net.Server.prototype, names: ['listen'] },
  { what: 'dgram.Socket', owner: dgram.Socket.prototype, names: ['bind', 'send', 'connect'] },
  { what: 'dns', owner: dns, names: ['lookup', 'resolve', 'resolve4', 'resolve6'] },
  { what: 'dns.promises', owner: dns.promises, names: ['lookup', 'resolve', 'resolve4'] },
  { what: 'globalThis', owner: globalThis, names: ['fetch', 'WebSocket', 'EventSource'] },
];

/** Sets the trap; the function returned takes it away. Pipes, which have a path, are no network. */
export function trapNetwork(note: (attempt: Attempt) => void): () => void {
  const undo: (() => void)[] = [];
  for (const { what, owner, names } of WAYS)
    for (const name of names) {
      const found = Object.getOwnPropertyDescriptor(owner, name);
      const original = (owner as Owner)[name];
      if (!found || typeof original !== 'function') continue;
      const trapped = function (this: unknown, ...args: unknown[]) {
        if (what.startsWith('net.') && isPipe(args)) return original.apply(this, args);
        Error.stackTraceLimit = 50;
        const error = new Error(`${what}.${name} was called.`);
        note({ what: `${what}.${name}`, stack: error.stack ?? '' });
        throw error;
      };
      Object.defineProperty(owner, name, { value: trapped, configurable: true, writable: true });
      undo.push(() => Object.defineProperty(owner, name, found));
    }
  return () => undo.forEach((step) => step());
}

/** `connect(path)` and `connect({ path })`, also as Node passes them on: `connect([{ path }])`. */
function isPipe([first]: unknown[]): boolean {
  const target: unknown = Array.isArray(first) ? first[0] : first;
  if (typeof target === 'string') return Number.isNaN(Number(target));
  return typeof target === 'object' && target !== null && 'path' in target && !('host' in target);
}

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6', 'udplite', 'raw', 'raw6', 'icmp', 'packet'];

/** The sockets of a process that lead to a network, as Linux knows them; pipes are not among them. */
export function networkSockets(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`)
    .map((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1])
    .filter((inode) => inode !== undefined);
  return TABLES.flatMap((table) =>
    textOf(`/proc/${pid}/net/${table}`)
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((words) => inodes.some((inode) => words.includes(inode)))
      .map((words) => `${table} ${words.join(' ')}`),
  );
}

/** What a link leads to; '' where it is gone. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** '' where the system has no such table. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
