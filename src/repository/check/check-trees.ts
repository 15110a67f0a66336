// Base copies, and what cuts added to them: every node of their trees readable, every leaf and chunk in a pack
// that the base copy or the addition holds.
import { fromHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { leafId, type PackId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { PackSet } from '../lineage/pack-set.ts';
import { packRecords } from '../lineage/pack-table.ts';
import type { BaseRecord, DeltaRecord, TreeRecord } from '../lineage/records.ts';
import type { StateView } from '../lineage/state.ts';
import { type PackRef, packName } from '../pack/pack-format.ts';
import type { Repository } from '../repository.ts';
import { type WalkedBlob, walkTree } from '../tree/tree-walk.ts';
import type { SourceWords } from './describe.ts';
import type { PackLoss } from './look-at-packs.ts';
import { type FoundLosses, isLoss } from './losses.ts';
import type { Problems } from './problems.ts';

export interface ContentContext {
  readonly repository: Repository;
  readonly losses: ReadonlyMap<PackId, PackLoss>;
  readonly problems: Problems;
  /** What to do about something that is lost. */
  readonly remedy: string;
  readonly found: FoundLosses;
  readonly signal: AbortSignal;
}

/** A tree and the packs that hold it. */
interface StoredTree {
  readonly tree: TreeRecord;
  readonly packs: string;
}

const kindWords = { leaf: 'leaves', node: 'nodes', chunk: 'chunks' } as const;

/** Checks each different tree of a source once, as long as it is whole. */
export async function checkTrees(
  context: ContentContext,
  state: StateView,
  words: SourceWords,
): Promise<void> {
  const known = new Map<string, boolean>();
  const isHurt = async ({ tree, packs }: StoredTree, what: string): Promise<boolean> => {
    const name = `${tree.root}/${packs}`;
    if (known.get(name) === false) return false;
    // One that is hurt is looked at again, so that all that stands on it is named.
    const hurt = await new TreeCheck(context, state, { tree, packs }, { words, what }).run();
    known.set(name, hurt);
    return hurt;
  };
  for (const [rest, { tree, packs, exactFrom }] of state.list<BaseRecord>('base')) {
    if (!tree) continue;
    const what = `${nameIn(rest, words)} from ${words.time(exactFrom)} on`;
    if (await isHurt({ tree, packs }, what)) context.found.bases.add(rest);
  }
  for (const [rest, delta] of state.list<DeltaRecord>('delta')) {
    if (await isHurt(delta, deltaText(rest, delta, words))) context.found.deltas.add(rest);
  }
}

function nameIn(rest: string, words: SourceWords): string {
  return `${words.name}: ${words.dataset(rest.slice(0, rest.indexOf('/')))}`;
}

/** The key ends in `<to>.<after>`. */
function deltaText(rest: string, { after, tier = 0 }: DeltaRecord, words: SourceWords): string {
  const to = words.time(rest.slice(rest.lastIndexOf('/') + 1).split('.')[0] ?? '');
  const name = nameIn(rest, words);
  if (tier === 0) return `${name}, what the cut of ${to} added`;
  return `${name}, what the cuts after ${words.time(after)} up to ${to} added, merged`;
}

class TreeCheck {
  readonly #context: ContentContext;
  readonly #stored: StoredTree;
  readonly #held: ReadonlySet<PackId>;
  readonly #words: SourceWords;
  readonly #what: string;
  #isHurt = false;

  constructor(
    context: ContentContext,
    state: StateView,
    stored: StoredTree,
    { words, what }: { readonly words: SourceWords; readonly what: string },
  ) {
    this.#context = context;
    this.#stored = stored;
    this.#held = new Set(packRecords(state, PackSet.parse(stored.packs)).map(({ id }) => id));
    this.#words = words;
    this.#what = what;
  }

  /** True when something of the tree is lost. */
  async run(): Promise<boolean> {
    const { repository, problems, signal } = this.#context;
    const { root, height, records, bytes, parameters } = this.#stored.tree;
    const tree = { id: leafId(fromHex(root)), height, records, bytes, cut: parameters };
    try {
      for await (const blobs of walkTree(repository.source, tree, { chunks: true, signal })) {
        await this.#checkBlobs(blobs);
      }
      return this.#isHurt;
    } catch (error) {
      if (!isLoss(error) && !isCodrError(error, 'format-unknown')) throw error;
      // The index is made again from packs: nothing is lost with it, and without it nothing can be said of the tree.
      if (error.object?.startsWith('index/')) throw error;
      const affected = `${this.#what}: keys below a node that cannot be read`;
      const object = packObject(error.object);
      if (object !== undefined && problems.hurt(object, affected)) return isLoss(error);
      problems.add({
        object: object ?? `tree ${root}`,
        problem: error.message,
        affected: [affected],
        remedy: this.#context.remedy,
      });
      return isLoss(error);
    }
  }

  /** A blob is safe when some pack that is held for the tree has a whole copy of it. */
  async #checkBlobs(blobs: readonly WalkedBlob[]): Promise<void> {
    const { repository, losses, signal } = this.#context;
    const ids = blobs.map(({ id }) => id);
    const isWhole = ({ id }: PackRef): boolean =>
      this.#held.has(id) && !losses.get(id)?.whole && !losses.get(id)?.leaves.size;
    const whole = await repository.index.lookup(ids, isWhole, signal);
    const rest = blobs.filter((_, i) => !whole[i]);
    if (rest.length === 0) return;
    const left = rest.map(({ id }) => id);
    // A backup beside the check may have stored them since the index was read.
    await repository.index.refresh();
    const partly = await repository.index.lookup(left, ({ id }) => this.#held.has(id), signal);
    for (const [i, at] of partly.entries()) {
      const blob = rest[i] as WalkedBlob;
      const loss = at && losses.get(at.pack.id);
      if (at && !loss?.whole && !loss?.leaves.has(at.leaf)) continue;
      this.#lost(blob, at?.pack);
    }
  }

  #lost({ kind, range }: WalkedBlob, pack: PackRef | undefined): void {
    const { problems, remedy } = this.#context;
    this.#isHurt = true;
    const affected = `${this.#what}: ${this.#rangeText(range)}`;
    if (pack && problems.hurt(packName(pack), affected)) return;
    problems.add({
      object: `tree ${this.#stored.tree.root}`,
      // Of all of them one: there may be as many as records.
      problem: `some of its ${kindWords[kind]} are in no pack that is held for it`,
      affected: [affected],
      remedy,
    });
  }

  #rangeText({ from, to }: KeyRange): string {
    const start = from && from.length > 0 ? `from ${this.#words.key(from)}` : 'from the first key';
    return `${start} ${to ? `to before ${this.#words.key(to)}` : 'to the last key'}`;
  }
}

function packObject(name: string | undefined): string | undefined {
  return name?.startsWith('packs/') ? name : undefined;
}
