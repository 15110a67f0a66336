// Original file: codr/v1/repository.proto


export interface CheckRequest {
  'readDataPercent'?: (number | string);
  'repair'?: (boolean);
}

export interface CheckRequest__Output {
  'readDataPercent': (number);
  'repair': (boolean);
}
