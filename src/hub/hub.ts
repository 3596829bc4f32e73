// The one place that opens a connection: questions and files from a Hugging Face hub.
// Uses the global fetch, which VS Code routes through its proxy settings.
import { Fault, join, say } from '../sentence';
import { PassingFailure, persist } from './persist';
import { parseRepository, REPOSITORY_ID, type Repository, type RepositoryFile } from './repository';

/** Where the hub is and how patient to be with it. */
export interface HubOptions {
  /** Default: HF_ENDPOINT, or else huggingface.co. */
  endpoint?: string;
  /** Default: HF_TOKEN, or else none. */
  token?: string;
  /** Milliseconds before the second try, doubled with each one after it. */
  retryMs?: number;
  /** Milliseconds of silence after which a connection counts as lost. */
  idleMs?: number;
}

const HUGGING_FACE = 'https://huggingface.co';

/** A Hugging Face hub. Does nothing until it is asked. */
export class Hub {
  readonly retryMs: number;
  private readonly endpoint: string;
  private readonly token: string;
  private readonly idleMs: number;

  constructor(options: HubOptions = {}) {
    const { env } = process;
    this.endpoint = checkedEndpoint(options.endpoint ?? (env.HF_ENDPOINT?.trim() || HUGGING_FACE));
    this.token = options.token ?? env.HF_TOKEN?.trim() ?? '';
    this.retryMs = options.retryMs ?? 1000;
    this.idleMs = options.idleMs ?? 30_000;
  }

  /** Where a browser shows a repository. */
  address(id: string): string {
    return `${this.endpoint}/${id}`;
  }

  /** Asks for a repository's files, sizes, digests and licence: one request, a few kilobytes. */
  async lookUp(id: string, signal: AbortSignal): Promise<Repository> {
    if (!REPOSITORY_ID.test(id)) {
      throw new Fault(say`Found '${id}', expected a repository id like owner/name.`);
    }
    const url = `${this.endpoint}/api/models/${id}/revision/main?blobs=true`;
    const read = async () => {
      const idle = new Silence(this.idleMs, url, signal);
      try {
        return await (await this.request(url, {}, idle.signal)).text();
      } catch (error) {
        throw passing(error, url, signal);
      } finally {
        idle.end();
      }
    };
    const text = await persist(read, { retryMs: this.retryMs, signal });
    return parseRepository(text, id, this.address(id));
  }

  /** The bytes of a file from `offset` on, in one try; throws a PassingFailure when it is cut. */
  async *read(
    { id, commit }: Repository,
    { name }: RepositoryFile,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const url = `${this.endpoint}/${id}/resolve/${commit}/${name}`;
    const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const idle = new Silence(this.idleMs, url, signal);
    try {
      const headers = { 'accept-encoding': 'identity', ...range };
      const response = await this.request(url, headers, idle.signal);
      // A server without ranges sends everything: what is there already is dropped.
      let excess = response.status === 206 ? 0 : offset;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        idle.heard();
        const dropped = Math.min(excess, chunk.length);
        excess -= dropped;
        if (dropped < chunk.length) yield chunk.subarray(dropped);
      }
    } catch (error) {
      throw passing(error, url, signal);
    } finally {
      idle.end();
    }
  }

  private async request(
    url: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response> {
    // Fetch drops the token when a redirect leads to another host.
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    const response = await fetch(url, { headers, signal });
    if (response.ok && response.body) return response;
    await response.body?.cancel();
    throw refusal(response, url);
  }
}

/** Aborts its signal when nothing was heard for a while, or when the outer signal does. */
class Silence {
  readonly signal: AbortSignal;
  private readonly timer: NodeJS.Timeout;

  constructor(idleMs: number, url: string, outer: AbortSignal) {
    const controller = new AbortController();
    const seconds = idleMs / 1000;
    const reason = new PassingFailure(say`${url}: found silence for ${seconds} s, expected data.`);
    this.timer = setTimeout(() => controller.abort(reason), idleMs);
    this.signal = AbortSignal.any([outer, controller.signal]);
  }

  heard(): void {
    this.timer.refresh();
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** The hub said no, and would say so again. */
class Refusal extends Fault {}

function checkedEndpoint(text: string): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : '';
  if (protocol === 'https:' || protocol === 'http:') return text.replace(/\/+$/, '');
  throw new Fault(say`HF_ENDPOINT: found '${text}', expected an address like ${HUGGING_FACE}.`);
}

/** What an answer other than success means: for now, or for good. */
function refusal(response: Response, url: string): Error {
  const { status } = response;
  const unexpected = say`${url}: found status ${status}, expected 200.`;
  if (status === 408 || status === 429 || status >= 500)
    return new PassingFailure(unexpected, retryAfterMs(response));
  if (status === 401 || status === 403 || status === 404) {
    return new Refusal(
      say`${url}: found status ${status}, expected a public model. Check the spelling; for a private or gated one, accept its terms on the hub's page and set HF_TOKEN before VS Code starts.`,
    );
  }
  return new Refusal(join(unexpected, say`Check HF_ENDPOINT and the proxy.`));
}

/** `Retry-After` is a number of seconds or a date. */
function retryAfterMs(response: Response): number | null {
  const text = response.headers.get('retry-after');
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/** How Node's codes name a certificate that it does not believe. */
const CERTIFICATE = /CERT|VERIFY_LEAF/;

/** A connection that breaks may hold the next time; a refusal and the user's cancel stay. */
function passing(error: unknown, url: string, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof PassingFailure || error instanceof Refusal) return error;
  const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  if (CERTIFICATE.test(cause?.code ?? '')) {
    return new Refusal(
      say`${url}: found a certificate that is not trusted (${cause!.message}), expected one of a known authority. If a proxy reads along, add its certificate to those of the system.`,
    );
  }
  return new PassingFailure(say`${url}: the connection was lost (${why}).`);
}
