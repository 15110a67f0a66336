import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { JolokiaControl } from './jolokia-control.ts';

const call = { signal: new AbortController().signal };
/** As 5.0.9 says it while 10.0.0.4 replaces 10.0.0.3. */
const ring = {
  TokenToEndpointWithPortMap: { 1: '10.0.0.1:7000', 2: '10.0.0.2:7000', 3: '10.0.0.4:7000' },
  EndpointWithPortToHostId: {
    '10.0.0.1:7000': 'one',
    '10.0.0.2:7000': 'two',
    '10.0.0.3:7000': 'three',
    '10.0.0.4:7000': 'four',
    '10.0.0.5:7000': 'five',
  },
  JoiningNodesWithPort: ['10.0.0.4:7000'],
};

test('a node that is being replaced is a member with its tokens, and who replaces it is none yet', async () => {
  await using server = createServer(async (request, response) => {
    const asked = JSON.parse(await text(request)) as { type: string; arguments: string[] };
    const value = asked.type === 'read' ? ring : ['3'];
    // Of one that is no member the server says nothing.
    const isStranger = asked.arguments?.[0] === '10.0.0.5:7000';
    response.end(JSON.stringify(isStranger ? { status: 500 } : { status: 200, value }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const control = new JolokiaControl('here', { jolokia: `http://127.0.0.1:${port}/jolokia/` });
  const members = await control.members(call);
  assert.deepEqual(Object.fromEntries(members), {
    one: { address: '10.0.0.1', tokens: ['1'] },
    two: { address: '10.0.0.2', tokens: ['2'] },
    three: { address: '10.0.0.3', tokens: ['3'] },
  });
});
