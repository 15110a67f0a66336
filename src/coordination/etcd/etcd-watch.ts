// Hints of changes, over one stream for all watches of a coordinator. No revision is asked for and none is
// kept: whenever the stream is made anew every watcher gets a hint and lists again, so neither a cut nor
// a compaction can lose anything. A member that keeps the stream open but hears nothing any more (frozen, or
// cut from the majority) is found out by a read through the majority every few seconds, and left.
import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3';
import type { Clock } from '../../base/clock.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { isTransient, refusal, StreamError } from './etcd-error.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLife } from './etcd-life.ts';
import type { EtcdLink } from './etcd-link.ts';

/** Between reads that prove the member alive. With 3 s for the read, a dead one is left in 6 s. */
const probeMs = 3000;

type Stream = IDuplexStream<IWatchRequest, IWatchResponse>;

interface Watcher {
  readonly id: number;
  readonly prefix: string;
  changed: boolean;
  /** No more steps; with an error, thrown by the next one. */
  ended: boolean;
  error: unknown;
  wake(): void;
}

export interface EtcdWatchOptions {
  readonly life: EtcdLife;
  readonly keys: EtcdKeys;
  readonly link: EtcdLink;
  readonly clock: Clock;
}

export class EtcdWatch {
  readonly #options: EtcdWatchOptions;
  readonly #watchers = new Map<number, Watcher>();
  #stream: Stream | undefined;
  /** Aborted when nobody watches any more. */
  #idle: AbortController | undefined;
  #ids = 0;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    options.life.ended.addEventListener('abort', () => this.end(options.life.ended.reason));
  }

  /** See the port. */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<void> {
    // Asked for here, not at the first step: what changes from now on is told.
    const id = ++this.#ids;
    const watcher = { id, prefix, changed: false, ended: false, error: undefined, wake: () => {} };
    const leave = (): void => this.#remove(watcher, undefined);
    this.#add(watcher);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    return steps(watcher, () => {
      signal.removeEventListener('abort', leave);
      leave();
    });
  }

  /** Ends all watches, quietly or with `error`. */
  end(error?: unknown): void {
    for (const watcher of [...this.#watchers.values()]) this.#remove(watcher, error);
  }

  #add(watcher: Watcher): void {
    this.#watchers.set(watcher.id, watcher);
    if (this.#stream) this.#stream.write(this.#creation(watcher));
    if (this.#idle) return;
    this.#idle = new AbortController();
    void this.#run(this.#idle.signal);
  }

  #remove(watcher: Watcher, error: unknown): void {
    if (!this.#watchers.delete(watcher.id)) return;
    watcher.ended = true;
    watcher.error = error;
    watcher.wake();
    this.#stream?.write({ cancel_request: { watch_id: watcher.id } });
    if (this.#watchers.size > 0) return;
    this.#idle?.abort();
    this.#idle = undefined;
  }

  /** Keeps a stream until nobody watches. */
  async #run(idle: AbortSignal): Promise<void> {
    const { link } = this.#options;
    while (!idle.aborted) {
      const { channel } = link;
      try {
        await this.#follow(channel, idle);
      } catch (error) {
        if (idle.aborted) return;
        if (!isTransient(error))
          return this.end(refusal(error, channel.endpoint, this.#options.keys.prefix));
        link.leave(channel, error);
        await link.pause(idle).catch(() => {});
      }
    }
  }

  async #follow(channel: EtcdChannel, idle: AbortSignal): Promise<void> {
    const stream = await channel.watches.watch();
    const done = new AbortController();
    const stop = AbortSignal.any([idle, done.signal]);
    try {
      const broken = new Promise<never>((_, reject) => {
        stream.on('error', reject);
        stream.on('end', () => reject(new StreamError('the stream ended')));
        stream.on('data', (answer) => this.#receive(answer, reject));
      });
      broken.catch(() => {});
      if (idle.aborted) return;
      this.#stream = stream;
      for (const watcher of this.#watchers.values()) stream.write(this.#creation(watcher));
      await Promise.race([broken, this.#probe(channel, stop)]);
    } finally {
      done.abort();
      if (this.#stream === stream) this.#stream = undefined;
      stream.cancel();
    }
  }

  #receive(answer: IWatchResponse, fail: (error: Error) => void): void {
    const watcher = this.#watchers.get(Number(answer.watch_id));
    if (!watcher) return;
    if (answer.canceled) fail(new StreamError(answer.cancel_reason));
    if (answer.created) this.#options.link.succeeded();
    watcher.changed = true;
    watcher.wake();
  }

  /** Fails when the member does not answer for the majority. */
  async #probe(channel: EtcdChannel, stop: AbortSignal): Promise<never> {
    for (;;) {
      await this.#options.clock.sleep(probeMs, stop);
      await this.#options.life.transact(channel, {});
    }
  }

  #creation({ id, prefix }: Watcher): IWatchRequest {
    return { create_request: { ...this.#options.keys.entries(prefix), watch_id: id } };
  }
}

/** One step for all hints since the step before. */
async function* steps(watcher: Watcher, leave: () => void): AsyncGenerator<void> {
  try {
    for (;;) {
      if (watcher.error) throw watcher.error;
      if (watcher.ended) return;
      if (watcher.changed) {
        watcher.changed = false;
        yield;
      } else {
        await new Promise<void>((wake) => {
          watcher.wake = wake;
        });
      }
    }
  } finally {
    leave();
  }
}
