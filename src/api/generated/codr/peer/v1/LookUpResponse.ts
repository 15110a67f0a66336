// Original file: codr/peer/v1/peer.proto


export interface LookUpResponse {
  'batch'?: (Buffer | Uint8Array | string);
}

export interface LookUpResponse__Output {
  'batch': (Buffer);
}
