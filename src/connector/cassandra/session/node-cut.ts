// One node's part in a cut: links on, flush, snapshot, listing. Whatever fails here makes the node a missing
// replica of this cut, with a reason; it never makes the cut wrong.
import { join } from 'node:path';
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { chooseFiles } from './choose-files.ts';
import { type FileProof, readProof } from './commit-log-intervals.ts';
import type { NodeControl } from './control.ts';
import type { CqlSession } from './cql.ts';
import { type HostState, isSameTruncation, type KnownTable } from './cut-state.ts';
import { refuseMissingFiles, refuseOtherDirectories } from './data-directories.ts';
import { giveUpLinks, type LinkLimit } from './link-limit.ts';
import { type ClaimedLinks, claimLinks, type LinksClaim, otherLinks } from './links-claim.ts';
import { markDoubt, markLinks, readDoubt } from './links-owner.ts';
import {
  identityOf,
  type ListedSstable,
  type Listing,
  listSnapshotTags,
  listSstables,
  listTableFolders,
  type NodeData,
  readComponent,
  type TableFolder,
} from './node-files.ts';
import { type Owned, ownsMore } from './ownership.ts';
import { probeFiles } from './probe-files.ts';
import type { RingNode } from './replica-placement.ts';
import { nodeAt, type Ring } from './ring.ts';
import { type NodeMarks, readNodeMarks } from './truncation.ts';

const marksTries = 8;
const marksPauseMs = 1_000;

export interface CutNode extends NodeData {
  /** As configured. */
  readonly address: string;
  readonly control: NodeControl;
  /** What the server calls a path → what it is for who sees it; absent: the same. */
  readonly ourPath?: (path: string) => string;
  /** The way back. */
  readonly serverPath?: (path: string) => string;
}

