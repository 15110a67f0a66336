// Original file: codr/peer/v1/work.proto

import type { WorkHeartbeat as _codr_peer_v1_WorkHeartbeat, WorkHeartbeat__Output as _codr_peer_v1_WorkHeartbeat__Output } from '../../../codr/peer/v1/WorkHeartbeat.ts';
import type { WorkProgress as _codr_peer_v1_WorkProgress, WorkProgress__Output as _codr_peer_v1_WorkProgress__Output } from '../../../codr/peer/v1/WorkProgress.ts';
import type { Long } from '@grpc/proto-loader';

export interface WorkEvent {
  'heartbeat'?: (_codr_peer_v1_WorkHeartbeat | null);
  'progress'?: (_codr_peer_v1_WorkProgress | null);
  'result'?: (Buffer | Uint8Array | string);
  'cpuMs'?: (number | string | Long);
  '_heartbeat'?: "heartbeat";
  '_progress'?: "progress";
  '_result'?: "result";
  '_cpuMs'?: "cpuMs";
}

export interface WorkEvent__Output {
  'heartbeat'?: (_codr_peer_v1_WorkHeartbeat__Output | null);
  'progress'?: (_codr_peer_v1_WorkProgress__Output | null);
  'result'?: (Buffer);
  'cpuMs'?: (string);
  '_heartbeat'?: "heartbeat";
  '_progress'?: "progress";
  '_result'?: "result";
  '_cpuMs'?: "cpuMs";
}
