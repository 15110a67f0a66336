// Original file: codr/v1/operations.proto

import type { OperationState as _codr_v1_OperationState, OperationState__Output as _codr_v1_OperationState__Output } from '../../codr/v1/OperationState.ts';
import type { Progress as _codr_v1_Progress, Progress__Output as _codr_v1_Progress__Output } from '../../codr/v1/Progress.ts';

export interface OperationDescription {
  'id'?: (string);
  'kind'?: (string);
  'source'?: (string);
  'state'?: (_codr_v1_OperationState);
  'by'?: (string);
  'created'?: (string);
  'ended'?: (string);
  'progress'?: (_codr_v1_Progress | null);
  'cancelling'?: (boolean);
  'failure'?: (string);
  '_source'?: "source";
  '_ended'?: "ended";
  '_progress'?: "progress";
  '_failure'?: "failure";
}

export interface OperationDescription__Output {
  'id': (string);
  'kind': (string);
  'source'?: (string);
  'state': (_codr_v1_OperationState__Output);
  'by': (string);
  'created': (string);
  'ended'?: (string);
  'progress'?: (_codr_v1_Progress__Output | null);
  'cancelling': (boolean);
  'failure'?: (string);
  '_source'?: "source";
  '_ended'?: "ended";
  '_progress'?: "progress";
  '_failure'?: "failure";
}
