// Proves a whole pack: its name, both ends, every frame, every leaf by its keyed hash. For `codr check`.
import { hash } from 'node:crypto';
import { CodrError } from '../../base/error.ts';
import type { LeafId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { frameKinds } from '../frame/frame-codec.ts';
import type { IndexedPack } from '../index/fingerprint-index.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import { encodeHeader, headerBytes, type PackAddress, packName } from './pack-format.ts';
import type { PackReader } from './pack-reader.ts';

/** Frames opened at once. */
const framesAtOnce = 32;

/** Throws `object-damaged` unless the object's bytes are those that its name promises. No key needed. */
export async function checkPackName(
  store: ObjectStore,
  pack: PackAddress,
  signal?: AbortSignal,
): Promise<void> {
  const object = packName(pack);
  const bytes = await store.get(object, undefined, signal);
  if (hash('sha256', bytes) !== pack.id) {
    throw new CodrError('object-damaged', `${object} is damaged: its bytes do not give its name`, {
      object,
    });
  }
}

/** Throws `object-damaged` unless every frame opens and every leaf has its id. Reads the pack once. */
export async function checkPackContent(
  parts: { readonly store: ObjectStore; readonly reader: PackReader; readonly idKey: Uint8Array },
  pack: PackAddress,
  signal?: AbortSignal,
): Promise<void> {
  const object = packName(pack);
  const damaged = (why: string): CodrError =>
    new CodrError('object-damaged', `${object} is damaged: ${why}`, { object });
  const footer = await parts.reader.footer(pack, signal);
  const header = await parts.store.get(object, { offset: 0, length: headerBytes }, signal);
  if (Buffer.compare(header, encodeHeader(footer.seal)) !== 0) throw damaged('its header differs');
  let leaf = 0;
  for (let first = 0; first < footer.frameCount; first += framesAtOnce) {
    const count = Math.min(framesAtOnce, footer.frameCount - first);
    const ordinals = Array.from({ length: count }, (_, i) => first + i);
    const frames = await parts.reader.frames(pack, ordinals, signal);
    for (; leaf < footer.leafCount; leaf++) {
      const entry = footer.leaf(leaf);
      const raw = frames.get(entry.frame);
      if (!raw) break;
      const blob = raw.subarray(entry.offset, entry.offset + entry.length);
      const id = leafIdOf(parts.idKey, entry.kind, blob);
      if (Buffer.compare(id, entry.id) !== 0) throw damaged(`leaf ${leaf} is not what its id says`);
    }
  }
  if (leaf !== footer.leafCount)
    throw damaged(`leaf ${leaf} lies in no frame of kind ${frameKinds.blobs}`);
}

/** What a pack's footer says for the index: the source from which the index is made again. */
export async function indexedPackOf(
  reader: PackReader,
  pack: PackAddress & { readonly bytes: number },
  signal?: AbortSignal,
): Promise<IndexedPack> {
  const footer = await reader.footer(pack, signal);
  const leafIds: LeafId[] = [];
  for (let i = 0; i < footer.leafCount; i++) leafIds.push(footer.leafId(i));
  return { ref: { ...pack, leaves: leafIds.length }, leafIds };
}
