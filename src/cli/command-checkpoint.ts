// `codr checkpoint`: a further base copy, folded from what is stored.
import { z } from 'zod';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { sourceArgument } from './inputs.ts';
import { printTable } from './output.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export const checkpointCommand = defineCommand({
  path: 'checkpoint',
  summary: 'fold what is stored into new base copies, without reading the source',
  about:
    'A restore of that moment, or of a later one, then begins with the new base copy and need not fold ' +
    'all that came before it. Older moments stay restorable from the older base copies. Works from the ' +
    'repository alone: the source need not be there. Not beside a running backup of the same source ' +
    '(exit code 10). May be interrupted and run again at any time: finished datasets stay. Of ' +
    'Cassandra, deletions that no replica holds any more are left out as of the newest cut; with an older ' +
    'cut all of them stay.',
  examples: ['codr checkpoint shop', 'codr checkpoint ring --to cut:7'],
  json:
    '{source, at:{time,wall}, datasets:[{namespace,records,bytes,recordsBefore?}], unchanged, bytesStored, ' +
    'bytesDeduplicated, seconds}',
  input: z.object({
    source: sourceArgument(),
    to: option(z.string().min(1).default('latest'), {
      text: 'the moment of the new base copies: latest, RFC 3339, a time of the source, or a point id',
      value: 'WHEN',
      env: false,
    }),
  }),
  run: async (input, { api, call }) => (await api()).checkpoint(input, call),
  print({ source, at, datasets, unchanged, ...counts }, output) {
    if (datasets.length === 0) {
      output.line(`nothing to fold: ${source} has base copies of all that it holds at ${at.wall}`);
      return;
    }
    output.line(`${output.paint('green', 'folded')} ${source} at ${at.wall} (${at.time})`);
    printTable(
      output,
      [
        { title: 'NAMESPACE' },
        { title: 'RECORDS', right: true },
        { title: 'BEFORE', right: true },
        { title: 'BYTES', right: true },
      ],
      datasets.map(({ namespace, records, bytes, recordsBefore }) => [
        namespace,
        formatCount(records),
        recordsBefore === undefined ? '' : formatCount(recordsBefore),
        formatBytes(bytes),
      ]),
    );
    const { bytesStored, bytesDeduplicated, seconds } = counts;
    if (unchanged > 0) output.line(`${formatCount(unchanged)} had not changed`);
    output.line(
      `stored ${formatBytes(bytesStored)}, ${formatBytes(bytesDeduplicated)} were there already, ` +
        `in ${formatSeconds(seconds)}`,
    );
  },
});
