// What entries say that this process has opened before. Every call opens the lineages of its sources anew, and of
// each hundreds of entries: to see that an object is the one from before takes a tenth of opening it.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { decodeEntry, type EntryContext, type LineageEntry } from './entry-codec.ts';

interface OpenedEntry {
  readonly entry: LineageEntry;
  /** Hex SHA-256 of the object. */
  readonly hash: string;
}

/** Of one repository; what opens it in one process may share it. Entries are not to be changed. */
export class OpenedEntries {
  readonly #known: LRUCache<string, LineageEntry>;

  /** `bytesMax`: of the entries' texts. */
  constructor(bytesMax: number) {
    this.#known = new LRUCache({ maxSize: bytesMax });
  }

  /** Errors: those of {@link decodeEntry}. */
  open(context: EntryContext, name: string, bytes: Uint8Array): OpenedEntry {
    const hash = createHash('sha256').update(bytes).digest('hex');
    // An object that lies under the name of another lineage must not open.
    const key = `${context.lineage} ${hash}`;
    const known = this.#known.get(key);
    if (known) return { entry: known, hash };
    const { entry, textBytes } = decodeEntry(context, name, bytes);
    this.#known.set(key, entry, { size: textBytes });
    return { entry, hash };
  }
}
