// Original file: codr/v1/operations.proto

import type { OperationDescription as _codr_v1_OperationDescription, OperationDescription__Output as _codr_v1_OperationDescription__Output } from '../../codr/v1/OperationDescription.ts';

export interface OperationList {
  'operations'?: (_codr_v1_OperationDescription)[];
}

export interface OperationList__Output {
  'operations': (_codr_v1_OperationDescription__Output)[];
}
