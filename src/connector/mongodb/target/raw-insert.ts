// Inserts documents as they stand, without the driver serialising them. The only place that reaches into
// the driver: its `DocumentSequence` (OP_MSG section 1) is not exported, so the driver's version is pinned
// and documents are given as objects should it ever be gone.
import { createRequire } from 'node:module';
import { BSON, type Db, type Document } from 'mongodb';

interface DocumentSequence {
  push(document: object, buffer: Uint8Array): number;
}

/** Of one message: the server takes 48 MB and 100,000 documents. */
export const messageLimits = { bytes: 4 << 20, documents: 50_000 } as const;

export interface RawInsertOptions {
  /** Stops at the first refused document, and keeps the order. */
  readonly ordered: boolean;
  /** Asks the server to keep top-level `Timestamp(0, 0)` (6.0.27; 6.0.5 and 5.0.4 do not know it). */
  readonly keepEmptyTimestamps: boolean;
  readonly signal: AbortSignal;
}

export interface RefusedDocument {
  /** Place among the documents given. */
  readonly index: number;
  readonly code: number;
  readonly message: string;
}

/** Inserts past validation; what the server refused, by place. Other errors are the driver's own. */
export async function insertRaw(
  database: Db,
  collection: string,
  documents: readonly Uint8Array[],
  options: RawInsertOptions,
): Promise<RefusedDocument[]> {
  const reply = await database.command(
    {
      insert: collection,
      documents: sequenceOf(documents),
      ordered: options.ordered,
      bypassDocumentValidation: true,
      ...(options.keepEmptyTimestamps && { bypassEmptyTsReplacement: true }),
    },
    { signal: options.signal },
  );
  const errors = (reply.writeErrors ?? []) as Document[];
  return errors.map(({ index, code, errmsg }) => ({
    index: Number(index),
    code: Number(code),
    message: String(errmsg),
  }));
}

const Sequence = loadSequence();

function loadSequence(): (new (field: string) => DocumentSequence) | undefined {
  try {
    const require = createRequire(import.meta.url);
    const commands = require('mongodb/lib/cmap/commands');
    return commands.DocumentSequence;
  } catch {
    return undefined;
  }
}

function sequenceOf(documents: readonly Uint8Array[]): unknown {
  if (!Sequence) {
    const exact = { promoteValues: false, bsonRegExp: true };
    return documents.map((bytes) => BSON.deserialize(bytes, exact));
  }
  const sequence = new Sequence('documents');
  for (const bytes of documents) sequence.push({}, bytes);
  return sequence;
}