/** What a node's part needs to know of the cut. */
export interface NodeTask {
  readonly cql: CqlSession;
  readonly ring: Ring;
  readonly tables: readonly TableSchema[];
  readonly tag: string;
  readonly claim: LinksClaim;
  readonly known: (hostId: string) => HostState | undefined;
  readonly linkLimit: LinkLimit;
  /** By host id, what each owns of the keyspaces in scope. */
  readonly ownership: ReadonlyMap<string, Owned>;
  /** Keyspaces that write the commit log, and since when: spans prove nothing of files of others. */
  readonly durableAt: ReadonlyMap<string, number>;
  readonly flushMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface PreparedNode {
  readonly node: CutNode;
  readonly hostId: string;
  readonly nativeAddress: string;
  readonly marks: NodeMarks;
  /** Why links may lack something since the cut before; undefined: the switch was on already. */
  readonly doubt: string | undefined;
  readonly streamedBytes: number | undefined;
  readonly folders: readonly TableFolder[];
  /** By table id: links that were there before the snapshot, which holds all that counts where a table begins. */
  readonly subsumed: ReadonlyMap<string, ReadonlySet<string>>;
  /** Paths without a component's name of links that were not whole then. */
  readonly partial: ReadonlySet<string>;
}

/** Proves who the node is, clears what an earlier cut left, turns links on. */
export async function prepareNode(task: NodeTask, node: CutNode): Promise<PreparedNode> {
  const { ring, signal, tables } = task;
  const { control, address } = node;
  const identity = await control.identity({ signal });
  const member = nodeAt(ring, address);
  if (!member || member.hostId !== identity.hostId) {
    const message = member
      ? `${address} is host ${member.hostId} in the ring, its control answers for ${identity.hostId}`
      : `${address} is not a member of cluster ${ring.clusterName}`;
    throw new CodrError('source-unfit', message, { object: address });
  }
  if (identity.operationMode !== 'NORMAL') {
    const message = `${address} is in mode ${identity.operationMode}, not NORMAL`;
    throw new CodrError('source-unreachable', message, { object: address });
  }
  const { hostId, nativeAddress } = member;
  await refuseOtherDirectories(node, { cql: task.cql, host: nativeAddress, signal });
  const marks = await marksOf(task, member);
  const links = await claimLinks(node, task.claim, { signal });
  // Links that could not be removed would fill the disk: none are made then.
  for (const directory of node.dataDirectories) {
    const message = await probeFiles(node.files, directory, signal);
    if (message)
      throw new CodrError('source-rights', `${address}: ${message}`, { object: address });
  }
  const folders = await listTableFolders(node);
  const wanted = new Set(tables.map(({ id }) => id));
  const own = folders.filter(({ tableId }) => wanted.has(tableId));
  const prefix = tagPrefixOf(task.claim.owner);
  const stale = await Promise.all(own.map((folder) => listSnapshotTags(folder, prefix)));
  for (const tag of new Set(stale.flat())) await control.clearSnapshot(tag, { signal });
  const doubt = await switchLinksOn(task, node, hostId, links);
  const streamedBytes = await control.streamedBytes({ signal });
  const subsumed = new Map<string, Set<string>>();
  const partial = new Set<string>();
  for (const folder of own) {
    const { complete, partial: some } = await listSstables(hostId, folder, 'backups');
    const before = subsumed.get(folder.tableId) ?? new Set();
    subsumed.set(folder.tableId, before.union(new Set(complete.map(identityOf))));
    for (const name of some) partial.add(join(folder.folder, name));
  }
  return { node, hostId, nativeAddress, marks, doubt, streamedBytes, folders, subsumed, partial };
}

/** Gives up what is past the limit. Returns why links may lack something; a cut that fails forgets nothing. */
async function switchLinksOn(
  { claim: { owner }, known, linkLimit, signal }: NodeTask,
  node: CutNode,
  hostId: string,
  { areOn, takenFrom }: ClaimedLinks,
): Promise<string | undefined> {
  const { control, address } = node;
  const given = await giveUpLinks(node, linkLimit, signal);
  const stayed = areOn && given === undefined && takenFrom === undefined;
  if (stayed) return await readDoubt(node);
  const wasOurs = known(hostId) !== undefined || given !== undefined;
  const reason = takenFrom ?? 'links were off';
  const doubt = wasOurs ? await markDoubt(node, reason) : undefined;
  const other = await markLinks(node, owner, { takeOver: takenFrom !== undefined });
  if (other) throw otherLinks(address, other);
  await control.setIncrementalBackups(true, { signal });
  return doubt;
}

/** The driver may still hold a node for down that has just come back; its control has answered already. */
async function marksOf({ cql, clock, signal }: NodeTask, member: RingNode): Promise<NodeMarks> {
  for (let left = marksTries; ; left--) {
    try {
      return await readNodeMarks(cql, member, signal);
    } catch (error) {
      if (left <= 1 || !isCodrError(error, 'source-unreachable')) throw error;
      await clock.sleep(marksPauseMs, signal);
    }
  }
}

/** Snapshots that begin so are a source's own, and removed by it when they are left over. */
export function tagPrefixOf(owner: string): string {
  return `codr-cut-${owner}-`;
}

/** Each node has its own: the snapshot of another is none of its. */
export function tagOf({ tag }: Pick<NodeTask, 'tag'>, hostId: string): string {
  return `${tag}-${hostId}`;
}

/** Flushes and takes the snapshot. A flush that does not end by its deadline is a missing replica. */
export async function snapshotNode(task: NodeTask, { node, hostId }: PreparedNode): Promise<void> {
  const { tables, signal, clock } = task;
  if (tables.length === 0) return;
  const until = clock.monotonic() + task.flushMs;
  const byKeyspace = Map.groupBy(tables, ({ keyspace }) => keyspace);
  for (const [keyspace, some] of byKeyspace) {
    const deadlineMs = Math.max(1, Math.floor(until - clock.monotonic()));
    const names = some.map(({ table }) => table);
    await node.control.flush(keyspace, names, { signal, deadlineMs });
  }
  const names = tables.map(({ keyspace, table }) => `${keyspace}.${table}`);
  await node.control.takeSnapshot(tagOf(task, hostId), names, { skipFlush: true }, { signal });
}

/** What one node gives to a cut. */
export interface NodeFiles {
  readonly hostId: string;
  readonly state: Omit<HostState, 'cut'>;
  /** By table id. */
  readonly read: ReadonlyMap<string, readonly ListedSstable[]>;
  readonly coveredCount: number;
  /** Keyspaces of which it owns more than when it was captured last, or may: its live files were read again. */
  readonly grown: readonly string[];
  /** Ids of tables of which something was flushed without a link, though nobody knows how. */
  readonly unlinked: readonly string[];
  /** Ids of tables of which a file that was never read is live no more. */
  readonly lost: readonly string[];
  /** Names of links to remove once the cut is durable, by folder of the table. */
  readonly spent: readonly { readonly folder: TableFolder; readonly names: ReadonlySet<string> }[];
}

export interface NodeHistory {
  /** Tables truncated since the last cut. */
  readonly truncated: ReadonlyMap<string, number>;
  /** Tables of which no links are made. */
  readonly withoutLinks: ReadonlySet<string>;
  /** By id, tables of which nothing that was captured before counts. */
  readonly anew: ReadonlyMap<string, string>;
  /** Of {@link linksDoubt}. */
  readonly doubt: string | undefined;
  readonly after: NodeMarks;
}

/** Why links of the time since the cut before may lack something; undefined: they were made all the time. */
export async function linksDoubt(
  { known, signal }: NodeTask,
  { node, hostId, marks, doubt }: PreparedNode,
  after: NodeMarks,
): Promise<string | undefined> {
  if (doubt !== undefined) return doubt;
  if (known(hostId) && known(hostId)?.runId !== marks.runId) return 'the server was restarted';
  if (after.runId !== marks.runId) return 'the server was restarted during the cut';
  const isOn = await node.control.incrementalBackups({ signal });
  return isOn ? undefined : 'links were switched off during the cut';
}

/** Lists after the snapshot and decides what is read. */
export async function listNode(
  task: NodeTask,
  prepared: PreparedNode,
  { truncated, withoutLinks, anew, doubt, after }: NodeHistory,
): Promise<NodeFiles> {
  const { node, hostId } = prepared;
  const [known, tag] = [task.known(hostId), tagOf(task, hostId)];
  const owned = task.ownership.get(hostId) ?? [];
  const grew = new Map<string, boolean>();
  const proven = doubt === undefined && (await isUnstreamed(task, prepared, known));
  // Folders of a table made since the preparation would be missing from that listing.
  const folders = Map.groupBy(await listTableFolders(node), ({ tableId }) => tableId);
  const read = new Map<string, readonly ListedSstable[]>();
  const states: Record<string, KnownTable> = {};
  const spent: SeenLinks[] = [];
  const [unlinked, lost]: [string[], string[]] = [[], []];
  let coveredCount = 0;
  for (const table of task.tables) {
    const { id, keyspace } = table;
    const live: ListedSstable[] = [];
    const links: ListedSstable[] = [];
    const own = folders.get(id) ?? [];
    for (const folder of own) {
      const shot = await listSstables(hostId, folder, `snapshots/${tag}`, { final: true });
      const { complete, partial } = await listSstables(hostId, folder, 'backups');
      live.push(...shot.complete);
      links.push(...steady(complete, shot));
      const names = new Set([...complete.map(({ name }) => name), ...partial]);
      const isShot = new Set(shot.complete.map(({ name }) => name));
      const stale = partial.filter(
        (name) => prepared.partial.has(join(folder.folder, name)) && !isShot.has(name),
      );
      spent.push({ folder, names, stale });
    }
    await refuseMissingFiles(node.address, table, { folders: own, tag, found: live });
    const isKnown = known?.tables[id] !== undefined && !anew.has(id);
    const truncation = after.truncations.get(id);
    // A host that was away has its own files from before, whoever told of the truncate meanwhile.
    const isCut = truncated.has(id) || !isSameTruncation(known?.truncations[id], truncation);
    const counts = isKnown && !isCut;
    const rereads = counts && (grew.get(keyspace) ?? ownsMore(known.owned, owned, keyspace));
    if (counts) grew.set(keyspace, rereads);
    const durableAt = task.durableAt.get(keyspace);
    const isDurable = durableAt !== undefined && durableAt === known?.tables[id]?.durableAt;
    const early = prepared.subsumed.get(id) ?? new Set<string>();
    const chosen = await chooseFiles({
      ...{ live, links, rereads },
      known: counts ? known.tables[id] : undefined,
      subsumed: isKnown ? new Set() : early,
      early,
      proven: proven && counts && !withoutLinks.has(id) && isDurable,
      truncation: isCut ? truncation : undefined,
      proofOf: (file) => proofOf(file, node.files),
    });
    if (chosen.isUnlinked) unlinked.push(id);
    if (counts && hasLostUnread(known.tables[id], live)) lost.push(id);
    read.set(id, chosen.read);
    states[id] = { ...chosen.next, ...(durableAt !== undefined && { durableAt }) };
    coveredCount += chosen.covered;
  }
  return {
    hostId,
    read,
    coveredCount,
    grown: [...grew.keys()].filter((keyspace) => grew.get(keyspace)),
    ...{ unlinked, lost },
    spent: onlyKnown(spent, states),
    state: { ...stateOf(prepared, states), owned },
  };
}

/** What such a file deletes may be purged, whenever it was deleted. */
function hasLostUnread(known: KnownTable | undefined, live: readonly ListedSstable[]): boolean {
  // One that is mended has another size or digest, and its name.
  const there = new Set(live.map(({ name }) => name));
  return known?.unread?.some((name) => !there.has(name)) ?? false;
}

/** Links by their copies in our snapshot where it has them whole: others, too, may remove a link. */
function steady(links: readonly ListedSstable[], shot: Listing): ListedSstable[] {
  const whole = shot.complete.filter(({ name }) => !shot.partial.includes(name));
  const copies = new Map(whole.map((file) => [identityOf(file), file]));
  return links.map((link) => copies.get(identityOf(link)) ?? link);
}

/** A file whose statistics are not there proves nothing, so it is read, and found to be damaged. */
async function proofOf(file: ListedSstable, files: FileAccess): Promise<FileProof | undefined> {
  try {
    const statistics = await readComponent(file, 'Statistics.db', files);
    return readProof(file.version, statistics, file.hostId);
  } catch (error) {
    if (isCodrError(error, 'source-unreachable')) return undefined;
    throw error;
  }
}

/** No stream came in since the cut before, as far as the control can tell. */
async function isUnstreamed(
  { signal }: NodeTask,
  { node }: PreparedNode,
  known: HostState | undefined,
): Promise<boolean> {
  if (known?.streamedBytes === undefined) return false;
  return (await node.control.streamedBytes({ signal })) === known.streamedBytes;
}

/** Links of a table's folder. */
interface SeenLinks {
  readonly folder: TableFolder;
  readonly names: ReadonlySet<string>;
  /** Not whole before the snapshot, nor now, and of files that are no longer live: a server died while it made them. */
  readonly stale: readonly string[];
}

/**
 * A set of links that is not whole goes if its file was read otherwise, or was compacted: then its rows are in a live
 * file, which is read, since the span of a set that was not whole counts as captured nowhere. Else it is being made.
 */
function onlyKnown(
  spent: readonly SeenLinks[],
  states: Readonly<Record<string, KnownTable>>,
): NodeFiles['spent'] {
  return spent.map(({ folder, names, stale }) => {
    const files = states[folder.tableId]?.files ?? [];
    const captured = new Set(files.map((identity) => identity.split(':')[0] as string));
    return { folder, names: names.intersection(captured).union(new Set(stale)) };
  });
}

function stateOf(
  { node, marks, streamedBytes }: PreparedNode,
  tables: Record<string, KnownTable>,
): Omit<HostState, 'cut'> {
  const truncations = Object.fromEntries(
    [...marks.truncations].filter(([tableId]) => tables[tableId]),
  );
  return {
    address: node.address,
    runId: marks.runId,
    ...(streamedBytes !== undefined && { streamedBytes }),
    truncations,
    tables,
  };
}
