// `codr verify`: is a point whole in the repository, or does a live cluster equal it?
import { z } from 'zod';
import type { VerifiedDataset } from '../api/codr-api.ts';
import type { ExitCode } from '../base/error-catalogue.ts';
import { option } from '../node/config-option.ts';
import { clusterText } from '../node/source-file.ts';
import { defineCommand } from './command.ts';
import { atOption, consent, excludeOption, includeOption, sourceArgument } from './inputs.ts';
import { printTable } from './output.ts';
import { formatBytes, formatCounts, formatSeconds } from './units.ts';

const exitByVerdict: Record<VerifiedDataset['verdict'], ExitCode> = {
  whole: 0,
  equal: 0,
  different: 6,
  absent: 6,
  surplus: 6,
  damaged: 9,
  unreadable: 3,
};

export const verifyCommand = defineCommand({
  path: 'verify',
  summary: 'check that a point is whole, or that a live cluster equals it',
  about:
    'Ends with 6 when the live cluster differs, 9 when the repository lacks something, 3 when parts ' +
    'could not be compared. The user of --against needs the rights of a source: for MongoDB the roles ' +
    'backup and clusterMonitor.',
  examples: [
    'codr verify shop --read-data',
    'codr verify shop --at latest --against mongodb://standby:27017/',
  ],
  json: '{source, at:{time,wall}, against?, datasets:[{namespace,verdict,records,bytes,estimated?,root?,detail?}], bytesRead, seconds}',
  input: z.object({
    source: sourceArgument(),
    at: atOption(),
    include: includeOption(),
    exclude: excludeOption(),
    against: option(z.string().min(1).optional(), {
      text: 'URI of a live cluster to compare with, or the file of one',
      value: 'URI',
      fileToo: true,
    }),
    readData: consent('read and decode every byte that the point needs'),
  }),
  async run({ against, ...rest }, { api, call }) {
    const other = against === undefined ? {} : { against: await clusterText(against) };
    return await (await api()).verify({ ...rest, ...other }, call);
  },
  print({ source, at, against, datasets, bytesRead, seconds }, output) {
    const subject = against === undefined ? source : `${against} against ${source}`;
    output.line(`verified ${subject} at ${at.wall} (${at.time})`);
    printTable(
      output,
      [
        { title: 'NAMESPACE' },
        { title: 'VERDICT' },
        { title: 'RECORDS', right: true },
        { title: 'BYTES', right: true },
        { title: 'DETAIL' },
      ],
      datasets.map(({ namespace, verdict, detail, ...counts }) => [
        namespace,
        output.paint(exitByVerdict[verdict] === 0 ? 'green' : 'red', verdict),
        ...formatCounts(counts),
        detail ?? '',
      ]),
    );
    output.line(`read ${formatBytes(bytesRead)} in ${formatSeconds(seconds)}`);
  },
  exitCode({ datasets }): ExitCode {
    const codes = datasets.map(({ verdict }) => exitByVerdict[verdict]);
    return ([9, 6, 3] as const).find((code) => codes.includes(code)) ?? 0;
  },
});
