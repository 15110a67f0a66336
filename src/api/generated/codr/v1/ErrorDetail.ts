// Original file: codr/v1/common.proto


export interface ErrorDetail {
  'code'?: (string);
  'message'?: (string);
  'object'?: (string);
  'remedy'?: (string);
  'exitCode'?: (number);
  'causes'?: (string)[];
  'factsJson'?: (string);
  '_object'?: "object";
  '_factsJson'?: "factsJson";
}

export interface ErrorDetail__Output {
  'code': (string);
  'message': (string);
  'object'?: (string);
  'remedy': (string);
  'exitCode': (number);
  'causes': (string)[];
  'factsJson'?: (string);
  '_object'?: "object";
  '_factsJson'?: "factsJson";
}
