// The files that wait on a node for one table, in groups: one call takes one group, so no call lasts as long as the
// table is large, and what was taken before an error is not loaded again. How long a call may last goes by bytes.
import { basename, join } from 'node:path';
import type { FileAccess } from '../../../base/file-access.ts';
import { isMissing } from '../session/node-files.ts';

/** What one call takes, JSON-safe. */
export interface ImportGroup {
  /** On the paths of who sees it. */
  readonly folder: string;
  /** SSTables. */
  readonly files: number;
  /** Of Data.db on disk. */
  readonly bytes: number;
}

/** A larger file is a group of its own. */
export const groupBytesMax = 1024 * 1024 * 1024;
const dataSuffix = '-Data.db';
const callMs = 600_000;
/** A server that checks its files more slowly than this is given up: 4 MiB a second. */
const bytesPerMs = (4 * 1024 * 1024) / 1000;

/** For a call that reads so many bytes, ms. */
export const deadlineFor = (bytes: number): number => callMs + Math.ceil(bytes / bytesPerMs);

/** An SSTable that waits. */
export interface WaitingFile {
  readonly folder: string;
  /** `nb-12-big`. */
  readonly name: string;
}

/**
 * Moves these SSTables, in their order, into folders in `base`, one a group, where they are numbered anew; a server takes
 * none from a folder whose name is more than a word. All else in `base` goes: files that nobody named may be half of one.
 */
export async function groupFiles(
  files: FileAccess,
  base: string,
  waiting: readonly WaitingFile[],
  bytesMax: number,
): Promise<ImportGroup[]> {
  const groups: { folder: string; files: number; bytes: number }[] = [];
  const listed = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const [i, { folder, name }] of waiting.entries()) {
    const there = listed.get(folder) ?? Map.groupBy(await namesIn(files, folder), nameOf);
    listed.set(folder, there);
    const { bytes: size } = await files.stat(join(folder, `${name}${dataSuffix}`));
    let group = groups.at(-1);
    if (!group || group.bytes + size > bytesMax) {
      group = { folder: join(base, String(groups.length + 1)), files: 0, bytes: 0 };
      await files.makeFolder(group.folder);
      groups.push(group);
    }
    group.files += 1;
    group.bytes += size;
    for (const file of there.get(name) ?? []) {
      const component = file.slice(name.length);
      await files.rename(join(folder, file), join(group.folder, `nb-${i + 1}-big${component}`));
    }
  }
  const kept = new Set(groups.map(({ folder }) => basename(folder)));
  for (const left of await namesIn(files, base)) {
    if (!kept.has(left)) await files.removeFolder(join(base, left));
  }
  return groups;
}

const namesIn = async (files: FileAccess, folder: string): Promise<string[]> =>
  (await files.list(folder)).map(({ name }) => name);
const nameOf = (file: string): string => file.slice(0, file.lastIndexOf('-'));

/** Bytes of Data.db in these folders of a table, without its snapshots and links. */
export async function dataBytes(files: FileAccess, folders: readonly string[]): Promise<number> {
  const sizeOf = async (path: string): Promise<number> => {
    try {
      return (await files.stat(path)).bytes;
    } catch (error) {
      // One that a compaction has removed meanwhile counts nothing.
      if (isMissing(error)) return 0;
      throw error;
    }
  };
  let bytes = 0;
  for (const folder of folders) {
    const names = (await namesIn(files, folder)).filter((name) => name.endsWith(dataSuffix));
    const sizes = await Promise.all(names.map((name) => sizeOf(join(folder, name))));
    bytes += sizes.reduce((sum, size) => sum + size, 0);
  }
  return bytes;
}
