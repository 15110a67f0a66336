// Original file: codr/v1/repository.proto


export interface ListKeysRequest {
}

export interface ListKeysRequest__Output {
}
