// Original file: codr/v1/repository.proto


export interface KeySlot {
  'id'?: (string);
  'kind'?: (string);
  'protection'?: (string);
}

export interface KeySlot__Output {
  'id': (string);
  'kind': (string);
  'protection': (string);
}
