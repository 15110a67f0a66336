// Original file: codr/v1/sources.proto

import type { CutGrade as _codr_v1_CutGrade, CutGrade__Output as _codr_v1_CutGrade__Output } from '../../codr/v1/CutGrade.ts';

export interface BackupRequest {
  'source'?: (string);
  'follow'?: (boolean);
  'rpoSeconds'?: (number | string);
  'minGrade'?: (_codr_v1_CutGrade);
  '_rpoSeconds'?: "rpoSeconds";
  '_minGrade'?: "minGrade";
}

export interface BackupRequest__Output {
  'source': (string);
  'follow': (boolean);
  'rpoSeconds'?: (number);
  'minGrade'?: (_codr_v1_CutGrade__Output);
  '_rpoSeconds'?: "rpoSeconds";
  '_minGrade'?: "minGrade";
}
