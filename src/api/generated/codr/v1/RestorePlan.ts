// Original file: codr/v1/restores.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';
import type { PlannedDataset as _codr_v1_PlannedDataset, PlannedDataset__Output as _codr_v1_PlannedDataset__Output } from '../../codr/v1/PlannedDataset.ts';
import type { Definition as _codr_v1_Definition, Definition__Output as _codr_v1_Definition__Output } from '../../codr/v1/Definition.ts';
import type { Skipped as _codr_v1_Skipped, Skipped__Output as _codr_v1_Skipped__Output } from '../../codr/v1/Skipped.ts';
import type { RestoreEstimate as _codr_v1_RestoreEstimate, RestoreEstimate__Output as _codr_v1_RestoreEstimate__Output } from '../../codr/v1/RestoreEstimate.ts';

export interface RestorePlan {
  'source'?: (string);
  'at'?: (_codr_v1_Moment | null);
  'resumes'?: (boolean);
  'datasets'?: (_codr_v1_PlannedDataset)[];
  'definitions'?: (_codr_v1_Definition)[];
  'conflicts'?: (string)[];
  'dropped'?: (string)[];
  'skipped'?: (_codr_v1_Skipped)[];
  'warnings'?: (string)[];
  'estimate'?: (_codr_v1_RestoreEstimate | null);
}

export interface RestorePlan__Output {
  'source': (string);
  'at': (_codr_v1_Moment__Output | null);
  'resumes': (boolean);
  'datasets': (_codr_v1_PlannedDataset__Output)[];
  'definitions': (_codr_v1_Definition__Output)[];
  'conflicts': (string)[];
  'dropped': (string)[];
  'skipped': (_codr_v1_Skipped__Output)[];
  'warnings': (string)[];
  'estimate': (_codr_v1_RestoreEstimate__Output | null);
}
