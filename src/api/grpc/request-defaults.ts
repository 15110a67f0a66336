// What a request means that leaves something out: what the command line gives when a flag is absent. Fields that
// the API requires and the protos mark `optional` stand here, and nowhere else.

/** By the name of the message below `codr.v1`. */
export const requestDefaults: Readonly<Record<string, object>> = {
  InitRequest: { encryption: true },
  CheckpointRequest: { to: 'latest' },
  RestoreRequest: { at: 'latest', ttl: 'keep', verify: true },
  VerifyRequest: { at: 'latest' },
  ListRequest: { at: 'latest' },
  GetRequest: { at: 'latest' },
};

export function withDefaults(messageName: string, plain: object): object {
  const name = messageName.slice(messageName.lastIndexOf('.') + 1);
  return { ...requestDefaults[name], ...plain };
}
