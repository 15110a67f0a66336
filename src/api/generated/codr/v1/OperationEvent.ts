// Original file: codr/v1/operations.proto

import type { Progress as _codr_v1_Progress, Progress__Output as _codr_v1_Progress__Output } from '../../codr/v1/Progress.ts';
import type { Operation as _codr_v1_Operation, Operation__Output as _codr_v1_Operation__Output } from '../../codr/v1/Operation.ts';
import type { Heartbeat as _codr_v1_Heartbeat, Heartbeat__Output as _codr_v1_Heartbeat__Output } from '../../codr/v1/Heartbeat.ts';
import type { Long } from '@grpc/proto-loader';

export interface OperationEvent {
  'sequence'?: (number | string | Long);
  'at'?: (string);
  'progress'?: (_codr_v1_Progress | null);
  'changed'?: (_codr_v1_Operation | null);
  'heartbeat'?: (_codr_v1_Heartbeat | null);
  'event'?: "progress"|"changed"|"heartbeat";
}

export interface OperationEvent__Output {
  'sequence': (string);
  'at': (string);
  'progress'?: (_codr_v1_Progress__Output | null);
  'changed'?: (_codr_v1_Operation__Output | null);
  'heartbeat'?: (_codr_v1_Heartbeat__Output | null);
  'event'?: "progress"|"changed"|"heartbeat";
}
