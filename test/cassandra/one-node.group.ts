// Files that want one node, whose settings say what any of them wants: it serves them
// all, and is warm after the first.
import '../../src/connector/cassandra/key/comparable.cassandra.test.ts';
import '../../src/connector/cassandra/session/control.cassandra.test.ts';
import '../../src/connector/cassandra/session/link-limit.cassandra.test.ts';
import '../../src/connector/cassandra/session/release.cassandra.test.ts';
import '../../src/connector/cassandra/sstable/write.cassandra.test.ts';
import '../../src/connector/cassandra/target/counter-writes.cassandra.test.ts';
import '../../src/connector/cassandra/target/file-layout.cassandra.test.ts';
import './01-10-values.cassandra.test.ts';
import './11-19-deletions.cassandra.test.ts';
import './23-25-views-indexes-lwt.cassandra.test.ts';
import './26-35-schema.cassandra.test.ts';
import './49-53-parts-and-times.cassandra.test.ts';
import './definitions.cassandra.test.ts';
// Last: what it damages is its own, but the server remembers that it was.
import '../../src/connector/cassandra/target/check-files.cassandra.test.ts';
