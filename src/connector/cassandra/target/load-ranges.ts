// Into how many ranges the load of a table may be cut, so that its files still are what its compaction strategy wants.
// Streams of one process share files; those of several processes cannot, so there each range ends in files of its own.
import type { FileLayout } from './file-layout.ts';
import type { ReplicaSets } from './replica-sets.ts';

/** Records hold their whole keys and are not compressed: a file has about half of their bytes. */
const bytesPerFileByte = 2;
/** The last file of each range is smaller than its level wants: one of so many. */
const levelFilesMin = 4;

export interface LoadedTable {
  readonly layout: FileLayout;
  readonly sets: Pick<ReplicaSets, 'all' | 'ranges' | 'partitioner'>;
  /** Of its records, about. */
  readonly bytes: number;
}

export interface LoadPlaces {
  /** Streams that one process loads side by side: so many files of each set there are at any rate. */
  readonly streams: number;
  /** The ranges are loaded by several processes. */
  readonly apart: boolean;
}

/** Undefined: into any number. */
export function loadRangesMax(
  { layout, sets, bytes }: LoadedTable,
  { streams, apart }: LoadPlaces,
): number | undefined {
  const fileBytes = bytesPerFileByte * layout.fileBytes;
  // A window wants one file, and what is sorted is sorted as a whole.
  if (layout.kind === 'windows' || !sets.partitioner.isRecordOrder) return 1;
  if (layout.kind === 'levels') return Math.max(1, Math.floor(bytes / (levelFilesMin * fileBytes)));
  if (!apart) return undefined;
  // Each range has a file of every set that it meets: all of them, or those of its part of the ring.
  const files = Math.floor(bytes / fileBytes);
  return Math.max(streams, Math.floor(files / sets.all.length), files - sets.ranges);
}
