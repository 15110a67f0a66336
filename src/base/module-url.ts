// Where a module of this program lies, run from source (`.ts`) or built (`.js`). Needed for workers:
// the compiler rewrites the endings of imports, not those inside `new URL(…)`.

/** The URL of `path` (ends in `.ts`) beside the module whose `import.meta.url` is `from`. */
export function moduleUrl(path: string, from: string): URL {
  return new URL(from.endsWith('.js') ? path.replace(/\.ts$/, '.js') : path, from);
}
