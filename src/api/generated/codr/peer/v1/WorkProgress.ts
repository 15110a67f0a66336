// Original file: codr/peer/v1/work.proto

import type { Long } from '@grpc/proto-loader';

export interface WorkProgress {
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
}

export interface WorkProgress__Output {
  'records': (string);
  'bytes': (string);
}
