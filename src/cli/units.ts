// Numbers as people read and write them. JSON never passes through here.

/** `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Binary units with three digits: `512 B`, `1.25 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** The two largest units: `0.42 s`, `12 s`, `3 min 4 s`, `2 h 5 min`, `3 d 7 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** Cells of a table: an estimate is marked, and one of nothing says nothing. */
export function formatCounts(of: {
  readonly records: number;
  readonly bytes: number;
  readonly estimated?: boolean;
}): [records: string, bytes: string] {
  const { records, bytes, estimated } = of;
  if (estimated && records === 0) return ['?', '?'];
  const mark = estimated ? '~' : '';
  return [mark + formatCount(records), mark + formatBytes(bytes)];
}

const secondsPerUnit = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400 } as const;

/** Reads `500ms`, `5s`, `15m`, `2h`, `1d`, or plain seconds; undefined for anything else. */
export function parseSeconds(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?$/.exec(text.trim());
  if (!match) return undefined;
  const unit = (match[2] ?? 's') as keyof typeof secondsPerUnit;
  return Number(match[1]) * secondsPerUnit[unit];
}

/** Reads `10%`, `10` or `2.5%`: 0 to 100; undefined for anything else. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%?$/.exec(text.trim());
  const percent = Number(match?.[1] ?? Number.NaN);
  return percent >= 0 && percent <= 100 ? percent : undefined;
}
