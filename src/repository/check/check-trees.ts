// Base copies: every node of their trees readable, every leaf and chunk in a pack that the base copy holds.
import { fromHex, toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { leafId, type PackId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { PackSet } from '../lineage/pack-set.ts';
import { packRecords } from '../lineage/pack-table.ts';
import type { BaseRecord } from '../lineage/records.ts';
import type { StateView } from '../lineage/state.ts';
import { type PackRef, packName } from '../pack/pack-format.ts';
import type { Repository } from '../repository.ts';
import { type WalkedBlob, walkTree } from '../tree/tree-walk.ts';
import type { PackLoss } from './check-packs.ts';
import type { SourceWords } from './describe.ts';
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

/** Checks each different tree of a source once. */
export async function checkTrees(
  context: ContentContext,
  state: StateView,
  words: SourceWords,
): Promise<void> {
  const isHurt = new Map<string, boolean>();
  for (const [rest, base] of state.list<BaseRecord>('base')) {
    const name = `${base.tree?.root}/${base.packs}`;
    if (!base.tree) continue;
    const dataset = rest.slice(0, rest.indexOf('/'));
    const what = `${words.name}: ${words.dataset(dataset)} from ${words.time(base.exactFrom)} on`;
    const hurt =
      isHurt.get(name) ?? (await new TreeCheck(context, state, base, { words, what }).run());
    isHurt.set(name, hurt);
    if (hurt) context.found.bases.add(rest);
  }
}

class TreeCheck {
  readonly #context: ContentContext;
  readonly #base: BaseRecord;
  readonly #held: ReadonlySet<PackId>;
  readonly #words: SourceWords;
  readonly #what: string;
  #isHurt = false;

  constructor(
    context: ContentContext,
    state: StateView,
    base: BaseRecord,
    { words, what }: { readonly words: SourceWords; readonly what: string },
  ) {
    this.#context = context;
    this.#base = base;
    this.#held = new Set(packRecords(state, PackSet.parse(base.packs)).map(({ id }) => id));
    this.#words = words;
    this.#what = what;
  }

  /** True when something of the tree is lost. */
  async run(): Promise<boolean> {
    const { repository, problems, signal } = this.#context;
    const { root, height, records, bytes, parameters } = this.#base.tree as NonNullable<
      BaseRecord['tree']
    >;
    const tree = { id: leafId(fromHex(root)), height, records, bytes, cut: parameters };
    try {
      for await (const blobs of walkTree(repository.source, tree, { chunks: true, signal })) {
        await this.#checkBlobs(blobs);
      }
      return this.#isHurt;
    } catch (error) {
      if (!isLoss(error) && !isCodrError(error, 'format-unknown')) throw error;
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

  /** A blob is safe when some pack that the base copy holds has a whole copy of it. */
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

  #lost({ kind, id, range }: WalkedBlob, pack: PackRef | undefined): void {
    const { problems, remedy } = this.#context;
    this.#isHurt = true;
    const affected = `${this.#what}: ${this.#rangeText(range)}`;
    if (pack && problems.hurt(packName(pack), affected)) return;
    problems.add({
      object: `tree ${this.#base.tree?.root}`,
      problem: `no pack of the base copy holds the ${kind} ${toHex(id)}`,
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
