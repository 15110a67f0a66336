// The port to one node's management interface: what CODR asks of a server beside CQL. Two drivers, Jolokia
// (JMX as JSON over HTTP) and spawned `nodetool`, chosen by the configuration. Every call ends: at its
// deadline with `source-unreachable`, at the signal with its reason.
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { RingMember } from './ring-members.ts';

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Overrides the default of the call, ms. */
  readonly deadlineMs?: number;
}

export interface NodeIdentity {
  /** UUID. */
  readonly hostId: string;
  readonly clusterName: string;
  readonly releaseVersion: string;
  /** `NORMAL` for a node that serves. */
  readonly operationMode: string;
  /** Undefined where the driver cannot tell: nothing is proven by it then. */
  readonly jvmStartMs: number | undefined;
}

/** Whether a node keeps up with its clients. */
export interface NodeStrain {
  /** Requests that wait for a thread, in the stage where most do. */
  readonly waiting: number;
  /** Messages that it gave up since the JVM started, of all kinds: they had waited too long. */
  readonly dropped: number;
}

export interface NodeControl {
  /** As the configuration names the node. */
  readonly address: string;
  readonly kind: 'jolokia' | 'nodetool';
  identity(call: CallOptions): Promise<NodeIdentity>;
  /** Returns when the tables' memtables are on disk; no table means all of the keyspace. */
  flush(keyspace: string, tables: readonly string[], call: CallOptions): Promise<void>;
  /** `tables` as `keyspace.table`. A tag that exists is an error. */
  takeSnapshot(
    tag: string,
    tables: readonly string[],
    options: { readonly skipFlush: boolean },
    call: CallOptions,
  ): Promise<void>;
  /** In all keyspaces. A tag that is unknown is no error. */
  clearSnapshot(tag: string, call: CallOptions): Promise<void>;
  /** The switch of the links in `backups/`. */
  incrementalBackups(call: CallOptions): Promise<boolean>;
  setIncrementalBackups(on: boolean, call: CallOptions): Promise<void>;
  pendingCompactions(call: CallOptions): Promise<number>;
  /** Absent where the driver cannot tell at little cost. */
  strain?(call: CallOptions): Promise<NodeStrain>;
  /** Bytes that streams brought in since the JVM started; undefined where the driver cannot tell. */
  streamedBytes(call: CallOptions): Promise<number | undefined>;
  /**
   * Moves the SSTables in `folders` (paths of the server) into the live table. Returns the folders that were
   * refused; a server may take nothing and still not name a folder: count what is there afterwards.
   * Checksums, indexes and tokens are verified, not each value. `keepLevels`: files stay in the level that they say; else all begin in level 0.
   */
  importSstables(
    keyspace: string,
    table: string,
    folders: readonly string[],
    options: { readonly keepLevels?: boolean },
    call: CallOptions,
  ): Promise<string[]>;
  invalidateCounterCache(call: CallOptions): Promise<void>;
  /** True when the server finds its files of the tables good; no table means all of the keyspace. */
  verify(
    keyspace: string,
    tables: readonly string[],
    options: { readonly extended: boolean },
    call: CallOptions,
  ): Promise<boolean>;
  /** As the server sees them; undefined where the driver cannot tell. */
  dataDirectories(call: CallOptions): Promise<string[] | undefined>;
  /** Addresses that this node believes to be up, without ports. */
  liveNodes(call: CallOptions): Promise<string[]>;
  /** By host id, every node that has tokens and does not only join, as this node has it in memory. */
  members(call: CallOptions): Promise<ReadonlyMap<string, RingMember>>;
  /** Addresses, without ports, of nodes that join, leave or move, as this node knows them. */
  movingNodes(call: CallOptions): Promise<string[]>;
}

/** Deadlines by kind of call, ms. A flush writes at most a few memtables; an import may verify gigabytes. */
export const deadlines = {
  read: 20_000,
  flush: 120_000,
  snapshot: 120_000,
  verify: 3_600_000,
  import: 3_600_000,
} as const;

/** Runs one call under its deadline; `source-unreachable` names the node and what it was asked for. */
export async function withinDeadline<T>(
  address: string,
  what: string,
  { signal, deadlineMs }: CallOptions & { readonly deadlineMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(deadlineMs);
  try {
    return await work(AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    if (isCodrError(error)) throw error;
    const fault = timeout.aborted
      ? `did not ${what} within ${Math.round(deadlineMs / 1000)} s`
      : `cannot ${what}: ${error instanceof Error ? error.message : String(error)}`;
    throw new CodrError('source-unreachable', `${address} ${fault}`, {
      object: address,
      cause: error,
    });
  }
}
