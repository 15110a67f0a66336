// The numbers that decide where leaves begin. They are part of a tree's identity: roots that were cut
// with other numbers say nothing about each other.

/** All in bytes. */
export interface CutParameters {
  /** Names this set; stored with each root. */
  readonly id: string;
  /** Target size of leaves and nodes; half of it is the window of the cut rule. */
  readonly leafBytes: number;
  /** A larger leaf or node is cut again inside. */
  readonly leafBytesMax: number;
  /** Longer values leave the leaf as chunks. */
  readonly valueInlineBytesMax: number;
  /** Length of a chunk; the last of a value may be shorter. */
  readonly chunkBytes: number;
}

/** The one set of format version 1. */
export const defaultCut: CutParameters = {
  id: 'cut1-16k-256k-32k-64k',
  leafBytes: 16 * 1024,
  leafBytesMax: 256 * 1024,
  valueInlineBytesMax: 32 * 1024,
  chunkBytes: 64 * 1024,
};

/** A leaf is cut again at most this often, with salts 1 to this; after that, by size. */
export const cutSaltMax = 4;

/** As the `config` object of a repository names them. */
export const cutParameterSet = {
  leafBytes: defaultCut.leafBytes,
  leafBytesMax: defaultCut.leafBytesMax,
  valueInlineBytesMax: defaultCut.valueInlineBytesMax,
  chunkBytes: defaultCut.chunkBytes,
} as const;
