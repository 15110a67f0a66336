// Settings of channels and servers. Each answers something that was measured with this library; they stand
// here alone.
import type { ChannelOptions, Server } from '@grpc/grpc-js';
import { apiMethods, operationCalls, type UnaryRule } from '../api-methods.ts';

/** Longer than a peer drains: a ping in the middle of a GOAWAY ends the calls that still run. */
export const clientKeepaliveMs = 60_000;
/** A client that vanished would keep its streams for ever: a server asks this often whether it is there. */
const serverKeepaliveMs = 20_000;
/** What a peer that stops leaves to running calls, unless its configuration says otherwise. */
export const drainMs = 30_000;
/** A stream with nothing to say says so this often; proxies and clients see that it lives. */
export const heartbeatMs = 5000;
/** A stream that is silent for this long is dead: three heartbeats were missed. */
export const silenceMs = 20_000;

/** Five tries take 3 s with it: a balancer has noticed by then that a peer stops. */
const retryMsDefault = 200;

const mib = 1024 * 1024;
/** Requests: the largest is a batch of fingerprints. */
const requestBytesMax = 8 * mib;
/** Answers: a repository of 100,000 datasets is listed in one. */
const resultBytesMax = 64 * mib;

/** Channelz keeps a record of every call, and costs memory. */
const common: ChannelOptions = { 'grpc.enable_channelz': 0 };

/** `keepaliveMs`: how often a connection is asked whether somebody is there. */
export const serverOptions = (keepaliveMs = serverKeepaliveMs): ChannelOptions => ({
  ...common,
  'grpc.max_receive_message_length': requestBytesMax,
  'grpc.max_send_message_length': resultBytesMax,
  'grpc.keepalive_time_ms': keepaliveMs,
  'grpc.keepalive_timeout_ms': 10_000,
});

/**
 * No pings any more: one on a connection that the server has asked to end is an error to the library (1.14.7), which
 * then cuts the calls that still run. There is no option for it once the server runs.
 */
export function stopKeepalive(server: Server): void {
  Reflect.set(server, 'keepaliveTimeMs', 0);
}

/**
 * Ends at once, connections and all. By force the library ends only those that channelz knows (1.14.7), so none here: a
 * stream that has no end of its own, or work that does not stop, would keep the process for ever.
 */
export function endByForce(server: Server): void {
  const servers = Reflect.get(server, 'http2Servers') as ReadonlyMap<
    unknown,
    { readonly sessions: ReadonlySet<{ destroy(): void }> }
  >;
  const sessions = [...servers.values()].flatMap((one) => [...one.sessions]);
  server.forceShutdown();
  for (const session of sessions) session.destroy();
}

/** `retryMs`: the first wait before a call is sent again. */
export const clientOptions = (retryMs = retryMsDefault): ChannelOptions => ({
  ...common,
  'grpc.max_receive_message_length': resultBytesMax,
  'grpc.max_send_message_length': requestBytesMax,
  'grpc.keepalive_time_ms': clientKeepaliveMs,
  'grpc.keepalive_timeout_ms': 10_000,
  // A large answer over a long line would take a round trip for each 64 KiB.
  'grpc-node.flow_control_window': 8 * mib,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5000,
  'grpc.service_config': JSON.stringify({ methodConfig: [retried(retryMs)] }),
});

/**
 * Only what may be sent twice, and only when the connection failed. Streams have no policy: what they would
 * repeat is kept in memory, and they resume by themselves.
 */
function retried(retryMs: number): object {
  const rules: readonly { form: string }[] = Object.values(apiMethods);
  const calls = rules.filter((rule): rule is UnaryRule => rule.form === 'unary');
  const rpcs = calls.filter(({ repeatable }) => repeatable).map(({ rpc }) => rpc);
  const names = [...rpcs, operationCalls.create.rpc, operationCalls.get.rpc].map((rpc) => {
    const [service, method] = rpc.split('/');
    return { service: `codr.v1.${service}`, method };
  });
  return {
    name: names,
    retryPolicy: {
      maxAttempts: 5,
      initialBackoff: `${retryMs / 1000}s`,
      maxBackoff: '2s',
      backoffMultiplier: 2,
      retryableStatusCodes: ['UNAVAILABLE'],
    },
  };
}
