// Original file: codr/v1/sources.proto

import type { SourceDescription as _codr_v1_SourceDescription, SourceDescription__Output as _codr_v1_SourceDescription__Output } from '../../codr/v1/SourceDescription.ts';

export interface SourceRebased {
  'source'?: (_codr_v1_SourceDescription | null);
  'identityBefore'?: (string);
}

export interface SourceRebased__Output {
  'source': (_codr_v1_SourceDescription__Output | null);
  'identityBefore': (string);
}
