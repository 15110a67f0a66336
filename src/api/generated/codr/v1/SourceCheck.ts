// Original file: codr/v1/sources.proto

import type { SourceDescription as _codr_v1_SourceDescription, SourceDescription__Output as _codr_v1_SourceDescription__Output } from '../../codr/v1/SourceDescription.ts';
import type { SourceFinding as _codr_v1_SourceFinding, SourceFinding__Output as _codr_v1_SourceFinding__Output } from '../../codr/v1/SourceFinding.ts';

export interface SourceCheck {
  'source'?: (_codr_v1_SourceDescription | null);
  'findings'?: (_codr_v1_SourceFinding)[];
}

export interface SourceCheck__Output {
  'source': (_codr_v1_SourceDescription__Output | null);
  'findings': (_codr_v1_SourceFinding__Output)[];
}
