// Original file: codr/v1/operations.proto


export interface OperationRequest {
  'id'?: (string);
}

export interface OperationRequest__Output {
  'id': (string);
}
