// What threads of the program may hold. They hand blocks on and keep little: with the young generation that V8 gives a
// thread by itself each would hold 25 MB more, and be no faster.

/** `resourceLimits` of a worker. */
export const threadLimits = { maxYoungGenerationSizeMb: 8 } as const;
