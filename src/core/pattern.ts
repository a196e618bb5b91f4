import { KoorError } from "../contract/errors.ts";
import { type Glob, GlobError, compileGlob, compileGlobs } from "./glob.ts";

/** Globs that come in a request, in its field's name. @throws KoorError `bad_request` naming the field when it is malformed */

/** A pattern over topics: globs with commas between, empty for everything. */
export const patternOf = (field: string, pattern: string): Glob => compiled(field, pattern, compileGlobs);

/** One glob: a comma is a comma. Empty, or none, asks nothing. */
export const filterGlobOf = (field: string, pattern: string | undefined): Glob | undefined =>
  pattern ? compiled(field, pattern, compileGlob) : undefined;

function compiled(field: string, pattern: string, compile: (pattern: string) => Glob): Glob {
  try {
    return compile(pattern);
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    throw new KoorError("bad_request", `${field} is malformed: ${error.message}`, { path: field });
  }
}
