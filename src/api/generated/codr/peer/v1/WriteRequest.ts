// Original file: codr/peer/v1/files.proto

import type { Long } from '@grpc/proto-loader';

export interface WriteRequest {
  'lease'?: (number | string | Long);
  'file'?: (number | string | Long);
  'bytes'?: (Buffer | Uint8Array | string);
}

export interface WriteRequest__Output {
  'lease': (string);
  'file': (string);
  'bytes': (Buffer);
}
