// What a target gives back beside what it must give back, record by record, so that only one of the two needs to be
// cut for its root.
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { RecordStream } from '../../model/record.ts';
import { comparedWith, type FirstDifference } from '../verify/compare-streams.ts';

const words: Readonly<Record<FirstDifference['kind'], string>> = {
  missing: 'is not there',
  surplus: 'should not be there',
  changed: 'is another',
};

/**
 * Passes on `expected`, as far as `actual` is the same. Errors: `proof-failed`, with the first key at which they differ;
 * those of both streams.
 */
export function sameRecords(
  expected: RecordStream,
  actual: RecordStream,
  namespace: string,
): RecordStream {
  return comparedWith(expected, actual, ({ record, kind }) => {
    const key = toHex(record.key);
    const message = `${namespace}: what was read back differs: the record ${key} ${words[kind]}`;
    throw new CodrError('proof-failed', message, { object: namespace, facts: { key } });
  });
}
