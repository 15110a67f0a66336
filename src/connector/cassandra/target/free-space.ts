// Whether the files of a restore can fit on the nodes that get them, before anything is written. It refuses what is
// surely too much: how well data compresses is not known, so files are still looked at one by one as they begin.
import { CodrError } from '../../../base/error.ts';
import type { NodeData } from '../session/node-files.ts';
import { replicasOf } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { onTarget } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';
import type { PlannedTable } from './target-plan.ts';

/** Files have at least this share of the bytes of records, which hold their whole keys, or surely will not fit. */
const leastShare = { compressed: 0.25, raw: 0.5 } as const;
const mib = 1024 * 1024;

type SizedTable = Pick<PlannedTable, 'item' | 'body' | 'replication'>;

/** Bytes that each node surely needs, by host id. Tables of unknown size need none. */
export function neededBytes(
  tables: Iterable<SizedTable>,
  ring: Pick<Ring, 'nodes' | 'partitioner'>,
): Map<string, number> {
  const needed = new Map<string, number>();
  const partitioner = partitionerOf(ring);
  const whole = Number(partitioner.highest - partitioner.lowest);
  for (const { item, body, replication } of tables) {
    const isCompressed = body.schema.compression.class !== undefined;
    const bytes = (item.bytes ?? 0) * (isCompressed ? leastShare.compressed : leastShare.raw);
    if (bytes === 0) continue;
    for (const { from, to, replicas } of replicasOf(ring.nodes, replication, partitioner)) {
      const share = (Number(to - from) / whole) * bytes;
      for (const hostId of replicas) needed.set(hostId, (needed.get(hostId) ?? 0) + share);
    }
  }
  return needed;
}

/** Errors: `target-unfit`, which names the node, what it needs and what it has. */
export async function checkSpace(
  nodes: ReadonlyMap<string, Pick<TargetNode, 'address' | 'files' | 'dataDirectories'>>,
  needed: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [hostId, node] of nodes) {
    const { address } = node;
    const bytes = needed.get(hostId) ?? 0;
    const free = await onTarget(freeBytes(node));
    if (bytes <= free) continue;
    const [wanted, there] = [bytes, free].map((one) => Math.floor(one / mib));
    const message = `${address}: at least ${wanted} MiB are needed, ${there} MiB are free`;
    throw new CodrError('target-unfit', message, {
      object: address,
      remedy: 'free space there, or restore fewer tables at once',
    });
  }
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
