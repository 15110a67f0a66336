// Original file: codr/v1/sources.proto


export interface SourceRequest {
  'source'?: (string);
}

export interface SourceRequest__Output {
  'source': (string);
}
