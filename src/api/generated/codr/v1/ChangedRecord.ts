// Original file: codr/v1/restores.proto


export interface ChangedRecord {
  'namespace'?: (string);
  'key'?: (string);
}

export interface ChangedRecord__Output {
  'namespace': (string);
  'key': (string);
}
