// Original file: codr/v1/sources.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { CheckpointedDataset as _codr_v1_CheckpointedDataset, CheckpointedDataset__Output as _codr_v1_CheckpointedDataset__Output } from '../../codr/v1/CheckpointedDataset.ts';
import type { Long } from '@grpc/proto-loader';

export interface CheckpointResult {
  'source'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'datasets'?: (_codr_v1_CheckpointedDataset)[];
  'unchanged'?: (number | string | Long);
  'bytesStored'?: (number | string | Long);
  'bytesDeduplicated'?: (number | string | Long);
  'seconds'?: (number | string);
}

export interface CheckpointResult__Output {
  'source': (string);
  'at': (_codr_v1_Moment__Output | null);
  'datasets': (_codr_v1_CheckpointedDataset__Output)[];
  'unchanged': (string);
  'bytesStored': (string);
  'bytesDeduplicated': (string);
  'seconds': (number);
}
