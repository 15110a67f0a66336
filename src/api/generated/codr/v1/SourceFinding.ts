// Original file: codr/v1/sources.proto

import type { FindingLevel as _codr_v1_FindingLevel, FindingLevel__Output as _codr_v1_FindingLevel__Output } from '../../codr/v1/FindingLevel.ts';

export interface SourceFinding {
  'level'?: (_codr_v1_FindingLevel);
  'message'?: (string);
  'remedy'?: (string);
  '_remedy'?: "remedy";
}

export interface SourceFinding__Output {
  'level': (_codr_v1_FindingLevel__Output);
  'message': (string);
  'remedy'?: (string);
  '_remedy'?: "remedy";
}
