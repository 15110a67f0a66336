// A cut: every write that was acknowledged before its begin on the captured replicas is in it, none that began
// after its end. It is not atomic across partitions. Links go on before the base snapshot; ring, schema and
// truncates are read before and after, and a change repeats the whole; a node that fails is a missing replica.
import { createHash } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { Logger } from '../../../base/log.ts';
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { waitForCompactions } from './compaction-wait.ts';
import type { CqlSession } from './cql.ts';
import { changeSince } from './cut-changes.ts';
import { notesOf } from './cut-notes.ts';
import { otherSchemas, readCutSchema } from './cut-schema.ts';
import { type CutState, truncatedTables } from './cut-state.ts';
import { sharedDirectories } from './data-directories.ts';
import { type GradedRange, gradeRanges, unknownDatacenters } from './grade.ts';
import { strangersAfter } from './link-doubt.ts';
import type { LinkLimit } from './link-limit.ts';
import { type CutListing, listCut } from './list-cut.ts';
import {
  type CutNode,
  type NodeFiles,
  type NodeTask,
  type PreparedNode,
  prepareNode,
  snapshotNode,
  tagPrefixOf,
} from './node-cut.ts';
import type { ListedSstable } from './node-files.ts';
import { haveLost, ownershipOf } from './ownership.ts';
import { releaseCut } from './release-cut.ts';
import { replicasOf } from './replica-placement.ts';
import {
  isSameCluster,
  partitionerOf,
  type Ring,
  readRing,
  readSettledRing,
  ringDigest,
} from './ring.ts';
import { pastsAfter, type TableNow } from './table-past.ts';
import { type NodeMarks, readNodeMarks } from './truncation.ts';

export interface CutRequest {
  readonly cql: CqlSession;
  readonly nodes: readonly CutNode[];
  /** Data centres that grades are computed for; empty: all. */
  readonly datacenters: readonly string[];
  /** As configured: links that were there before are ours. */
  readonly ownsBackups: boolean;
  /** Past it, a node's links are given up. */
  readonly linkLimit: LinkLimit;
  /** With more at a node the cut waits, for some minutes at most. */
  readonly pendingCompactionsMax: number;
  /** Told what the cut waits for. */
  readonly tell?: (what: string) => void;
  readonly scope: (keyspace: string, table: string) => boolean;
  /** {@link firstState} before the first. */
  readonly state: CutState;
  /** The source, as no other is called: in the names of its snapshots, and in the marks of its links. */
  readonly owner: string;
  /** Makes the tag unique among all cuts ever. */
  readonly id: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** A flush that takes longer costs the replica. */
  readonly flushMs?: number;
}

export interface CutTable {
  readonly schema: TableSchema;
  readonly sstables: readonly ListedSstable[];
  /** A truncate since the last cut: `sstables` are all there is, nothing older counts. */
  readonly truncatedSince: boolean;
  /** Nothing older counts for another reason: links were in doubt for so long that deletions may be lost. */
  readonly isAnew?: boolean;
}

export interface CutHost {
  readonly hostId: string;
  readonly address: string;
  readonly captured: boolean;
  /** Why it was not. */
  readonly reason?: string;
}

export interface TakenCut {
  /** Our wall clock before the first flush, and after the last listing; ms since 1970. */
  readonly beginMs: number;
  readonly endMs: number;
  readonly ring: Ring;
  /** Tables in scope alone are read in full. */
  readonly schema: readonly KeyspaceSchema[];
  /** By table id. */
  readonly tables: ReadonlyMap<string, CutTable>;
  /** Every member of the ring. */
  readonly nodes: readonly CutHost[];
  /** By keyspace. */
  readonly grades: ReadonlyMap<string, readonly GradedRange[]>;
  /** Live files that were left out because what they hold is captured. */
  readonly coveredCount: number;
  /** What was not as it should be, for people. */
  readonly notes: readonly string[];
  /** Give it to the next cut once this one is durable. */
  readonly nextState: CutState;
  /** Clears the snapshots; once committed also removes the links that were captured, and all out of scope. */
  release(committed: boolean): Promise<void>;
}

const attemptsMax = 5;
const attemptPauseMs = 2_000;
const flushMsDefault = 120_000;

/**
 * Errors: `source-other-identity`; `source-unfit` for links of somebody else before the first cut, or at all nodes, and for `datacenters` of which there is none; `busy` when
 * ring, schema or truncates would not rest; `source-unreachable` when no node could be captured.
 */
export async function takeCut(request: CutRequest): Promise<TakenCut> {
  const { clock, signal, log, nodes, pendingCompactionsMax: most } = request;
  const { tell = () => {} } = request;
  const waited = await waitForCompactions({ nodes, most, clock, signal, tell });
  tell('cut');
  let reason = '';
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    if (attempt > 1) await clock.sleep(attemptPauseMs, signal);
    const tried = await attemptCut(request, attempt);
    if (typeof tried !== 'string') return { ...tried, notes: [...waited, ...tried.notes] };
    reason = tried;
    log.info({ attempt, reason }, 'the cut is repeated');
  }
  throw new CodrError('busy', `no cut in ${attemptsMax} tries: ${reason}`, {
    object: nodes.map(({ address }) => address).join(', '),
    remedy: 'wait until the change of the cluster has ended',
  });
}

