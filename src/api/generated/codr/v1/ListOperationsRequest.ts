// Original file: codr/v1/operations.proto


export interface ListOperationsRequest {
  'running'?: (boolean);
}

export interface ListOperationsRequest__Output {
  'running': (boolean);
}
