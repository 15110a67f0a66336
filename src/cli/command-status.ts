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
    '{repository:{url,id,encrypted,packs,packBytes}, peers:[{name,state,address?,version}], ' +
    'coordinator?, epoch?, sources:[{name,state,lagSeconds?,headroomSeconds?,interval?,holes,writer?,' +
    'heldBackBy?}], operations:[{id,kind,source?,state,progress?}]}',
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
      [{ title: 'PEER' }, { title: 'STATE' }, { title: 'VERSION' }, { title: 'ADDRESS' }],
      peers.map((peer) => [
        peer.name === coordinator ? `${peer.name} (coordinator)` : peer.name,
        peer.state === 'up' ? output.paint('green', 'up') : output.paint('red', peer.state),
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

function printSources(sources: readonly SourceStatus[], output: Output): void {
  if (sources.length === 0) output.line('no source is registered');
  printTable(
    output,
    [
      { title: 'SOURCE' },
      { title: 'STATE' },
      { title: 'LAG', right: true },
      { title: 'HEADROOM', right: true },
      { title: 'RESTORABLE FROM' },
      { title: 'TO' },
      { title: 'HOLES', right: true },
    ],
    sources.map((source) => [
      source.name,
      output.paint(source.state === 'hole' ? 'red' : 'green', source.state),
      source.lagSeconds === undefined ? '' : formatSeconds(source.lagSeconds),
      source.headroomSeconds === undefined ? '' : formatSeconds(source.headroomSeconds),
      source.interval?.from.wall ?? '',
      source.interval?.to.wall ?? '',
      String(source.holes.length),
    ]),
  );
  for (const { name, holes, writer, heldBackBy } of sources) {
    if (writer !== undefined) output.line(`${name}: written by ${writer}`);
    if (heldBackBy !== undefined) output.line(`${name}: held back by ${heldBackBy}`);
    for (const hole of holes) output.line(output.paint('yellow', `${name}: ${holeText(hole)}`));
  }
}
