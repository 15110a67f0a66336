// Original file: codr/v1/restores.proto


export interface Skipped {
  'namespace'?: (string);
  'reason'?: (string);
}

export interface Skipped__Output {
  'namespace': (string);
  'reason': (string);
}
