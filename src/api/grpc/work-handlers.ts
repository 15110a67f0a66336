// The service by which peers do pieces of work for each other. A heartbeat goes out while there is nothing to
// tell; the work ends when the stream does, and when this peer stops.
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import { type Gate, StoppingError } from './gate.ts';
import { fromWire, toWire } from './mapper.ts';
import { methodNamed } from './protos.ts';

/** Does a piece of work. Errors: those of the work; `peer-lost` when it takes none now. */
export type DoWork = (order: WorkOrder, context: WorkContext) => Promise<unknown>;

export interface WorkWorld {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  /** What the processors have worked for this process so far; absent: nobody is told. */
  readonly cpuMs?: (() => number) | undefined;
}

/** Between two reports of progress. */
const progressMs = 250;

export function workHandlers(
  gate: Gate,
  work: DoWork,
  { clock, heartbeatMs, cpuMs }: WorkWorld,
): UntypedServiceImplementation {
  const rpc = methodNamed('Work/Do', 'codr.peer.v1');
  const deed = { action: 'work', roles: ['peer'], changes: false } as const;
  const handler = (call: ServerWritableStream<object, object>): void => {
    const tell = (event: object): boolean => {
      const worked = cpuMs && { cpuMs: Math.round(cpuMs()) };
      return call.write(toWire(rpc.resultName, { ...event, ...worked }));
    };
    gate
      .pass(
        call,
        () => deed,
        async ({ signal }) => {
          const { kind, input } = fromWire(rpc.requestName, call.request) as {
            readonly kind: string;
            readonly input: Uint8Array;
          };
          const order = { kind, input: JSON.parse(gunzipSync(input).toString('utf8')) };
          const done = new AbortController();
          const ended = AbortSignal.any([signal, gate.draining]);
          // Nobody listens any more once the call is over, whenever the work stops.
          const over = AbortSignal.any([done.signal, signal]);
          const telling = new Teller(tell, { clock, heartbeatMs }, over);
          try {
            const progress: WorkContext['progress'] = (records, bytes) =>
              telling.add(records, bytes);
            const result = await work(order, { signal: ended, progress });
            telling.flush();
            tell({ result: gzipSync(JSON.stringify(result)) });
          } catch (error) {
            throw gate.draining.aborted ? new StoppingError() : error;
          } finally {
            done.abort();
          }
        },
      )
      .then(
        () => call.end(),
        // A stream's status is an event of the stream; `destroy` would lose it.
        (status) => call.emit('error', status),
      );
  };
  return { Do: handler };
}

/** Progress at most a few times a second, and a heartbeat in between. */
class Teller {
  readonly #tell: (event: object) => boolean;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  #records = 0;
  #bytes = 0;
  #toldMs: number;

  constructor(
    tell: (event: object) => boolean,
    { clock, heartbeatMs }: { readonly clock: Clock; readonly heartbeatMs: number },
    done: AbortSignal,
  ) {
    this.#tell = tell;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#toldMs = clock.monotonic();
    // What this peer has worked before is no part of this.
    tell({ heartbeat: {} });
    void this.#beat(done);
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    if (this.#clock.monotonic() - this.#toldMs >= progressMs) this.flush();
  }

  flush(): void {
    if (this.#records === 0 && this.#bytes === 0) return;
    this.#tell({ progress: { records: this.#records, bytes: this.#bytes } });
    this.#records = 0;
    this.#bytes = 0;
    this.#toldMs = this.#clock.monotonic();
  }

  async #beat(done: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(this.#heartbeatMs, done);
        if (this.#records === 0) this.#tell({ heartbeat: {} });
        else this.flush();
      }
    } catch {
      // The work has ended.
    }
  }
}
