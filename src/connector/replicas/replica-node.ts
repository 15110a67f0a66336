// One server of a simulated cluster: what it has in memory, its files, and the links that it makes of each file
// that it flushes or is sent while they are switched on. Stopping it loses nothing of what it had in memory.
import type { DatasetId } from '../../model/id.ts';
import { tokenOf } from './replica-record.ts';
import type { Write } from './replica-write.ts';

/** Never changes but by damage; who holds it can read it, also when the server has removed it. */
export interface HeldFile {
  /** Unique in the cluster. */
  readonly id: string;
  readonly writes: ReadonlySet<Write>;
  /** How often its table had been emptied when it was written. */
  readonly truncation: number;
  isDamaged: boolean;
}

export interface TableFiles {
  memtable: Set<Write>;
  live: HeldFile[];
  links: HeldFile[];
  /** How often it was emptied. */
  truncation: number;
}

export class ReplicaNode {
  readonly hostId: string;
  /** Where it stands on the ring. */
  readonly token: number;
  isUp = true;
  /** Flushes do not end. */
  isWedged = false;
  linksOn = false;
  /** Changes with every start. */
  runId = 1;
  /** Says that it took what it was sent, and took nothing. */
  takesNothing = false;
  readonly #tables = new Map<DatasetId, TableFiles>();
  #files = 0;

  constructor(hostId: string, token: number) {
    this.hostId = hostId;
    this.token = token;
  }

  table(dataset: DatasetId): TableFiles {
    const known = this.#tables.get(dataset);
    if (known) return known;
    const table = { memtable: new Set<Write>(), live: [], links: [], truncation: 0 };
    this.#tables.set(dataset, table);
    return table;
  }

  /** All that it answers a read with. */
  holds(dataset: DatasetId): Set<Write> {
    const { memtable, live } = this.table(dataset);
    return new Set([...memtable, ...live.flatMap(({ writes }) => [...writes])]);
  }

  flush(dataset: DatasetId): void {
    const table = this.table(dataset);
    if (table.memtable.size > 0) this.addFile(dataset, table.memtable);
    table.memtable = new Set();
  }

  /** As a flush or a stream makes it: with a link where links are on. */
  addFile(dataset: DatasetId, writes: ReadonlySet<Write>): void {
    const table = this.table(dataset);
    const file = this.#file(table, writes);
    table.live.push(file);
    if (this.linksOn) table.links.push(file);
  }

  /** Makes one file of all; deletions written before `purgeSeconds` go with what they shadow. */
  compact(dataset: DatasetId, purgeSeconds: number): boolean {
    const table = this.table(dataset);
    if (table.live.some(({ isDamaged }) => isDamaged)) return false;
    const all = new Set(table.live.flatMap(({ writes }) => [...writes]));
    const kept = purged(all, purgeSeconds, table.memtable);
    table.live = kept.size > 0 ? [this.#file(table, kept)] : [];
    return kept.size < all.size;
  }

  truncate(dataset: DatasetId): void {
    const table = this.table(dataset);
    table.memtable = new Set();
    table.live = [];
    table.truncation++;
  }

  forget(dataset: DatasetId): void {
    this.#tables.delete(dataset);
  }

  /** Its configuration says that links are off. */
  start(): void {
    this.isUp = true;
    this.isWedged = false;
    this.linksOn = false;
    this.runId++;
  }

  #file({ truncation }: TableFiles, writes: ReadonlySet<Write>): HeldFile {
    const id = `${this.hostId}-${++this.#files}`;
    return { id, writes: new Set(writes), truncation, isDamaged: false };
  }
}

/**
 * Without old deletions and what they shadow. A partition that is still in memory keeps all it has: there may be
 * something older, which a deletion has yet to shadow.
 */
function purged(all: ReadonlySet<Write>, seconds: number, memory: Iterable<Write>): Set<Write> {
  const busy = new Set([...memory].map(({ partition }) => partition));
  const old = [...all].filter(({ change, partition, seconds: written }) => {
    if (busy.has(partition)) return false;
    if (change.kind === 'put') return change.expiry !== undefined && change.expiry < seconds;
    return written < seconds;
  });
  return new Set([...all].filter((write) => !old.some((one) => shadows(one, write))));
}

/** Also itself. */
function shadows(by: Write, write: Write): boolean {
  if (by === write) return true;
  if (by.partition !== write.partition || write.timestamp > by.timestamp) return false;
  const [{ change: a }, { change: b }] = [by, write];
  if (a.kind === 'put')
    return b.kind === 'put' && a.row === b.row && write.timestamp < by.timestamp;
  if (a.kind === 'delete partition') return true;
  if (b.kind !== 'put' && b.kind !== 'delete') return false;
  return a.kind === 'delete' ? a.row === b.row : a.from <= b.row && b.row < a.to;
}

/** In the order of the ring from the token on, so many. */
export function replicasAt(
  ring: readonly ReplicaNode[],
  token: number,
  count: number,
): ReplicaNode[] {
  const ordered = ring.toSorted((a, b) => a.token - b.token);
  const first = ordered.findIndex((node) => token <= node.token);
  const from = first < 0 ? 0 : first;
  return [...ordered.slice(from), ...ordered.slice(0, from)].slice(0, count);
}

/** Writes of partitions that a server owns. */
export function ownedWrites(writes: Iterable<Write>, owns: (token: number) => boolean): Set<Write> {
  return new Set([...writes].filter(({ partition }) => owns(tokenOf(partition))));
}
