// The state of a lineage: everything its entries have said, as keyed values. A key is `kind/rest`;
// values are JSON. Values stay text until somebody asks, so 100,000 datasets cost their text.
import type { PackId } from '../../model/id.ts';
import type { StateChange } from './entry-codec.ts';

/** Read access to a state; `list` gives ascending keys. */
export interface StateView {
  get<T>(key: string): T | undefined;
  list<T>(kind: string): [rest: string, value: T][];
  /** Those that begin with `prefix`. */
  keys(kind: string, prefix?: string): readonly string[];
  /** The number of a pack in this lineage. */
  ordinalOf(pack: PackId): number | undefined;
  /** Every `packs` field of every value, as text. */
  packFields(): Iterable<string>;
  /** The lists (`condemned/<collection>`) in which a pack stands: it must not be relied on. */
  condemnedBy(pack: PackId): readonly string[];
}

const nobody: readonly string[] = [];

export class LineageState implements StateView {
  readonly #kinds = new Map<string, Map<string, string>>();
  readonly #ordinals = new Map<PackId, number>();
  /** Sorted keys of a kind, until a key comes or goes. */
  readonly #sorted = new Map<string, readonly string[]>();
  readonly #condemnedBy = new Map<PackId, readonly string[]>();

  get<T>(key: string): T | undefined {
    const [kind, rest] = splitKey(key);
    const text = this.#kinds.get(kind)?.get(rest);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  list<T>(kind: string): [string, T][] {
    const values = this.#kinds.get(kind);
    if (!values) return [];
    return this.keys(kind).map((rest) => [rest, JSON.parse(values.get(rest) as string) as T]);
  }

  keys(kind: string, prefix = ''): readonly string[] {
    const all = this.#sorted.get(kind) ?? [...(this.#kinds.get(kind)?.keys() ?? [])].sort();
    this.#sorted.set(kind, all);
    if (prefix === '') return all;
    const first = firstAtLeast(all, prefix);
    let end = first;
    while (all[end]?.startsWith(prefix)) end++;
    return all.slice(first, end);
  }

  apply(changes: readonly StateChange[]): void {
    for (const [key, value] of changes) {
      if (value === null) this.#delete(key);
      else this.setText(key, JSON.stringify(value));
    }
  }

  setText(key: string, text: string): void {
    const [kind, rest] = splitKey(key);
    const values = this.#kinds.get(kind) ?? new Map<string, string>();
    this.#kinds.set(kind, values);
    const before = kind === 'condemned' ? values.get(rest) : undefined;
    const { size } = values;
    values.set(rest, text);
    if (values.size !== size) this.#sorted.delete(kind);
    if (kind === 'pack') this.#ordinals.set(packOf(text), Number(rest));
    if (kind === 'condemned') this.#condemn(rest, before, text);
  }

  ordinalOf(pack: PackId): number | undefined {
    return this.#ordinals.get(pack);
  }

  condemnedBy(pack: PackId): readonly string[] {
    return this.#condemnedBy.get(pack) ?? nobody;
  }

  *packFields(): Iterable<string> {
    for (const [kind, values] of this.#kinds) {
      if (kind === 'pack') continue;
      for (const text of values.values()) {
        if (!text.includes('"packs":"')) continue;
        const { packs } = JSON.parse(text) as { packs?: unknown };
        if (typeof packs === 'string') yield packs;
      }
    }
  }

  /** Every key with its JSON text, ascending. Keys are ASCII, so this is the order of their bytes too. */
  texts(): [key: string, text: string][] {
    const all: [string, string][] = [];
    for (const [kind, values] of this.#kinds) {
      for (const [rest, text] of values) all.push([`${kind}/${rest}`, text]);
    }
    return all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Kept by pack, so that a commit need not read lists that may name every pack ever deleted. */
  #condemn(list: string, before: string | undefined, after: string | undefined): void {
    for (const pack of before === undefined ? [] : packsOf(before)) {
      const left = this.condemnedBy(pack).filter((one) => one !== list);
      if (left.length === 0) this.#condemnedBy.delete(pack);
      else this.#condemnedBy.set(pack, left);
    }
    for (const pack of after === undefined ? [] : packsOf(after)) {
      this.#condemnedBy.set(pack, [...this.condemnedBy(pack), list]);
    }
  }

  #delete(key: string): void {
    const [kind, rest] = splitKey(key);
    const values = this.#kinds.get(kind);
    const text = values?.get(rest);
    if (kind === 'pack' && text !== undefined) this.#ordinals.delete(packOf(text));
    if (kind === 'condemned') this.#condemn(rest, text, undefined);
    if (values?.delete(rest)) this.#sorted.delete(kind);
  }
}

function firstAtLeast(sorted: readonly string[], wanted: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as string) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function packOf(text: string): PackId {
  return (JSON.parse(text) as { id: PackId }).id;
}

function packsOf(text: string): readonly PackId[] {
  return (JSON.parse(text) as { packs: readonly PackId[] }).packs;
}

export function splitKey(key: string): [kind: string, rest: string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}
