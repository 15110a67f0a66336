// Files that another peer sees, over the connection to it. Questions that come at once go out as one; what can be
// asked twice is, over a connection that broke; a peer that is gone is a source that is not reached.

import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import { type ErrorCode, errorCatalogue } from '../../base/error-catalogue.ts';
import type { FileAccess, OpenFile, WrittenFile } from '../../base/file-access.ts';
import { type FileAct, type FileFault, type FileResult, leaseLost } from '../file-calls.ts';
import { methodNamed } from '../grpc/protos.ts';
import { type Channel, ConnectionError } from './channel.ts';
import { FileLease } from './file-lease.ts';
import { RemoteFile } from './remote-file.ts';

const callMs = 20_000;
/** Between tries over a connection that broke. */
const pausesMs = [200, 1_000, 3_000] as const;
/** In one request, and requests on their way. */
const actsMax = 128;
const requestsMax = 4;
/** In one request. */
const writeBytesMax = 2 * 1024 * 1024;

/** Done twice they are as done once. */
const repeatable: ReadonlySet<FileAct['kind']> = new Set([
  ...(['list', 'stat', 'real-path', 'free-bytes', 'read-whole', 'open', 'write-whole'] as const),
  ...(['make-folders', 'remove', 'remove-folder'] as const),
]);

export interface RemotePeer {
  readonly peer: string;
  /** Undefined: it is not one of the peers now. */
  readonly channel: () => Channel | undefined;
  readonly clock: Clock;
}

interface Waiting extends PromiseWithResolvers<FileResult> {
  readonly act: FileAct;
}

export class RemoteFiles implements FileAccess {
  readonly peer: string;
  readonly isHere = false;
  readonly #of: RemotePeer;
  readonly #lease: FileLease;
  readonly #waiting: Waiting[] = [];
  #requests = 0;

  constructor(of: RemotePeer) {
    this.peer = of.peer;
    this.#of = of;
    this.#lease = new FileLease(() => this.#channel());
  }

  async list(folder: string): ReturnType<FileAccess['list']> {
    return (await this.act({ kind: 'list', path: folder })).entries ?? [];
  }

  async stat(path: string): ReturnType<FileAccess['stat']> {
    return this.#told((await this.act({ kind: 'stat', path })).facts);
  }

  async realPath(path: string): Promise<string> {
    return this.#told((await this.act({ kind: 'real-path', path })).path);
  }

  async freeBytes(path: string): Promise<number> {
    return this.#told((await this.act({ kind: 'free-bytes', path })).bytesFree);
  }

  async readWhole(path: string): Promise<Uint8Array> {
    return this.#told((await this.act({ kind: 'read-whole', path })).bytes);
  }

