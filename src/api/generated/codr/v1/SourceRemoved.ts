// Original file: codr/v1/sources.proto


export interface SourceRemoved {
  'source'?: (string);
  'id'?: (string);
  'warnings'?: (string)[];
}

export interface SourceRemoved__Output {
  'source': (string);
  'id': (string);
  'warnings': (string)[];
}
