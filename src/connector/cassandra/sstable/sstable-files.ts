// What the reader knows of an SSTable's files: they are opened by someone else, session/ or a test,
// and read in pieces. The names of components are those of TOC.txt, `Data.db` and so on.
import { CodrError } from '../../../base/error.ts';

/** A file that can be read at any place. */
export interface RandomAccessFile {
  readonly size: number;
  /**
   * The bytes [position, position + length); fewer only where the file ends. The caller
   * owns them. They may lie in `into`, which has room for all.
   */
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /** It is not read again; what stays open goes with the SSTable. */
  close(): Promise<void>;
}

/** The files of one SSTable. */
export interface SstableFiles {
  /** Two letters, the beginning of the file name: `nb`. */
  readonly version: string;
  readonly format: 'big' | 'bti';
  /** Says in messages which SSTable it is. */
  readonly name: string;
  has(component: string): boolean;
  open(component: string): Promise<RandomAccessFile>;
}

/** The files are not what Cassandra wrote: other bytes, fewer bytes, or one is missing. */
export function damaged(files: SstableFiles, component: string, what: string): CodrError {
  const object = `${files.name} ${component}`;
  return new CodrError('file-damaged', `${object}: ${what}`, { object });
}

/** The files are fine and hold something that this reader does not know. */
export function unknown(files: SstableFiles, component: string, what: string): CodrError {
  const object = `${files.name} ${component}`;
  return new CodrError('source-unfit', `${object}: ${what}`, { object });
}

/** All of a small file. */
export async function wholeFile(files: SstableFiles, component: string): Promise<Uint8Array> {
  if (!files.has(component)) throw damaged(files, component, 'the file is missing');
  const file = await files.open(component);
  const bytes = await file.read(0, file.size);
  await file.close();
  if (bytes.length < file.size) throw damaged(files, component, 'the file ends early');
  return bytes;
}
