import { session } from "../live/connection.ts";
import { about } from "../live/lists.ts";
import { Command, Fault, Loading, Panel, ViewFrame } from "../parts/panel.tsx";
import { apiAddress } from "../parts/show.ts";
import { linesFor } from "./clients.ts";

/** How to connect an agent: the exact lines, with this server's address in them. */
export function Connect() {
  const read = about.use();
  if (!read) {
    return (
      <ViewFrame title="Connect">
        <Fault text={about.fault.value} />
        {about.fault.value === "" && <Loading />}
      </ViewFrame>
    );
  }
  const api = `http://${apiAddress(read.api_bind, location.hostname)}`;
  return (
    <ViewFrame
      title="Connect"
      summary={
        <>
          Agents reach this server at <code>{api}</code>; this page has a port of its own
        </>
      }
    >
      <p>
        An agent that registers is known by its name: it appears on <a href="/">Now</a> at once, which is how
        you see that it has arrived, and its name stands in what it writes and in the audit. Over MCP it
        registers with the tool <code>register_instance</code> when its model calls it: tell it to. By
        koor-cli and curl its own token says who it is. Whatever is written without that is shown as{" "}
        <em>unidentified</em>.
      </p>
      <div class="clients">
        {linesFor(api, session.value === "open").map(({ client, where, text, note }) => (
          <Panel
            key={client}
            id={`client-${client.toLowerCase().replaceAll(/\W+/g, "-")}`}
            title={client}
            count={where}
          >
            <div class="client">
              <Command text={text} label={`Copy the lines for ${client}`} />
              {note !== undefined && <p class="soft">{note}</p>}
            </div>
          </Panel>
        ))}
      </div>
    </ViewFrame>
  );
}
