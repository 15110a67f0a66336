// Original file: codr/v1/repository.proto


export interface CollectRequest {
  'dryRun'?: (boolean);
}

export interface CollectRequest__Output {
  'dryRun': (boolean);
}
