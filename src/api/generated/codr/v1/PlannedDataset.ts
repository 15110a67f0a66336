// Original file: codr/v1/restores.proto

import type { Long } from '@grpc/proto-loader';

export interface PlannedDataset {
  'from'?: (string);
  'to'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'estimated'?: (boolean);
  'expiring'?: (number | string | Long);
  'expiringExact'?: (boolean);
  'ranges'?: (number | string | Long);
  '_estimated'?: "estimated";
  '_expiring'?: "expiring";
  '_expiringExact'?: "expiringExact";
}

export interface PlannedDataset__Output {
  'from': (string);
  'to': (string);
  'records': (string);
  'bytes': (string);
  'estimated'?: (boolean);
  'expiring'?: (string);
  'expiringExact'?: (boolean);
  'ranges': (string);
  '_estimated'?: "estimated";
  '_expiring'?: "expiring";
  '_expiringExact'?: "expiringExact";
}
