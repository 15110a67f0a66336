// A process of its own that gives files away, and can be frozen. Usage: node serve-files.fixture.ts FOLDER
import { openServe } from '../../../test/api/world.ts';
import { servedFiles } from '../../connector/cassandra/served-files.ts';
import { systemClock as clock } from '../../node/system-clock.ts';
import { systemRandom } from '../../node/system-random.ts';
import { everybody } from '../access.ts';
import { fakeApi } from '../fake-api.fixture.ts';
import { serve } from '../grpc/serve.ts';
import { LocalOperations } from '../local-operations.ts';

const files = servedFiles([process.argv[2] ?? '']);
const api = fakeApi(async () => ({}));
const operations = new LocalOperations(api, { clock, random: systemRandom, redact: String });
const served = await serve({ ...openServe({ api, operations }), authorise: everybody, files });
process.stdout.write(`${served.address}\n`);
