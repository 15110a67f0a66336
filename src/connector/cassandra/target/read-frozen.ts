// What a read at one second would see of a table's files, the same on every replica. A job that a thread can be given.
import type { FileAccess } from '../../../base/file-access.ts';
import type { Spill } from '../../../base/spill.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { type BlockStream, ownBlock } from '../../../model/record-block.ts';
import type { FrozenMoment } from '../../restore-target.ts';
import { liveAt } from '../fold-range.ts';
import { keptAt } from '../kept-records.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { dropColumns } from '../merge/live-form.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { mergeStaged } from '../merge/staged-merge.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import {
  FileExtents,
  type FileInput,
  type OpenLimits,
  openLimits,
} from '../session/file-inputs.ts';
import type { ListedSstable } from '../session/node-files.ts';
import { ownedBlocks, shareOf } from '../session/owned-blocks.ts';
import { type Replication, replicasOf } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { notBefore } from '../sstable/key-extent.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { recordOwners } from './record-owners.ts';
import { openTwins, type TwinFile, type Twins, twinsOf } from './twin-files.ts';
import { unanimous } from './unanimous.ts';

/** Plain data. */
export interface FrozenRead {
  readonly schema: TableSchema;
  readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
  readonly replication: Replication;
  readonly replicas: readonly FrozenReplica[];
  readonly moment: FrozenMoment;
  readonly range: KeyRange;
  /** Of all replicas together. */
  readonly memoryBytesMax: number;
}

export interface FrozenReplica {
  readonly hostId: string;
  readonly address: string;
  readonly files: readonly ListedSstable[];
}

/** Where a job is done. */
export interface ReadPlace {
  filesOf(hostId: string): Pick<FileAccess, 'open'>;
  readonly spill: Spill;
}

/** Whether all files of each replica may be open at once, so that nothing is spilled. */
export function isReadAtOnce(read: FrozenRead): boolean {
  const { isRecordOrder } = partitionerOf(read.ring);
  return (
    isRecordOrder && read.replicas.every((one) => one.files.length <= limitsOf(read, one).openMax)
  );
}

/** Live records of a range, each the same on all its replicas. Errors: `proof-failed`. */
export function frozenBlocks(read: FrozenRead, place: ReadPlace, signal: AbortSignal): BlockStream {
  const { schema, ring, replication, moment } = read;
  const replicas = groupsOf(read).map((twins) => {
    const merged = replicaBlocks(read, twins, place, signal);
    const hostIds = [twins.first, ...twins.others].map(({ hostId }) => hostId);
    return { ...twins.first, hostIds, blocks: formAt(merged, schema, moment) };
  });
  const [only, ...others] = replicas;
  if (only && others.length === 0) return copies(only.blocks);
  const table = `${schema.keyspace}.${schema.table}`;
  return unanimous(replicas, recordOwners(ring, replication), table);
}

/** In memory that is the caller's. */
async function* copies(blocks: BlockStream): BlockStream {
  for await (const block of blocks) yield ownBlock(block);
}

/** Where each node owns all there is, those that have the same files are read as one. */
function groupsOf({ ring, replication, replicas }: FrozenRead): Twins<FrozenReplica>[] {
  const sets = replicasOf(ring.nodes, replication, partitionerOf(ring));
  const isEverywhere = replicas.every(({ hostId }) =>
    sets.every((set) => set.replicas.includes(hostId)),
  );
  return isEverywhere ? twinsOf(replicas) : replicas.map((first) => ({ first, others: [] }));
}

/** However many files there are: all replicas together keep within the limit of memory. */
async function* replicaBlocks(
  read: FrozenRead,
  { first: replica, others }: Twins<FrozenReplica>,
  { filesOf, spill }: ReadPlace,
  signal: AbortSignal,
): BlockStream {
  const { schema, ring, replication, range, replicas, memoryBytesMax } = read;
  const { hostId, address, files } = replica;
  const partitioner = partitionerOf(ring);
  const limits = limitsOf(read, replica);
  const { openMax, bufferBytes } = limits;
  const sorting = { memoryBytesMax, spill };
  const space = shareOf(sorting, replicas.length * Math.min(files.length, openMax));
  const access = filesOf(hostId);
  const twinsAt = (file: ListedSstable): TwinFile[] => {
    const at = files.indexOf(file);
    const its = others.map((other) => ({
      ...{ address: other.address, file: other.files[at] as ListedSstable },
      access: filesOf(other.hostId),
    }));
    return [{ address, file, access }, ...its];
  };
  const options = { signal, clusteringCount: schema.clustering.length };
  const merged = (some: readonly FileInput[]): BlockStream => {
    const streams = some.map(({ file, first }) => {
      const reading = { partitioner, range, bufferBytes, first };
      const records = fileBlocks(twinsAt(file), reading, signal);
      const blocks = ownedBlocks(records, { ring, replication, hostId }, space, signal);
      return first ? { from: first, blocks } : blocks;
    });
    return mergeBlocks(streams, options);
  };
  const inputs = await new FileExtents(partitioner, () => access).inputs(files, limits, signal);
  yield* mergeStaged(inputs, { openMax, spill, merged, ...options });
}

function limitsOf({ memoryBytesMax, replicas }: FrozenRead, { files }: FrozenReplica): OpenLimits {
  return openLimits(Math.floor(memoryBytesMax / replicas.length), files.length);
}

interface FileReading {
  readonly partitioner: Partitioner;
  readonly range: KeyRange;
  readonly bufferBytes: number;
  readonly first: Uint8Array | undefined;
}

async function* fileBlocks(
  twins: readonly TwinFile[],
  { partitioner, range, bufferBytes, first }: FileReading,
  signal: AbortSignal,
): BlockStream {
  await using files = await openTwins(twins);
  const sstable = await openSstable(files, partitioner);
  const records = sstable.records(range, signal, { bufferBytes });
  yield* first ? notBefore(records, first, files) : records;
}

/** What lives, and with kept deletions those that no compaction may have dropped. */
function formAt(
  merged: BlockStream,
  schema: TableSchema,
  { nowMs, deletionsSinceMs: sinceMs }: FrozenMoment,
): BlockStream {
  return sinceMs === undefined
    ? liveAt(merged, schema, nowMs)
    : keptAt(dropColumns(merged, schema), schema, { nowMs, sinceMs });
}
