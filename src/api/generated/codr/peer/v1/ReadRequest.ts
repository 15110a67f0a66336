// Original file: codr/peer/v1/files.proto

import type { Long } from '@grpc/proto-loader';

export interface ReadRequest {
  'lease'?: (number | string | Long);
  'file'?: (number | string | Long);
  'position'?: (number | string | Long);
  'length'?: (number | string | Long);
}

export interface ReadRequest__Output {
  'lease': (string);
  'file': (string);
  'position': (string);
  'length': (string);
}
