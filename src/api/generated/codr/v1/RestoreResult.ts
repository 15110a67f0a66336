// Original file: codr/v1/restores.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { RestoredDataset as _codr_v1_RestoredDataset, RestoredDataset__Output as _codr_v1_RestoredDataset__Output } from '../../codr/v1/RestoredDataset.ts';
import type { Definition as _codr_v1_Definition, Definition__Output as _codr_v1_Definition__Output } from '../../codr/v1/Definition.ts';
import type { Skipped as _codr_v1_Skipped, Skipped__Output as _codr_v1_Skipped__Output } from '../../codr/v1/Skipped.ts';
import type { ChangedRecord as _codr_v1_ChangedRecord, ChangedRecord__Output as _codr_v1_ChangedRecord__Output } from '../../codr/v1/ChangedRecord.ts';
import type { Long } from '@grpc/proto-loader';

export interface RestoreResult {
  'source'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'datasets'?: (_codr_v1_RestoredDataset)[];
  'definitions'?: (_codr_v1_Definition)[];
  'dropped'?: (string)[];
  'skipped'?: (_codr_v1_Skipped)[];
  'changedByTarget'?: (_codr_v1_ChangedRecord)[];
  'tornTransactions'?: (number | string | Long);
  'warnings'?: (string)[];
  'seconds'?: (number | string);
}

export interface RestoreResult__Output {
  'source': (string);
  'at': (_codr_v1_Moment__Output | null);
  'datasets': (_codr_v1_RestoredDataset__Output)[];
  'definitions': (_codr_v1_Definition__Output)[];
  'dropped': (string)[];
  'skipped': (_codr_v1_Skipped__Output)[];
  'changedByTarget': (_codr_v1_ChangedRecord__Output)[];
  'tornTransactions': (string);
  'warnings': (string)[];
  'seconds': (number);
}
