// Original file: codr/v1/sources.proto

import type { Long } from '@grpc/proto-loader';

export interface CheckpointedDataset {
  'namespace'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'recordsBefore'?: (number | string | Long);
  '_recordsBefore'?: "recordsBefore";
}

export interface CheckpointedDataset__Output {
  'namespace': (string);
  'records': (string);
  'bytes': (string);
  'recordsBefore'?: (string);
  '_recordsBefore'?: "recordsBefore";
}
