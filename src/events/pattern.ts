import { KoorError } from "../contract/errors.ts";
import { type Glob, GlobError, compileGlobs } from "../core/glob.ts";

/**
 * A pattern over topics: globs with commas between, empty for everything.
 * @throws KoorError `bad_request` naming the field when it is malformed
 */
export function patternOf(field: string, pattern: string): Glob {
  try {
    return compileGlobs(pattern);
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    throw new KoorError("bad_request", `${field} is malformed: ${error.message}`, { path: field });
  }
}
