// Original file: codr/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface Progress {
  'phase'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'recordsTotal'?: (number | string | Long);
  'bytesTotal'?: (number | string | Long);
  'bytesStored'?: (number | string | Long);
  'seconds'?: (number | string);
  'etaSeconds'?: (number | string);
  'note'?: (string);
  'told'?: (string);
  '_recordsTotal'?: "recordsTotal";
  '_bytesTotal'?: "bytesTotal";
  '_bytesStored'?: "bytesStored";
  '_etaSeconds'?: "etaSeconds";
  '_note'?: "note";
  '_told'?: "told";
}

export interface Progress__Output {
  'phase': (string);
  'records': (string);
  'bytes': (string);
  'recordsTotal'?: (string);
  'bytesTotal'?: (string);
  'bytesStored'?: (string);
  'seconds': (number);
  'etaSeconds'?: (number);
  'note'?: (string);
  'told'?: (string);
  '_recordsTotal'?: "recordsTotal";
  '_bytesTotal'?: "bytesTotal";
  '_bytesStored'?: "bytesStored";
  '_etaSeconds'?: "etaSeconds";
  '_note'?: "note";
  '_told'?: "told";
}
