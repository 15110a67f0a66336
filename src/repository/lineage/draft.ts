// An entry in the making: a state that reads like the one it will follow, with this entry's own changes
// on top. A builder writes into it and may read back what it wrote.
import type { PackId } from '../../model/id.ts';
import type { StateChange } from './entry-codec.ts';
import type { PackRecord } from './pack-table.ts';
import { type StateView, splitKey } from './state.ts';

export class Draft implements StateView {
  /** The number that the entry will have. */
  readonly seq: number;
  readonly #base: StateView;
  readonly #changed = new Map<string, unknown>();
  /** Ordinals of packs that this entry uses first. */
  readonly #packs = new Map<PackId, number>();
  readonly #attachments: Uint8Array[] = [];
  #attachedBytes = 0;

  constructor(base: StateView, seq: number) {
    this.#base = base;
    this.seq = seq;
  }

  get changes(): readonly StateChange[] {
    return [...this.#changed];
  }

  get attachments(): readonly Uint8Array[] {
    return this.#attachments;
  }

  /** Null removes the key. */
  set(key: string, value: unknown): void {
    this.#changed.set(key, value);
    const [kind, rest] = splitKey(key);
    if (kind === 'pack' && value) this.#packs.set((value as PackRecord).id, Number(rest));
  }

  /** Puts bytes into the entry beside its changes; returns their offset. */
  attach(bytes: Uint8Array): number {
    const offset = this.#attachedBytes;
    this.#attachments.push(bytes);
    this.#attachedBytes += bytes.length;
    return offset;
  }

  get<T>(key: string): T | undefined {
    if (!this.#changed.has(key)) return this.#base.get<T>(key);
    return (this.#changed.get(key) ?? undefined) as T | undefined;
  }

  list<T>(kind: string): [rest: string, value: T][] {
    return this.keys(kind).map((rest) => [rest, this.get<T>(`${kind}/${rest}`) as T]);
  }

  keys(kind: string, prefix = ''): readonly string[] {
    const start = `${kind}/${prefix}`;
    const touched = [...this.#changed].filter(([key]) => key.startsWith(start));
    const base = this.#base.keys(kind, prefix);
    if (touched.length === 0) return base;
    const all = new Set(base);
    for (const [key, value] of touched) {
      const [, rest] = splitKey(key);
      if (value === null) all.delete(rest);
      else all.add(rest);
    }
    return [...all].sort();
  }

  ordinalOf(pack: PackId): number | undefined {
    return this.#base.ordinalOf(pack) ?? this.#packs.get(pack);
  }

  packFields(): Iterable<string> {
    return this.#base.packFields();
  }

  condemnedBy(pack: PackId): readonly string[] {
    const base = this.#base.condemnedBy(pack);
    const changed = [...this.#changed].filter(([key]) => key.startsWith('condemned/'));
    if (changed.length === 0) return base;
    const lists = base.filter((list) => !this.#changed.has(`condemned/${list}`));
    for (const [key, value] of changed) {
      const { packs = [] } = (value ?? {}) as { packs?: readonly PackId[] };
      if (packs.includes(pack)) lists.push(splitKey(key)[1]);
    }
    return lists;
  }
}
