// Original file: codr/v1/restores.proto


export interface Definition {
  'kind'?: (string);
  'name'?: (string);
}

export interface Definition__Output {
  'kind': (string);
  'name': (string);
}
