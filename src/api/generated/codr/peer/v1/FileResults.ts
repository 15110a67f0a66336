// Original file: codr/peer/v1/files.proto

import type { FileResult as _codr_peer_v1_FileResult, FileResult__Output as _codr_peer_v1_FileResult__Output } from '../../../codr/peer/v1/FileResult.ts';

export interface FileResults {
  'results'?: (_codr_peer_v1_FileResult)[];
}

export interface FileResults__Output {
  'results': (_codr_peer_v1_FileResult__Output)[];
}
