// Original file: codr/v1/sources.proto


export interface CheckpointRequest {
  'source'?: (string);
  'to'?: (string);
  '_to'?: "to";
}

export interface CheckpointRequest__Output {
  'source': (string);
  'to'?: (string);
  '_to'?: "to";
}
