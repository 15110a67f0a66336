// Original file: codr/peer/v1/files.proto


export interface HoldRequest {
}

export interface HoldRequest__Output {
}
