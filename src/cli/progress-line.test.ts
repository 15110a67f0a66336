import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Progress } from '../api/codr-api.ts';
import { type ProgressForm, ProgressLine, progressText } from './progress-line.ts';

/** What is written while these reports come, 100 ms apart, and the work ends well or not. */
function written(
  form: ProgressForm,
  reports: readonly Progress[],
  { done = true, columns = 100 } = {},
): string[] {
  const out: string[] = [];
  let now = 0;
  const sink = { write: (text: string) => void out.push(text), isTerminal: true, columns };
  const line = new ProgressLine(sink, form, () => now);
  for (const report of reports) {
    now += 100;
    line.report(report);
  }
  line.end({ done });
  return out;
}

const survey: Progress = { phase: 'survey', records: 0, bytes: 0, seconds: 0 };
const totals = { phase: 'base copy', recordsTotal: 200, bytesTotal: 2048 };
const begun: Progress = { ...totals, records: 0, bytes: 0, seconds: 0 };
const half: Progress = { ...totals, records: 100, bytes: 1024, seconds: 1, etaSeconds: 1 };
const whole: Progress = { ...totals, records: 199, bytes: 2048, seconds: 2 };

test('the time left is told from the first hundredth on, or after a minute', () => {
  const early = { phase: 'base copy', records: 1, bytes: 10, recordsTotal: 900, bytesTotal: 9000 };
  const text = (seconds: number) => progressText({ ...early, seconds, etaSeconds: 5000 });
  assert.doesNotMatch(text(9), /left/);
  assert.match(text(61), /1 h 23 min left/);
});

test('plain lines name a phase, leave out counts of nothing, and end with the final state', () => {
  assert.deepEqual(written('lines', [survey, { ...survey, seconds: 0.9 }, begun, half, whole]), [
    'survey\n',
    'base copy  199 records  100%  2.00 KiB  1.00 KiB/s  2.0 s\n',
  ]);
  assert.deepEqual(
    written('lines', [
      { ...survey, seconds: 7 },
      { ...survey, seconds: 70 },
    ]),
    ['survey  7.0 s\n', 'survey  1 min 10 s\n'],
  );
});

test('work that failed ends with how far it came', () => {
  assert.deepEqual(written('lines', [begun, half], { done: false }), [
    'base copy  100 of 200 records  50%  1.00 KiB  1.00 KiB/s  1.0 s, 1.0 s left\n',
  ]);
});

test('a terminal is told the phase at once, and one of unknown width is taken for 80 columns', () => {
  const lines = written('line', [survey, begun, half], { columns: 0 });
  assert.deepEqual(lines.slice(0, 2), ['\rsurvey\u001b[K', '\rbase copy\u001b[K']);
  assert.match(lines[2] as string, /1\.0 s left/);
});

test('JSON lines are reports as they came: the first and the last of each phase', () => {
  const lines = written('json', [survey, begun, half, whole]).map((text) => JSON.parse(text));
  assert.deepEqual(lines, [{ progress: survey }, { progress: begun }, { progress: whole }]);
});
