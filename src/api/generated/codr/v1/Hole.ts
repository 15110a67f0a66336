// Original file: codr/v1/sources.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';

export interface Hole {
  'stream'?: (string);
  'dataset'?: (string);
  'from'?: (_codr_v1_Moment | null);
  'to'?: (_codr_v1_Moment | null);
  'reason'?: (string);
  '_dataset'?: "dataset";
  '_to'?: "to";
}

export interface Hole__Output {
  'stream': (string);
  'dataset'?: (string);
  'from': (_codr_v1_Moment__Output | null);
  'to'?: (_codr_v1_Moment__Output | null);
  'reason': (string);
  '_dataset'?: "dataset";
  '_to'?: "to";
}
