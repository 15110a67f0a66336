// Original file: codr/peer/v1/files.proto

import type { Long } from '@grpc/proto-loader';

export interface FileFacts {
  'bytes'?: (number | string | Long);
  'modifiedMs'?: (number | string | Long);
  'userId'?: (number | string | Long);
  'names'?: (number | string | Long);
  'device'?: (string);
  'identity'?: (string);
}

export interface FileFacts__Output {
  'bytes': (string);
  'modifiedMs': (string);
  'userId': (string);
  'names': (string);
  'device': (string);
  'identity': (string);
}
