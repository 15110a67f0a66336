// `codr restore`: a moment of a source into a target, or the plan for it.
import { z } from 'zod';
import type {
  Definition,
  RestoredDataset,
  RestorePlan,
  RestoreRequest,
  RestoreResult,
  Skipped,
} from '../api/codr-api.ts';
import type { ExitCode } from '../base/error-catalogue.ts';
import { parseRenames } from '../model/namespace.ts';
import { option } from '../node/config-option.ts';
import { clusterText } from '../node/source-file.ts';
import { defineCommand } from './command.ts';
import {
  atOption,
  bytesOfMib,
  consent,
  excludeOption,
  includeOption,
  mibPerSecondOption,
  sourceArgument,
} from './inputs.ts';
import { type Output, printTable } from './output.ts';
import { formatBytes, formatCount, formatCounts, formatSeconds } from './units.ts';

/** Names and records listed for people; --json has all. */
const listedMax = 20;

export const restoreCommand = defineCommand({
  path: 'restore',
  summary: 'give back any moment, whole or in part, and prove it',
  about:
    'Plans, loads, builds indexes, reads everything back and compares. Refuses names that hold data in ' +
    'the target, unless --drop or --rename say otherwise. The same command again resumes: ' +
    '`latest` then means the moment that the first run named. Users and roles are left alone unless ' +
    '--include names admin.system.users or admin.system.roles; the user who restores stays as he is. ' +
    'A view may be named alone; views follow the renames of what they read. ' +
    'A query restricts the table that it names, other tables in scope come whole: k = 5, k IN (1, 2), ' +
    "k = 5 AND c >= 'a' AND c < 'b'; the static row of a partition comes with any of its rows. " +
    '--dry-run says how many records are past their expiry; its counts are those of the base copies, `~` or ' +
    '`estimated` where the dataset has changed since. RANGES are folded one by one, side by side; the time is bytes ' +
    'over a rate that is assumed for the kind of target. What cannot be kept is told before anything is made.',
  examples: [
    'codr restore shop --to mongodb://standby:27017/',
    'codr restore shop --to mongodb://db1:27017/ --at 2026-11-22T13:05:00Z --include shop.orders --rename shop.orders=shop.orders_before',
    "codr restore ring --to cassandra://c1/ --include shop.orders --query 'shop.orders=customer IN (7, 9)'",
    'codr restore ring --to cassandra://c1/ --token-range -9223372036854775808..0',
    'codr restore shop --to mongodb://db1:27017/ --rename shop.*=before.* --mib-per-second 20',
    'codr restore ring --to one.yaml --map-dc dc1=east --map-dc dc2=east',
  ],
  json:
    '{source, at:{time,wall}, datasets:[{from,to,records,bytes,root,proven,reads}], definitions:[{kind,name}], dropped:[…], ' +
    'skipped:[{namespace,reason}], changedByTarget:[{namespace,key}], tornTransactions, warnings:[…], ' +
    'seconds}; with --dry-run {source, at, resumes, datasets:[{from,to,records,bytes,estimated?,ranges,expiring?,expiringExact?}], definitions:[{kind,name}], conflicts:[…], dropped:[…], ' +
    'skipped:[…], warnings:[…], estimate:{bytes,bytesPerSecond,seconds}}',
  input: z.object({
    source: sourceArgument(),
    to: option(z.string().min(1), {
      text: "URI of the target, of the database's own driver, or a file as of source add --config",
      value: 'URI',
      fileToo: true,
    }),
    at: atOption(),
    include: includeOption(),
    exclude: excludeOption(),
    rename: option(z.array(z.string()).default([]), {
      text: 'another name in the target: db.coll=db2.coll2 or db.*=db2.*; may be repeated',
      value: 'FROM=TO',
      env: false,
    }),
    tokenRange: option(z.array(z.string()).default([]), {
      text: 'Cassandra: only rows with a token after FROM, up to TO, round the end of the ring; may be repeated',
      value: 'FROM..TO',
      env: false,
    }),
    query: option(z.array(z.string()).default([]), {
      text: 'Cassandra: only these rows of the table, by its primary key; may be repeated',
      value: 'TABLE=CONDITION',
      env: false,
    }),
    mapDc: option(z.array(z.string()).default([]), {
      text: 'Cassandra: copies of this data centre go to that one of the target; may be repeated',
      value: 'OLD=NEW',
      env: false,
    }),
    drop: consent(
      'replace what the target holds in scope; names that the point lacks are dropped too',
    ),
    ttl: option(
      z
        .enum(['keep', 'hold', 'rebase', 'freeze'], { error: 'not keep, hold, rebase or freeze' })
        .default('keep'),
      {
        text:
          'keep: expiry begins once all is proven; hold: nothing that expires is made, so all records stay; ' +
          'Cassandra: keep as it was; rebase: as much later as the restore is; freeze: nothing expires any more',
        value: 'MODE',
        env: false,
      },
    ),
    tombstones: option(z.enum(['keep', 'drop'], { error: 'not keep or drop' }).default('drop'), {
      text: 'Cassandra: keep gives back deletions and expired cells too, for data that is added later',
      value: 'MODE',
      env: false,
    }),
    mibPerSecond: mibPerSecondOption(
      'load, and read back, so many MiB a second at most, for a target that serves others; 0: no limit',
    ),
    dryRun: consent('show the plan, change nothing'),
    verify: option(z.boolean().default(true), {
      text: 'do not read the target back to compare it',
      env: false,
    }),
  }),
  async run(input, { api, call }): Promise<RestorePlan | RestoreResult> {
    const { dryRun, rename, tokenRange, query, mapDc, mibPerSecond, ...rest } = input;
    parseRenames(rename);
    const parts = { ranges: tokenRange, queries: query, datacenters: mapDc };
    const to = await clusterText(rest.to);
    const bytesPerSecond = bytesOfMib(mibPerSecond);
    const limit = bytesPerSecond === undefined ? {} : { bytesPerSecond };
    const request: RestoreRequest = { ...rest, to, renames: rename, ...parts, ...limit };
    const codr = await api();
    return dryRun ? codr.planRestore(request, call) : codr.restore(request, call);
  },
  print(outcome, output) {
    if (isPlan(outcome)) printPlan(outcome, output);
    else printResult(outcome, output);
  },
  exitCode(outcome): ExitCode {
    if (isPlan(outcome)) return outcome.conflicts.length > 0 ? 5 : 0;
    const { skipped, changedByTarget } = outcome;
    return skipped.length > 0 || changedByTarget.length > 0 ? 3 : 0;
  },
});

