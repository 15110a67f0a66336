// Original file: codr/v1/repository.proto


export interface StatusRequest {
}

export interface StatusRequest__Output {
}
