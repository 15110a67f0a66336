// `npm run simulate -- --seed N` tells the story of one seed; `--seeds COUNT [--from N]` runs a range and
// stops at the first that fails.
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
  },
});

if (values.seed !== undefined) {
  const report = await simulate(Number(values.seed), (line) => console.log(line));
  console.log(report);
} else {
  const from = Number(values.from);
  const count = Number(values.seeds);
  const totals = new Map<string, number>();
  let failed = 0;
  for (let seed = from; seed < from + count; seed++) {
    try {
      const report = await simulate(seed);
      for (const [name, value] of Object.entries(report)) {
        totals.set(name, (totals.get(name) ?? 0) + value);
      }
    } catch (error) {
      failed++;
      process.exitCode = 1;
      const { message, stack } = error as Error;
      console.error(
        `seed ${seed} failed: ${process.env.CODR_STACK ? stack : message.slice(0, 300)}`,
      );
      console.error(`  npm run simulate -- --seed ${seed}`);
      if (failed >= 20) break;
    }
  }
  console.log(Object.fromEntries(totals));
}
