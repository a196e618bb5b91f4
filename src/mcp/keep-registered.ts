import { type Services, api } from "../contract/api.ts";
import { check } from "../contract/check.ts";
import type { Tool } from "./tool.ts";

/**
 * A client that is configured with an instance's own token is that instance already, and a token in an answer stays in
 * the model's transcript: registering again makes no second instance and shows no token. What the model says of itself
 * (all but the name) is written to the instance it is; what it leaves out stays.
 */
export function keepRegistered(register: Tool, instances: Services["instances"]): Tool {
  return {
    ...register,
    async call(args, caller) {
      if (caller.instanceId === undefined) return register.call(args, caller);
      const said = api.instances.register.mcp.input.partial();
      const given = Object.entries(args).filter(([, value]) => value !== "");
      const { body } = api.instances.register.mcp.request(
        check(said, Object.fromEntries(given), "arguments"),
      );
      const { name: _, capabilities, ...rest } = body as Record<string, unknown> & { capabilities: string[] };
      const news = { ...rest, ...(capabilities.length > 0 && { capabilities }) };
      const input = { params: { id: caller.instanceId }, query: {}, contentType: "", condition: {}, caller };
      const instance =
        Object.keys(news).length === 0
          ? await instances.get({ ...input, body: undefined })
          : await instances.update({ ...input, body: check(api.instances.update.body.schema, news, "body") });
      const { id, name, status, stack, capabilities: able } = instance;
      return { instance_id: id, name, status, stack, capabilities: able };
    },
  };
}
