import { hrefOf } from "../href.ts";

/**
 * Where on this page a resource is shown, also when it was deleted; undefined: nowhere.
 *
 * @param name a topic of changes, or an action of the audit: `state.plan`, `spec.put`
 */
export function pathTo(name: string, resource: string): string | undefined {
  const [noun] = name.split(".", 1);
  switch (noun) {
    case "state":
      return hrefOf("/state/{key...}", { key: resource });
    case "specs":
    case "spec":
    case "contract": {
      const [project = "", name = ""] = resource.split(/\/(.*)/s);
      return hrefOf("/specs/{project}/{name}", { project, name });
    }
    case "rules":
    case "rule":
      return "/rules";
    default:
      return undefined;
  }
}
