// Original file: codr/v1/repository.proto

import type { CheckProblem as _codr_v1_CheckProblem, CheckProblem__Output as _codr_v1_CheckProblem__Output } from '../../codr/v1/CheckProblem.ts';
import type { Long } from '@grpc/proto-loader';

export interface CheckResult {
  'packs'?: (number | string | Long);
  'commits'?: (number | string | Long);
  'bytesRead'?: (number | string | Long);
  'problems'?: (_codr_v1_CheckProblem)[];
  'givenUp'?: (string)[];
  'seconds'?: (number | string);
}

export interface CheckResult__Output {
  'packs': (string);
  'commits': (string);
  'bytesRead': (string);
  'problems': (_codr_v1_CheckProblem__Output)[];
  'givenUp': (string)[];
  'seconds': (number);
}
