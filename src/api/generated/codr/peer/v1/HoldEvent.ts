// Original file: codr/peer/v1/files.proto

import type { Long } from '@grpc/proto-loader';

export interface HoldEvent {
  'lease'?: (number | string | Long);
}

export interface HoldEvent__Output {
  'lease': (string);
}
