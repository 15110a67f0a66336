// Original file: codr/peer/v1/files.proto

import type { FileAct as _codr_peer_v1_FileAct, FileAct__Output as _codr_peer_v1_FileAct__Output } from '../../../codr/peer/v1/FileAct.ts';

export interface FileActs {
  'acts'?: (_codr_peer_v1_FileAct)[];
}

export interface FileActs__Output {
  'acts': (_codr_peer_v1_FileAct__Output)[];
}
