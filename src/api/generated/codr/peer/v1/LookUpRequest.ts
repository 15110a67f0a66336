// Original file: codr/peer/v1/peer.proto


export interface LookUpRequest {
  'batch'?: (Buffer | Uint8Array | string);
}

export interface LookUpRequest__Output {
  'batch': (Buffer);
}
