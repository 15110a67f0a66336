// Original file: codr/v1/repository.proto


export interface InitRequest {
  'encryption'?: (boolean);
  '_encryption'?: "encryption";
}

export interface InitRequest__Output {
  'encryption'?: (boolean);
  '_encryption'?: "encryption";
}
