// A thin session over the driver: any data centre, any node, or one node alone. Errors of the driver become
// errors of CODR; no message holds a password, since the driver's own never do and its options are not printed.
import { readFile } from 'node:fs/promises';
import { auth, Client, errors, policies, types } from 'cassandra-driver';
import { untilAborted } from '../../../base/async.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { errorCatalogue } from '../../../base/error-catalogue.ts';
import { type CassandraConfig, withPort } from './cassandra-config.ts';

/** Which side of a backup or restore an error came from: it decides the code. */
export type Side = 'source' | 'target';

export type CqlRow = Readonly<Record<string, unknown>>;

export interface QueryOptions {
  readonly signal: AbortSignal;
  readonly params?: readonly unknown[];
  /** A node's address: this node alone answers. Absent: any. */
  readonly host?: string;
  readonly consistency?: 'one' | 'localQuorum' | 'quorum' | 'all';
  readonly timeoutMs?: number;
}

const connectTimeoutMs = 10_000;
const readTimeoutMs = 30_000;
const reconnectMs = 1_000;

export class CqlSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #where: string;
  readonly #side: Side;

  constructor(client: Client, where: string, side: Side) {
    this.#client = client;
    this.#where = where;
    this.#side = side;
  }

  /** The driver's own client, for loads that need prepared batches. */
  get client(): Client {
    return this.#client;
  }

  /** All rows, every page. Bigints and counters come as decimal text or `Long`; use `String()`. */
  async rows(query: string, options: QueryOptions): Promise<CqlRow[]> {
    const { signal, params, host, consistency, timeoutMs } = options;
    const pinned = host === undefined ? undefined : this.#host(host);
    try {
      const asked = this.#client.execute(query, params?.slice(), {
        prepare: params !== undefined,
        fetchSize: 5_000,
        autoPage: false,
        readTimeout: timeoutMs ?? readTimeoutMs,
        isIdempotent: true,
        consistency: types.consistencies[consistency ?? 'one'],
        ...(pinned && { host: pinned }),
      });
      const result = await untilAborted(asked, signal);
      const rows: CqlRow[] = [];
      for await (const row of result as AsyncIterable<types.Row>) {
        signal.throwIfAborted();
        rows.push(row as CqlRow);
      }
      return rows;
    } catch (error) {
      signal.throwIfAborted();
      throw translated(error, host ?? this.#where, this.#side);
    }
  }

  /** Statements that give no rows: schema, settings, writes. */
  async run(query: string, options: QueryOptions): Promise<void> {
    await this.rows(query, options);
  }

  /** Nodes that the driver knows, by their native address, with whether it holds them for up. */
  hosts(): { address: string; port: number; isUp: boolean; datacenter: string }[] {
    return this.#client.hosts.values().map((host) => ({
      address: bare(host.address),
      port: Number(/:(\d+)$/.exec(host.address)?.[1]),
      isUp: host.isUp(),
      datacenter: host.datacenter,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.shutdown();
  }

  #host(address: string) {
    const host = this.#client.hosts.values().find((one) => bare(one.address) === address);
    if (host) return host;
    const code = `${this.#side}-unreachable`;
    const message = `${address} is not known to ${this.#where}`;
    throw new CodrError(code === 'source-unreachable' ? code : 'target-unfit', message, {
      object: address,
    });
  }
}

/** Connects, or fails with `source-unreachable`, `source-rights` and their like for a target. */
export async function openCql(
  config: CassandraConfig,
  signal: AbortSignal,
  side: Side = 'source',
): Promise<CqlSession> {
  const { username, password } = config;
  const where = config.contactPoints.join(',');
  const tls = config.tls && (await readTls(config.tls));
  signal.throwIfAborted();
  const client = new Client({
    contactPoints: config.contactPoints.map(withPort),
    policies: {
      loadBalancing: new policies.loadBalancing.RoundRobinPolicy(),
      // A node that came back is asked soon: a cut waits for it only some seconds.
      reconnection: new policies.reconnection.ConstantReconnectionPolicy(reconnectMs),
    },
    encoding: { useUndefinedAsUnset: true },
    // A target waits for agreement by itself, and not after each statement.
    protocolOptions: { maxSchemaAgreementWaitSeconds: side === 'target' ? 0 : 30 },
    socketOptions: { connectTimeout: connectTimeoutMs, readTimeout: readTimeoutMs },
    // Metadata of every keyspace would be held in memory and read again at each change.
    isMetadataSyncEnabled: false,
    ...(username !== undefined && {
      authProvider: new auth.PlainTextAuthProvider(username, password ?? ''),
    }),
    ...(tls && { sslOptions: tls }),
  });
  client.on('hostRemove', endHost);
  try {
    await untilAborted(client.connect(), signal);
  } catch (error) {
    await client.shutdown().catch(() => {});
    signal.throwIfAborted();
    throw translated(error, where, side);
  }
  return new CqlSession(client, where, side);
}

