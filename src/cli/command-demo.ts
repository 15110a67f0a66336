// `codr demo`: the whole story on this machine, told step by step.
import { z } from 'zod';
import type { ExitCode } from '../base/error-catalogue.ts';
import { option } from '../node/config-option.ts';
import type { DemoEvent } from '../node/demo/demo-story.ts';
import { defineCommand } from './command.ts';
import { consent } from './inputs.ts';
import type { Output } from './output.ts';
import { formatCount, formatSeconds } from './units.ts';

export const demoCommand = defineCommand({
  path: 'demo',
  summary: 'real database, real writes, a disaster, and the restore to the second before it',
  about: 'Needs no repository and touches nothing but a scratch folder, which it removes.',
  examples: ['codr demo', 'codr demo --records 200000 --keep', 'codr demo --cassandra'],
  json: '{proven, restoredTo, disasterAt, records, restoreSeconds, seconds, kept:[…]}',
  input: z.object({
    records: option(
      z.coerce
        .number({ error: 'not a number' })
        .int({ error: 'not a whole number' })
        .min(100, { error: 'less than 100' })
        .max(100_000_000)
        .default(20_000),
      { text: 'records written before the disaster', value: 'COUNT', env: false },
    ),
    cassandra: consent('three Cassandra nodes, one of which misses writes; needs java 17 and mvn'),
    keep: consent('leave servers and repository in place, and say where they are'),
    mongod: option(z.string().min(1).optional(), {
      text: 'the mongod program to use',
      value: 'PROGRAM',
    }),
  }),
  run: ({ mongod, ...rest }, { world, call, output }) =>
    world.runDemo(
      { ...rest, ...(mongod !== undefined && { mongod }) },
      (event) => tell(event, output),
      call.signal,
    ),
  print(result, output) {
    output.line();
    if (!result.proven) {
      output.line(output.paint('red', 'the restored records differ from what was there'));
      return;
    }
    output.line(
      `${output.paint(
        'green',
        `All ${formatCount(result.records)} records are back, byte for byte, `,
      )}as of ${result.restoredTo}; the disaster was at ${result.disasterAt}.`,
    );
    output.line(
      `The restore and its proof took ${formatSeconds(result.restoreSeconds)}, ` +
        `everything ${formatSeconds(result.seconds)}.`,
    );
    for (const place of result.kept) output.line(`kept: ${place}`);
  },
  exitCode: ({ proven }): ExitCode => (proven ? 0 : 6),
});

function tell(event: DemoEvent, output: Output): void {
  switch (event.kind) {
    case 'step':
      output.line(output.paint('bold', event.title));
      break;
    case 'note':
      output.line(`    ${output.paint('dim', event.text)}`);
      break;
    case 'done':
      output.line(
        `  ${output.paint('green', '✓')} ${event.text}  ${output.paint('dim', formatSeconds(event.seconds))}`,
      );
  }
}
