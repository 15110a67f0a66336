// Original file: codr/v1/operations.proto

import type { OperationState as _codr_v1_OperationState, OperationState__Output as _codr_v1_OperationState__Output } from '../../codr/v1/OperationState.ts';
import type { Progress as _codr_v1_Progress, Progress__Output as _codr_v1_Progress__Output } from '../../codr/v1/Progress.ts';
import type { OperationResult as _codr_v1_OperationResult, OperationResult__Output as _codr_v1_OperationResult__Output } from '../../codr/v1/OperationResult.ts';
import type { ErrorDetail as _codr_v1_ErrorDetail, ErrorDetail__Output as _codr_v1_ErrorDetail__Output } from '../../codr/v1/ErrorDetail.ts';
import type { Long } from '@grpc/proto-loader';

export interface Operation {
  'id'?: (string);
  'kind'?: (string);
  'source'?: (string);
  'state'?: (_codr_v1_OperationState);
  'by'?: (string);
  'created'?: (string);
  'ended'?: (string);
  'sequence'?: (number | string | Long);
  'progress'?: (_codr_v1_Progress | null);
  'cancelling'?: (boolean);
  'result'?: (_codr_v1_OperationResult | null);
  'error'?: (_codr_v1_ErrorDetail | null);
  '_source'?: "source";
  '_ended'?: "ended";
  '_progress'?: "progress";
  '_result'?: "result";
  '_error'?: "error";
}

export interface Operation__Output {
  'id': (string);
  'kind': (string);
  'source'?: (string);
  'state': (_codr_v1_OperationState__Output);
  'by': (string);
  'created': (string);
  'ended'?: (string);
  'sequence': (string);
  'progress'?: (_codr_v1_Progress__Output | null);
  'cancelling': (boolean);
  'result'?: (_codr_v1_OperationResult__Output | null);
  'error'?: (_codr_v1_ErrorDetail__Output | null);
  '_source'?: "source";
  '_ended'?: "ended";
  '_progress'?: "progress";
  '_result'?: "result";
  '_error'?: "error";
}
