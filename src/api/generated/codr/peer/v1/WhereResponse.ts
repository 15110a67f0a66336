// Original file: codr/peer/v1/peer.proto


export interface WhereResponse {
  'batch'?: (Buffer | Uint8Array | string);
}

export interface WhereResponse__Output {
  'batch': (Buffer);
}
