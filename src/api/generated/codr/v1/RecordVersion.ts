// Original file: codr/v1/restores.proto

import type { RecordChange as _codr_v1_RecordChange, RecordChange__Output as _codr_v1_RecordChange__Output } from '../../codr/v1/RecordChange.ts';

export interface RecordVersion {
  'time'?: (string);
  'wall'?: (string);
  'change'?: (_codr_v1_RecordChange);
  'value'?: (string);
  'more'?: (boolean);
  '_value'?: "value";
  '_more'?: "more";
}

export interface RecordVersion__Output {
  'time': (string);
  'wall': (string);
  'change': (_codr_v1_RecordChange__Output);
  'value'?: (string);
  'more'?: (boolean);
  '_value'?: "value";
  '_more'?: "more";
}
