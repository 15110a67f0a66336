// Original file: codr/peer/v1/files.proto


export interface FolderEntry {
  'name'?: (string);
  'isFolder'?: (boolean);
}

export interface FolderEntry__Output {
  'name': (string);
  'isFolder': (boolean);
}
