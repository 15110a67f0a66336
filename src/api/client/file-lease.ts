// The lease under which files are open at another peer: a stream that is there while something is open. When it
// breaks, what was open is closed over there, and the next who asks gets another one.
import { methodNamed } from '../grpc/protos.ts';
import { type Channel, ConnectionError } from './channel.ts';

export interface HeldLease {
  readonly id: number;
}

export class FileLease {
  readonly #channel: () => Channel;
  #users = 0;
  #held: Promise<HeldLease> | undefined;
  #stop = new AbortController();

  constructor(channel: () => Channel) {
    this.#channel = channel;
  }

  /** The lease that there is, counted until {@link give}. Errors: {@link ConnectionError}. */
  async take(): Promise<HeldLease> {
    this.#users++;
    try {
      return await this.now();
    } catch (error) {
      this.give();
      throw error;
    }
  }

  give(): void {
    this.#users--;
    if (this.#users === 0) this.#end();
  }

  /** Again, for who has taken it: another one when the first is lost. */
  now(): Promise<HeldLease> {
    if (this.#held) return this.#held;
    const begun = this.#begin();
    this.#held = begun;
    begun.catch(() => {
      if (this.#held === begun) this.#held = undefined;
    });
    return begun;
  }

  /** It is not known over there any more. */
  lost(lease: HeldLease): void {
    const isIt = (held: HeldLease): void => {
      if (held === lease) this.#end();
    };
    this.#held?.then(isIt, () => {});
  }

  #end(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#held = undefined;
  }

  async #begin(): Promise<HeldLease> {
    const { signal } = this.#stop;
    const stream = this.#channel().stream(methodNamed('Files/Hold', 'codr.peer.v1'), {}, signal);
    const first = await stream.next();
    if (first.done) throw new ConnectionError('peer-unreachable', 'the peer holds no lease');
    void this.#listen(stream, signal);
    return { id: (first.value as { readonly lease: number }).lease };
  }

  /** Until it breaks. */
  async #listen(stream: AsyncGenerator<object>, signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of stream);
    } catch {
      // However it ends, it has ended.
    }
    if (!signal.aborted) this.#end();
  }
}
