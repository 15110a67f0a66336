// The service Operations: creation by kind, each with the roles of what it does, and watching with heartbeats.
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Caller } from '../access.ts';
import {
  apiMethods,
  operationCalls,
  operationRoles,
  rolesOfKind,
  shownTo,
  watchers,
} from '../api-methods.ts';
import { type OperationEvent, type OperationStore, sourceOf } from '../operations.ts';
import { elsewhereCodes, type Gate, StoppingError } from './gate.ts';
import { fromWire, toWire } from './mapper.ts';
import { type Order, operationMessage, operationsMessage, orderOf } from './operation-messages.ts';
import { methodNamed } from './protos.ts';
import { read, unaryHandler } from './unary-handlers.ts';

interface Served {
  readonly operations: OperationStore;
  readonly clock: Clock;
  readonly heartbeatMs: number;
}

export function operationHandlers(gate: Gate, served: Served): UntypedServiceImplementation {
  const { operations } = served;
  const { listOperations, cancelOperation } = apiMethods;
  const getRule = { rpc: operationCalls.get.rpc, roles: watchers, changes: false };
  return {
    Create: createHandler(gate, operations),
    Get: unaryHandler(gate, 'operation', getRule, async (request, _, caller) =>
      operationMessage(shownTo(caller, await operations.get(idOf(request)))),
    ),
    List: unaryHandler(gate, 'listOperations', listOperations, async (request, _, caller) => {
      const wanted = request as { running: boolean };
      const known = await operations.list(wanted.running ? 'running' : 'all');
      const shown = known.map((operation) => shownTo(caller, operation));
      return operationsMessage(shown, wanted);
    }),
    Cancel: cancelHandler(gate, operations, cancelOperation),
    Watch: watchHandler(gate, served),
  };
}

/** It may have been created: asking again under the same key finds that out. */
const inDoubtCodes = [...elsewhereCodes, 'transaction-in-doubt', 'lease-lost'] as const;

const idOf = (request: object): string => (request as { id: string }).id;

function createHandler(gate: Gate, operations: OperationStore): handleUnaryCall<object, object> {
  const rpc = methodNamed(operationCalls.create.rpc);
  return (call, callback) => {
    let order: Order | undefined;
    let fault: unknown;
    try {
      order = orderOf(fromWire(rpc.requestName, call.request));
    } catch (error) {
      fault = error;
    }
    gate
      .pass(
        call,
        () => ({
          action: order?.kind ?? 'create',
          // Nothing that can be read: whoever may look may hear so.
          roles: order ? operationRoles(order.kind, order.request) : watchers,
          changes: true,
          source: order && sourceOf(order.request),
          idempotencyKey: order?.idempotencyKey,
        }),
        async ({ caller }) => {
          if (!order) throw fault;
          const { kind, request, idempotencyKey } = order;
          return await operations.create(kind, request, idempotencyKey, caller.name);
        },
        inDoubtCodes,
      )
      .then(
        (operation) => callback(null, toWire(rpc.resultName, operationMessage(operation))),
        (status) => callback(status),
      );
  };
}

/** Whoever may do a thing may end it: a restorer no backup. */
function cancelHandler(
  gate: Gate,
  operations: OperationStore,
  rule: typeof apiMethods.cancelOperation,
): handleUnaryCall<object, object> {
  const rpc = methodNamed(rule.rpc);
  return (call, callback) => {
    const request = read(rpc, call.request);
    const operation = request.plain && idOf(request.plain);
    gate
      .pass(
        call,
        () => ({ action: 'cancel', roles: rule.roles, changes: true, operation }),
        async ({ caller }) => {
          const id = idOf(request.orThrow());
          const { kind } = await operations.get(id);
          if (!rolesOfKind(kind).some((role) => caller.roles.includes(role))) {
            throw new CodrError('access-denied', `${caller.name} may not cancel a ${kind}`, {
              object: caller.name,
            });
          }
          return toWire(rpc.resultName, operationMessage(await operations.cancel(id)));
        },
      )
      .then(
        (wire) => callback(null, wire),
        (status) => callback(status),
      );
  };
}

function watchHandler(gate: Gate, served: Served): handleServerStreamingCall<object, object> {
  const rpc = methodNamed(operationCalls.watch.rpc);
  return (call) => {
    const request = read(rpc, call.request);
    gate
      .pass(
        call,
        () => ({ action: 'watch', roles: watchers, changes: false }),
        async ({ caller, signal }) => {
          const wanted = request.orThrow() as { id: string; afterSequence: number };
          const both = AbortSignal.any([signal, gate.draining]);
          try {
            await send(call, { ...wanted, caller }, served, both);
          } catch (error) {
            throw gate.draining.aborted ? new StoppingError() : error;
          }
        },
      )
      .then(
        () => call.end(),
        // A stream's status is an event of the stream; `destroy` would lose it.
        (status) => call.emit('error', status),
      );
  };
}

interface Watched {
  readonly id: string;
  readonly afterSequence: number;
  readonly caller: Caller;
}

async function send(
  call: ServerWritableStream<object, object>,
  { id, afterSequence, caller }: Watched,
  { operations, clock, heartbeatMs }: Served,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const events = operations.watch(id, afterSequence, both)[Symbol.asyncIterator]();
  let seen = afterSequence;
  try {
    let next = quiet(events.next());
    for (;;) {
      const came = await orSilence(next, { clock, ms: heartbeatMs, signal });
      if (came?.done) return;
      const at = new Date(clock.now()).toISOString();
      let event: object = { sequence: seen, at, heartbeat: {} };
      if (came) {
        seen = came.value.sequence;
        event = eventMessage(caller, came.value);
        next = quiet(events.next());
      }
      await write(call, toWire('codr.v1.OperationEvent', event), signal);
    }
  } finally {
    stop.abort();
    await events.return?.();
  }
}

/** It is waited for later, or not at all. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function eventMessage(caller: Caller, { changed, ...rest }: OperationEvent): object {
  return { ...rest, ...(changed && { changed: operationMessage(shownTo(caller, changed)) }) };
}

/** What comes within `ms`; undefined when nothing does. */
async function orSilence<T>(
  next: Promise<T>,
  { clock, ms, signal }: { clock: Clock; ms: number; signal: AbortSignal },
): Promise<T | undefined> {
  const done = new AbortController();
  const silence = clock
    .sleep(ms, AbortSignal.any([done.signal, signal]))
    .then(() => undefined)
    .catch((error: unknown) => {
      if (signal.aborted) throw error;
      return undefined;
    });
  try {
    return await Promise.race([next, silence]);
  } finally {
    done.abort();
  }
}

/** Waits while the client does not read: nothing piles up for it. */
async function write(
  call: ServerWritableStream<object, object>,
  wire: object,
  signal: AbortSignal,
): Promise<void> {
  if (call.write(wire)) return;
  await new Promise<void>((resolve, reject) => {
    const drained = (): void => {
      signal.removeEventListener('abort', aborted);
      resolve();
    };
    const aborted = (): void => {
      call.removeListener('drain', drained);
      reject(signal.reason);
    };
    if (signal.aborted) return aborted();
    call.once('drain', drained);
    signal.addEventListener('abort', aborted, { once: true });
  });
}
