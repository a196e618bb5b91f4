import { useState } from "preact/hooks";
import { Dialog } from "../parts/dialog.tsx";
import { Fault } from "../parts/panel.tsx";
import { client, faultText } from "../server.ts";

interface PublishProps {
  onClose: () => void;
  /** Called with the number that the event has got. */
  onPublished: (id: number) => void;
}

/** Publishes an event: what subscribers see as `dashboard`. */
export function Publish({ onClose, onPublished }: PublishProps) {
  const [topic, setTopic] = useState("");
  const [data, setData] = useState("");
  const [fault, setFault] = useState("");
  const publish = async () => {
    const given = data.trim();
    try {
      if (given !== "") JSON.parse(given);
    } catch (error) {
      return setFault(`The data is not JSON: ${(error as Error).message}`);
    }
    // The text as it was typed: a number of twenty digits keeps them all.
    const rawBody = `{"topic":${JSON.stringify(topic)}${given === "" ? "" : `,"data":${given}`}}`;
    try {
      const { id } = await client.call("events.publish", { rawBody });
      onPublished(id);
      onClose();
    } catch (error) {
      setFault(faultText(error));
    }
  };
  return (
    <Dialog title="Publish an event" onClose={onClose} unsaved={data !== ""}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void publish();
        }}
      >
        <label>
          Topic
          <input
            required
            autofocus
            placeholder="plan.changed"
            value={topic}
            onInput={(event) => setTopic(event.currentTarget.value)}
          />
        </label>
        <label>
          Data (JSON, or nothing)
          <textarea
            rows={8}
            spellcheck={false}
            value={data}
            onInput={(event) => setData(event.currentTarget.value)}
          />
        </label>
        <Fault text={fault} />
        <footer>
          <button type="submit">Publish</button>
        </footer>
      </form>
    </Dialog>
  );
}
