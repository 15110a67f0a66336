// The command line and the configuration files of a Cassandra node. The exports and opens are those of
// `conf/jvm17-server.options` of Cassandra 5.0; 4.1, made for Java 8 and 11, needs more of them on 17.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CassandraProgram } from './cassandra-program.ts';

/** What is said of a cluster in `cassandra.yaml` and on the command line of each of its nodes. */
export interface NodeSettings {
  readonly clusterName: string;
  readonly address: string;
  /** Host addresses of the seeds. */
  readonly seeds: readonly string[];
  readonly folder: string;
  readonly storagePort: number;
  readonly cqlPort: number;
  readonly httpPort: number;
  /** Local RMI port for nodetool; undefined: none. */
  readonly jmxPort: number | undefined;
  readonly heapMiB: number;
  readonly numTokens: number;
  readonly compatibility: 'CASSANDRA_4' | 'UPGRADING' | 'NONE';
  readonly format: 'big' | 'bti';
  readonly uuidIds: boolean;
  /** The node's data centre; undefined: one data centre, SimpleSnitch. */
  readonly dataCentre: string | undefined;
  readonly bootstrap: boolean;
  readonly hints: boolean;
  readonly incrementalBackups: boolean;
  readonly cdc: boolean;
  readonly fast: boolean;
  readonly yaml: readonly string[];
  readonly jvm: readonly string[];
}

const segmentMiB = 4;
const memtableMiB = 64;
const cdcMiB = 512;

const exported = [
  'java.base/jdk.internal.misc java.base/java.lang.ref',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.management/com.sun.jmx.remote.security java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server java.sql/java.sql jdk.unsupported/sun.misc',
];
const opened = [
  'java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.io',
  'java.base/java.nio java.base/java.util java.base/sun.nio.ch java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.math',
  'java.base/jdk.internal.module java.base/jdk.internal.util.jar',
  'jdk.management/com.sun.management.internal',
];
/** What jamm 0.3.2 of Cassandra 4 looks into besides. */
const openedFor4 = [
  'java.base/java.net java.base/java.math java.base/java.time java.base/java.security',
  'java.base/java.nio.channels java.base/java.nio.charset java.base/java.nio.file',
  'java.base/java.util.concurrent java.base/java.util.concurrent.atomic',
  'java.base/java.util.concurrent.locks java.base/java.util.function java.base/java.util.stream',
  'java.base/java.util.regex java.base/java.text java.base/java.lang.invoke java.base/sun.nio.fs',
  'java.base/sun.net.www.protocol.jar java.base/sun.security.provider',
  'java.base/sun.reflect.annotation java.base/sun.reflect.generics.repository',
  'java.base/sun.reflect.generics.reflectiveObjects java.base/jdk.internal.perf',
  'java.rmi/sun.rmi.transport java.rmi/sun.rmi.transport.tcp',
  'java.management/javax.management java.management/com.sun.jmx.mbeanserver',
];

/** Flags that every program of Cassandra needs on Java 17: nodes, `SSTableExport`, `BulkLoader`. */
export async function jvmFlags({ lib, version }: CassandraProgram): Promise<string[]> {
  const jamm = (await readdir(lib)).find((jar) => /^jamm-.*\.jar$/.test(jar));
  const each = (flag: string, lines: readonly string[]): string[] =>
    lines.flatMap((line) => line.split(' ')).flatMap((name) => [flag, `${name}=ALL-UNNAMED`]);
  return [
    ...(jamm ? [`-javaagent:${join(lib, jamm)}`] : []),
    '-Djdk.attach.allowAttachSelf=true',
    '-Dio.netty.tryReflectionSetAccessible=true',
    ...each('--add-exports', exported),
    ...each('--add-opens', opened),
    ...(version.startsWith('4.') ? each('--add-opens', openedFor4) : []),
  ];
}

