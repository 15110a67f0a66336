// Original file: codr/v1/restores.proto

import type { Long } from '@grpc/proto-loader';

export interface DatasetDescription {
  'namespace'?: (string);
  'id'?: (string);
  'kind'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'estimated'?: (boolean);
  '_estimated'?: "estimated";
}

export interface DatasetDescription__Output {
  'namespace': (string);
  'id': (string);
  'kind': (string);
  'records': (string);
  'bytes': (string);
  'estimated'?: (boolean);
  '_estimated'?: "estimated";
}
