// What one process kept of the records that it watched, as plain data for the process that asks the replicas.
import { fromBase64, toBase64 } from '../../../base/bytes.ts';
import type { DataRecord } from '../../../model/record.ts';
import type { KeptWindow } from './proof-sample.ts';

type RecordText = readonly [key: string, value: string];

interface WindowText extends Omit<KeptWindow, 'window'> {
  readonly partitionKey: string;
  readonly staticRow?: RecordText;
  readonly rows: readonly RecordText[];
}

/** Bytes are base64. */
export interface SampleText {
  readonly passedOver: number;
  readonly windows: readonly WindowText[];
}

export function sampleToText(passedOver: number, kept: Iterable<KeptWindow>): SampleText {
  const windows = [...kept].map(({ window, ...rest }): WindowText => {
    const { partitionKey, staticRow, rows } = window;
    return {
      ...rest,
      partitionKey: toBase64(partitionKey),
      ...(staticRow && { staticRow: textOf(staticRow) }),
      rows: rows.map(textOf),
    };
  });
  return { passedOver, windows };
}

export function sampleFromText({ windows }: Pick<SampleText, 'windows'>): KeptWindow[] {
  return windows.map(({ partitionKey, staticRow, rows, ...rest }) => ({
    ...rest,
    window: {
      partitionKey: fromBase64(partitionKey),
      staticRow: staticRow && recordOf(staticRow),
      rows: rows.map(recordOf),
    },
  }));
}

const textOf = ({ key, value }: DataRecord): RecordText => [toBase64(key), toBase64(value)];

const recordOf = ([key, value]: RecordText): DataRecord => ({
  key: fromBase64(key),
  value: fromBase64(value),
});
