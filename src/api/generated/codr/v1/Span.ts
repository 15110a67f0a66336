// Original file: codr/v1/common.proto

import type { Moment as _codr_v1_Moment, Moment__Output as _codr_v1_Moment__Output } from '../../codr/v1/Moment.ts';

export interface Span {
  'from'?: (_codr_v1_Moment | null);
  'to'?: (_codr_v1_Moment | null);
}

export interface Span__Output {
  'from': (_codr_v1_Moment__Output | null);
  'to': (_codr_v1_Moment__Output | null);
}
