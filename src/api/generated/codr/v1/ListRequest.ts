// Original file: codr/v1/restores.proto


export interface ListRequest {
  'source'?: (string);
  'at'?: (string);
  '_at'?: "at";
}

export interface ListRequest__Output {
  'source': (string);
  'at'?: (string);
  '_at'?: "at";
}