/** One of each kind, as people call it. */
const kinds: ReadonlyMap<string, string> = new Map([
  ['views', 'the view'],
  ['users', 'the user'],
  ['roles', 'the role'],
]);

const isPlan = (outcome: RestorePlan | RestoreResult): outcome is RestorePlan =>
  'conflicts' in outcome;

function printPlan(plan: RestorePlan, output: Output): void {
  const would = plan.resumes ? 'would go on with the restore of' : 'would restore';
  output.line(`${would} ${plan.source} at ${plan.at.wall} (${plan.at.time})`);
  printTable(
    output,
    [
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'RECORDS', right: true },
      { title: 'BYTES', right: true },
      { title: 'RANGES', right: true },
      { title: 'EXPIRING', right: true },
    ],
    plan.datasets.map(({ from, to, ranges, expiring, expiringExact, ...counts }) => [
      from,
      to,
      ...formatCounts(counts),
      formatCount(ranges),
      expiring === undefined ? '' : `${expiringExact ? '' : 'at most '}${formatCount(expiring)}`,
    ]),
  );
  const { bytes, bytesPerSecond, seconds } = plan.estimate;
  const rate = `${formatBytes(bytesPerSecond)}/s, which is assumed, not measured here`;
  output.line(`about ${formatSeconds(seconds)} for ${formatBytes(bytes)} at ${rate}`);
  for (const { kind, name } of plan.definitions.slice(0, listedMax)) {
    output.line(`would make ${kinds.get(kind) ?? kind} ${name}`);
  }
  if (plan.definitions.length > listedMax) {
    output.line(`and ${formatCount(plan.definitions.length - listedMax)} more: see --json`);
  }
  for (const name of plan.conflicts) {
    output.line(
      output.paint('red', `in the way: ${name}: use --drop, or --rename to restore beside it`),
    );
  }
  const given = new Set(plan.datasets.map(({ to }) => to));
  for (const name of plan.dropped) {
    const text = `would ${given.has(name) ? 'replace' : 'drop'} ${name}`;
    output.line(output.paint('yellow', text));
  }
  printDoubts(plan, output);
}

function printResult(result: RestoreResult, output: Output): void {
  const { source, at, datasets, dropped, changedByTarget, tornTransactions, seconds } = result;
  output.line(`${output.paint('green', 'restored')} ${source} at ${at.wall} (${at.time})`);
  printTable(
    output,
    [
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'RECORDS', right: true },
      { title: 'BYTES', right: true },
      { title: 'PROVEN' },
    ],
    datasets.map((dataset) => [
      dataset.from,
      dataset.to,
      formatCount(dataset.records),
      formatBytes(dataset.bytes),
      proofText(dataset, output),
    ]),
  );
  if (result.definitions.length > 0) output.line(`${countedKinds(result.definitions)} defined`);
  // What the target held is gone in both cases, but only one of them leaves nothing under the name.
  const given = new Set(datasets.map(({ to }) => to));
  for (const name of dropped) output.line(`${given.has(name) ? 'replaced' : 'dropped'} ${name}`);
  printDoubts(result, output);
  for (const { namespace, key } of changedByTarget.slice(0, listedMax)) {
    output.line(output.paint('yellow', `changed by the target: ${namespace} ${key}`));
  }
  if (changedByTarget.length > listedMax) {
    output.line(`and ${formatCount(changedByTarget.length - listedMax)} more: see --json`);
  }
  if (tornTransactions > 0) {
    output.line(
      output.paint('yellow', `the filter cut ${formatCount(tornTransactions)} transactions in two`),
    );
  }
  output.line(`took ${formatSeconds(seconds)}`);
}

function proofText({ proven, root, reads }: RestoredDataset, output: Output): string {
  if (!proven) return output.paint('yellow', 'not read back');
  if (root === '') return output.paint('green', `${formatCount(reads?.made ?? 0)} rows compared`);
  const text = reads ? `same root, ${formatCount(reads.made)} reads` : 'same root';
  return output.paint('green', text);
}

/** `3 users, 1 role`, in the order of the definitions. */
function countedKinds(definitions: readonly Definition[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of definitions) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .map(([kind, count]) => `${formatCount(count)} ${count === 1 ? kind.slice(0, -1) : kind}`)
    .join(', ');
}

function printDoubts(
  { skipped, warnings }: { skipped: readonly Skipped[]; warnings: readonly string[] },
  output: Output,
): void {
  for (const { namespace, reason } of skipped) {
    output.line(output.paint('yellow', `skipped ${namespace}: ${reason}`));
  }
  for (const warning of warnings) output.line(output.paint('yellow', `warning: ${warning}`));
}
