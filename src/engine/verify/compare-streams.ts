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
  const left = records(wanted);
  const right = records(found);
  try {
    for (;;) {
      const [a, b] = [await left.next(), await right.next()];
      if (a.done && b.done) return undefined;
      if (a.done) return { record: b.value as DataRecord, kind: 'surplus' };
      if (b.done) return { record: a.value, kind: 'missing' };
      const order = compareBytes(a.value.key, b.value.key);
      if (order < 0) return { record: a.value, kind: 'missing' };
      if (order > 0) return { record: b.value, kind: 'surplus' };
      if (!equalBytes(a.value.value, b.value.value)) return { record: a.value, kind: 'changed' };
    }
  } finally {
    await Promise.all([left.return(), right.return()]);
  }
}

async function* records(stream: RecordStream): AsyncGenerator<DataRecord, void, void> {
  for await (const batch of stream) yield* batch;
}
