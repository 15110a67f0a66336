// Original file: codr/v1/repository.proto


export interface RemoveKeyRequest {
  'id'?: (string);
}

export interface RemoveKeyRequest__Output {
  'id': (string);
}
