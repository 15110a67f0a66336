import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOutput, printTable } from './output.ts';

const columns = [{ title: 'FROM' }, { title: 'TO' }, { title: 'RECORDS', right: true }];
const long = `app.${'x'.repeat(190)}_2026`;
const rows = [
  ['app.a', 'app.b', '1'],
  [long, `${long}_b`, '1,000,000'],
];

function printed(sink: { isTerminal: boolean; columns: number }, given = rows): string[] {
  const out: string[] = [];
  const write = (text: string): void => void out.push(text);
  printTable(openOutput({ ...sink, write }, { NO_COLOR: '1' }), columns, given);
  return out.map((line) => line.slice(0, -1));
}

test('on a terminal long cells are shortened in their middle until the table fits', () => {
  const lines = printed({ isTerminal: true, columns: 61 });
  assert.deepEqual(
    lines.map((line) => line.length),
    [61, 61, 61],
  );
  assert.match(lines[2] as string, /^app\.x+…x+_2026 {2}app\.x+…x+_2026_b {2}1,000,000$/);
  const fitting = printed({ isTerminal: true, columns: 61 }, [['app.a', 'app.b', '1']]);
  assert.equal(fitting[1], 'app.a  app.b        1');
});

test('elsewhere nothing is shortened, and a narrow terminal keeps something of each name', () => {
  assert.ok(printed({ isTerminal: false, columns: 61 })[2]?.startsWith(`${long}  ${long}_b  `));
  assert.match(printed({ isTerminal: true, columns: 10 })[2] as string, /^app\.xxxx…xx_2026 {2}/);
});
