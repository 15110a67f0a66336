// Where leaves lie, as peers tell each other. The question is that of fingerprint-codec.ts, with one asker whose session
// is 0; the answer names a place in a pack for each id. All integers are little-endian or unsigned LEB128.
//
// Answer     u8 3 | epoch | packs, and u8 0 or 1 (slots have moved), as in the answer there
//            | ids × (u16 0 unknown, 2 + number of the pack; u32 number in the footer of that pack)
// Refusal    as there
//
// Limits: 16,384 ids; 820 KiB an answer.
import { assert } from '../base/assert.ts';
import { ByteWriter, TruncatedBytesError } from '../base/bytes.ts';
import type { PackId } from '../model/id.ts';
import type { Epoch } from './epoch.ts';
import {
  batchMax,
  encodeRefusal,
  firstPack,
  type KnownPack,
  readAnswer,
  writeEpoch,
  writePacks,
} from './fingerprint-codec.ts';

/** Where a blob lies. */
export interface LeafPlace {
  readonly pack: KnownPack;
  /** Its number in the footer of the pack. */
  readonly leaf: number;
}

export interface WhereAnswer {
  readonly epoch: Epoch;
  /** By id, as asked; absent when the question was refused. */
  readonly places?: readonly (LeafPlace | undefined)[];
  /** Some ids were in slots that the answerer does not own. */
  readonly moved: boolean;
}

const whereKind = 3;
const placeBytes = 6;

export function encodeWhere({ epoch, places, moved }: WhereAnswer): Uint8Array {
  if (!places) return encodeRefusal(epoch);
  assert(places.length <= batchMax, `an answer is for at most ${batchMax} ids`);
  const numbers = new Map<PackId, number>();
  const packs: KnownPack[] = [];
  const codes = Buffer.alloc(places.length * placeBytes);
  for (const [i, place] of places.entries()) {
    if (!place) continue;
    const number = numbers.get(place.pack.id) ?? packs.push(place.pack) - 1;
    numbers.set(place.pack.id, number);
    codes.writeUInt16LE(firstPack + number, i * placeBytes);
    codes.writeUInt32LE(place.leaf, i * placeBytes + 2);
  }
  const writer = new ByteWriter(64 + codes.length + packs.length * 48);
  writePacks(writeEpoch(writer.u8(whereKind), epoch), packs).u8(moved ? 1 : 0);
  return writer.bytes(codes).finish();
}

/** `count`: ids that were asked for. Errors: `format-unknown`. */
export function decodeWhere(bytes: Uint8Array, count: number): WhereAnswer {
  return readAnswer(bytes, whereKind, (head, packs, reader) => {
    const codes = Buffer.from(reader.bytes(count * placeBytes));
    const places = Array.from({ length: count }, (_, i): LeafPlace | undefined => {
      const code = codes.readUInt16LE(i * placeBytes);
      if (code === 0) return undefined;
      const pack = packs[code - firstPack];
      if (!pack) throw new TruncatedBytesError(`no pack ${code}`);
      return { pack, leaf: codes.readUInt32LE(i * placeBytes + 2) };
    });
    return { ...head, places };
  });
}
