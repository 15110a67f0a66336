// Original file: codr/v1/operations.proto

import type { Operation as _codr_v1_Operation, Operation__Output as _codr_v1_Operation__Output } from '../../codr/v1/Operation.ts';

export interface OperationList {
  'operations'?: (_codr_v1_Operation)[];
}

export interface OperationList__Output {
  'operations': (_codr_v1_Operation__Output)[];
}
