// Original file: codr/v1/common.proto

import type { OperationState as _codr_v1_OperationState, OperationState__Output as _codr_v1_OperationState__Output } from '../../codr/v1/OperationState.ts';
import type { Progress as _codr_v1_Progress, Progress__Output as _codr_v1_Progress__Output } from '../../codr/v1/Progress.ts';

export interface OperationStatus {
  'id'?: (string);
  'kind'?: (string);
  'source'?: (string);
  'state'?: (_codr_v1_OperationState);
  'progress'?: (_codr_v1_Progress | null);
  '_source'?: "source";
  '_progress'?: "progress";
}

export interface OperationStatus__Output {
  'id': (string);
  'kind': (string);
  'source'?: (string);
  'state': (_codr_v1_OperationState__Output);
  'progress'?: (_codr_v1_Progress__Output | null);
  '_source'?: "source";
  '_progress'?: "progress";
}
