// `codr check`: the health of the repository.
import { z } from 'zod';
import type { ExitCode } from '../base/error-catalogue.ts';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { consent } from './inputs.ts';
import { formatBytes, formatCount, formatSeconds, parsePercent } from './units.ts';

const percent = z
  .union([z.literal(true).transform(() => 100), z.string()])
  .transform((value, context) => {
    const read = typeof value === 'number' ? value : parsePercent(value);
    if (read !== undefined) return read;
    context.addIssue('not a share from 0% to 100%');
    return z.NEVER;
  });

const counted = (count: number): string => `${formatCount(count)} problem${count === 1 ? '' : 's'}`;

export const checkCommand = defineCommand({
  path: 'check',
  summary: 'check the repository, and mend what can be mended',
  about:
    'Looks at every commit, and at the name and size of every pack. Ends with 9 when something is ' +
    'damaged and not mended, and names what can no longer be restored.',
  examples: ['codr check', 'codr check --read-data=10%', 'codr check --read-data --repair'],
  json:
    '{packs, commits, bytesRead, problems:[{object,problem,affected:[…],remedy?,repaired}], givenUp:[source…], ' +
    'seconds}',
  input: z.object({
    readData: option(percent.optional(), {
      text: 'also read and decode this share of the packs, all when no share is given',
      value: 'PERCENT',
      optionalValue: true,
      env: false,
    }),
    repair: consent(
      'make anew what can be made from the rest; give up what is lost: times that only it held become ' +
        'holes, and the next backup copies its datasets anew',
    ),
  }),
  run: async ({ readData, repair }, { api, call }) =>
    (await api()).check({ readDataPercent: readData ?? 0, repair }, call),
  print({ packs, commits, bytesRead, problems, givenUp, seconds }, output) {
    for (const { object, problem, affected, remedy, repaired } of problems) {
      const mark = repaired ? output.paint('yellow', 'repaired') : output.paint('red', 'damaged ');
      output.line(`${mark}  ${problem.includes(object) ? problem : `${object}: ${problem}`}`);
      for (const lost of affected) output.line(`          affects ${lost}`);
      if (remedy !== undefined && !repaired) output.line(`          ${remedy}`);
    }
    for (const source of givenUp) {
      output.line(`the next codr backup ${source} copies anew what ${source} has lost`);
    }
    const verdict =
      problems.length === 0 ? output.paint('green', 'no problems') : counted(problems.length);
    output.line(
      `${verdict} in ${formatCount(packs)} packs and ${formatCount(commits)} commits; ` +
        `read ${formatBytes(bytesRead)} in ${formatSeconds(seconds)}`,
    );
  },
  exitCode: ({ problems }): ExitCode => (problems.some(({ repaired }) => !repaired) ? 9 : 0),
});
