// Files of other machines for threads that merge: a thread has no connection to a peer, so it asks the thread that
// has. Bytes are handed over, not copied.
import { assert } from '../../../base/assert.ts';
import { isCodrError } from '../../../base/error.ts';
import type { FileAccess, FileFacts, OpenFile } from '../../../base/file-access.ts';
import { packError, type ThreadError, unpackError } from '../../../base/thread-error.ts';
import { type ReadsOf, unreadable } from './node-files.ts';

type FileAsk =
  | { readonly act: 'open'; readonly peer: string; readonly path: string }
  | {
      readonly act: 'read';
      readonly file: number;
      readonly position: number;
      readonly length: number;
    }
  | { readonly act: 'close'; readonly file: number };

/** From a thread. */
export interface FileQuestion {
  readonly kind: 'file';
  readonly id: number;
  readonly ask: FileAsk;
}

/** To a thread. */
export interface FileAnswer {
  readonly kind: 'file';
  readonly id: number;
  readonly file?: number;
  /** Of an opened file. */
  readonly facts?: FileFacts;
  readonly bytes?: Uint8Array;
  readonly error?: ThreadError;
}

type Waiting = PromiseWithResolvers<FileAnswer>;

/** In a thread that merges. */
export class AskedFiles {
  readonly #say: (question: FileQuestion) => void;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(say: (question: FileQuestion) => void) {
    this.#say = say;
  }

  heard(answer: FileAnswer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
    this.#waiting.delete(answer.id);
  }

  of(peer: string): Pick<FileAccess, 'open'> {
    return {
      open: async (path) => {
        const { file, facts } = await this.#ask({ act: 'open', peer, path });
        assert(file !== undefined && facts, 'an opened file has a number');
        return {
          facts,
          read: async (position, length) => {
            const { bytes } = await this.#ask({ act: 'read', file, position, length });
            assert(bytes, 'what was read comes with the answer');
            return bytes;
          },
          close: async () => {
            await this.#ask({ act: 'close', file });
          },
        };
      },
    };
  }

  async #ask(ask: FileAsk): Promise<FileAnswer> {
    const id = ++this.#count;
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.set(id, waiting);
    this.#say({ kind: 'file', id, ask });
    const answer = await waiting.promise;
    if (answer.error) throw unpackError(answer.error);
    return answer;
  }
}

type SayAnswer = (answer: FileAnswer, transfer: ArrayBuffer[]) => void;

/** In the thread that has the connections: what one job has open. */
export class AnsweredFiles {
  readonly #filesOf: ReadsOf;
  readonly #say: SayAnswer;
  readonly #open = new Map<number, OpenFile>();
  #count = 0;
  #hasEnded = false;

  constructor(filesOf: ReadsOf, say: SayAnswer) {
    this.#filesOf = filesOf;
    this.#say = say;
  }

  async heard({ id, ask }: FileQuestion): Promise<void> {
    try {
      const answer = await this.#answer(ask);
      const transfer = answer.bytes ? [answer.bytes.buffer as ArrayBuffer] : [];
      this.#say({ kind: 'file', id, ...answer }, transfer);
    } catch (error) {
      const known = isCodrError(error) || ask.act !== 'open' ? error : unreadable(ask.path, error);
      this.#say({ kind: 'file', id, error: packError(known) }, []);
    }
  }

  /** The job has ended, whatever it left open. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await Promise.allSettled([...this.#open.values()].map((file) => file.close()));
    this.#open.clear();
  }

  async #answer(ask: FileAsk): Promise<Pick<FileAnswer, 'file' | 'facts' | 'bytes'>> {
    if (ask.act === 'open') {
      const opened = await this.#filesOf(ask.peer).open(ask.path);
      const file = ++this.#count;
      this.#open.set(file, opened);
      if (this.#hasEnded) await this.end();
      return { file, facts: opened.facts };
    }
    const opened = this.#open.get(ask.file);
    assert(opened, 'a thread reads files that it has opened');
    if (ask.act === 'close') {
      this.#open.delete(ask.file);
      await opened.close();
      return {};
    }
    const room = new Uint8Array(ask.length);
    const bytes = await opened.read(ask.position, ask.length, room);
    // Memory that is handed over must be ours alone.
    return { bytes: bytes.buffer === room.buffer ? bytes : Uint8Array.from(bytes) };
  }
}
