// Reading files of servers, merged: by the cut that found them, or by whoever was told their names. Files that are
// gone from their servers can be read only by who holds them.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { DatasetId } from '../../model/id.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import type { CutPartReader } from '../cut-dataset.ts';
import type { ReplicaCluster } from './replica-cluster.ts';
import { mergeRecords } from './replica-merge.ts';
import { type HeldFile, ownedWrites } from './replica-node.ts';
import { recordsOf, type Write } from './replica-write.ts';

const batchRecords = 10;

/** What is read of one table on one server. */
export interface ReadFile {
  readonly hostId: string;
  readonly dataset: DatasetId;
  readonly file: HeldFile;
  /** Those of its writes that the server owns. */
  readonly writes: ReadonlySet<Write>;
}

/** Tokens: from, and the first behind. */
type OwnedRange = readonly [number, number];

export interface NamedFile {
  readonly hostId: string;
  readonly dataset: DatasetId;
  readonly id: string;
  readonly owned: readonly OwnedRange[];
}

/** What is read, as text. */
export interface ReplicaPart {
  readonly files: readonly NamedFile[];
  /** Base64. */
  readonly from?: string;
  readonly to?: string;
}

export function replicaPart(files: readonly NamedFile[], { from, to }: KeyRange): ReplicaPart {
  return { files, ...(from && { from: toBase64(from) }), ...(to && { to: toBase64(to) }) };
}

export function ownsToken(owned: readonly OwnedRange[]): (token: number) => boolean {
  return (token) => owned.some(([from, to]) => from <= token && token < to);
}

export function bytesOf(writes: Iterable<Write>): number {
  let bytes = 0;
  for (const { change } of writes) bytes += 20 + (change.kind === 'put' ? change.text.length : 0);
  return bytes;
}

/** Bytes by the peer that has them at hand; the same of every range, since servers hold about as much of each. */
export function nearOf(
  files: readonly ReadFile[],
  seenBy: ReadonlyMap<string, string>,
): ReadonlyMap<string, number> {
  const near = new Map<string, number>();
  for (const { hostId, writes } of files) {
    const peer = seenBy.get(hostId);
    if (peer !== undefined) near.set(peer, (near.get(peer) ?? 0) + bytesOf(writes));
  }
  return near;
}

/** `damaged` hears of a file that cannot be read, before the error. */
export async function* mergedFiles(
  files: readonly ReadFile[],
  range: KeyRange,
  damaged: (file: ReadFile) => void = () => {},
): RecordStream {
  let batch: DataRecord[] = [];
  for await (const record of mergeRecords(files.map((file) => fileRecords(file, damaged)))) {
    if (!rangeHolds(range, record.key)) continue;
    batch.push(record);
    if (batch.length < batchRecords) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** A file that turns out to be damaged has given its first half by then. */
async function* fileRecords(read: ReadFile, damaged: (file: ReadFile) => void): RecordStream {
  const records = recordsOf(read.writes);
  const half = records.length >> 1;
  if (half > 0) yield records.slice(0, half);
  if (read.file.isDamaged) {
    damaged(read);
    const message = `the file ${read.file.id} of ${read.hostId} is damaged`;
    throw new CodrError('file-damaged', message, { object: read.file.id });
  }
  if (half < records.length) yield records.slice(half);
}

export class ReplicaPartReader implements CutPartReader {
  readonly #find: () => ReplicaCluster | undefined;

  constructor(find: () => ReplicaCluster | undefined) {
    this.#find = find;
  }

  async *records(described: unknown): RecordStream {
    const { files, from, to } = described as ReplicaPart;
    const cluster = this.#find();
    if (!cluster) throw new CodrError('peer-lost', 'no cluster answers here');
    const range = { ...(from && { from: fromBase64(from) }), ...(to && { to: fromBase64(to) }) };
    const read = files.map((file) => found(cluster, file));
    for await (const batch of mergedFiles(read, range)) {
      yield batch;
      cluster.between('records are read');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function found({ nodes }: ReplicaCluster, { hostId, dataset, id, owned }: NamedFile): ReadFile {
  const { live = [], links = [] } =
    nodes.find((one) => one.hostId === hostId)?.table(dataset) ?? {};
  const file = [...live, ...links].find((one) => one.id === id);
  if (!file) throw new CodrError('peer-lost', `the file ${id} of ${hostId} is not there any more`);
  return { hostId, dataset, file, writes: ownedWrites(file.writes, ownsToken(owned)) };
}
