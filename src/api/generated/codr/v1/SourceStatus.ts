// Original file: codr/v1/repository.proto

import type { SourceState as _codr_v1_SourceState, SourceState__Output as _codr_v1_SourceState__Output } from '../../codr/v1/SourceState.ts';
import type { Span as _codr_v1_Span, Span__Output as _codr_v1_Span__Output } from '../../codr/v1/Span.ts';
import type { Hole as _codr_v1_Hole, Hole__Output as _codr_v1_Hole__Output } from '../../codr/v1/Hole.ts';
import type { Long } from '@grpc/proto-loader';

export interface SourceStatus {
  'name'?: (string);
  'state'?: (_codr_v1_SourceState);
  'lagSeconds'?: (number | string);
  'headroomSeconds'?: (number | string);
  'interval'?: (_codr_v1_Span | null);
  'cuts'?: (number | string | Long);
  'holes'?: (_codr_v1_Hole)[];
  'writer'?: (string);
  'heldBackBy'?: (string);
  '_lagSeconds'?: "lagSeconds";
  '_headroomSeconds'?: "headroomSeconds";
  '_interval'?: "interval";
  '_cuts'?: "cuts";
  '_writer'?: "writer";
  '_heldBackBy'?: "heldBackBy";
}

export interface SourceStatus__Output {
  'name': (string);
  'state': (_codr_v1_SourceState__Output);
  'lagSeconds'?: (number);
  'headroomSeconds'?: (number);
  'interval'?: (_codr_v1_Span__Output | null);
  'cuts'?: (string);
  'holes': (_codr_v1_Hole__Output)[];
  'writer'?: (string);
  'heldBackBy'?: (string);
  '_lagSeconds'?: "lagSeconds";
  '_headroomSeconds'?: "headroomSeconds";
  '_interval'?: "interval";
  '_cuts'?: "cuts";
  '_writer'?: "writer";
  '_heldBackBy'?: "heldBackBy";
}
