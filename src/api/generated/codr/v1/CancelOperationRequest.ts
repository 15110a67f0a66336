// Original file: codr/v1/operations.proto


export interface CancelOperationRequest {
  'id'?: (string);
}

export interface CancelOperationRequest__Output {
  'id': (string);
}
