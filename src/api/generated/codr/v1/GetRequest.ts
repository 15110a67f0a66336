// Original file: codr/v1/restores.proto


export interface GetRequest {
  'source'?: (string);
  'namespace'?: (string);
  'key'?: (string);
  'at'?: (string);
  'history'?: (boolean);
  '_at'?: "at";
}

export interface GetRequest__Output {
  'source': (string);
  'namespace': (string);
  'key': (string);
  'at'?: (string);
  'history': (boolean);
  '_at'?: "at";
}
