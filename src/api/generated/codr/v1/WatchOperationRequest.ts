// Original file: codr/v1/operations.proto

import type { Long } from '@grpc/proto-loader';

export interface WatchOperationRequest {
  'id'?: (string);
  'afterSequence'?: (number | string | Long);
}

export interface WatchOperationRequest__Output {
  'id': (string);
  'afterSequence': (string);
}
