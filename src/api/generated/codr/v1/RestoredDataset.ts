// Original file: codr/v1/restores.proto

import type { Long } from '@grpc/proto-loader';

export interface RestoredDataset {
  'from'?: (string);
  'to'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'root'?: (string);
  'proven'?: (boolean);
}

export interface RestoredDataset__Output {
  'from': (string);
  'to': (string);
  'records': (string);
  'bytes': (string);
  'root': (string);
  'proven': (boolean);
}
