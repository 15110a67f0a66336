// How a call ends that is cut off on its way: as a connection that failed, so that whoever asked asks again.
import assert from 'node:assert/strict';
import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../node/system-clock.ts';
import { methodNamed } from '../grpc/protos.ts';
import { Channel, ConnectionError } from './channel.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

for (const code of [NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR]) {
  test(`a stream that a proxy resets with code ${code} is a connection that failed`, async (t) => {
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.close(code);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const address = `127.0.0.1:${port}`;
    const channel = new Channel({ address, tls: 'insecure', clock: systemClock });
    t.after(() => {
      channel[Symbol.dispose]();
      server.close();
    });
    const watch = methodNamed('Operations/Watch');
    const signal = new AbortController().signal;
    const events = channel.stream(watch, { id: 'x', afterSequence: 0 }, signal);
    await assert.rejects(Array.fromAsync(events), (error) => error instanceof ConnectionError);
  });
}

test('a server without TLS that is asked for it is known as one', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const channel = new Channel({ address: `127.0.0.1:${port}`, tls: {}, clock: systemClock });
  t.after(() => {
    channel[Symbol.dispose]();
    server.close();
  });
  const watch = methodNamed('Operations/Watch');
  const events = channel.stream(watch, { id: 'x', afterSequence: 0 }, AbortSignal.timeout(9000));
  await assert.rejects(
    Array.fromAsync(events),
    (error) => error instanceof ConnectionError && error.remedy.includes('--insecure'),
  );
});
