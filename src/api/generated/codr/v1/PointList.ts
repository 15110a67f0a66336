// Original file: codr/v1/sources.proto

import type { Span as _codr_v1_Span, Span__Output as _codr_v1_Span__Output } from '../../codr/v1/Span.ts';
import type { Hole as _codr_v1_Hole, Hole__Output as _codr_v1_Hole__Output } from '../../codr/v1/Hole.ts';
import type { Point as _codr_v1_Point, Point__Output as _codr_v1_Point__Output } from '../../codr/v1/Point.ts';

export interface PointList {
  'source'?: (string);
  'intervals'?: (_codr_v1_Span)[];
  'holes'?: (_codr_v1_Hole)[];
  'points'?: (_codr_v1_Point)[];
  'lagSeconds'?: (number | string);
  '_lagSeconds'?: "lagSeconds";
}

export interface PointList__Output {
  'source': (string);
  'intervals': (_codr_v1_Span__Output)[];
  'holes': (_codr_v1_Hole__Output)[];
  'points': (_codr_v1_Point__Output)[];
  'lagSeconds'?: (number);
  '_lagSeconds'?: "lagSeconds";
}
