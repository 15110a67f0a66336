// Original file: codr/v1/repository.proto


export interface RepositoryDescription {
  'url'?: (string);
  'id'?: (string);
  'encrypted'?: (boolean);
}

export interface RepositoryDescription__Output {
  'url': (string);
  'id': (string);
  'encrypted': (boolean);
}
