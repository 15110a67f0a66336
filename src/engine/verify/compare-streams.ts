// Where two streams of records differ first. Both ascend by key.
import { compareBytes, equalBytes } from '../../base/bytes.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';

export interface FirstDifference {
  /** As the stream that has it holds it; of two, the first's. */
  readonly record: DataRecord;
  /** The record is only in the first, only in the second, or in both with other bytes. */
  readonly kind: 'missing' | 'surplus' | 'changed';
}

/** Undefined when both hold the same records. Reads no further than the first difference. */
export async function firstDifference(
  wanted: RecordStream,
  found: RecordStream,
): Promise<FirstDifference | undefined> {
  let first: FirstDifference | undefined;
  const tell = (difference: FirstDifference): void => {
    first = difference;
  };
  for await (const _ of comparedWith(wanted, found, tell)) if (first) break;
  return first;
}

/** All of `wanted` as it comes. `tell` hears where `found` differs first: no more of that is read then. */
export async function* comparedWith(
  wanted: RecordStream,
  found: RecordStream,
  tell: (difference: FirstDifference) => void,
): RecordStream {
  const right = records(found);
  let isEqual = true;
  const differ = (difference: FirstDifference): void => {
    isEqual = false;
    tell(difference);
  };
  try {
    for await (const batch of wanted) {
      for (const record of isEqual ? batch : []) {
        const difference = against(record, (await right.next()).value ?? undefined);
        if (difference) {
          differ(difference);
          break;
        }
      }
      yield batch;
    }
    const rest = isEqual ? await right.next() : undefined;
    if (rest && !rest.done) differ({ record: rest.value, kind: 'surplus' });
  } finally {
    await right.return(undefined);
  }
}

function against(wanted: DataRecord, found: DataRecord | undefined): FirstDifference | undefined {
  const order = found ? compareBytes(wanted.key, found.key) : -1;
  if (!found || order < 0) return { record: wanted, kind: 'missing' };
  if (order > 0) return { record: found, kind: 'surplus' };
  return equalBytes(wanted.value, found.value) ? undefined : { record: wanted, kind: 'changed' };
}

async function* records(stream: RecordStream): AsyncGenerator<DataRecord, undefined, void> {
  for await (const batch of stream) yield* batch;
  return undefined;
}
