// Original file: codr/v1/restores.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { RecordVersionList as _codr_v1_RecordVersionList, RecordVersionList__Output as _codr_v1_RecordVersionList__Output } from '../../codr/v1/RecordVersionList.ts';

export interface RecordResult {
  'source'?: (string);
  'namespace'?: (string);
  'key'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'value'?: (string);
  'more'?: (boolean);
  'history'?: (_codr_v1_RecordVersionList | null);
  '_value'?: "value";
  '_more'?: "more";
  '_history'?: "history";
}

export interface RecordResult__Output {
  'source': (string);
  'namespace': (string);
  'key': (string);
  'at': (_codr_v1_Moment__Output | null);
  'value'?: (string);
  'more'?: (boolean);
  'history'?: (_codr_v1_RecordVersionList__Output | null);
  '_value'?: "value";
  '_more'?: "more";
  '_history'?: "history";
}
