// Original file: codr/v1/restores.proto

import type { Verdict as _codr_v1_Verdict, Verdict__Output as _codr_v1_Verdict__Output } from '../../codr/v1/Verdict.ts';
import type { Long } from '@grpc/proto-loader';

export interface VerifiedDataset {
  'namespace'?: (string);
  'verdict'?: (_codr_v1_Verdict);
  'records'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'estimated'?: (boolean);
  'root'?: (string);
  'detail'?: (string);
  '_estimated'?: "estimated";
  '_root'?: "root";
  '_detail'?: "detail";
}

export interface VerifiedDataset__Output {
  'namespace': (string);
  'verdict': (_codr_v1_Verdict__Output);
  'records': (string);
  'bytes': (string);
  'estimated'?: (boolean);
  'root'?: (string);
  'detail'?: (string);
  '_estimated'?: "estimated";
  '_root'?: "root";
  '_detail'?: "detail";
}
