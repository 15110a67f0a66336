// One connection to one member of etcd. From the package `etcd3` come the generated clients of the raw RPCs
// and the protocol's description; its connection pool stays unused, since that repeats transactions whose
// answer was lost, closes the streams of others after an error, and cannot send `hasleader`.
import { fileURLToPath } from 'node:url';
import {
  type CallOptions,
  Channel,
  type ChannelOptions,
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type ICallable, KVClient, LeaseClient, type Services, WatchClient } from 'etcd3';
import { StreamError } from './etcd-error.ts';

type ServiceName = keyof typeof Services;

/** Certificates as PEM text: who signed the members' certificates, and what this side shows. */
export interface EtcdTls {
  /** Not given: the authorities that Node trusts. */
  readonly ca?: string;
  /** Its common name is the user of etcd. Both or none. */
  readonly certificate?: string;
  readonly key?: string;
}

const services = loadServices();

const channelOptions: ChannelOptions = {
  // A dead member is noticed in 8 s under a running stream. etcd refuses pings in less than 5 s, and pings
  // of connections without a call.
  'grpc.keepalive_time_ms': 6000,
  'grpc.keepalive_timeout_ms': 2000,
  // Each channel has a connection of its own: what happens to one says nothing to others.
  'grpc.use_local_subchannel_pool': 1,
  // Repeating is ours to decide.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // A page of a list, or the events of a busy moment.
  'grpc.max_receive_message_length': 64 << 20,
};

export class EtcdChannel implements ICallable<EtcdChannel> {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoint: string;
  readonly kv = new KVClient(this);
  readonly leases = new LeaseClient(this);
  readonly watches = new WatchClient(this);
  /** Part of what the clients of etcd3 ask for. */
  readonly callOptionsFactory = undefined;
  readonly #channel: Channel;
  readonly #deadline: () => number;
  readonly #clients = new Map<ServiceName, Client>();
  #closed = false;

  /** `deadline` gives the wall-clock time at which a unary call that starts now has failed. */
  constructor(endpoint: string, tls: EtcdTls | undefined, deadline: () => number) {
    this.endpoint = endpoint;
    this.#deadline = deadline;
    const secure = endpoint.startsWith('https://');
    const pem = (text: string | undefined): Buffer | null => (text ? Buffer.from(text) : null);
    const channelCredentials = secure
      ? credentials.createSsl(pem(tls?.ca), pem(tls?.key), pem(tls?.certificate))
      : credentials.createInsecure();
    const address = endpoint.replace(/^https?:\/\//, '');
    this.#channel = new Channel(address, channelCredentials, channelOptions);
  }

  async exec<T>(
    service: ServiceName,
    method: string,
    parameters: unknown,
    options?: CallOptions,
  ): Promise<T> {
    const client = this.#client(service);
    const call = client[method as keyof Client] as unknown as (...all: unknown[]) => void;
    const settings = { deadline: this.#deadline(), ...options };
    return await new Promise<T>((resolve, reject) => {
      call.call(client, parameters, metadata(), settings, (error: unknown, answer: T) =>
        error ? reject(error) : resolve(answer),
      );
    });
  }

  async withConnection<R>(
    service: ServiceName,
    work: (connection: {
      resource: EtcdChannel;
      client: Client;
      metadata: Metadata;
    }) => Promise<R> | R,
  ): Promise<R> {
    return await work({ resource: this, client: this.#client(service), metadata: metadata() });
  }

  /** Called by etcd3 when a stream fails; whoever opened the stream hears of it too. */
  markFailed(): void {}

  /** Calls that run go on until their end; new ones fail. */
  close(): void {
    this.#closed = true;
    this.#channel.close();
  }

  #client(name: ServiceName): Client {
    if (this.#closed) throw new StreamError('the connection was closed before call started');
    const known = this.#clients.get(name);
    if (known) return known;
    const service = services[name] as ServiceClientConstructor;
    const options = { channelOverride: this.#channel };
    const client = new service(this.endpoint, credentials.createInsecure(), options);
    this.#clients.set(name, client);
    return client;
  }
}

/** A member that has lost its cluster refuses the call, and ends its streams, instead of keeping still. */
function metadata(): Metadata {
  const made = new Metadata();
  made.set('hasleader', 'true');
  return made;
}

function loadServices(): GrpcObject {
  const path = fileURLToPath(import.meta.resolve('etcd3/proto/rpc.proto'));
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
  return loadPackageDefinition(loadSync(path, options)).etcdserverpb as GrpcObject;
}
