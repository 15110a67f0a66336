// A network in front of one TCP server, for protocols that the HTTP proxy does not understand: it delays,
// cuts, freezes (connections stay open and nothing passes), and loses answers.
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpFaults {
  /** Each piece of data waits this long, in both directions. */
  readonly delayMs?: number;
  /** What the server says is thrown away. */
  readonly losesReplies?: boolean;
  /** New connections are ended at once. */
  readonly refuses?: boolean;
}

export class TcpProxy implements AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly address: string;
  faults: TcpFaults = {};
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** Resolves when the network moves again. */
  #thawed: Promise<void> | undefined;
  #thaw: () => void = () => {};

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /** In front of `target` (`host:port`). */
  static async start(target: string): Promise<TcpProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new TcpProxy(server, `127.0.0.1:${address.port}`);
    server.on('connection', (socket) => proxy.#accept(socket, target));
    return proxy;
  }

  /** Ends all connections. */
  cut(): void {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy();
  }

  freeze(): void {
    this.#thawed ??= new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  thaw(): void {
    this.#thaw();
    this.#thawed = undefined;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket, target: string): void {
    if (this.faults.refuses) return void near.destroy();
    const [host, port] = target.split(':');
    const far = connect({ host: host as string, port: Number(port) });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      const other = socket === near ? far : near;
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    void this.#carry(near, far, () => false);
    void this.#carry(far, near, () => this.faults.losesReplies ?? false);
  }

  async #carry(from: Socket, to: Socket, isLost: () => boolean): Promise<void> {
    try {
      for await (const piece of from) {
        await this.#thawed;
        const { delayMs } = this.faults;
        if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
        if (!isLost() && !to.write(piece)) {
          await new Promise((resolve) => {
            to.once('drain', resolve);
            to.once('close', resolve);
          });
        }
      }
    } catch {
      // The other end hears of it by `close`.
    }
  }
}
