// `codr backup`: base copy, then the log; once, or for as long as it is let.
import { z } from 'zod';
import type { ExitCode } from '../base/error-catalogue.ts';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { consent, optionalDuration, sourceArgument } from './inputs.ts';
import { printPairs } from './output.ts';
import { holeText } from './timeline.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export const backupCommand = defineCommand({
  path: 'backup',
  summary: 'copy what is new, and commit recovery points',
  about:
    'The first time it reads a base copy, then the log up to now; later only what is new. With ' +
    '--follow it goes on until SIGINT or SIGTERM, commits once more and ends with exit code 0. ' +
    'Interrupted earlier, or while it waits, it ends with 130, and the same command resumes. ' +
    'A source that does not answer, and a store that is away or full after it was reached, are waited ' +
    'for with --follow: it says why, tries again at least twice a minute and goes on when they are back. ' +
    'Without --follow they end it with 9. ' +
    'Records and changes are what this run has read since it last went on, not what the source holds.',
  examples: ['codr backup shop', 'codr backup shop --follow --rpo 5s'],
  json:
    '{source, point:{id,time,wall}, interval:{from:{time,wall},to:{time,wall}}, datasets, records, ' +
    'changes, bytesRead, bytesStored, bytesDeduplicated, holes:[{stream,dataset?,from,to?,reason}], grade?, warnings:[…], seconds}',
  input: z.object({
    source: sourceArgument(),
    follow: consent('keep listening to the log until told to stop'),
    rpo: option(optionalDuration(1), {
      text:
        'longest time between two commits while following: 5s unless said; of Cassandra between two ' +
        'cuts: 15m unless said, at least 60s',
      value: 'DURATION',
    }),
    minGrade: option(
      z
        .enum(['complete', 'quorum-safe', 'best-effort'], {
          error: 'not complete, quorum-safe or best-effort',
        })
        .optional(),
      {
        text:
          'of Cassandra alone: no point is made that is less sure than this (exit code 3); quorum-safe ' +
          'unless said',
        value: 'GRADE',
      },
    ),
  }),
  run: async ({ rpo, ...request }, { api, call }) =>
    (await api()).backup({ ...request, rpoSeconds: rpo }, call),
  print(result, output) {
    output.line(`${output.paint('green', 'backed up')} ${result.source}`);
    printPairs(output, [
      ['point', `${result.point.id}  ${result.point.wall}  (${result.point.time})`],
      ['restorable', `${result.interval.from.wall} to ${result.interval.to.wall}`],
      ['grade', result.grade],
      ['datasets', formatCount(result.datasets)],
      [
        'read',
        `${formatCount(result.records)} records and ${formatCount(result.changes)} changes, ${formatBytes(result.bytesRead)}`,
      ],
      [
        'stored',
        `${formatBytes(result.bytesStored)}, ${formatBytes(result.bytesDeduplicated)} were there already`,
      ],
      ['took', formatSeconds(result.seconds)],
    ]);
    for (const hole of result.holes) output.line(output.paint('yellow', holeText(hole)));
    for (const text of result.warnings) output.line(output.paint('yellow', `warning: ${text}`));
  },
  exitCode: ({ holes }): ExitCode => (holes.some(({ to }) => to === undefined) ? 3 : 0),
});
