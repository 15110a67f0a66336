// Original file: codr/peer/v1/files.proto

import type { FileResult as _codr_peer_v1_FileResult, FileResult__Output as _codr_peer_v1_FileResult__Output } from '../../../codr/peer/v1/FileResult.ts';
import type { FileFault as _codr_peer_v1_FileFault, FileFault__Output as _codr_peer_v1_FileFault__Output } from '../../../codr/peer/v1/FileFault.ts';

export interface FileResults {
  'results'?: (_codr_peer_v1_FileResult)[];
  'fault'?: (_codr_peer_v1_FileFault | null);
  '_fault'?: "fault";
}

export interface FileResults__Output {
  'results': (_codr_peer_v1_FileResult__Output)[];
  'fault'?: (_codr_peer_v1_FileFault__Output | null);
  '_fault'?: "fault";
}
