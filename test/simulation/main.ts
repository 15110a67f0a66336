// `npm run simulate -- --seed N --of cuts` tells the story of one seed of one kind of world, `logs`, `cuts` or `peers`;
// `--seeds COUNT [--from N]` runs a range of all, or of one, and says which seeds fail. With `--json`, for programs, it ends
// with whoever started it.
import { parseArgs } from 'node:util';
import { simulateCluster } from './cluster-simulation.ts';
import { simulateCuts } from './cut-simulation.ts';
import { simulate, type Trace } from './simulation.ts';

const failuresMax = 20;
const worlds: Readonly<Record<string, (seed: number, trace?: Trace) => Promise<object>>> = {
  logs: simulate,
  cuts: simulateCuts,
  peers: simulateCluster,
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    of: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
if (values.json)
  process.stdin
    .once('end', () => process.exit(1))
    .resume()
    .unref();
if (values.of !== undefined && !worlds[values.of]) throw new Error('--of logs, cuts or peers');

for (const [name, run] of Object.entries(worlds)) {
  if (values.of !== undefined && values.of !== name) continue;
  if (values.seed === undefined) await runRange(name, run);
  else console.log(name, await run(Number(values.seed), (line) => console.log(line)));
}

async function runRange(name: string, run: (typeof worlds)[string]): Promise<void> {
  const from = Number(values.from);
  const totals = new Map<string, number>();
  let failed = 0;
  for (let seed = from; seed < from + Number(values.seeds) && failed < failuresMax; seed++) {
    try {
      for (const [what, count] of Object.entries(await run(seed))) {
        totals.set(what, (totals.get(what) ?? 0) + count);
      }
    } catch (error) {
      failed++;
      process.exitCode = 1;
      const { message, stack } = error as Error;
      const text = process.env.CODR_STACK ? stack : message.slice(0, 300);
      console.error(`${name}: seed ${seed} failed: ${text}`);
      console.error(`  npm run simulate -- --of ${name} --seed ${seed}`);
    }
  }
  const report = Object.fromEntries(totals);
  if (values.json) console.log(JSON.stringify(report));
  else console.log(name, report);
}
