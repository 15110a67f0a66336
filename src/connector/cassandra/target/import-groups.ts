// The files that wait on a node for one table, in groups: one call takes one group, so no call lasts as long as the
// table is large, and what was taken before an error is not loaded again. How long a call may last goes by bytes.
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

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
const callMs = 600_000;
/** A server that checks its files more slowly than this is given up: 4 MiB a second. */
const bytesPerMs = (4 * 1024 * 1024) / 1000;

/** For a call that reads so many bytes, ms. */
export const deadlineFor = (bytes: number): number => callMs + Math.ceil(bytes / bytesPerMs);

/** Moves the SSTables of a folder into folders in it, one a group, in the order of their numbers. */
export async function groupFiles(folder: string, bytesMax: number): Promise<ImportGroup[]> {
  const components = Map.groupBy(await readdir(folder), (name) =>
    name.slice(0, name.lastIndexOf('-')),
  );
  const names = [...components.keys()].filter((name) =>
    components.get(name)?.includes(`${name}${dataSuffix}`),
  );
  names.sort((a, b) => numberOf(a) - numberOf(b));
  const groups: { folder: string; files: number; bytes: number }[] = [];
  for (const name of names) {
    const { size } = await stat(join(folder, `${name}${dataSuffix}`));
    let group = groups.at(-1);
    if (!group || group.bytes + size > bytesMax) {
      group = { folder: join(folder, String(groups.length + 1)), files: 0, bytes: 0 };
      await mkdir(group.folder);
      groups.push(group);
    }
    group.files += 1;
    group.bytes += size;
    for (const file of components.get(name) ?? []) {
      await rename(join(folder, file), join(group.folder, file));
    }
  }
  return groups;
}

/** Of `nb-12-big`. */
const numberOf = (name: string): number => Number(name.split('-')[1]);

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
