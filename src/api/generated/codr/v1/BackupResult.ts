// Original file: codr/v1/sources.proto

import type { PointName as _codr_v1_PointName, PointName__Output as _codr_v1_PointName__Output } from '../../codr/v1/PointName.ts';
import type { Span as _codr_v1_Span, Span__Output as _codr_v1_Span__Output } from '../../codr/v1/Span.ts';
import type { Hole as _codr_v1_Hole, Hole__Output as _codr_v1_Hole__Output } from '../../codr/v1/Hole.ts';
import type { CutGrade as _codr_v1_CutGrade, CutGrade__Output as _codr_v1_CutGrade__Output } from '../../codr/v1/CutGrade.ts';
import type { Long } from '@grpc/proto-loader';

export interface BackupResult {
  'source'?: (string);
  'point'?: (_codr_v1_PointName | null);
  'interval'?: (_codr_v1_Span | null);
  'datasets'?: (number | string | Long);
  'records'?: (number | string | Long);
  'changes'?: (number | string | Long);
  'bytesRead'?: (number | string | Long);
  'bytesStored'?: (number | string | Long);
  'bytesDeduplicated'?: (number | string | Long);
  'holes'?: (_codr_v1_Hole)[];
  'grade'?: (_codr_v1_CutGrade);
  'warnings'?: (string)[];
  'seconds'?: (number | string);
  '_grade'?: "grade";
}

export interface BackupResult__Output {
  'source': (string);
  'point': (_codr_v1_PointName__Output | null);
  'interval': (_codr_v1_Span__Output | null);
  'datasets': (string);
  'records': (string);
  'changes': (string);
  'bytesRead': (string);
  'bytesStored': (string);
  'bytesDeduplicated': (string);
  'holes': (_codr_v1_Hole__Output)[];
  'grade'?: (_codr_v1_CutGrade__Output);
  'warnings': (string)[];
  'seconds': (number);
  '_grade'?: "grade";
}
