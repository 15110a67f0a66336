// `codr status`: the repository, the peers, every source, running work.
import { z } from 'zod';
import type { SourceStatus } from '../api/codr-api.ts';
import { defineCommand } from './command.ts';
import { type Output, printPairs, printTable } from './output.ts';
import { progressText } from './progress-line.ts';
import { holeText } from './timeline.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export const statusCommand = defineCommand({
  path: 'status',
  summary: 'show the repository, the sources, their lag, running work',
  examples: ['codr status', 'codr status --json'],
  json:
    '{repository:{url,id,encrypted,packs,packBytes}, peers:[{name,state,address?,version,' +
    'slots?,ownsPercent?,operations?,lagSeconds?}], ' +
    'coordinator?, epoch?, sources:[{name,state,lagSeconds?,headroomSeconds?,interval?,cuts?,holes,' +
    'writer?,heldBackBy?}], operations:[{id,kind,source?,state,progress?}]}',
  input: z.object({}),
  run: async (_input, { api, call }) => (await api()).status({}, call),
  print({ repository, peers, coordinator, sources, operations }, output) {
    printPairs(output, [
      [
        'repository',
        `${repository.url}  ${formatBytes(repository.packBytes)} in ${formatCount(repository.packs)} packs`,
      ],
      ['encryption', repository.encrypted ? 'on' : output.paint('yellow', 'none')],
    ]);
    output.line();
    printTable(
      output,
      [
        { title: 'PEER' },
        { title: 'STATE' },
        { title: 'SLOTS', right: true },
        { title: 'OWNS', right: true },
        { title: 'LOAD', right: true },
        { title: 'LAG', right: true },
        { title: 'VERSION' },
        { title: 'ADDRESS' },
      ],
      peers.map((peer) => [
        peer.name === coordinator ? `${peer.name} (coordinator)` : peer.name,
        peer.state === 'up' ? output.paint('green', 'up') : output.paint('red', peer.state),
        peer.slots === undefined ? '' : formatCount(peer.slots),
        peer.ownsPercent === undefined ? '' : `${peer.ownsPercent.toFixed(1)} %`,
        peer.operations === undefined ? '' : formatCount(peer.operations),
        peer.lagSeconds === undefined ? '' : formatSeconds(peer.lagSeconds),
        peer.version,
        peer.address ?? '',
      ]),
    );
    output.line();
    printSources(sources, output);
    for (const { id, kind, source, state, progress } of operations) {
      output.line(
        [id, kind, source, state, progress && progressText(progress)].filter(Boolean).join('  '),
      );
    }
  },
});

const lossStates: ReadonlySet<SourceStatus['state']> = new Set(['hole', 'gap']);

function headroomText({ state, headroomSeconds }: SourceStatus): string {
  if (state === 'gap') return 'none';
  return headroomSeconds === undefined ? '' : formatSeconds(headroomSeconds);
}

function gapText(name: string): string {
  return (
    `${name}: its log no longer holds what comes after the last commit: run codr backup ${name}, ` +
    'which records a hole and makes a new base copy'
  );
}

function newestText({ interval, cuts }: SourceStatus): string {
  if (!interval || cuts === undefined) return interval?.to.wall ?? '';
  return `${interval.to.wall}  ${formatCount(cuts)} ${cuts === 1 ? 'cut' : 'cuts'}`;
}

function printSources(sources: readonly SourceStatus[], output: Output): void {
  // Cuts have no log that could roll over.
  const hasLog = sources.some(({ cuts }) => cuts === undefined);
  if (sources.length === 0) output.line('no source is registered');
  printTable(
    output,
    [
      { title: 'SOURCE' },
      { title: 'STATE' },
      { title: 'LAG', right: true },
      ...(hasLog ? [{ title: 'HEADROOM', right: true }] : []),
      { title: 'RESTORABLE FROM' },
      { title: 'TO' },
      { title: 'HOLES', right: true },
    ],
    sources.map((source) => [
      source.name,
      output.paint(lossStates.has(source.state) ? 'red' : 'green', source.state),
      source.lagSeconds === undefined ? '' : formatSeconds(source.lagSeconds),
      ...(hasLog ? [headroomText(source)] : []),
      source.interval?.from.wall ?? '',
      newestText(source),
      String(source.holes.length),
    ]),
  );
  for (const { name, state, holes, writer, heldBackBy } of sources) {
    if (state === 'gap') output.line(output.paint('red', gapText(name)));
    if (writer !== undefined) output.line(`${name}: written by ${writer}`);
    if (heldBackBy !== undefined) output.line(`${name}: held back by ${heldBackBy}`);
    for (const hole of holes) output.line(output.paint('yellow', `${name}: ${holeText(hole)}`));
  }
}
