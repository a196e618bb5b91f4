import { useState } from "preact/hooks";
import { allEvents } from "../live/event-log.ts";
import type { Row } from "../live/recent-events.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Fault } from "../parts/panel.tsx";
import { showNumber } from "../parts/show.ts";
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

interface PublishedProps {
  /** 0: nothing was published. */
  id: number;
  rows: readonly Row[] | undefined;
  isPaused: boolean;
}

/** Says what became of an event that was published here, where the list does not show it. */
export function Published({ id, rows, isPaused }: PublishedProps) {
  const isShown = rows?.some((row) => row.id === id) ?? false;
  // A list that is live has it in a moment, unless it is one of others.
  const hasCome = (allEvents.rows.value?.[0]?.id ?? 0) >= id;
  const where = isPaused
    ? "It is shown when you resume."
    : "It is not in this list: it is of another topic, agent or time.";
  return (
    <p class="summary published" role="status">
      {id > 0 && !isShown && (isPaused || hasCome) && `Published as event ${showNumber(id)}. ${where}`}
    </p>
  );
}
