/**
 * A Hugging Face hub on loopback for tests: look-up with sizes and digests, `resolve` that
 * redirects to a second server, ranges. Misbehaves as it is told, one request at a time.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';

/** What the hub has under one repository id. */
export interface ServedRepository {
  files: Record<string, Uint8Array>;
  licence?: string;
  /** Changes the commit when it changes. */
  version?: number;
}

/** How to answer a request for a file's bytes, or for a look-up, otherwise than right. */
export interface Misbehaviour {
  /** Answers with this status and nothing else. */
  status?: number;
  retryAfter?: string;
  /** Ends the connection after so many bytes of the body. */
  cutAfter?: number;
  /** Ends the body properly, but so many bytes in. */
  endAfter?: number;
  /** Changes one bit of the file at this offset. */
  flipAt?: number;
  /** Sends the whole file whatever the range. */
  ignoreRange?: boolean;
  /** Sends this much more than the file has. */
  extraBytes?: number;
  /** Waits before each piece of the body, in milliseconds. */
  slowMs?: number;
}

/** One request that came in. */
export interface Seen {
  url: string;
  /** First byte that was asked for. */
  from: number;
  authorization: string | undefined;
}

const PIECE_BYTES = 1 << 16;

/** The hub and the server that it redirects to. Whoever starts it stops it. */
export class HubServer {
  readonly repositories = new Map<string, ServedRepository>();
  /** Every request, and of those the ones for bytes. */
  readonly seen: Seen[] = [];
  /** Asked once for each look-up and each request for bytes. */
  misbehave: (seen: Seen) => Misbehaviour = () => ({});
  private readonly hub: Server;
  private readonly bytes: Server;
  private readonly scheme: 'http' | 'https';

  private constructor(tls: SecureContextOptions | undefined) {
    const create = (answer: (request: IncomingMessage, response: ServerResponse) => void) =>
      tls ? createSecureServer(tls, answer) : createServer(answer);
    this.hub = create((request, response) => this.answerHub(request, response));
    this.bytes = create((request, response) => void this.answerBytes(request, response));
    this.scheme = tls ? 'https' : 'http';
  }

  /** With a key and a certificate it speaks https. */
  static async start(tls?: SecureContextOptions): Promise<HubServer> {
    const server = new HubServer(tls);
    await Promise.all([server.hub, server.bytes].map(listen));
    return server;
  }

  get endpoint(): string {
    return this.origin(this.hub);
  }

  /** The requests for bytes of one file. */
  downloads(name: string): Seen[] {
    return this.seen.filter(({ url }) => url.startsWith('/bytes/') && url.endsWith(`/${name}`));
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.bytes]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private answerHub(request: IncomingMessage, response: ServerResponse): void {
    const seen = this.note(request);
    const lookUp = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/main\?blobs=true$/.exec(seen.url);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/([^/]+)$/.exec(seen.url);
    const id = (lookUp ?? resolve)?.[1] ?? '';
    const repository = this.repositories.get(id);
    if (!repository) return refuse(response, { status: 401 });
    if (lookUp) {
      const how = this.misbehave(seen);
      if (how.status) return refuse(response, how);
      response.end(JSON.stringify(describe(id, repository)));
    } else if (resolve![2] === commitOf(id, repository) && repository.files[resolve![3]]) {
      const location = `${this.origin(this.bytes)}/bytes/${id}/${resolve![3]}`;
      response.writeHead(302, { location }).end();
    } else refuse(response, { status: 404 });
  }

  private async answerBytes(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = this.note(request);
    const [, id, name] = /^\/bytes\/([^/]+\/[^/]+)\/([^/]+)$/.exec(seen.url)!;
    const how = this.misbehave(seen);
    if (how.status) return refuse(response, how);
    let body = this.repositories.get(id)!.files[name];
    if (how.flipAt !== undefined) {
      body = Uint8Array.from(body);
      body[how.flipAt] ^= 1;
    }
    if (how.extraBytes) body = Buffer.concat([body, new Uint8Array(how.extraBytes)]);
    const isPartial = seen.from > 0 && !how.ignoreRange;
    const range = `bytes ${seen.from}-${body.length - 1}/${body.length}`;
    const sent = isPartial ? body.subarray(seen.from) : body;
    const headers = { 'content-length': sent.length, 'content-type': 'application/octet-stream' };
    if (how.endAfter !== undefined) response.writeHead(isPartial ? 206 : 200);
    else if (isPartial) response.writeHead(206, { ...headers, 'content-range': range });
    else response.writeHead(200, headers);
    await this.send(response, sent, how);
  }

  private async send(response: ServerResponse, body: Uint8Array, how: Misbehaviour): Promise<void> {
    const end = Math.min(how.cutAfter ?? Infinity, how.endAfter ?? Infinity, body.length);
    for (let begin = 0; begin < end && !response.destroyed; begin += PIECE_BYTES) {
      if (how.slowMs) await sleep(how.slowMs);
      const piece = body.subarray(begin, Math.min(begin + PIECE_BYTES, end));
      await new Promise((resolve) => {
        response.once('close', resolve);
        response.write(piece, resolve);
      });
      response.removeAllListeners('close');
    }
    if (how.cutAfter !== undefined) response.destroy();
    else response.end();
  }

  private origin(server: Server): string {
    return `${this.scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private note({ url, headers }: IncomingMessage): Seen {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const seen = { url: url!, from, authorization: headers.authorization };
    this.seen.push(seen);
    return seen;
  }
}

function describe(id: string, repository: ServedRepository): object {
  const { files, licence } = repository;
  const siblings = Object.entries(files).map(([rfilename, bytes]) => {
    const size = bytes.length;
    const { sha256, blobId } = digestsOf(bytes);
    const lfs = rfilename.endsWith('.safetensors') ? { sha256, size, pointerSize: 134 } : undefined;
    return { rfilename, size, blobId, lfs };
  });
  return { id, sha: commitOf(id, repository), siblings, cardData: { license: licence } };
}

/** Reckoned once: 100 MB take longer than a client may wait. */
const digests = new WeakMap<Uint8Array, { sha256: string; blobId: string }>();

function digestsOf(bytes: Uint8Array): { sha256: string; blobId: string } {
  const known = digests.get(bytes);
  if (known) return known;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const blobId = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  digests.set(bytes, { sha256, blobId });
  return { sha256, blobId };
}

function commitOf(id: string, { version = 1 }: ServedRepository): string {
  return createHash('sha1').update(`${id} ${version}`).digest('hex');
}

function refuse(response: ServerResponse, { status, retryAfter }: Misbehaviour): void {
  response.writeHead(status!, retryAfter ? { 'retry-after': retryAfter } : {}).end();
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
