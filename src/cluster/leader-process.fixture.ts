// A peer that campaigns and, while it leads, writes its name; a process of its own, so that it can be stopped.
//   node leader-process.fixture.ts NAME PREFIX TTL-MS ENDPOINT…
// A line of JSON for each thing that happens. It ends when its standard input does.
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../../test/harness/context.ts';
import { openEtcd } from '../coordination/etcd/etcd.fixture.ts';
import { campaign } from './leadership.ts';

const [name = '', prefix = '', ttlMs, ...endpoints] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

process.stdin.resume().on('end', () => process.exit());
const coordinator = await openEtcd(endpoints, { prefix });
const { signal } = new AbortController();
for await (const term of campaign(coordinator, {
  name,
  ttlMs: Number(ttlMs),
  clock: realClock,
  signal,
})) {
  const createRevision = term.epoch.revision;
  say({ is: 'leading', createRevision });
  for (let count = 1; !term.signal.aborted; count++) {
    const put = { put: 'written', value: name };
    await term
      .transact([], [put])
      .catch((error: unknown) => say({ is: 'refused', error: `${error}` }));
    if (count === 1) say({ is: 'writing' });
    await sleep(20);
  }
  // What it might have had on its way when it was stopped: only the guard keeps it back.
  const late = { put: 'written', value: `${name}, late` };
  const outcome = await coordinator.transact([{ key: 'coordinator', createRevision }], [late]);
  say({ is: 'over', why: `${term.signal.reason}`, lateWriteDone: outcome.done });
}
