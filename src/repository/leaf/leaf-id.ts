// The name of a blob: a keyed hash of its kind and content. Keyed, so that a store cannot test whether a
// repository holds a known text; see docs/format/leaf.md.
import { hash } from 'node:crypto';
import { view } from '../../base/bytes.ts';
import { type LeafId, leafId, leafIdBytes } from '../../model/id.ts';
import type { BlobKind } from './leaf-store.ts';

/** The byte that stands for a kind inside the hash. Part of the format. */
const kindBytes: Readonly<Record<BlobKind, number>> = { leaf: 1, node: 2, chunk: 3 };

const scratch = Buffer.alloc(leafIdBytes + 1 + leafIdBytes);

/**
 * SHA-256(K_id ‖ kind ‖ SHA-256(blob)), 32 bytes owned by the caller. The inner hash has a fixed length,
 * so nothing can be appended to it. `keyId` is `RepositoryKeys.id`, 32 bytes.
 */
export function leafIdOf(keyId: Uint8Array, kind: BlobKind, blob: Uint8Array): LeafId {
  scratch.set(keyId, 0);
  scratch[leafIdBytes] = kindBytes[kind];
  scratch.set(hash('sha256', view(blob), 'buffer'), leafIdBytes + 1);
  return leafId(hash('sha256', scratch, 'buffer'));
}
