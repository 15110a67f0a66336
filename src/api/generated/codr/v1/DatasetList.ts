// Original file: codr/v1/restores.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { DatasetDescription as _codr_v1_DatasetDescription, DatasetDescription__Output as _codr_v1_DatasetDescription__Output } from '../../codr/v1/DatasetDescription.ts';

export interface DatasetList {
  'source'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'datasets'?: (_codr_v1_DatasetDescription)[];
}

export interface DatasetList__Output {
  'source': (string);
  'at': (_codr_v1_Moment__Output | null);
  'datasets': (_codr_v1_DatasetDescription__Output)[];
}
