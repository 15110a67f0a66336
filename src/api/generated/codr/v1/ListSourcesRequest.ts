// Original file: codr/v1/sources.proto


export interface ListSourcesRequest {
}

export interface ListSourcesRequest__Output {
}