/** Arguments of `java` for one node, whose configuration lies in `conf` of its folder. */
export async function nodeArguments(
  program: CassandraProgram,
  settings: NodeSettings,
): Promise<string[]> {
  const { folder, heapMiB, address, httpPort, jmxPort } = settings;
  return [
    ...[`-Xms${heapMiB}m`, `-Xmx${heapMiB}m`, '-Xss512k', '-XX:+UseSerialGC', '-XX:-UsePerfData'],
    // The first compiler alone: half the processor time until the node is ready, slower afterwards.
    ...(settings.fast ? ['-XX:TieredStopAtLevel=1'] : []),
    ...(await jvmFlags(program)),
    `-javaagent:${program.jolokia}=host=${address},port=${httpPort},discoveryEnabled=false`,
    // Without it each call waits 40 ms for an acknowledgement.
    '-Dsun.net.httpserver.nodelay=true',
    `-Dcassandra.config=file://${folder}/conf/cassandra.yaml`,
    `-Dcassandra.storagedir=${folder}`,
    `-Dcassandra.logdir=${folder}`,
    // Native libraries are unpacked there, and left behind by a node that is killed.
    `-Djava.io.tmpdir=${folder}`,
    ...(jmxPort === undefined ? [] : [`-Dcassandra.jmx.local.port=${jmxPort}`]),
    '-Dcassandra.ring_delay_ms=3000',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.consistent.rangemovement=false',
    '-Dcassandra.superuser_setup_delay_ms=0',
    '-Dcassandra-foreground=yes',
    ...settings.jvm,
    // The jars first: an archive of their classes fits only then.
    ...['-cp', `${program.lib}/*:${folder}/conf`],
    'org.apache.cassandra.service.CassandraDaemon',
  ];
}

/** Names and texts of the files in a node's `conf` folder. */
export function nodeFiles(
  { version }: CassandraProgram,
  settings: NodeSettings,
): Record<string, string> {
  const { dataCentre } = settings;
  return {
    'cassandra.yaml': cassandraYaml(version, settings),
    'logback.xml': logback,
    ...(dataCentre && { 'cassandra-rackdc.properties': `dc=${dataCentre}\nrack=r1\n` }),
  };
}

function cassandraYaml(version: string, settings: NodeSettings): string {
  const { folder, address, storagePort } = settings;
  const seeds = settings.seeds.map((seed) => `${seed}:${storagePort}`).join(',');
  const of5 = [
    `storage_compatibility_mode: ${settings.compatibility}`,
    `sstable: { selected_format: ${settings.format} }`,
  ];
  const lines = [
    `cluster_name: ${settings.clusterName}`,
    `num_tokens: ${settings.numTokens}`,
    'partitioner: org.apache.cassandra.dht.Murmur3Partitioner',
    `listen_address: ${address}`,
    `rpc_address: ${address}`,
    `storage_port: ${storagePort}`,
    `native_transport_port: ${settings.cqlPort}`,
    'seed_provider:',
    '  - class_name: org.apache.cassandra.locator.SimpleSeedProvider',
    `    parameters: [{ seeds: "${seeds}" }]`,
    `endpoint_snitch: ${settings.dataCentre ? 'GossipingPropertyFileSnitch' : 'SimpleSnitch'}`,
    'commitlog_sync: periodic',
    'commitlog_sync_period: 1000ms',
    `commitlog_segment_size: ${segmentMiB}MiB`,
    'disk_failure_policy: ignore',
    'commit_failure_policy: ignore',
    `memtable_heap_space: ${memtableMiB}MiB`,
    `memtable_offheap_space: ${memtableMiB}MiB`,
    `incremental_backups: ${settings.incrementalBackups}`,
    'auto_snapshot: false',
    `hinted_handoff_enabled: ${settings.hints}`,
    `cdc_enabled: ${settings.cdc}`,
    `cdc_total_space: ${cdcMiB}MiB`,
    `auto_bootstrap: ${settings.bootstrap}`,
    'materialized_views_enabled: true',
    `uuid_sstable_identifiers_enabled: ${settings.uuidIds}`,
    ...(version.startsWith('4.') ? [] : of5),
    `data_file_directories: [${folder}/data]`,
    `commitlog_directory: ${folder}/commitlog`,
    `cdc_raw_directory: ${folder}/cdc_raw`,
    `hints_directory: ${folder}/hints`,
    `saved_caches_directory: ${folder}/saved_caches`,
    ...settings.yaml,
  ];
  return `${lines.join('\n')}\n`;
}

/** Without it Cassandra logs at DEBUG. */
const logback = `<configuration>
  <appender name="O" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="O"/></root>
</configuration>
`;
