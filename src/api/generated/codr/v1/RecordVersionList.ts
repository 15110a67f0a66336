// Original file: codr/v1/restores.proto

import type { RecordVersion as _codr_v1_RecordVersion, RecordVersion__Output as _codr_v1_RecordVersion__Output } from '../../codr/v1/RecordVersion.ts';

export interface RecordVersionList {
  'items'?: (_codr_v1_RecordVersion)[];
}

export interface RecordVersionList__Output {
  'items': (_codr_v1_RecordVersion__Output)[];
}
