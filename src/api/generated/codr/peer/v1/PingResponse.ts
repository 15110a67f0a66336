// Original file: codr/peer/v1/peer.proto

import type { Long } from '@grpc/proto-loader';

export interface PingResponse {
  'name'?: (string);
  'epoch'?: (number | string | Long);
}

export interface PingResponse__Output {
  'name': (string);
  'epoch': (string);
}
