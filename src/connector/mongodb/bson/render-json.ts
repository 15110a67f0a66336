// Documents as canonical Extended JSON for people, straight from their bytes: names keep their order (as
// JavaScript objects, those that look like numbers would move to the front) and dates their whole range.
// Specification: mongodb/specifications, source/extended-json.
import { BSON } from 'mongodb';
import { concatBytes } from '../../../base/bytes.ts';
import { type BsonElement, bsonTypes, elementsOf, valueBytes } from './raw-bson.ts';

/** One line of JSON text. Errors: `object-damaged`. */
export function renderDocument(bytes: Uint8Array): string {
  const fields: string[] = [];
  for (const element of elementsOf(bytes)) {
    const name = element.source.toString('utf8', element.start + 1, element.valueStart - 1);
    fields.push(`${JSON.stringify(name)}:${renderElement(element)}`);
  }
  return `{${fields.join(',')}}`;
}

/** The value alone. */
export function renderElement(element: BsonElement): string {
  const { type, source, valueStart } = element;
  if (type === bsonTypes.document) return renderDocument(valueBytes(element));
  if (type === bsonTypes.array) {
    return `[${[...elementsOf(valueBytes(element))].map(renderElement).join(',')}]`;
  }
  if (type === bsonTypes.undefined) return '{"$undefined":true}';
  if (type === bsonTypes.date) {
    return `{"$date":{"$numberLong":"${source.readBigInt64LE(valueStart)}"}}`;
  }
  return BSON.EJSON.stringify(scalarOf(element), { relaxed: false });
}

/** The driver's own types keep what JavaScript's would lose. */
function scalarOf(element: BsonElement): unknown {
  const value = valueBytes(element);
  const head = Buffer.from([0, 0, 0, 0, element.type, 0x76, 0]);
  head.writeInt32LE(value.length + 8, 0);
  const single = concatBytes([head, value, new Uint8Array(1)]);
  return BSON.deserialize(single, { promoteValues: false, bsonRegExp: true }).v;
}
