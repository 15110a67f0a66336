// `codr source …`: the clusters under protection.
import { resolve } from 'node:path';
import { z } from 'zod';
import type { SourceCheck, SourceDescription } from '../api/codr-api.ts';
import { sourceNameForm } from '../api/source-calls.ts';
import { CodrError } from '../base/error.ts';
import type { ExitCode } from '../base/error-catalogue.ts';
import { option } from '../node/config-option.ts';
import { sourceFileText } from '../node/source-file.ts';
import { defineCommand } from './command.ts';
import {
  bytesOfMib,
  consent,
  excludeOption,
  includeOption,
  mibPerSecondOption,
  noLimit,
  sourceArgument,
} from './inputs.ts';
import { type Output, printPairs, printTable } from './output.ts';
import { formatBytes } from './units.ts';

const describedJson =
  '{name,id,kind,uri,identity,version,streams,include,exclude,added,readers?,bytesPerSecond?}';
const limitOptions = () => ({
  readers: option(
    z.coerce
      .number({ error: noLimit })
      .int({ error: noLimit })
      .min(0, { error: 'less than 0' })
      .optional(),
    {
      text: 'pieces that all peers together read at a time; 0: no limit',
      value: 'N',
      env: false,
    },
  ),
  mibPerSecond: mibPerSecondOption('MiB a second that all peers together read; 0: no limit'),
});

const checkJson = `{source:${describedJson}, findings:[{level,message,remedy?}]}`;

export const sourceAddCommand = defineCommand({
  path: 'source add',
  summary: 'register a cluster to protect',
  about:
    'Connects once to learn the identity of the cluster. A password in the URI is kept encrypted in ' +
    'the repository, unless --source-password-file or --source-password-env say where it is. Its check is ' +
    'shown: a source in which it finds errors is registered all the same. What is given here stays as it ' +
    'is, but for its limits.',
  examples: [
    "codr source add shop 'mongodb://codr@db1,db2,db3/?replicaSet=rs0' --source-password-file /etc/codr/shop.password",
    "codr source add shop mongodb://db1:27017/ --include 'shop.*' --exclude 'shop.tmp_*'",
    'codr source add ring --config ring.yaml',
  ],
  json: checkJson,
  input: z.object({
    source: option(
      z.string().regex(sourceNameForm, {
        error: 'not a name: 1 to 63 letters, digits, dots, dashes, underscores',
      }),
      {
        text: 'the name it gets',
        value: 'NAME',
        argument: true,
      },
    ),
    uri: option(z.string().min(1).optional(), {
      text: "URI of the database's own driver: mongodb://…; or --config",
      value: 'URI',
      argument: true,
    }),
    config: option(z.string().min(1).optional(), {
      text: 'a YAML file in place of the URI: kind, contactPoints, nodes, … (Cassandra)',
      value: 'FILE',
      env: false,
    }),
    include: includeOption(),
    exclude: excludeOption(),
    sourcePasswordFile: option(z.string().min(1).optional(), {
      text: 'file with the password of the cluster, read at each use, where the work is done',
      value: 'FILE',
      env: false,
    }),
    sourcePasswordEnv: option(z.string().min(1).optional(), {
      text: 'environment variable with the password of the cluster, read at each use',
      value: 'VARIABLE',
      env: false,
    }),
    ...limitOptions(),
  }),
  async run(
    { sourcePasswordFile, sourcePasswordEnv, config, mibPerSecond, ...request },
    { api, call },
  ) {
    if (sourcePasswordFile !== undefined && sourcePasswordEnv !== undefined) {
      throw new CodrError(
        'usage',
        '--source-password-file and --source-password-env are both given',
        {
          remedy: 'give one of them',
        },
      );
    }
    return (await api()).addSource(
      {
        ...request,
        bytesPerSecond: bytesOfMib(mibPerSecond),
        ...(config !== undefined && { config: await sourceFileText(resolve(config)) }),
        ...(sourcePasswordFile !== undefined && { passwordFile: resolve(sourcePasswordFile) }),
        ...(sourcePasswordEnv !== undefined && { passwordEnv: sourcePasswordEnv }),
      },
      call,
    );
  },
  print(result, output) {
    const { name } = result.source;
    output.line(`registered ${name}`);
    printDescription(result.source, output);
    printFindings(result, output);
    if (result.findings.some(({ level }) => level === 'error')) {
      output.line(
        `where the cluster is at fault, mend it and run codr source check ${name}; where what was given here ` +
          `is wrong, run codr source remove ${name} and add it again`,
      );
    }
  },
});

export const sourceCheckCommand = defineCommand({
  path: 'source check',
  summary: 'prove rights and reach before any work',
  examples: ['codr source check shop'],
  json: checkJson,
  input: z.object({ source: sourceArgument() }),
  run: async (input, { api, call }) => (await api()).checkSource(input, call),
  print(result, output) {
    printDescription(result.source, output);
    printFindings(result, output);
  },
  exitCode: ({ findings }): ExitCode => (findings.some(({ level }) => level === 'error') ? 9 : 0),
});

