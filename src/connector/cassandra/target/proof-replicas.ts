// Every replica of a table is asked by itself, as its readers ask: the sampled rows by point, slice and reversed slice,
// through the node's own coordinator at ONE, as of the second of the snapshot. Each answer must be what was to be
// restored, byte for byte, with its times. A read that another replica answered counts as made, not as the node's own.
import { forEachLimit } from '../../../base/async.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { SpotReads } from '../../restore-target.ts';
import { renderKey } from '../render/render-rows.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { NodeQueries } from '../wire/wire-connection.ts';
import { type ProofRead, ProofReads } from './proof-reads.ts';
import { ProofSample, type SampledWindow, type SampleOptions } from './proof-sample.ts';
import { answeredByItself } from './read-traces.ts';
import { type SampleText, sampleFromText } from './sample-text.ts';
import { whatIsTold } from './target-tells.ts';

export interface AskedNode {
  readonly hostId: string;
  readonly address: string;
  readonly nativeAddress: string;
}

export interface ReplicaProofOptions extends Omit<SampleOptions, 'hostIds'> {
  /** As the target names it. */
  readonly schema: TableSchema;
  readonly nodes: readonly AskedNode[];
  /** As of when the target is read back. */
  readonly nowMs: number;
  readonly clock: Clock;
  connect(node: AskedNode, signal: AbortSignal): Promise<NodeQueries>;
}

const nodesAtOnce = 4;
const triesMax = 8;
const retryMs = 1_000;
/** More than any slice has: what is too much differs. */
const rowsMax = 1_000;
/** Clocks differ; what expires so soon may be gone from the files. */
const expirySlackSeconds = 60;
/** Of the protocol: overloaded, bootstrapping, unavailable, read timeout, read failure. */
const passing: ReadonlySet<unknown> = new Set([0x1000, 0x1001, 0x1002, 0x1200, 0x1300]);
const readFailure = 0x1300;

/** The sample of one table, and the reads that are made of it. */
export class ReplicaProof {
  readonly #options: ReplicaProofOptions;
  readonly #sample: ProofSample;

  constructor(options: ReplicaProofOptions) {
    this.#options = options;
    const hostIds = options.nodes.map(({ hostId }) => hostId);
    this.#sample = new ProofSample({ ...options, hostIds });
  }

  /** Passes on what the target must hold, and keeps some of it. */
  watch(records: RecordStream): RecordStream {
    return this.#sample.watch(records);
  }

  /** What another process kept of a range. */
  adopt(sample: SampleText): void {
    this.#sample.adopt(sampleFromText(sample), sample.passedOver);
  }

  /** Errors: `proof-failed`, naming node, table and key; `target-unfit`, `target-rights` where a node cannot be asked. */
  async ask(signal: AbortSignal): Promise<SpotReads> {
    const { nodes, schema } = this.#options;
    const total = { made: 0, own: 0, expired: 0 };
    const warnings = new Set<string>();
    await forEachLimit(
      nodes,
      nodesAtOnce,
      async (node) => {
        const windows = this.#sample.windowsOf(node.hostId);
        if (windows.own.length === 0) return;
        using connection = await this.#options.connect(node, signal);
        const asking = new NodeProof(this.#options, node, connection);
        await asking.run(windows.own, signal);
        // Coordinators that do not prefer themselves ask the first owner: of that part the node is it.
        if (asking.own < asking.made) await asking.run(windows.first, signal);
        total.made += asking.made;
        total.own += asking.own;
        total.expired += asking.expired;
        for (const warning of asking.warnings) warnings.add(warning);
      },
      signal,
    );
    const { passedOver } = this.#sample;
    if (passedOver > 0 && total.made === 0) {
      warnings.add(
        `${schema.keyspace}.${schema.table}: its rows are too large for reads of the proof`,
      );
    }
    return { ...total, warnings: [...warnings] };
  }
}

class NodeProof {
  made = 0;
  own = 0;
  expired = 0;
  readonly #options: ReplicaProofOptions;
  readonly #node: AskedNode;
  readonly #connection: NodeQueries;
  readonly #table: string;
  readonly #warnings = new Set<string>();
  #reads: ProofReads | undefined;

  constructor(options: ReplicaProofOptions, node: AskedNode, connection: NodeQueries) {
    this.#options = options;
    this.#node = node;
    this.#connection = connection;
    this.#table = `${options.schema.keyspace}.${options.schema.table}`;
  }

  async run(windows: readonly SampledWindow[], signal: AbortSignal): Promise<void> {
    this.#reads ??= await this.#prepare(signal);
    const traces: Uint8Array[] = [];
    for (const read of windows.flatMap((window) => this.#reads?.readsOf(window) ?? [])) {
      const trace = await this.#make(this.#reads as ProofReads, read, signal);
      if (trace) traces.push(trace);
    }
    try {
      const { clock } = this.#options;
      this.own += await answeredByItself(this.#connection, traces, clock, signal);
    } catch (error) {
      if (!isCodrError(error, 'target-rights')) throw error;
      this.#warn('which replica answered is not known: the user may not read system_traces');
    }
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  #warn(text: string): void {
    this.#warnings.add(`${this.#table}: ${text}`);
  }

  /** Undefined where the key is masked: a user without rights for it can find no row. */
  async #prepare(signal: AbortSignal): Promise<ProofReads | undefined> {
    const { schema, nowMs } = this.#options;
    const told = await whatIsTold(this.#connection, schema, signal);
    const keys = [...schema.partitionKey, ...schema.clustering];
    if (keys.some(({ name }) => told.masked.has(name))) {
      this.#warn('no replica is asked for rows, since a column of its key is masked');
      return undefined;
    }
    return new ProofReads(schema, { ...told, nowSeconds: Math.floor(nowMs / 1000) });
  }

  /** Gives the trace of a read that was compared. */
  async #make(
    reads: ProofReads,
    read: ProofRead,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { clock } = this.#options;
    const { rows, tracingId } = await this.#answer(read, signal);
    const fault = reads.difference(read, rows);
    if (fault === undefined) {
      this.made++;
      return tracingId;
    }
    if (read.firstExpiry > clock.now() / 1000 + expirySlackSeconds) throw this.#failed(read, fault);
    this.expired++;
    return undefined;
  }

  async #answer(read: ProofRead, signal: AbortSignal) {
    const { nowMs, clock } = this.#options;
    const { query, values } = read;
    const options = { values, nowSeconds: Math.floor(nowMs / 1000), isTraced: true, rowsMax };
    for (let left = triesMax; ; left--) {
      try {
        return await this.#connection.query(query, options, signal);
      } catch (error) {
        if (!isCodrError(error) || !passing.has(error.facts.wireCode)) throw error;
        if (left <= 1) {
          if (error.facts.wireCode !== readFailure) throw error;
          throw this.#failed(read, 'fails to read', error);
        }
        await clock.sleep(retryMs, signal);
      }
    }
  }

  #failed(read: ProofRead, fault: string, cause?: unknown): CodrError {
    const { schema, seed } = this.#options;
    const { address } = this.#node;
    const key = renderKey(schema, read.record);
    const message = `${this.#table}: asked for ${key} (${read.kind}), the replica ${address} ${fault}`;
    return new CodrError('proof-failed', message, {
      object: this.#table,
      facts: { node: address, key, kind: read.kind, query: read.query, seed },
      ...(cause !== undefined && { cause }),
    });
  }
}
