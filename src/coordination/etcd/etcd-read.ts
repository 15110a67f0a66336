// Reads of entries: through the majority, within the life of the store, a list page by page at one revision.
import type { IKeyValue } from 'etcd3';
import type { CoordinatorEntry, Guard, Outcome } from '../coordinator.ts';
import { isCompacted } from './etcd-error.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import { type EtcdLife, revisionOf } from './etcd-life.ts';
import type { EtcdLink } from './etcd-link.ts';
import { comparisonOf } from './etcd-transaction.ts';

/** Entries of a page: at most 32 MiB with values at their limit. */
const pageEntries = 512;

interface World {
  readonly life: EtcdLife;
  readonly keys: EtcdKeys;
  readonly kv: EtcdLink;
}

interface Page {
  readonly entries: CoordinatorEntry[];
  readonly revision: number;
  /** Where the next page begins. */
  readonly next: Buffer | undefined;
}

export async function readOne(
  { life, keys, kv }: World,
  key: string,
): Promise<CoordinatorEntry | undefined> {
  const range = { request_range: { key: keys.entry(key) } };
  const answer = await kv.call((channel) => life.transact(channel, { success: [range] }));
  const found = answer.responses[0]?.response_range.kvs[0];
  return found && entryOf(keys, found);
}

/** What a transaction without operations says: whether all guards hold. */
export async function readGuards(
  { life, keys, kv }: World,
  guards: readonly Guard[],
): Promise<Outcome> {
  const compare = guards.map((guard) => comparisonOf(keys, guard));
  const answer = await kv.call((channel) => life.transact(channel, { compare }));
  if (!answer.succeeded) return { done: false };
  return { done: true, revision: revisionOf(answer.header.revision) };
}

export async function readAll(world: World, prefix: string): Promise<CoordinatorEntry[]> {
  for (;;) {
    try {
      return await readPages(world, prefix);
    } catch (error) {
      // The revision of the first page is gone by now: begin again at a newer one.
      if (!isCompacted(error)) throw error;
    }
  }
}

async function readPages(world: World, prefix: string): Promise<CoordinatorEntry[]> {
  const { key, range_end } = world.keys.entries(prefix);
  const all: CoordinatorEntry[] = [];
  let page = await readPage(world, key, range_end, 0);
  const { revision } = page;
  for (;;) {
    all.push(...page.entries);
    if (!page.next) return all;
    page = await readPage(world, page.next, range_end, revision);
  }
}

/** `revision` 0: the newest. */
async function readPage(
  { life, keys, kv }: World,
  key: Buffer,
  end: Buffer,
  revision: number,
): Promise<Page> {
  const request_range = { key, range_end: end, limit: pageEntries, revision };
  const answer = await kv.call((channel) =>
    life.transact(channel, { success: [{ request_range }] }),
  );
  const { kvs = [], more } = answer.responses[0]?.response_range ?? {};
  const last = kvs.at(-1);
  return {
    entries: kvs.map((kv) => entryOf(keys, kv)),
    revision: revisionOf(answer.header.revision),
    next: more && last ? Buffer.concat([last.key, Buffer.of(0)]) : undefined,
  };
}

function entryOf(keys: EtcdKeys, found: IKeyValue): CoordinatorEntry {
  return {
    key: keys.nameOf(found.key),
    value: found.value.toString(),
    createRevision: revisionOf(found.create_revision),
    modifyRevision: revisionOf(found.mod_revision),
  };
}
