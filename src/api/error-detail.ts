// Errors on their way through a wire: code, sentence, object, remedy, causes. Made of whatever was thrown,
// and made into the same CodrError at the other end.
import { BrokenPromiseError } from '../base/assert.ts';
import { CodrError } from '../base/error.ts';
import { type ErrorCode, errorCatalogue } from '../base/error-catalogue.ts';
import type { ErrorDetail } from './operations.ts';

const causesMax = 8;

/** `redact` takes secrets out of a sentence: nothing leaves this process without it. */
export function errorDetail(thrown: unknown, redact: (text: string) => string): ErrorDetail {
  const error = asCodrError(thrown);
  const { code, object, remedy, exitCode, facts } = error;
  const hasFacts = Object.keys(facts).length > 0;
  return {
    code,
    message: redact(error.message),
    ...(object !== undefined && { object: redact(object) }),
    remedy: redact(remedy),
    exitCode,
    causes: causesOf(thrown).map(redact),
    ...(hasFacts && { factsJson: redact(JSON.stringify(facts, plainFact)) }),
  };
}

/** The error that `detail` was made of; one of a newer version's codes becomes `failed`. */
export function errorFromDetail(detail: ErrorDetail): CodrError {
  const { code, message, object, remedy, causes, factsJson } = detail;
  const cause = causes.reduceRight<Error | undefined>(
    (inner, sentence) => new Error(sentence, inner && { cause: inner }),
    undefined,
  );
  return new CodrError(isKnown(code) ? code : 'failed', message, {
    ...(object !== undefined && { object }),
    remedy,
    ...(factsJson !== undefined && { facts: parsedFacts(factsJson) }),
    ...(cause && { cause }),
  });
}

function asCodrError(thrown: unknown): CodrError {
  if (thrown instanceof CodrError) return thrown;
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  if (thrown instanceof BrokenPromiseError) {
    const remedy = 'report it, with the log of the peer';
    return new CodrError('failed', `a defect of CODR: ${message}`, { remedy });
  }
  return new CodrError('failed', message);
}

function causesOf(thrown: unknown): string[] {
  const told: string[] = [];
  let at = thrown instanceof Error ? thrown.cause : undefined;
  while (at !== undefined && told.length < causesMax) {
    told.push(at instanceof Error ? at.message || at.name : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return told;
}

/** Facts are JSON at the other end too. */
function plainFact(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function parsedFacts(json: string): Record<string, unknown> {
  try {
    const facts: unknown = JSON.parse(json);
    return typeof facts === 'object' && facts !== null ? { ...facts } : {};
  } catch {
    return {};
  }
}

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);