  async open(path: string): Promise<OpenFile> {
    return await RemoteFile.open(this, this.#lease, path);
  }

  async writeWhole(path: string, bytes: Uint8Array): Promise<void> {
    await this.act({ kind: 'write-whole', path, bytes });
  }

  async create(path: string, { over } = { over: false }): Promise<WrittenFile> {
    const lease = await this.#lease.take();
    try {
      const kind = over ? 'write-over' : 'create';
      const made = await this.act({ kind, path, lease: lease.id });
      return this.#written(lease.id, this.#told(made.file));
    } catch (error) {
      this.#lease.give();
      throw error;
    }
  }

  async makeFolder(path: string): Promise<void> {
    await this.act({ kind: 'make-folder', path });
  }

  async makeFolders(path: string): Promise<void> {
    await this.act({ kind: 'make-folders', path });
  }

  async link(from: string, to: string): Promise<void> {
    await this.act({ kind: 'link', path: from, to });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.act({ kind: 'rename', path: from, to });
  }

  async remove(path: string): Promise<void> {
    await this.act({ kind: 'remove', path });
  }

  async removeFolder(path: string): Promise<void> {
    await this.act({ kind: 'remove-folder', path });
  }

  /** Errors: those of the machine, with their `code`; of the peer; `source-unreachable`. */
  async act(act: FileAct): Promise<FileResult> {
    const waiting = { act, ...Promise.withResolvers<FileResult>() };
    this.#waiting.push(waiting);
    // What is asked in the same turn comes along.
    for (let turns = 4; turns > 0; turns--) await Promise.resolve();
    this.#send();
    const result = await waiting.promise;
    if (result.fault) throw this.#errorOf(result.fault);
    return result;
  }

  /** Errors: those of an answer; {@link ConnectionError}. */
  async call<T extends object>(method: string, request: object): Promise<T> {
    const rpc = methodNamed(`Files/${method}`, 'codr.peer.v1');
    const { signal } = new AbortController();
    const limits = { deadlineMs: callMs, signal };
    const channel = this.#channel();
    let answer: T & { readonly fault?: FileFault };
    try {
      answer = (await channel.unary(rpc, request, limits)) as T;
    } catch (error) {
      // Who leaves the peers in the middle of a call has its connection closed, however that ends the call.
      throw this.#of.channel() === channel ? error : this.#lost(error);
    }
    if (answer.fault) throw this.#errorOf(answer.fault);
    return answer;
  }

  /** `work` again over another connection; a peer that does not come back is `source-unreachable`. */
  async repeated<T>(work: () => Promise<T>, mayRepeat = true): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (error) {
        const isLost = error instanceof ConnectionError || hasCode(error, leaseLost);
        if (!isLost) throw error;
        const pause = pausesMs[tries];
        if (!mayRepeat || pause === undefined) throw this.#lost(error);
        await this.#of.clock.sleep(pause);
      }
    }
  }

  #channel(): Channel {
    const channel = this.#of.channel();
    if (channel) return channel;
    throw this.#lost(undefined);
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.#requests < requestsMax) {
      const isRepeatable = repeatable.has((this.#waiting[0] as Waiting).act.kind);
      const end = this.#waiting.findIndex(({ act }) => repeatable.has(act.kind) !== isRepeatable);
      const batch = this.#waiting.splice(0, Math.min(actsMax, end < 0 ? actsMax : end));
      this.#requests++;
      void this.#ask(batch, isRepeatable).finally(() => {
        this.#requests--;
        this.#send();
      });
    }
  }

  async #ask(batch: readonly Waiting[], mayRepeat: boolean): Promise<void> {
    const request = { acts: batch.map(({ act }) => act) };
    try {
      const { results } = await this.repeated(
        () => this.call<{ readonly results: readonly FileResult[] }>('Act', request),
        mayRepeat,
      );
      for (const [i, { resolve }] of batch.entries()) resolve(this.#told(results[i]));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #written(lease: number, file: number): WrittenFile {
    const gone = <T>(work: () => Promise<T>): Promise<T> => this.repeated(work, false);
    return {
      write: async (bytes) => {
        for (let at = 0; at < bytes.length; at += writeBytesMax) {
          const piece = bytes.subarray(at, at + writeBytesMax);
          await gone(() => this.call('Write', { lease, file, bytes: piece }));
        }
      },
      sync: async () => {
        await gone(() => this.act({ kind: 'sync', lease, file }));
      },
      close: async () => {
        try {
          await gone(() => this.act({ kind: 'close', lease, file }));
        } finally {
          this.#lease.give();
        }
      },
    };
  }

  #told<T>(value: T | undefined): T {
    if (value !== undefined) return value;
    throw new CodrError('failed', `peer ${this.peer} left out what it was asked`, {
      remedy: 'use peers of one version',
    });
  }

  #errorOf({ code, message, isOurs, object, remedy }: FileFault): Error {
    const text = `peer ${this.peer}: ${message}`;
    if (isOurs && isKnown(code)) {
      return new CodrError(code, text, { ...(object && { object }), ...(remedy && { remedy }) });
    }
    // Its limits are none of this machine.
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) {
      return new CodrError('source-unreachable', text, {
        object: this.peer,
        remedy: 'raise the limits of that machine',
      });
    }
    return Object.assign(new Error(text), { code });
  }

  #lost(cause: unknown): CodrError {
    const why = cause instanceof Error ? cause.message : 'it is not one of the peers now';
    return new CodrError('source-unreachable', `peer ${this.peer} gives no files: ${why}`, {
      object: this.peer,
      cause,
      remedy: `start peer ${this.peer}, or correct \`peer\` of the node in the source`,
    });
  }
}

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);
const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