interface Outcome {
  readonly prepared: Map<string, PreparedNode>;
  readonly after: Map<string, NodeMarks>;
  /** By configured address. */
  readonly failures: Map<string, string>;
  /** The first refusal of links that are somebody else's. */
  foreign?: CodrError;
}

/** A cut, or why it has to be taken again. */
async function attemptCut(request: CutRequest, attempt: number): Promise<TakenCut | string> {
  const { cql, clock, signal, state, owner, ownsBackups } = request;
  const controls = request.nodes.map(({ control }) => control);
  const ring = await readSettledRing(() => readRing(cql, controls, signal), clock, signal);
  if (!isSameCluster(ring, Object.keys(state.hosts))) {
    const message = `cluster ${ring.clusterName} has none of the hosts that were captured before`;
    throw new CodrError('source-other-identity', message, { object: ring.clusterName });
  }
  refuseNoDatacenter(ring, request.datacenters);
  if (ring.disputed) return `the nodes do not agree on the ring: ${ring.disputed.join('; ')}`;
  if (ring.schemaVersions.length !== 1) return 'the nodes do not agree on the schema';
  const read = await readCutSchema(cql, ring, request.scope, signal);
  if (!read) return `${ring.asked} does not answer any more`;
  const { schema, tables, now, durableAt } = read;
  const task: NodeTask = {
    ...{ cql, ring, tables, clock, signal },
    tag: `${tagPrefixOf(owner)}${request.id}-${attempt}`,
    claim: { owner, ownsBackups, hasCaptured: state.cut > 0 },
    known: (hostId) => state.hosts[hostId],
    linkLimit: request.linkLimit,
    ownership: ownershipOf(ring, schema),
    durableAt,
    flushMs: request.flushMs ?? flushMsDefault,
  };
  const failures = await sharedDirectories(request.nodes);
  const outcome: Outcome = { prepared: new Map(), after: new Map(), failures };
  let done = false;
  const release = (spent: readonly NodeFiles[], committed: boolean) =>
    releaseCut(task, [...outcome.prepared.values()], spent, { committed, log: request.log });
  try {
    await eachNode(request, outcome, async (node) => {
      outcome.prepared.set(node.address, await prepareNode(task, node));
    });
    const { prepared, after } = outcome;
    const others = otherSchemas(ring, prepared);
    // It may be on its way to them.
    if (others.size > 0 && attempt < attemptsMax) return 'the nodes do not agree on the schema';
    for (const [address, { message }] of others) failures.set(address, message);
    const beginMs = clock.now();
    await eachNode(request, outcome, (node) => shoot(task, outcome, node));
    const lost = haveLost(state.hosts, task.ownership);
    const truncated = truncatedTables(state, truncationsOf(outcome));
    const listing = await listCut({
      ...{ task, now, state, truncated, prepared, after, beginMs },
      haveLost: lost,
      each: (work) => eachNode(request, outcome, work),
    });
    const endMs = clock.now();
    const listed = [...prepared.values()].filter(({ node }) => !failures.has(node.address));
    const unrest = await changeSince({ task, nodes: request.nodes, prepared: listed });
    if (unrest !== undefined) return unrest;
    if (listing.files.length === 0) throw nothingCaptured(outcome);
    done = true;
    return {
      ...resultOf(request, {
        ...{ ring, schema, tables, now, lost, listing, truncated, outcome, beginMs },
      }),
      ...{ beginMs, endMs },
      release: (committed) => release(listing.files, committed),
    };
  } finally {
    if (!done) await release([], false);
  }
}

/** All nodes side by side; what fails is noted, and the node left out of what follows. */
async function eachNode(
  { nodes, signal, state }: CutRequest,
  outcome: Outcome,
  work: (node: CutNode) => Promise<void>,
): Promise<void> {
  const { failures } = outcome;
  const left = nodes.filter(({ address }) => !failures.has(address));
  const results = await Promise.allSettled(left.map(work));
  signal.throwIfAborted();
  results.forEach((result, i) => {
    if (result.status === 'fulfilled') return;
    const error: unknown = result.reason;
    // What this machine lacks is no fault of a node.
    if (!isCodrError(error) || error.code === 'limit-reached') throw error;
    // Later a single node of this kind costs a replica; before the first cut it is a wrong set-up.
    if (error.facts.foreignLinks && state.cut === 0) throw error;
    if (error.facts.foreignLinks) outcome.foreign ??= error;
    failures.set(left[i]?.address ?? '', error.message);
  });
}

/** Flush and snapshot of one node, and its marks after. */
async function shoot(task: NodeTask, { prepared, after }: Outcome, node: CutNode): Promise<void> {
  const own = prepared.get(node.address);
  if (!own) return;
  await snapshotNode(task, own);
  after.set(node.address, await readNodeMarks(task.cql, own, task.signal));
}

const truncationsOf = ({ after }: Outcome) =>
  new Map([...after.values()].map(({ hostId, truncations }) => [hostId, truncations]));

