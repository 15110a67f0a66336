// An HTTP proxy in front of one server that does what networks and busy servers do: cuts connections before and
// within a request or an answer, delays, sends a request twice, loses the answer, and answers 500, 503 or 409
// itself. All chance comes from the given source, but the order of concurrent requests does not.
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/base/random.ts';

/** Chances out of 1,000 requests, tried in this order. */
export interface ProxyFaults {
  /** The connection is cut before the server hears of the request. */
  readonly cutPerMille?: number;
  /** The server does it; the answer is lost. */
  readonly lostReplyPerMille?: number;
  /** The server does it; the answer ends in its middle. */
  readonly cutReplyPerMille?: number;
  /** The request is sent twice; the second answer counts. */
  readonly twicePerMille?: number;
  /** The proxy answers 500, 503 (`SlowDown`) or, to a PUT, 409, and the server hears nothing. */
  readonly refusedPerMille?: number;
  /** Each request waits a random time below this. */
  readonly delayMsMax?: number;
  /** Nothing more can be stored, as full servers and used quotas say: 507 or 403. */
  readonly isFull?: boolean;
  /** A refusal of a condition is passed as success: what a server does that knows no conditions. */
  readonly hidesConflicts?: boolean;
}

type Chance = 'cut' | 'lostReply' | 'cutReply' | 'twice' | 'refused';

export interface FaultyProxy extends AsyncDisposable {
  readonly endpoint: string;
  faults: ProxyFaults;
  /** Number of faults of each kind so far. */
  readonly counts: Record<string, number>;
}

/** In front of `target` (`http://host:port`). The Host header passes as it came: it is signed. */
export async function startFaultyProxy(target: string, random: Random): Promise<FaultyProxy> {
  const agent = new Agent({ keepAlive: true });
  const counts: Record<string, number> = {};
  const proxy = {
    endpoint: '',
    faults: {} as ProxyFaults,
    counts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const chosen = (name: Chance): boolean => {
    const perMille = proxy.faults[`${name}PerMille`] ?? 0;
    if (perMille === 0 || random.below(1000) >= perMille) return false;
    counts[name] = (counts[name] ?? 0) + 1;
    return true;
  };
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = await readAll(req);
    const { delayMsMax = 0 } = proxy.faults;
    if (delayMsMax > 0) await sleep(random.below(delayMsMax));
    if (chosen('cut')) return void req.socket.destroy();
    if (proxy.faults.isFull && req.method === 'PUT') {
      counts.full = (counts.full ?? 0) + 1;
      return refuse(req, res, fullAnswers[random.below(fullAnswers.length)] ?? fullAnswers[0]);
    }
    if (chosen('refused')) {
      const answer = random.below(req.method === 'PUT' ? 3 : 2);
      return refuse(req, res, busyAnswers[answer] ?? busyAnswers[0]);
    }
    if (chosen('twice')) await forward(agent, target, req, body);
    const answer = await forward(agent, target, req, body);
    if (chosen('lostReply')) return void req.socket.destroy();
    const hidden = proxy.faults.hidesConflicts && answer.status === 412;
    if (hidden) return void res.writeHead(200, { 'content-length': 0 }).end();
    res.writeHead(answer.status, answer.headers);
    if (answer.body.length > 0 && chosen('cutReply')) {
      res.write(answer.body.subarray(0, answer.body.length >> 1), () => req.socket.destroy());
      return;
    }
    res.end(answer.body);
  };
  const server = createServer((req, res) => {
    handle(req, res).catch(() => req.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  proxy.endpoint = `http://127.0.0.1:${address.port}`;
  return proxy;
}

const fullAnswers = [
  [507, 'XMinioStorageFull'],
  [403, 'QuotaExceeded'],
] as const;
/** The last one is for a PUT alone. */
const busyAnswers = [
  [500, 'InternalError'],
  [503, 'SlowDown'],
  [409, 'ConditionalRequestConflict'],
] as const;

function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  [status, code]: readonly [number, string],
): void {
  const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>later</Message></Error>`;
  res.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length });
  res.end(req.method === 'HEAD' ? undefined : text);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

async function forward(
  agent: Agent,
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const out = request(`${target}${url}`, { agent, method, headers }, (answer) => {
      readAll(answer).then(
        (bytes) =>
          resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
        reject,
      );
    });
    out.on('error', reject);
    // A server that refuses the head reads no body, and a body that was sent hides its answer.
    if (headers.expect === undefined) return void out.end(body);
    out.flushHeaders();
    out.once('continue', () => out.end(body));
    out.once('close', () => out.destroy());
  });
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
