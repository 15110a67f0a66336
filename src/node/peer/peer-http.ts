// What balancers and monitors ask over plain HTTP: is the process there, may it be given calls, its figures.
import { createServer, type Server } from 'node:http';
import { cannotListen } from '../../api/grpc/serve.ts';

export interface PeerHttpOptions {
  /** `host:port`. */
  readonly listen: string;
  /** False while it is cut off, and from the moment at which it begins to stop. */
  isReady(): boolean;
  figures(): Promise<readonly Figure[]>;
}

/** A name as Prometheus wants it, labels included, its help and its value; one name's stand together. */
export type Figure = readonly [name: string, help: string, value: number];

export class PeerHttp implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Errors: `config-invalid`, when the address cannot be bound. */
  static async open({ listen, isReady, figures }: PeerHttpOptions): Promise<PeerHttp> {
    const server = createServer((request, response) => {
      const say = (status: number, text: string): void => {
        response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' });
        response.end(text);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'GET only\n');
      if (request.url === '/healthz') return say(200, 'alive\n');
      if (request.url === '/readyz')
        return isReady() ? say(200, 'ready\n') : say(503, 'not ready\n');
      if (request.url === '/metrics') {
        return void figures().then(
          (all) => say(200, figuresText(all)),
          (error: unknown) => say(500, `${String(error)}\n`),
        );
      }
      say(404, 'there are /healthz, /readyz and /metrics\n');
    });
    const at = listen.lastIndexOf(':');
    const [host, port] = [
      listen.slice(0, at).replace(/^\[|\]$/g, ''),
      Number(listen.slice(at + 1)),
    ];
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(listen, cause)));
      server.listen(port, host, resolve);
    });
    return new PeerHttp(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function figuresText(figures: readonly Figure[]): string {
  const told = new Set<string>();
  const lines = figures.flatMap(([figure, help, value]) => {
    const name = figure.replace(/\{.*/, '');
    if (told.has(name)) return [`${figure} ${value}`];
    told.add(name);
    const kind = name.endsWith('_total') ? 'counter' : 'gauge';
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, `${figure} ${value}`];
  });
  return `${lines.join('\n')}\n`;
}
