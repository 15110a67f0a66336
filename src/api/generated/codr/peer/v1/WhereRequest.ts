// Original file: codr/peer/v1/peer.proto


export interface WhereRequest {
  'batch'?: (Buffer | Uint8Array | string);
}

export interface WhereRequest__Output {
  'batch': (Buffer);
}
