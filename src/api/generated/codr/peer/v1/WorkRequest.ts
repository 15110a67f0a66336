// Original file: codr/peer/v1/work.proto


export interface WorkRequest {
  'kind'?: (string);
  'input'?: (Buffer | Uint8Array | string);
}

export interface WorkRequest__Output {
  'kind': (string);
  'input': (Buffer);
}
