// Original file: codr/v1/sources.proto

import type { CutGrade as _codr_v1_CutGrade, CutGrade__Output as _codr_v1_CutGrade__Output } from '../../codr/v1/CutGrade.ts';
import type { Long } from '@grpc/proto-loader';

export interface Point {
  'id'?: (string);
  'time'?: (string);
  'wall'?: (string);
  'datasets'?: (number | string | Long);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'estimated'?: (boolean);
  'grade'?: (_codr_v1_CutGrade);
  '_estimated'?: "estimated";
  '_grade'?: "grade";
}

export interface Point__Output {
  'id': (string);
  'time': (string);
  'wall': (string);
  'datasets': (string);
  'records': (string);
  'bytes': (string);
  'estimated'?: (boolean);
  'grade'?: (_codr_v1_CutGrade__Output);
  '_estimated'?: "estimated";
  '_grade'?: "grade";
}
