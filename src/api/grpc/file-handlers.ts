// The service by which a peer gives files away that it alone sees. What is opened belongs to a lease, which is a
// stream: it ends when the caller goes, when the connection breaks, and when this peer stops.
import type {
  handleUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { mapLimit } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { FileAccess, OpenFile, WrittenFile } from '../../base/file-access.ts';
import { type FileAct, type FileFault, type FileResult, leaseLost } from '../file-calls.ts';
import { type Gate, StoppingError } from './gate.ts';
import { fromWire, toWire } from './mapper.ts';
import { methodNamed } from './protos.ts';
import { ReadAnswer, ReadRooms } from './read-message.ts';
import { Standstill } from './standstill.ts';

/** Done side by side. */
const actsAtOnce = 64;
/** Of one lease: a caller that forgets to close is not to take all that the machine has. */
const openMax = 4096;
/** What is read at once is held in memory. */
const readBytesMax = 8 * 1024 * 1024;

/** What is done to files belongs to a lease; that one was given is written down, not each act. */
const deed = { action: 'files', roles: ['peer'], changes: false } as const;
const leaseDeed = { ...deed, changes: true } as const;

/** Bytes of files that other peers had of this one, and gave to it. */
export interface FileBytes {
  read: number;
  written: number;
}

export function fileHandlers(
  gate: Gate,
  files: FileAccess,
  beat: { readonly clock: Clock; readonly heartbeatMs: number; readonly bytes: FileBytes },
): UntypedServiceImplementation {
  const { bytes: served } = beat;
  const standstill = new Standstill(beat.clock);
  void standstill.watch(gate.draining);
  const leases = new Leases(files, { clock: beat.clock, served, standstill });
  return {
    Hold: (call: ServerWritableStream<object, object>) => hold(gate, leases, beat, call),
    Act: handler<{ acts: readonly FileAct[] }>(gate, 'Act', ({ acts }) =>
      orFault(async () => {
        if (acts.some(({ kind }) => !harmless.has(kind))) leases.refuseLate();
        return {
          results: await mapLimit(acts, actsAtOnce, (act) => orFault(() => leases.act(act))),
        };
      }),
    ),
    Read: handler<ReadWish>(gate, 'Read', (wish) => orFault(() => leases.read(wish))),
    Write: handler<WriteWish>(gate, 'Write', (wish) =>
      orFault(async () => {
        leases.refuseLate();
        await leases.written(wish).write(wish.bytes);
        served.written += wish.bytes.length;
        return {};
      }),
    ),
  };
}

interface Place {
  readonly lease: number;
  readonly file: number;
}
interface ReadWish extends Place {
  readonly position: number;
  readonly length: number;
}
interface WriteWish extends Place {
  readonly bytes: Uint8Array;
}

/** They change nothing. */
const harmless: ReadonlySet<FileAct['kind']> = new Set([
  ...(['list', 'stat', 'real-path', 'free-bytes', 'read-whole', 'open', 'sync', 'close'] as const),
]);

type AnyFile = OpenFile | WrittenFile;

/** What is open, by lease and number. */
class Leases {
  readonly #files: FileAccess;
  readonly #open = new Map<number, Map<number, AnyFile>>();
  readonly #rooms = new ReadRooms();
  readonly #bytes: FileBytes;
  readonly #standstill: Standstill;
  /** Numbers of a peer that began anew are none of those before: who has an old one must not read another file. */
  #count: number;

  constructor(
    files: FileAccess,
    of: { readonly clock: Clock; readonly served: FileBytes; readonly standstill: Standstill },
  ) {
    const { clock, served, standstill } = of;
    this.#files = files;
    this.#bytes = served;
    this.#standstill = standstill;
    this.#count = clock.now() * 1000;
  }

  begin(): number {
    this.#open.set(++this.#count, new Map());
    return this.#count;
  }

  async end(lease: number): Promise<void> {
    const opened = [...(this.#open.get(lease)?.values() ?? [])];
    this.#open.delete(lease);
    await Promise.allSettled(opened.map((file) => file.close()));
  }

  /** The message of the answer. */
  async read({ position, length, ...place }: ReadWish): Promise<ReadAnswer> {
    const file = this.#find(place);
    if (!('read' in file)) throw new CodrError('failed', 'a file that is written is not read');
    return await this.#rooms.answer(Math.min(length, readBytesMax), async (room) => {
      const { length: count } = await file.read(position, room.length, room);
      this.#bytes.read += count;
      return count;
    });
  }

  /** As if the connection had broken: who asked a moment ago asks again, who asked before the standstill is gone. */
  refuseLate(): void {
    if (this.#standstill.hasJustEnded) throw new LeaseLost('it stood still');
  }

  written(place: Place): WrittenFile {
    const file = this.#find(place);
    if ('write' in file) return file;
    throw new CodrError('failed', 'a file that is read is not written');
  }

  async act({
    kind,
    path = '',
    to = '',
    bytes,
    lease = 0,
    file = 0,
  }: FileAct): Promise<FileResult> {
    const files = this.#files;
    if (kind === 'list') return { entries: await files.list(path) };
    if (kind === 'stat') return { facts: await files.stat(path) };
    if (kind === 'real-path') return { path: await files.realPath(path) };
    if (kind === 'free-bytes') return { bytesFree: await files.freeBytes(path) };
    if (kind === 'read-whole') return { bytes: await files.readWhole(path) };
    if (kind === 'open') return await this.#opened(lease, path);
    if (kind === 'create') return { file: await this.#note(lease, files.create(path)) };
    if (kind === 'write-over') {
      return { file: await this.#note(lease, files.create(path, { over: true })) };
    }
    if (kind === 'sync') await this.written({ lease, file }).sync();
    else if (kind === 'close') await this.#close({ lease, file });
    else if (kind === 'write-whole') await files.writeWhole(path, bytes ?? new Uint8Array());
    else if (kind === 'make-folder') await files.makeFolder(path);
    else if (kind === 'make-folders') await files.makeFolders(path);
    else if (kind === 'link') await files.link(path, to);
    else if (kind === 'rename') await files.rename(path, to);
    else if (kind === 'remove') await files.remove(path);
    else await files.removeFolder(path);
    return {};
  }

  /** With what it is, so that who opens it again knows whether it is the same. */
  async #opened(lease: number, path: string): Promise<FileResult> {
    const opening = this.#files.open(path);
    const file = await this.#note(lease, opening);
    return { file, facts: (await opening).facts };
  }

  async #note(lease: number, opening: Promise<AnyFile>): Promise<number> {
    const file = await opening;
    // It may have ended meanwhile.
    const opened = this.#open.get(lease);
    if (opened && opened.size < openMax) {
      opened.set(++this.#count, file);
      return this.#count;
    }
    await file.close();
    if (!opened) throw new LeaseLost();
    throw new CodrError('failed', `more than ${openMax} files are open for one peer`);
  }

  async #close(place: Place): Promise<void> {
    const file = this.#find(place);
    this.#of(place.lease).delete(place.file);
    await file.close();
  }

  #of(lease: number): Map<number, AnyFile> {
    const opened = this.#open.get(lease);
    if (opened) return opened;
    throw new LeaseLost();
  }

  #find({ lease, file }: Place): AnyFile {
    const found = this.#of(lease).get(file);
    if (found) return found;
    throw new LeaseLost();
  }
}

