// Original file: codr/v1/restores.proto


export interface VerifyRequest {
  'source'?: (string);
  'at'?: (string);
  'include'?: (string)[];
  'exclude'?: (string)[];
  'against'?: (string);
  'readData'?: (boolean);
  '_at'?: "at";
  '_against'?: "against";
}

export interface VerifyRequest__Output {
  'source': (string);
  'at'?: (string);
  'include': (string)[];
  'exclude': (string)[];
  'against'?: (string);
  'readData': (boolean);
  '_at'?: "at";
  '_against'?: "against";
}
