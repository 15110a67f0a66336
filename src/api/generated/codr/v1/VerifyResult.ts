// Original file: codr/v1/restores.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { VerifiedDataset as _codr_v1_VerifiedDataset, VerifiedDataset__Output as _codr_v1_VerifiedDataset__Output } from '../../codr/v1/VerifiedDataset.ts';
import type { Long } from '@grpc/proto-loader';

export interface VerifyResult {
  'source'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'against'?: (string);
  'datasets'?: (_codr_v1_VerifiedDataset)[];
  'bytesRead'?: (number | string | Long);
  'seconds'?: (number | string);
  '_against'?: "against";
}

export interface VerifyResult__Output {
  'source': (string);
  'at': (_codr_v1_Moment__Output | null);
  'against'?: (string);
  'datasets': (_codr_v1_VerifiedDataset__Output)[];
  'bytesRead': (string);
  'seconds': (number);
  '_against'?: "against";
}
