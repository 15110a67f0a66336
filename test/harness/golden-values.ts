// The statements and values of the golden tables that are made by rule. `T` stands for the table.

/** µs since 1970 of the first write: 2023-11-14. */
const base = 1_700_000_000_000_000n;
export const at = (n: number): string => `USING TIMESTAMP ${base + BigInt(n)}`;
export const tenYears = 315_360_000;
export const ttl = (n: number, seconds = tenYears): string => `${at(n)} AND TTL ${seconds}`;
export const range = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
export const insert = (columns: string, values: string, n = 1, using = at(n)): string =>
  `INSERT INTO T (${columns}) VALUES (${values}) ${using}`;

export const scalars: Readonly<Record<string, readonly string[]>> = {
  ascii: ["'plain'", "'~'", "'A'"],
  bigint: ['9223372036854775807', '-9223372036854775808', '0'],
  blob: ['0x00ff', '0xffffffffffffffffffff', '0x00'],
  boolean: ['true', 'false', 'true'],
  date: ["'2026-11-27'", "'1969-12-31'", "'1970-01-01'"],
  decimal: ['12345678901234567890.123456789', '-0.001', '1E+5'],
  double: ['1.7976931348623157E308', '-4.9E-324', '-0.0'],
  duration: ['1y2mo3d4h5m6s7ms8us9ns', '-2w3d', '0s'],
  float: ['3.4028235E38', '-1.4E-45', 'NaN'],
  inet: ["'192.0.2.1'", "'2001:db8::1'", "'0.0.0.0'"],
  int: ['2147483647', '-2147483648', '0'],
  smallint: ['32767', '-32768', '0'],
  text: ["'grüße 日本 😀'", "'x'", "'two\nlines'"],
  time: ["'23:59:59.999999999'", "'00:00:00'", "'12:30:00.5'"],
  timestamp: ["'2026-11-27T01:02:03.456Z'", "'1900-01-01T00:00:00Z'", '0'],
  timeuuid: [
    '5a1c395e-b41f-11e5-9f22-ba0be0483c18',
    '00000000-0000-1000-8080-808080808080',
    'ffffffff-ffff-1fff-bf7f-7f7f7f7f7f7f',
  ],
  tinyint: ['127', '-128', '0'],
  uuid: [
    '6f1d0e2a-8b1c-4f7e-9c55-0d3a1b2c3d4e',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-4fff-bfff-ffffffffffff',
  ],
  varint: ['123456789012345678901234567890', '-129', '0'],
};
export const scalarNames = Object.keys(scalars);
export const scalarColumns = scalarNames.map((name) => `v_${name} ${name}`).join(', ');
export const scalarList = scalarNames.map((name) => `v_${name}`).join(', ');

/** Values that show how a clustering column sorts, among them pairs that bytes alone would sort wrongly. */
const sorted: Readonly<Record<string, readonly string[]>> = {
  ascii: ["'b'", "'B'", "'ba'", "''"],
  bigint: ['-1', '0', '256', '-300'],
  blob: ['0xff', '0x01', '0x0100', '0x'],
  boolean: ['true', 'false'],
  date: ["'1960-01-01'", "'2030-01-01'", "'1970-01-01'"],
  decimal: ['-1.5', '1.05', '1.5', '100', '9E-3', '-20'],
  double: ['-1.5', '0.0', '2.5', '-0.0', 'NaN', '-Infinity'],
  float: ['-1.5', '0.0', '2.5', 'NaN', 'Infinity'],
  inet: ["'10.0.0.1'", "'9.0.0.1'", "'200.0.0.1'", "'::1'", "'fe80::1'"],
  int: ['-1', '0', '70000', '-70000'],
  smallint: ['-1', '0', '300'],
  text: ["'é'", "'z'", "'😀'", "'\uFFFD'", "''"],
  time: ["'00:00:01'", "'23:00:00'"],
  timestamp: ["'1960-01-01T00:00:00Z'", "'2030-01-01T00:00:00Z'", '0'],
  timeuuid: [
    '00000001-0001-1001-8080-808080808080',
    '00000002-0000-1001-8080-808080808080',
    '00000001-0001-1001-7f80-808080808080',
    '00000001-0000-1002-8080-808080808080',
  ],
  tinyint: ['-1', '0', '100'],
  uuid: [
    '00000001-0001-1001-8080-808080808080',
    '00000002-0000-1001-8080-808080808080',
    '00000000-0000-4000-8000-000000000001',
    'f0000000-0000-4000-8000-000000000001',
    '00000000-0000-7000-8000-000000000001',
  ],
  varint: ['-1', '0', '-256', '255', '256', '-1000000000000000000000', '1000000000000000000000'],
};
export const sortedNames = Object.keys(sorted);

export function orderingRows(): string[] {
  const zero = sortedNames.map((name) => (name === 'blob' ? '0x' : (sorted[name]?.[0] ?? '')));
  const columns = sortedNames.map((name) => `c_${name}`).join(', ');
  return sortedNames.flatMap((name, p) =>
    (sorted[name] ?? []).map((value) =>
      insert(`p, ${columns}`, [p, ...zero.with(p, value)].join(', ')),
    ),
  );
}

export const wideNames = range(70, (i) => `c${String(i).padStart(2, '0')}`);
export const wide = (p: number, present: readonly string[]): string =>
  insert(
    ['p', ...present].join(', '),
    [p, ...present.map((name) => Number(name.slice(1)) * 3)].join(', '),
  );

/** Numbers without a pattern, the same in each run. */
function noise(length: number, seed: number): string {
  let state = seed;
  return range(length, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) & 255;
  })
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** Three chunks of 1 KiB: repeated words, and one blob that no codec makes smaller. */
export const codecRows = [
  ...range(4, (p) => insert('p, t', `${p}, '${`row ${p} of a codec `.repeat(18)}'`)),
  insert('p, b', `100, 0x${noise(1100, 7)}`),
];
export const rangeDeletes = [
  ...range(6, (c1) => range(4, (c2) => insert('p, c1, c2, v', `1, ${c1}, ${c2}, 7`, 10))).flat(),
  `DELETE FROM T ${at(20)} WHERE p = 1 AND c1 = 1`,
  `DELETE FROM T ${at(21)} WHERE p = 1 AND c1 > 2 AND c1 < 5`,
  `DELETE FROM T ${at(5)} WHERE p = 1 AND c1 >= 4`,
  `DELETE FROM T ${at(30)} WHERE p = 1 AND c1 = 3 AND c2 >= 1 AND c2 < 3`,
  insert('p, c1, c2, v', '1, 3, 2, 8', 40),
  `DELETE FROM T ${at(22)} WHERE p = 1 AND c1 = 5 AND c2 <= 1`,
  `DELETE FROM T ${at(23)} WHERE p = 1 AND c1 = 5 AND c2 > 1`,
  // A partition that is one range, and one that is deleted with a range and newer rows besides.
  `DELETE FROM T ${at(50)} WHERE p = 2 AND c1 < 0`,
  `DELETE FROM T ${at(60)} WHERE p = 3`,
  `DELETE FROM T ${at(61)} WHERE p = 3 AND c1 <= 9`,
  insert('p, c1, c2, v', '3, 9, 9, 9', 62),
];
