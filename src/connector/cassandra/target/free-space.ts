// Whether the files of a restore can fit on the nodes that get them, before anything is written. It refuses what is
// surely too much: how well data compresses is not known, so files are still looked at one by one as they begin. What
// has changed since a base copy adds rows or replaces some, so it is told, and refuses nothing.
import { CodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { CqlSession } from '../session/cql.ts';
import type { NodeData } from '../session/node-files.ts';
import { replicasOf, type TokenRange } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { nodeSetting } from './node-setting.ts';
import { onTarget } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';
import type { PlannedTable } from './target-plan.ts';

/** Files have at least this share of the bytes of records, which hold their whole keys, or surely will not fit. */
const leastShare = { compressed: 0.25, raw: 0.5 } as const;
const mib = 1024 * 1024;
const tokenBytes = 8;

export type SizedTable = Pick<
  PlannedTable,
  'item' | 'body' | 'replication' | 'making' | 'finishedId'
>;

/** By host id. Tables of unknown size need none. */
export interface NeededBytes {
  /** Surely. */
  readonly least: ReadonlyMap<string, number>;
  /** If nothing that has changed since the base copies took the place of what was there. */
  readonly most: ReadonlyMap<string, number>;
}

type SpaceNode = Pick<TargetNode, 'address' | 'files' | 'dataDirectories'>;

/** Gives what is to be told. Errors: `target-unfit`, which names the node, what it needs and what it has. */
export async function checkSpaceFor(
  tables: Iterable<SizedTable>,
  { nodes, ring, cql }: TargetSpace,
  signal: AbortSignal,
): Promise<string[]> {
  const made = [...tables].filter(({ finishedId }) => finishedId === undefined);
  const replaces = made.some(({ making }) => making === 'replace');
  const isKept = replaces && (await keepsDropped(cql, nodes.values(), signal));
  // Where it goes at once it may give its room back first.
  const added = made.filter(({ making }) => isKept || making !== 'replace');
  return await checkSpace(nodes, neededBytes(added, ring));
}

export interface TargetSpace {
  /** Those that own data, by host id. */
  readonly nodes: ReadonlyMap<string, SpaceNode & Pick<TargetNode, 'nativeAddress'>>;
  readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
  readonly cql: Pick<CqlSession, 'rows'>;
}

export function neededBytes(
  tables: Iterable<SizedTable>,
  ring: Pick<Ring, 'nodes' | 'partitioner'>,
): NeededBytes {
  const [least, most] = [new Map<string, number>(), new Map<string, number>()];
  const partitioner = partitionerOf(ring);
  for (const { item, body, replication } of tables) {
    const isCompressed = body.schema.compression.class !== undefined;
    const share = isCompressed ? leastShare.compressed : leastShare.raw;
    const { bytes = 0, laterBytes = 0, within = [{}] } = item;
    if (bytes + laterBytes === 0) continue;
    const spans = within.map(spanOf);
    for (const range of replicasOf(ring.nodes, replication, partitioner)) {
      const part = share * partOf(range, spans, partitioner);
      for (const hostId of range.replicas) {
        least.set(hostId, (least.get(hostId) ?? 0) + part * bytes);
        most.set(hostId, (most.get(hostId) ?? 0) + part * (bytes + laterBytes));
      }
    }
  }
  return { least, most };
}

/** Errors: as {@link checkSpaceFor}. */
export async function checkSpace(
  nodes: ReadonlyMap<string, SpaceNode>,
  { least, most }: NeededBytes,
): Promise<string[]> {
  const told: string[] = [];
  for (const [hostId, node] of nodes) {
    const { address } = node;
    const free = await onTarget(freeBytes(node));
    const lacks = (bytes = 0): boolean => bytes > free;
    const text = (bytes = 0): string => `${Math.floor(bytes / mib)} MiB`;
    if (lacks(least.get(hostId))) {
      const needed = text(least.get(hostId));
      const message = `${address}: at least ${needed} are needed, ${text(free)} are free`;
      throw new CodrError('target-unfit', message, {
        object: address,
        remedy: 'free space there, or restore fewer tables at once',
      });
    }
    if (!lacks(most.get(hostId))) continue;
    const all = text(most.get(hostId));
    told.push(`${address}: ${all} may be needed with all later changes, ${text(free)} are free`);
  }
  return told;
}

/** Shares of the keys of records, of 0 to 1: keys begin with their tokens, in the order of Murmur3. */
type Span = readonly [number, number];

function spanOf({ from, to }: KeyRange): Span {
  return [from ? shareAt(from) : 0, to ? shareAt(to) : 1];
}

function shareAt(key: Uint8Array): number {
  const token = Buffer.alloc(tokenBytes);
  token.set(key.subarray(0, tokenBytes));
  return Number(token.readBigUInt64BE()) / 2 ** (8 * tokenBytes);
}

/** Of all bytes of a table what is wanted of it and lies in the range; in another order all of it lies anywhere. */
function partOf(
  { from, to }: TokenRange,
  spans: readonly Span[],
  { lowest, highest, isRecordOrder }: ReturnType<typeof partitionerOf>,
): number {
  const at = (token: bigint): number => Number(token - lowest) / Number(highest - lowest);
  const [begin, end] = [at(from), at(to)];
  const overlap = ([a, b]: Span): number => Math.max(0, Math.min(b, end) - Math.max(a, begin));
  const wanted = (cut: (span: Span) => number): number => spans.reduce((n, it) => n + cut(it), 0);
  return isRecordOrder ? wanted(overlap) : (end - begin) * wanted(([a, b]) => b - a);
}

/** What is dropped stays as a snapshot, unless every node is told not to make one. */
async function keepsDropped(
  cql: Pick<CqlSession, 'rows'>,
  nodes: Iterable<Pick<TargetNode, 'nativeAddress'>>,
  signal: AbortSignal,
): Promise<boolean> {
  const asked = [...nodes].map(({ nativeAddress }) =>
    nodeSetting(cql, nativeAddress, 'auto_snapshot', signal),
  );
  return !(await Promise.all(asked)).every((value) => value === 'false');
}

/** Directories on one file system share its room. */
async function freeBytes({ files, dataDirectories }: NodeData): Promise<number> {
  const rooms = new Map<string, number>();
  for (const directory of dataDirectories) {
    const free = await files.freeBytes(directory);
    rooms.set((await files.stat(directory)).device, free);
  }
  return [...rooms.values()].reduce((sum, room) => sum + room, 0);
}
