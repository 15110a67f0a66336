// Original file: codr/v1/restores.proto

import type { Long } from '@grpc/proto-loader';

export interface RestoreEstimate {
  'bytes'?: (number | string | Long);
  'bytesPerSecond'?: (number | string | Long);
  'seconds'?: (number | string);
}

export interface RestoreEstimate__Output {
  'bytes': (string);
  'bytesPerSecond': (string);
  'seconds': (number);
}
