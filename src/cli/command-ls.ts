// `codr ls`: the datasets of a point, without a restore.
import { z } from 'zod';
import { defineCommand } from './command.ts';
import { atOption, sourceArgument } from './inputs.ts';
import { printTable } from './output.ts';
import { formatCounts } from './units.ts';

export const lsCommand = defineCommand({
  path: 'ls',
  summary: 'list what a moment holds, without a restore',
  about:
    'Counts are those of the base copy, and exact where nothing has changed since. Elsewhere only a fold ' +
    'would tell: `~1` is what the base copy held (JSON: `estimated`), `?` says that there is none.',
  examples: ['codr ls shop', 'codr ls shop --at 2026-11-22T13:05:00Z --json'],
  json: '{source, at:{time,wall}, datasets:[{namespace,id,kind,records,bytes,estimated?}]}',
  input: z.object({ source: sourceArgument(), at: atOption() }),
  run: async (input, { api, call }) => (await api()).listDatasets(input, call),
  print({ source, at, datasets }, output) {
    output.line(`${source} at ${at.wall} (${at.time})`);
    printTable(
      output,
      [
        { title: 'NAMESPACE' },
        { title: 'KIND' },
        { title: 'RECORDS', right: true },
        { title: 'BYTES', right: true },
      ],
      datasets.map((dataset) => [dataset.namespace, dataset.kind, ...formatCounts(dataset)]),
    );
  },
});
