// Original file: codr/peer/v1/peer.proto

import type { Long } from '@grpc/proto-loader';

export interface PingRequest {
  'name'?: (string);
  'epoch'?: (number | string | Long);
}

export interface PingRequest__Output {
  'name': (string);
  'epoch': (string);
}
