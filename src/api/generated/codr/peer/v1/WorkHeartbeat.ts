// Original file: codr/peer/v1/work.proto


export interface WorkHeartbeat {
}

export interface WorkHeartbeat__Output {
}
