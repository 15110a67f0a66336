// Original file: codr/v1/repository.proto


export interface AddKeyRequest {
  'passphrase'?: (string);
  'keyFileBase64'?: (string);
  '_passphrase'?: "passphrase";
  '_keyFileBase64'?: "keyFileBase64";
}

export interface AddKeyRequest__Output {
  'passphrase'?: (string);
  'keyFileBase64'?: (string);
  '_passphrase'?: "passphrase";
  '_keyFileBase64'?: "keyFileBase64";
}
