// The collections that a view's pipeline names: `$lookup`, `$graphLookup`, `$unionWith`, and the pipelines
// inside these and `$facet`. Only these stages of a view read other collections (`$out` and `$merge` are
// refused in views). Pipelines are as `nativeDocument` gives them: Maps and arrays.

/** Gives the name in the target for a collection of the view's own database. */
export type FollowName = (collection: string) => string;

/** The pipeline with all names of collections given by `follow`; everything else is passed on untouched. */
export function followInPipeline(pipeline: unknown, follow: FollowName): unknown {
  if (!Array.isArray(pipeline)) return pipeline;
  return pipeline.map((stage) => (isMap(stage) ? followInStage(stage, follow) : stage));
}

function followInStage(stage: ReadonlyMap<string, unknown>, follow: FollowName): unknown {
  return mapped(stage, (name, body) => {
    if (name === '$unionWith' && typeof body === 'string') return follow(body);
    if (!isMap(body)) return body;
    if (name === '$facet') return mapped(body, (_, inner) => followInPipeline(inner, follow));
    const field = nameFields.get(name);
    if (field === undefined) return body;
    return mapped(body, (key, value) => {
      // `{db, coll}` names another database: no view of users holds one, and it is left alone.
      if (key === field) return typeof value === 'string' ? follow(value) : value;
      return key === 'pipeline' ? followInPipeline(value, follow) : value;
    });
  });
}

/** The field that names a collection, by stage. */
const nameFields: ReadonlyMap<string, string> = new Map([
  ['$lookup', 'from'],
  ['$graphLookup', 'from'],
  ['$unionWith', 'coll'],
]);

function mapped(
  document: ReadonlyMap<string, unknown>,
  change: (name: string, value: unknown) => unknown,
): Map<string, unknown> {
  return new Map([...document].map(([name, value]) => [name, change(name, value)]));
}

function isMap(value: unknown): value is ReadonlyMap<string, unknown> {
  return value instanceof Map;
}