/** The driver goes on asking a node that has left the ring, for ever, and so keeps the process alive (4.10.0). */
export function endHost(host: object): void {
  const { shutdown } = host as { shutdown?: (waits: boolean) => Promise<void> };
  void (async () => shutdown?.call(host, false))().catch(() => {});
}

/** `error` as a {@link CodrError} where it is the driver's or the server's; all else as it is. */
export function translated(error: unknown, where: string, side: Side = 'source'): unknown {
  if (isCodrError(error) || !(error instanceof Error)) return error;
  const wrap = (kind: 'unreachable' | 'rights' | 'unfit', text: string, cause = error): CodrError =>
    new CodrError(codeOf(side, kind), `${where}: ${text}`, {
      ...{ object: where, cause },
      ...(kind === 'unreachable' && { remedy: errorCatalogue['source-unreachable'].remedy }),
    });
  const noLogin = new CodrError(codeOf(side, 'rights'), `${where}: the login was refused`, {
    object: where,
    remedy: 'check username and its password in the file of the cluster',
  });
  if (error instanceof errors.AuthenticationError) return noLogin;
  if (error instanceof errors.ResponseError) {
    const { unauthorized, badCredentials } = types.responseErrorCodes;
    if (error.code === badCredentials) return noLogin;
    if (error.code === unauthorized) return wrap('rights', error.message);
    return wrap(passing.has(error.code) ? 'unreachable' : 'unfit', error.message);
  }
  if (error instanceof errors.NoHostAvailableError) {
    const inner = Object.values(error.innerErrors as Record<string, unknown>);
    const login = inner.find((one) => one instanceof errors.AuthenticationError);
    if (login) return noLogin;
    const first = inner.find((one): one is Error => one instanceof Error);
    if (!first) return wrap('unreachable', 'no node answers');
    // The driver's own sentence repeats the first node's with all fields of its error.
    return wrap('unreachable', `no node answers: ${first.message}`, first);
  }
  const silent = error instanceof errors.OperationTimedOutError || 'syscall' in error;
  return silent || error instanceof errors.DriverError ? wrap('unreachable', error.message) : error;
}

const { responseErrorCodes } = types;
/** Codes that say: not now, or not in time. */
const passing: ReadonlySet<number> = new Set([
  responseErrorCodes.serverError,
  responseErrorCodes.unavailableException,
  responseErrorCodes.overloaded,
  responseErrorCodes.isBootstrapping,
  responseErrorCodes.truncateError,
  responseErrorCodes.writeTimeout,
  responseErrorCodes.readTimeout,
  responseErrorCodes.readFailure,
  responseErrorCodes.writeFailure,
]);

/** A target has no code of its own for silence: what it cannot do, it is unfit for. */
function codeOf(side: Side, kind: 'unreachable' | 'rights' | 'unfit') {
  if (side === 'source') return `source-${kind}` as const;
  return kind === 'rights' ? 'target-rights' : 'target-unfit';
}

/** The files that the configuration names. Errors: `config-invalid`. */
export async function readTls({ ca, cert, key }: NonNullable<CassandraConfig['tls']>) {
  const read = async (field: string, path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (cause) {
      const message = `tls.${field}: ${path} cannot be read`;
      throw new CodrError('config-invalid', message, { object: `tls.${field}`, cause });
    }
  };
  return {
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: [await read('ca', ca)] }),
    ...(cert !== undefined && { cert: await read('cert', cert) }),
    ...(key !== undefined && { key: await read('key', key) }),
  };
}

/** A host's address without its port and brackets. */
const bare = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
