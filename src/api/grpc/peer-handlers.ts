// The service that peers ask each other by: only callers with a peer's certificate pass.
import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Gate } from './gate.ts';
import { fromWire, toWire } from './mapper.ts';
import { methodNamed } from './protos.ts';

/** What a peer says about itself. */
export interface PeerNews {
  readonly name: string;
  /** The newest epoch that it knows. */
  readonly epoch: number;
}

/** What one peer can ask of another; the client has the same form. */
export interface PeerCalls {
  /** Fingerprints in, what is known of each out; the bytes are of cluster/fingerprint-codec.ts. */
  lookUp(batch: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** Fingerprints in, where each lies out; the bytes are of cluster/where-codec.ts. */
  where(batch: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  ping(from: PeerNews, signal: AbortSignal): Promise<PeerNews>;
}

export function peerHandlers(gate: Gate, peer: PeerCalls): UntypedServiceImplementation {
  return {
    LookUp: handler<{ batch: Uint8Array }>(gate, 'LookUp', async ({ batch }, signal) => ({
      batch: await peer.lookUp(batch, signal),
    })),
    Where: handler<{ batch: Uint8Array }>(gate, 'Where', async ({ batch }, signal) => ({
      batch: await peer.where(batch, signal),
    })),
    Ping: handler<PeerNews>(gate, 'Ping', (from, signal) => peer.ping(from, signal)),
  };
}

function handler<Q extends object>(
  gate: Gate,
  method: string,
  work: (request: Q, signal: AbortSignal) => Promise<object>,
): handleUnaryCall<object, object> {
  const rpc = methodNamed(`Peer/${method}`, 'codr.peer.v1');
  const deed = { action: method, roles: ['peer'], changes: false } as const;
  return (call, callback) => {
    gate
      .pass(
        call,
        () => deed,
        async ({ signal }) => {
          const request = fromWire(rpc.requestName, call.request) as Q;
          return toWire(rpc.resultName, await work(request, signal));
        },
      )
      .then(
        (wire) => callback(null, wire),
        (status) => callback(status),
      );
  };
}
