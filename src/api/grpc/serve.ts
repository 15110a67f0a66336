// The server side of codr.v1: a CodrApi and its operations behind gRPC, with health, access control and audit.
// Stops in the order that loses nothing: unhealthy, out of the balancer, no new calls, running ones to their end.
import { Server, setLogger } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { FileAccess } from '../../base/file-access.ts';
import type { Logger } from '../../base/log.ts';
import type { Authorise } from '../access.ts';
import type { AuditLog } from '../audit-log.ts';
import type { CodrApi } from '../codr-api.ts';
import type { OperationStore } from '../operations.ts';
import {
  drainMs as drainMsDefault,
  endByForce,
  heartbeatMs,
  serverOptions,
  stopKeepalive,
} from './channel-options.ts';
import { type FileBytes, fileHandlers } from './file-handlers.ts';
import { Gate } from './gate.ts';
import { operationHandlers } from './operation-handlers.ts';
import { type PeerCalls, peerHandlers } from './peer-handlers.ts';
import { loadProtos, publicProtos, serviceNamed } from './protos.ts';
import { filesService } from './read-message.ts';
import { type ServerSecurity, type ServerTls, serverSecurity } from './server-credentials.ts';
import { unaryHandlers } from './unary-handlers.ts';
import { type DoWork, workHandlers } from './work-handlers.ts';

export interface ServeOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly credentials: ServerTls | 'insecure';
  readonly api: CodrApi;
  readonly operations: OperationStore;
  readonly authorise: Authorise;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes secrets out of the sentences of errors. */
  readonly redact: (text: string) => string;
  /** What peers ask of each other; absent: the service is not there. */
  readonly peer?: PeerCalls;
  /** Work that peers do for each other; absent: none. */
  readonly work?: DoWork;
  /** What the processors have worked for this process so far, for who hands out work. */
  readonly cpuMs?: () => number;
  /** Files that other peers may have from this machine; absent: none. */
  readonly files?: FileAccess;
  /** Lets tools like grpcurl ask for the protos. */
  readonly reflection?: boolean;
  readonly heartbeatMs?: number;
  /** How often a connection is asked whether its client is there. */
  readonly keepaliveMs?: number;
}

export interface CloseOptions {
  /** How long a balancer may take to notice. */
  readonly balancerMs?: number;
  /** What running calls are given to end. */
  readonly drainMs?: number;
}

/** A server that runs. */
export interface Served {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  /** Calls that run right now. */
  readonly running: number;
  /** Of files, for other peers. */
  readonly fileBytes: Readonly<FileBytes>;
  /** Healthy unless said. */
  setHealth(serving: boolean): void;
  /** New certificates for new connections; those that are there go on. */
  renew(tls: ServerTls): void;
  close(options?: CloseOptions): Promise<void>;
}

const services = ['Sources', 'Points', 'Repository', 'Restores', 'Contents', 'Operations'].map(
  (name) => `codr.v1.${name}`,
);
const peerService = 'codr.peer.v1.Peer';
const workService = 'codr.peer.v1.Work';
const filesServiceName = 'codr.peer.v1.Files';
/** What is left to connections to say goodbye once no call runs. */
const goodbyeMs = 500;

/** Errors: `config-invalid` when the address cannot be bound or a certificate cannot be read. */
export async function serve(options: ServeOptions): Promise<Served> {
  setLogger(libraryLog(options.log));
  const server = new Server(serverOptions(options.keepaliveMs));
  const gate = new Gate(options);
  const beat = options.heartbeatMs ?? heartbeatMs;
  const fileBytes = { read: 0, written: 0 };
  const handlers: Readonly<Record<string, object>> = {
    ...unaryHandlers(gate, options),
    'codr.v1.Operations': operationHandlers(gate, { ...options, heartbeatMs: beat }),
    ...(options.peer && { [peerService]: peerHandlers(gate, options.peer) }),
    ...(options.work && {
      [workService]: workHandlers(gate, options.work, { ...options, heartbeatMs: beat }),
    }),
    ...(options.files && {
      [filesServiceName]: fileHandlers(gate, options.files, {
        clock: options.clock,
        heartbeatMs: beat,
        bytes: fileBytes,
      }),
    }),
  };
  const names = [
    ...services,
    ...(options.peer ? [peerService] : []),
    ...(options.work ? [workService] : []),
    ...(options.files ? [filesServiceName] : []),
  ];
  for (const name of names) {
    const service = name === filesServiceName ? filesService(name) : serviceNamed(name);
    server.addService(service, { ...handlers[name] });
  }
  const health = new HealthImplementation();
  const setHealth = (serving: boolean): void => {
    for (const name of ['', ...names]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  setHealth(true);
  health.addToServer(server);
  if (options.reflection) {
    new ReflectionService(loadProtos(publicProtos, { keepCase: true })).addToServer(server);
  }
  let security: ServerSecurity;
  let port: number;
  try {
    security = serverSecurity(options.credentials);
    port = await bind(server, options.listen, security);
  } catch (error) {
    // What watches beside the calls would keep the process, which is no peer.
    gate.drain();
    throw error;
  }
  const host = options.listen.slice(0, options.listen.lastIndexOf(':'));
  return {
    address: `${host}:${port}`,
    port,
    get running() {
      return gate.running;
    },
    fileBytes,
    setHealth,
    renew: (tls) => security.renew(tls),
    close: async ({ balancerMs = 0, drainMs = drainMsDefault } = {}) => {
      setHealth(false);
      await options.clock.sleep(balancerMs);
      stopKeepalive(server);
      const gone = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      gate.drain();
      await within(gate.idle(), drainMs, options.clock);
      if (gate.running > 0) {
        options.log.warn({ calls: gate.running }, 'calls are cut off');
        gate.cut();
        await within(gate.idle(), goodbyeMs, options.clock);
      }
      // Watchers of the health have no end of their own.
      await within(gone, goodbyeMs, options.clock);
      endByForce(server);
    },
  };
}

/** What the library would write to stderr goes to the log. */
function libraryLog(log: Logger): Parameters<typeof setLogger>[0] {
  const tell = (...parts: readonly unknown[]): void =>
    log.debug({ library: parts.map(String).join(' ') }, 'gRPC');
  return { error: tell, info: tell, debug: tell };
}

/** Resolves when `promise` does, or after `ms`. */
async function within(promise: Promise<void>, ms: number, clock: Clock): Promise<void> {
  const done = new AbortController();
  await Promise.race([promise, clock.sleep(ms, done.signal).catch(() => {})]);
  done.abort();
}

/** For gRPC as for what is asked by plain HTTP. */
export function cannotListen(listen: string, cause: unknown): CodrError {
  return new CodrError('config-invalid', `cannot listen on ${listen}`, {
    object: listen,
    remedy: 'name a port that no other process has, at an address of this machine',
    cause,
  });
}

async function bind(
  server: Server,
  listen: string,
  { credentials }: ServerSecurity,
): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const refuse = (cause: unknown): void => reject(cannotListen(listen, cause));
    try {
      server.bindAsync(listen, credentials, (error, port) =>
        error ? refuse(error) : resolve(port),
      );
    } catch (error) {
      refuse(error);
    }
  });
}
