// Original file: codr/v1/repository.proto

import type { StringList as _codr_v1_StringList, StringList__Output as _codr_v1_StringList__Output } from '../../codr/v1/StringList.ts';
import type { Long } from '@grpc/proto-loader';

export interface CollectResult {
  'dryRun'?: (boolean);
  'packsExamined'?: (number | string | Long);
  'packsRemoved'?: (number | string | Long);
  'bytesFreed'?: (number | string | Long);
  'heldBy'?: (_codr_v1_StringList | null);
  'seconds'?: (number | string);
  '_heldBy'?: "heldBy";
}

export interface CollectResult__Output {
  'dryRun': (boolean);
  'packsExamined': (string);
  'packsRemoved': (string);
  'bytesFreed': (string);
  'heldBy'?: (_codr_v1_StringList__Output | null);
  'seconds': (number);
  '_heldBy'?: "heldBy";
}
