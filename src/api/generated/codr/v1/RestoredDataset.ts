// Original file: codr/v1/restores.proto

import type { SpotReads as _codr_v1_SpotReads, SpotReads__Output as _codr_v1_SpotReads__Output } from '../../codr/v1/SpotReads.ts';
import type { Long } from '@grpc/proto-loader';

export interface RestoredDataset {
  'from'?: (string);
  'to'?: (string);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'root'?: (string);
  'proven'?: (boolean);
  'reads'?: (_codr_v1_SpotReads | null);
  '_reads'?: "reads";
}

export interface RestoredDataset__Output {
  'from': (string);
  'to': (string);
  'records': (string);
  'bytes': (string);
  'root': (string);
  'proven': (boolean);
  'reads'?: (_codr_v1_SpotReads__Output | null);
  '_reads'?: "reads";
}
