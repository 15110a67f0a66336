// The files that wait on a node for one table, in groups: one call takes one group, so no call lasts as long as the
// table is large, and what was taken before an error is not loaded again. How long a call may last goes by bytes.
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** What one call takes, JSON-safe. */
export interface ImportGroup {
  /** On our paths. */
  readonly folder: string;
  /** SSTables. */
  readonly files: number;
  /** Of Data.db on disk. */
  readonly bytes: number;
}

/** A larger file is a group of its own. */
export const groupBytesMax = 1024 * 1024 * 1024;
const dataSuffix = '-Data.db';
/** Attempts have other names. */
const groupPrefix = 'group-';
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
 * Moves these SSTables, in their order, into folders in `base`, one a group, where they are numbered anew. All else in it
 * goes: files that nobody named may be half of one.
 */
export async function groupFiles(
  base: string,
  waiting: readonly WaitingFile[],
  bytesMax: number,
): Promise<ImportGroup[]> {
  const groups: { folder: string; files: number; bytes: number }[] = [];
  const listed = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const [i, { folder, name }] of waiting.entries()) {
    const there = listed.get(folder) ?? Map.groupBy(await readdir(folder), nameOf);
    listed.set(folder, there);
    const { size } = await stat(join(folder, `${name}${dataSuffix}`));
    let group = groups.at(-1);
    if (!group || group.bytes + size > bytesMax) {
      group = { folder: join(base, `${groupPrefix}${groups.length + 1}`), files: 0, bytes: 0 };
      await mkdir(group.folder);
      groups.push(group);
    }
    group.files += 1;
    group.bytes += size;
    for (const file of there.get(name) ?? []) {
      const component = file.slice(name.length);
      await rename(join(folder, file), join(group.folder, `nb-${i + 1}-big${component}`));
    }
  }
  const kept = new Set(groups.map(({ folder }) => basename(folder)));
  for (const left of await readdir(base)) {
    if (!kept.has(left)) await rm(join(base, left), { recursive: true, force: true });
  }
  return groups;
}

const nameOf = (file: string): string => file.slice(0, file.lastIndexOf('-'));

/** Bytes of Data.db in these folders of a table, without its snapshots and links. */
export async function dataBytes(folders: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const folder of folders) {
    for (const name of await readdir(folder)) {
      if (!name.endsWith(dataSuffix)) continue;
      // One that a compaction has removed meanwhile counts nothing.
      const found = await stat(join(folder, name)).catch(() => undefined);
      bytes += found?.size ?? 0;
    }
  }
  return bytes;
}