export const sourceListCommand = defineCommand({
  path: 'source list',
  summary: 'list the registered clusters',
  examples: ['codr source list'],
  json: `{sources:[${describedJson}]}`,
  input: z.object({}),
  run: async (_input, { api, call }) => (await api()).listSources(call),
  print({ sources }, output) {
    if (sources.length === 0) output.line('no source is registered: see codr source add --help');
    printTable(
      output,
      [
        { title: 'NAME' },
        { title: 'KIND' },
        { title: 'VERSION' },
        { title: 'SCOPE' },
        { title: 'URI' },
      ],
      sources.map((source) => [
        source.name,
        source.kind,
        source.version,
        scope(source),
        source.uri,
      ]),
    );
  },
});

export const sourceShowCommand = defineCommand({
  path: 'source show',
  summary: 'show one registered cluster',
  examples: ['codr source show shop'],
  json: describedJson,
  input: z.object({ source: sourceArgument() }),
  run: async (input, { api, call }) => (await api()).showSource(input, call),
  print: printDescription,
});

export const sourceLimitCommand = defineCommand({
  path: 'source limit',
  summary: 'say what base copies may ask of a cluster, all peers together',
  about:
    'What is not given stays as it is; 0 lifts a limit. Counts from the next backup on. Whatever the limits, a base ' +
    'copy slows by itself while the cluster is under pressure.',
  examples: [
    'codr source limit shop --mib-per-second 50 --readers 4',
    'codr source limit shop --readers 0',
  ],
  json: describedJson,
  input: z.object({ source: sourceArgument(), ...limitOptions() }),
  async run({ source, readers, mibPerSecond }, { api, call }) {
    if (readers === undefined && mibPerSecond === undefined) {
      throw new CodrError('usage', 'no limit is given', {
        remedy: 'give --readers, --mib-per-second or both; codr source show has those that hold',
      });
    }
    const bytesPerSecond = bytesOfMib(mibPerSecond);
    return (await api()).limitSource({ source, readers, bytesPerSecond }, call);
  },
  print: printDescription,
});

export const sourceRebaseCommand = defineCommand({
  path: 'source rebase',
  summary: 'accept the other cluster that now answers at the address',
  about:
    'What was backed up stays restorable. The next backup reads a new base copy; between lies a hole.',
  examples: ['codr source rebase shop'],
  json: `{source:${describedJson}, identityBefore}`,
  input: z.object({ source: sourceArgument() }),
  run: async (input, { api, call }) => (await api()).rebaseSource(input, call),
  print({ source, identityBefore }, output) {
    output.line(`${source.name} is now ${source.identity}; it was ${identityBefore}`);
  },
});

export const sourceRemoveCommand = defineCommand({
  path: 'source remove',
  summary: 'drop a cluster and its whole history',
  about:
    'Nothing of it can be restored afterwards. `codr collect` frees the space. What was switched on at the ' +
    'cluster for its backups is switched off; where it does not answer, the source goes all the same, and what ' +
    'was left there is named. At a terminal it shows what goes and asks for the name once more; where nobody can ' +
    'be asked (scripts, --json) it goes on.',
  examples: ['codr source remove shop', 'codr source remove shop --yes'],
  json: '{source,id,warnings:[…]}',
  input: z.object({ source: sourceArgument(), yes: consent('ask nothing') }),
  async run({ source, yes }, { api, call, config, world }) {
    const node = await api();
    if (!yes && !config.json && world.ask) {
      const { intervals } = await node.points({ source }, call);
      const [first, last] = [intervals[0], intervals.at(-1)];
      const history = first && last ? `${first.from.wall} to ${last.to.wall}` : 'nothing';
      const question = `${source} goes, with all that can be restored: ${history}`;
      const answer = await world.ask(`${question}\ntype its name to go on: `, call.signal);
      if (answer.trim() !== source) {
        throw new CodrError('usage', `${source} stays: its name was not typed`, {
          remedy: 'type the name of the source, or give --yes',
        });
      }
    }
    return await node.removeSource({ source }, call);
  },
  print({ source, warnings }, output) {
    output.line(`removed ${source}; codr collect frees the space`);
    for (const text of warnings) output.line(output.paint('yellow', `warning: ${text}`));
  },
});

function printDescription(source: SourceDescription, output: Output): void {
  printPairs(output, [
    ['name', output.paint('bold', source.name)],
    ['kind', `${source.kind} ${source.version}`],
    ['uri', source.uri],
    ['identity', source.identity],
    ['streams', source.streams.join(', ')],
    ['scope', scope(source)],
    ...limitTexts(source).map((text): [string, string] => ['limit', text]),
    ['added', source.added],
  ]);
}

function limitTexts({ readers, bytesPerSecond }: SourceDescription): string[] {
  const most = readers === 1 ? '1 reader at a time' : `${readers} readers at a time`;
  return [
    ...(readers === undefined ? [] : [most]),
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
  ];
}

function printFindings({ findings }: SourceCheck, output: Output): void {
  const marks = {
    error: output.paint('red', 'error  '),
    warning: output.paint('yellow', 'warning'),
    fine: output.paint('green', 'fine   '),
  };
  for (const { level, message, remedy } of findings) {
    output.line(`${marks[level]}  ${message}${remedy === undefined ? '' : `: ${remedy}`}`);
  }
}

function scope({ include, exclude }: SourceDescription): string {
  const included = include.length === 0 ? 'all' : include.join(', ');
  return exclude.length === 0 ? included : `${included}, but not ${exclude.join(', ')}`;
}
