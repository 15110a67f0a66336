// Original file: codr/v1/sources.proto

import type { Long } from '@grpc/proto-loader';

export interface LimitSourceRequest {
  'source'?: (string);
  'readers'?: (number | string | Long);
  'bytesPerSecond'?: (number | string | Long);
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
}

export interface LimitSourceRequest__Output {
  'source': (string);
  'readers'?: (string);
  'bytesPerSecond'?: (string);
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
}
