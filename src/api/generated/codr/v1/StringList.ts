// Original file: codr/v1/common.proto


export interface StringList {
  'items'?: (string)[];
}

export interface StringList__Output {
  'items': (string)[];
}
