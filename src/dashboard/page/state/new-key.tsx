import { useState } from "preact/hooks";
import { Cancel, Dialog } from "../parts/dialog.tsx";
import { Fault } from "../parts/panel.tsx";
import { go } from "../router.ts";
import { hrefOf } from "../href.ts";
import { ClientError, faultText } from "../server.ts";
import { stateSource } from "../values/source.ts";

const types = ["application/json", "text/markdown", "text/plain"] as const;

/** Writes a key that is not there yet. */
export function NewKey({ onClose }: { onClose: () => void }) {
  const [key, setKey] = useState("");
  const [type, setType] = useState<string>(types[0]);
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  const write = async () => {
    const href = hrefOf("/state/{key...}", { key });
    if (href === undefined) return setFault("No address can hold this key.");
    try {
      await stateSource(key).write(text, type, undefined);
    } catch (error) {
      const exists = error instanceof ClientError && error.status === 412;
      return setFault(exists ? "This key is there already: open it, and edit it." : faultText(error));
    }
    onClose();
    return go(href);
  };
  return (
    <Dialog title="New key" onClose={onClose} wide unsaved={text !== ""}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void write();
        }}
      >
        <label>
          Key
          <input
            required
            autofocus
            placeholder="plan/sprint-12"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <label>
          Content type
          <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
            {types.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Value
          <textarea
            rows={12}
            required
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Fault text={fault} />
        <footer>
          <Cancel />
          <button type="submit">Write</button>
        </footer>
      </form>
    </Dialog>
  );
}