class LeaseLost extends Error {
  readonly code = leaseLost;
}

/** What a file or a machine says is an answer, not a failed call. */
async function orFault<T extends object>(
  work: () => Promise<T>,
): Promise<T | { readonly fault: FileFault }> {
  try {
    return await work();
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

function faultOf(error: unknown): FileFault {
  if (isCodrError(error)) {
    const { code, message, object, remedy } = error;
    return { code, message, isOurs: true, remedy, ...(object !== undefined && { object }) };
  }
  const { code = '', message } = error as NodeJS.ErrnoException;
  return { code, message, isOurs: false };
}

function hold(
  gate: Gate,
  leases: Leases,
  { clock, heartbeatMs }: { readonly clock: Clock; readonly heartbeatMs: number },
  call: ServerWritableStream<object, object>,
): void {
  const { resultName } = methodNamed('Files/Hold', 'codr.peer.v1');
  gate
    .pass(
      call,
      () => leaseDeed,
      async ({ signal }) => {
        const ended = AbortSignal.any([signal, gate.draining]);
        const lease = leases.begin();
        try {
          for (;;) {
            call.write(toWire(resultName, { lease }));
            await clock.sleep(heartbeatMs, ended);
          }
        } catch (error) {
          if (gate.draining.aborted) throw new StoppingError();
          // The caller needs it no more: how a lease ends.
          if (!signal.aborted) throw error;
        } finally {
          await leases.end(lease);
        }
      },
    )
    .then(
      () => call.end(),
      (status) => call.emit('error', status),
    );
}

function handler<Q extends object>(
  gate: Gate,
  method: string,
  work: (request: Q) => Promise<object>,
): handleUnaryCall<object, object> {
  const rpc = methodNamed(`Files/${method}`, 'codr.peer.v1');
  return (call, callback) => {
    gate
      .pass(
        call,
        () => deed,
        async () => {
          const answer = await work(fromWire(rpc.requestName, call.request) as Q);
          return answer instanceof ReadAnswer ? answer : toWire(rpc.resultName, answer);
        },
      )
      .then(
        (wire) => {
          callback(null, wire);
          if (wire instanceof ReadAnswer) wire.sent();
        },
        (status) => callback(status),
      );
  };
}
