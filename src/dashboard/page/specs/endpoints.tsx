import { Fault, Loading } from "../parts/panel.tsx";
import { count } from "../parts/show.ts";
import { client } from "../server.ts";
import { useAnswer } from "../live/use-answer.ts";

const kinds = {
  contract: "a contract in Koor’s own words",
  openapi: "an OpenAPI document",
  schema: "a JSON Schema",
} as const;

/** What a contract is about. */
export function Endpoints({ project, name }: { project: string; name: string }) {
  const { answer, fault } = useAnswer(
    (signal) => client.call("contracts.show", { params: { project, name }, signal }),
    ({ topic, resource }) => /^(specs|contracts)\./.test(topic) && resource === `${project}/${name}`,
    [project, name],
  );
  if (fault !== "") return <Fault text={fault} />;
  if (!answer) return <Loading />;
  const { kind, compatibility, endpoints } = answer;
  return (
    <>
      <p>
        It is {kinds[kind]}
        {kind !== "schema" && ` with ${count(endpoints.length, "endpoint")}`}.{" "}
        {compatibility === "none" ? (
          "No compatibility is promised of it."
        ) : (
          <>
            Changes that are not <span class="tag">{compatibility}</span> compatible are refused.
          </>
        )}
      </p>
      <ul class="endpoints">
        {endpoints.map((endpoint) => {
          const [method = "", path = ""] = endpoint.split(/ (.*)/s);
          return (
            <li key={endpoint}>
              <span class="tag" data-method={method}>
                {method}
              </span>
              <code>{path}</code>
            </li>
          );
        })}
      </ul>
    </>
  );
}
