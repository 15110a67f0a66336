// Another peer as a place where work is done. Silence, a lost connection, a peer that stops and one that does not know
// this one for a peer, as before its configuration names it, all mean the same: the work has to be done elsewhere.
import { gunzipSync, gzipSync } from 'node:zlib';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder, Workplace } from '../../cluster/work-pool.ts';
import { methodNamed } from '../grpc/protos.ts';
import { Channel, type ChannelTarget, ConnectionError } from './channel.ts';

/** Two heartbeats may be missed. */
const silenceMs = 12_000;

interface WorkEvent {
  readonly progress?: { readonly records: number; readonly bytes: number };
  readonly result?: Uint8Array;
  readonly cpuMs?: number;
}

export class RemoteWorkplace implements Workplace, Disposable {
  readonly name: string;
  readonly slots: number;
  readonly #channel: Channel;

  constructor(
    { name, slots }: { readonly name: string; readonly slots: number },
    target: Omit<ChannelTarget, 'silenceMs'>,
  ) {
    this.name = name;
    this.slots = slots;
    this.#channel = new Channel({ ...target, silenceMs });
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }

  async run({ kind, input }: WorkOrder, context: WorkContext): Promise<unknown> {
    const { signal, progress, worked } = context;
    const request = { kind, input: gzipSync(JSON.stringify(input)) };
    const rpc = methodNamed('Work/Do', 'codr.peer.v1');
    try {
      for await (const event of this.#channel.stream(rpc, request, signal)) {
        const { progress: done, result, cpuMs } = event as WorkEvent;
        if (cpuMs !== undefined) worked?.(cpuMs);
        if (done) progress(done.records, done.bytes);
        if (result) return JSON.parse(gunzipSync(result).toString('utf8'));
      }
      throw new CodrError('peer-lost', `peer ${this.name} ended without an answer`);
    } catch (error) {
      if (!(error instanceof ConnectionError) && !isCodrError(error, 'access-denied')) throw error;
      const { object } = error;
      throw new CodrError('peer-lost', `peer ${this.name}: ${error.message}`, {
        ...(object !== undefined && { object }),
        cause: error,
      });
    }
  }
}
