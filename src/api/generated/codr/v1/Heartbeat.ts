// Original file: codr/v1/operations.proto


export interface Heartbeat {
}

export interface Heartbeat__Output {
}
