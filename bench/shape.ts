// The documents of the benchmarks: three collections of about 1 KiB a document, with nested arrays,
// Decimal128, dates, ObjectIds and free text. What is unique in each is written over templates of BSON.
import { Decimal128, Double, Int32, ObjectId } from 'mongodb';
import type { Chance } from './chance.ts';

/** One collection: its share of all bytes, its documents and its secondary indexes. */
export interface Shape {
  readonly name: string;
  readonly share: number;
  readonly indexes: readonly Readonly<Record<string, number>>[];
  template(chance: Chance, text: string): object;
}

export const benchDatabase = 'bench';

/** Fields of this name get other text in every document. */
export const textField = 'text';

const cities = ['Lisbon', 'Osaka', 'Turin', 'Bergen', 'Quito', 'Leeds', 'Graz', 'Tampa', 'Accra'];
const states = ['new', 'paid', 'packed', 'shipped', 'delivered', 'returned'];

const amount = (chance: Chance): Decimal128 =>
  Decimal128.fromString(`${chance.below(100_000)}.${10 + chance.below(90)}`);
const day = (chance: Chance): Date => new Date(1_600_000_000_000 + chance.below(1e11));
const many = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const objectId = (chance: Chance): ObjectId => new ObjectId(chance.hex(12));

export const shapes: readonly Shape[] = [
  {
    name: 'orders',
    share: 0.5,
    indexes: [{ customer: 1 }, { status: 1, created: -1 }, { 'items.sku': 1 }],
    template: (chance, text) => ({
      _id: objectId(chance),
      customer: new Int32(chance.below(200_000)),
      status: chance.of(states),
      created: day(chance),
      updated: day(chance),
      total: amount(chance),
      currency: 'EUR',
      items: many(2 + chance.below(3), (i) => ({
        sku: new Int32(chance.below(50_000)),
        quantity: new Int32(1 + chance.below(9)),
        price: amount(chance),
        line: new Int32(i),
      })),
      address: {
        street: `${1 + chance.below(300)} ${chance.word()} street`,
        city: chance.of(cities),
        place: [new Double(chance.unit() * 180 - 90), new Double(chance.unit() * 360 - 180)],
      },
      tags: many(3, () => chance.word()),
      text,
    }),
  },
  {
    name: 'customers',
    share: 0.3,
    indexes: [{ number: 1 }, { city: 1, name: 1 }, { seen: 1 }],
    template: (chance, text) => ({
      _id: objectId(chance),
      number: new Int32(chance.below(2 ** 31)),
      name: `${chance.word()} ${chance.word()}`,
      mail: `${chance.word()}.${chance.below(10_000)}@example.org`,
      city: chance.of(cities),
      seen: day(chance),
      active: chance.below(2) === 0,
      balance: amount(chance),
      visits: many(6, () => ({ at: day(chance), pages: new Int32(chance.below(40)) })),
      settings: { theme: chance.of(['dark', 'light']), mails: [true, false, true], level: null },
      text,
    }),
  },
  {
    name: 'events',
    share: 0.2,
    indexes: [{ at: 1 }, { kind: 1, at: 1 }, { session: 1 }],
    template: (chance, text) => ({
      _id: objectId(chance),
      at: day(chance),
      kind: chance.of(['view', 'search', 'add', 'remove', 'buy']),
      session: objectId(chance),
      values: many(20, () => new Double(chance.unit() * 1000)),
      cost: amount(chance),
      steps: many(4, (i) => ({ n: new Int32(i), ms: new Int32(chance.below(5_000)) })),
      agent: `browser/${chance.below(140)}.0 (${chance.word()}; ${chance.word()})`,
      text,
    }),
  },
];
