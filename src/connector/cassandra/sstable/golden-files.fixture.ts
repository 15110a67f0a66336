// Golden SSTables as the reader takes them: components are bytes in memory, and a test may change
// or hide them.
import { type GoldenSstable, goldenSstable } from '../../../../test/harness/golden-sstable.ts';
import type { GoldenFormat } from '../../../../test/harness/golden-tables.ts';
import { memoryFile } from './memory-file.fixture.ts';
import type { SstableFiles } from './sstable-files.ts';

/** Components in place of those on disk; undefined hides one. */
export type Changes = Readonly<Record<string, Uint8Array | undefined>>;

export function goldenFiles(
  format: GoldenFormat,
  table: string,
  changes: Changes = {},
): SstableFiles {
  return filesOf(goldenSstable(format, table), changes);
}

function filesOf(golden: GoldenSstable, changes: Changes): SstableFiles {
  return {
    version: golden.format,
    format: golden.format === 'da' ? 'bti' : 'big',
    name: `${golden.format}/${golden.table}`,
    has: (component) =>
      component in changes
        ? changes[component] !== undefined
        : golden.components.includes(component),
    open: async (component) => memoryFile(changes[component] ?? golden.component(component)),
  };
}
