// Original file: codr/v1/sources.proto

import type { SourceDescription as _codr_v1_SourceDescription, SourceDescription__Output as _codr_v1_SourceDescription__Output } from '../../codr/v1/SourceDescription.ts';

export interface SourceList {
  'sources'?: (_codr_v1_SourceDescription)[];
}

export interface SourceList__Output {
  'sources': (_codr_v1_SourceDescription__Output)[];
}
