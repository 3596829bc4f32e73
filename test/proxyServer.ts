/**
 * A proxy on loopback for tests. Every host that it is asked for leads to this machine: to `hubPort`,
 * or to the port that is named.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** Whoever starts it stops it. */
export class ProxyServer {
  /** Where it was asked to connect to, as `host:port`. */
  readonly asked: string[] = [];
  private readonly hubPort: number;
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((message, response) => this.forward(message, response));

  private constructor(hubPort: number) {
    this.hubPort = hubPort;
    this.server.on('connection', (socket: Socket) => this.sockets.add(socket));
    this.server.on('connect', ({ url }: IncomingMessage, socket: Socket) => {
      const target = connect(this.portOf(url!), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        target.pipe(socket).pipe(target);
      });
      for (const end of [target, socket])
        end.on('error', () => (target.destroy(), socket.destroy()));
    });
  }

  /** `port` 0 takes a free one. */
  static async start(hubPort: number, port = 0): Promise<ProxyServer> {
    const proxy = new ProxyServer(hubPort);
    await new Promise<void>((resolve) => proxy.server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** The port on this machine for a host with its port. */
  private portOf(host: string): number {
    this.asked.push(host);
    return /^127\.0\.0\.1:\d+$/.test(host) ? Number(host.split(':')[1]) : this.hubPort;
  }

  private forward(message: IncomingMessage, response: ServerResponse): void {
    const { host, port, pathname, search } = new URL(message.url!);
    const { method, headers } = message;
    const target = { port: this.portOf(port ? host : `${host}:80`), path: pathname + search };
    const onward = request({ host: '127.0.0.1', ...target, method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    message.pipe(onward);
  }
}
