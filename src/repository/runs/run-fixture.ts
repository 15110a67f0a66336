// Changes and block stores for the tests of this room.
import type { Random } from '../../base/random.ts';
import {
  type Change,
  type ChangeKind,
  type ChangeStream,
  changeKinds,
} from '../../model/change.ts';
import { datasetId, packId, streamId } from '../../model/id.ts';
import type { BlockRef, BlockSink, BlockSource } from './run-ref.ts';

/** A change of dataset `d1`, stream `s1`, with what a test does not care about filled in. */
export function change(part: Partial<Change> & { readonly name?: string }): Change {
  const { name = 'a', ...rest } = part;
  const time = rest.time ?? 1n;
  return {
    dataset: datasetId('d1'),
    key: Buffer.from(name),
    time,
    stream: streamId('s1'),
    position: { time, term: 1n },
    index: 0,
    kind: changeKinds.put,
    value: Buffer.from('v'),
    ...rest,
  };
}

/** Any change at all: few keys and times, so that ties and copies are common. */
export function randomChange(random: Random): Change {
  const kind = (1 + random.below(4)) as ChangeKind;
  const time = (BigInt(random.below(3)) << 32n) + BigInt(random.below(50));
  const late = random.below(4) === 0 ? BigInt(random.below(1000)) : 0n;
  return {
    dataset: datasetId(`d${random.below(3)}`),
    key: kind === changeKinds.clear ? new Uint8Array(0) : random.bytes(1 + random.below(3)),
    time,
    stream: streamId(`s${random.below(2)}`),
    position: { time: time + late, term: BigInt(random.below(2)) },
    index: random.below(3),
    kind,
    value: kind === changeKinds.put ? random.bytes(random.below(40)) : new Uint8Array(0),
  };
}

export async function* batchesOf(
  changes: readonly Change[],
  count = 100,
): AsyncGenerator<readonly Change[]> {
  for (let i = 0; i < changes.length; i += count) yield changes.slice(i, i + count);
}

export async function gather(stream: ChangeStream): Promise<Change[]> {
  const all: Change[] = [];
  for await (const batch of stream) all.push(...batch);
  return all;
}

/** Change packs in memory: blocks get their place only when their pack is sealed. Counts what is read. */
export class PackBlocks implements BlockSink, BlockSource {
  readonly reads: BlockRef[] = [];
  readonly #packs: Uint8Array[][] = [];
  #open: { raw: Uint8Array; place: (ref: BlockRef) => void }[] = [];

  async ready(): Promise<void> {}

  addBlock(raw: Uint8Array): Promise<BlockRef> {
    return new Promise((place) => {
      this.#open.push({ raw: Uint8Array.from(raw), place });
    });
  }

  async flush(): Promise<void> {
    const pack = packId(String(this.#packs.length).padStart(64, '0'));
    for (const [frame, { place }] of this.#open.entries()) place({ pack, frame });
    this.#packs.push(this.#open.map(({ raw }) => raw));
    this.#open = [];
  }

  async read(refs: readonly BlockRef[]): Promise<Uint8Array[]> {
    this.reads.push(...refs);
    return refs.map((ref) => {
      if (!('pack' in ref)) throw new Error('an inline place in a pack');
      return this.#packs[Number(ref.pack)]?.[ref.frame] as Uint8Array;
    });
  }
}