interface Gathered {
  readonly ring: Ring;
  readonly schema: readonly KeyspaceSchema[];
  readonly tables: readonly TableSchema[];
  /** By table id. */
  readonly now: ReadonlyMap<string, TableNow>;
  /** A host that was captured has left, or owns less. */
  readonly lost: boolean;
  readonly listing: CutListing;
  /** By table id, when. */
  readonly truncated: ReadonlyMap<string, number>;
  readonly outcome: Outcome;
  readonly beginMs: number;
}

function resultOf(request: CutRequest, gathered: Gathered) {
  const { ring, schema, tables, listing, truncated, outcome } = gathered;
  const { files, anew } = listing;
  const { state, nodes, datacenters } = request;
  const captured = new Set(files.map(({ hostId }) => hostId));
  const configured = new Map(
    nodes.map(({ address }) => [address, outcome.failures.get(address)] as const),
  );
  return {
    ring,
    schema,
    tables: new Map(
      tables.map((table) => [
        table.id,
        {
          schema: table,
          sstables: files.flatMap(({ read }) => read.get(table.id) ?? []),
          truncatedSince: truncated.has(table.id),
          isAnew: anew.has(table.id),
        },
      ]),
    ),
    nodes: ring.nodes.map((node) => hostOf(node, captured, configured)),
    grades: gradesOf(ring, schema, captured, datacenters),
    coveredCount: files.reduce((sum, { coveredCount }) => sum + coveredCount, 0),
    notes: notesOf({ ...gathered, state, datacenters }),
    nextState: nextStateOf(state, gathered),
  };
}

/** Grades of every keyspace that has tables in scope, for whichever hosts count as captured. */
export function gradesOf(
  ring: Ring,
  schema: readonly KeyspaceSchema[],
  captured: ReadonlySet<string>,
  datacenters: readonly string[],
): Map<string, GradedRange[]> {
  const some = schema.filter(({ tables }) => tables.length > 0);
  return new Map(
    some.map(({ name, replication }) => {
      const ranges = replicasOf(ring.nodes, replication, partitionerOf(ring));
      return [name, gradeRanges(ranges, ring.nodes, captured, datacenters)];
    }),
  );
}

function hostOf(
  { hostId, address, nativeAddress }: Ring['nodes'][number],
  captured: ReadonlySet<string>,
  configured: ReadonlyMap<string, string | undefined>,
): CutHost {
  if (captured.has(hostId)) return { hostId, address, captured: true };
  const named = [address, nativeAddress].find((one) => configured.has(one));
  const failure = named === undefined ? 'it is not configured' : configured.get(named);
  return { hostId, address, captured: false, reason: failure ?? 'it did not answer' };
}

function nextStateOf(
  state: CutState,
  { ring, schema, tables, now, lost, listing: { files, anew }, truncated, beginMs }: Gathered,
): CutState {
  const members = new Set(ring.nodes.map(({ hostId }) => hostId));
  const ids = new Set(tables.map(({ id }) => id));
  // A host that is away now keeps nothing of a table that begins anew, or that is out of scope, for when it is back.
  const kept = Object.entries(state.hosts)
    .filter(([hostId]) => members.has(hostId))
    .map(([hostId, host]) => {
      const counting = Object.entries(host.tables).filter(([id]) => ids.has(id) && !anew.has(id));
      return [hostId, { ...host, tables: Object.fromEntries(counting) }] as const;
    });
  const cut = state.cut + 1;
  const epochs = Object.entries({ ...state.epochs, ...Object.fromEntries(truncated) });
  const seen = files.map(
    ({ hostId, state: own }) => [hostId, { ...own, cut, atMs: beginMs }] as const,
  );
  const hosts = { ...Object.fromEntries(kept), ...Object.fromEntries(seen) };
  const strangers = [...members].filter((hostId) => !hosts[hostId]);
  return {
    version: 1,
    cut,
    hosts,
    strangers: strangersAfter(state, strangers, lost),
    epochs: Object.fromEntries(epochs.filter(([id]) => ids.has(id))),
    pasts: pastsAfter(state, now, beginMs),
    ringDigest: ringDigest(ring),
    schemaDigest: createHash('sha256').update(JSON.stringify(schema)).digest('hex'),
  };
}

/** One of several that has gone costs a note; without any no replica would count. */
function refuseNoDatacenter({ nodes, clusterName }: Ring, datacenters: readonly string[]): void {
  const strange = unknownDatacenters(nodes, datacenters);
  if (!strange?.isAll) return;
  const remedy = 'correct datacenters in the configuration of the source';
  throw new CodrError('source-unfit', strange.message, { object: clusterName, remedy });
}

function nothingCaptured({ failures, foreign }: Outcome): CodrError {
  if (foreign) return foreign;
  const [first = 'none is configured', ...more] = failures.values();
  const others = more.length === 0 ? '' : `; and ${more.length} more`;
  return new CodrError('source-unreachable', `no node could be captured: ${first}${others}`, {
    object: [...failures.keys()].join(', '),
    remedy: 'run codr source check, which says of each node what is wrong',
  });
}
