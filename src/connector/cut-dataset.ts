// What a cut has of one dataset: a part of the port of kinds without an ordered log. It is read by the session that
// took the cut, or piece by piece by others, on other peers too, which are told as plain data what to read.
import type { CatalogEntry } from '../model/catalog.ts';
import type { KeyRange } from '../model/key-range.ts';
import type { RecordStream } from '../model/record.ts';

export interface CutDataset {
  readonly entry: CatalogEntry;
  /** Nothing older counts: it is the dataset's first cut, or it was emptied since the last. */
  readonly begins: boolean;
  /** Estimate, for progress. */
  readonly bytes: number;
  /**
   * What is new, of all replicas that could be read, merged; ascending by key. Errors: `file-damaged`, at most
   * once for each file: read again, without it.
   */
  records(signal: AbortSignal, range?: KeyRange): RecordStream;
  /**
   * Parts to read side by side, of about so many bytes; ascending, all of it. Asked before each reading. `places`: how
   * many parts all peers together read at a time.
   */
  ranges?(partBytes: number, signal: AbortSignal, places: number): Promise<readonly KeyRange[]>;
  /**
   * A short text: where it is the same, in this cut or another, every range of the dataset holds the same records. Asked
   * before each reading, after `ranges`. Absent: nothing of a cut that is cut off is taken over by the next.
   */
  content?(): string;
  /**
   * One of `ranges` as plain data that survives JSON: a {@link CutPartReader} gives the same records of it as `records`
   * does now. Undefined: this one must be read here.
   */
  described?(range: KeyRange): unknown;
  /**
   * How many bytes of one of `ranges` a peer reads on its own machine, about, by the peer's name: others have them over
   * the network. Absent or empty: all peers reach them alike.
   */
  near?(range: KeyRange): ReadonlyMap<string, number>;
}

/**
 * Reads what cuts of a source have described, wherever it is open. It asks nobody who belongs to the source, and
 * leaves and changes nothing there.
 */
export interface CutPartReader extends AsyncDisposable {
  /**
   * Errors: `peer-lost` when what is described is not to be seen from here, or not as it was, or this version does not
   * understand it; `file-damaged`, and then whoever described it is to look for itself.
   */
  records(described: unknown, signal: AbortSignal): RecordStream;
}
