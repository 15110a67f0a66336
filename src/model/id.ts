// Names that cannot be mistaken for each other. All are strings of a fixed form, except leaf ids, which
// are 32 raw bytes on the data path.

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** A source as registered in the repository: 16 random bytes, hex. Names of sources can change, this cannot. */
export type SourceId = Branded<string, 'SourceId'>;
/** One collection or table by its immutable id, lower-case hex (MongoDB: the collection UUID, 32 digits). */
export type DatasetId = Branded<string, 'DatasetId'>;
/** One ordered log of a source (MongoDB: the replica set's name). */
export type StreamId = Branded<string, 'StreamId'>;
/** SHA-256 of a pack object's stored bytes, lower-case hex: the last part of its name in the store. */
export type PackId = Branded<string, 'PackId'>;
/** Keyed hash of the content of a leaf, node or chunk: 32 bytes. */
export type LeafId = Branded<Uint8Array, 'LeafId'>;

export const leafIdBytes = 32;

export const sourceId = (text: string): SourceId => text as SourceId;
export const datasetId = (text: string): DatasetId => text as DatasetId;
export const streamId = (text: string): StreamId => text as StreamId;
export const packId = (text: string): PackId => text as PackId;
export const leafId = (bytes: Uint8Array): LeafId => bytes as LeafId;
