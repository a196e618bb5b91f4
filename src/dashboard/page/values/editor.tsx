import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { noticeLogout } from "../live/connection.ts";
import { Cancel, Dialog } from "../parts/dialog.tsx";
import { Age, Fault } from "../parts/panel.tsx";
import { Who } from "../parts/who.tsx";
import { ClientError, type Version, faultText } from "../server.ts";
import { contentOf, linesOf } from "./content.ts";
import { DiffView } from "./diff-view.tsx";
import type { Source } from "./source.ts";
import { type Document, unlessMissing } from "./use-document.ts";

/** What somebody else wrote while a person was typing. */
interface Theirs {
  text: string;
  /** undefined: it was deleted. */
  version: number | undefined;
  etag: string | undefined;
  /** Who wrote or deleted it, and when; undefined of what is not in the history any more. */
  by: Version | undefined;
}

/** What was being written when the editor went without being closed (a session that ended), by the source's id. */
const drafts = new Map<string, { from: Document; text: string }>();

/** What such an editing began with: it goes on from there. */
export function brokenOff({ id }: Source): Document | undefined {
  return drafts.get(id)?.from;
}

interface EditorProps {
  source: Source;
  from: Document;
  /** The newest version that there is by now. */
  latest: Version | undefined;
  onClose: () => void;
}

/**
 * Edits a value. It is written only if it is still the one that the editing began with; else both sides are shown, and the
 * person says which one stays.
 */
export function Editor({ source, from, latest, onClose }: EditorProps) {
  const { stored, content } = from;
  const before = useMemo(() => (content ? linesOf(content) : ""), [content]);
  const [text, setText] = useState(drafts.get(source.id)?.text ?? before);
  const draft = useRef(text);
  draft.current = text;
  const closed = useRef(false);
  const close = () => {
    closed.current = true;
    drafts.delete(source.id);
    onClose();
  };
  useEffect(
    () => () => {
      if (!closed.current && draft.current !== before) drafts.set(source.id, { from, text: draft.current });
    },
    [],
  );
  const [etag, setEtag] = useState(stored?.etag);
  /** The version that a person knows of here. */
  const [seen, setSeen] = useState(stored?.version);
  const [theirs, setTheirs] = useState<Theirs | undefined>(undefined);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const type = stored?.content_type ?? "application/json";

  const write = (against: string | undefined) => {
    setBusy(true);
    setFault("");
    save(source, withEndsOf(before, text), type, against)
      .then((conflict) => {
        if (!conflict) return close();
        setTheirs(conflict);
        setSeen(conflict.by?.version ?? conflict.version);
        return setEtag(conflict.etag);
      })
      .catch((error: unknown) => !noticeLogout(error) && setFault(faultText(error)))
      .finally(() => setBusy(false));
  };

  return (
    <Dialog title={`Edit ${source.name}`} onClose={close} wide unsaved={text !== before}>
      {theirs && <Conflict theirs={theirs} text={text} type={type} />}
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          write(etag);
        }}
      >
        <label>
          Value ({type})
          <textarea
            rows={theirs ? 8 : 18}
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Unlike text={text} type={type} />
        <p role="status" class="meanwhile">
          {latest && latest.version > (seen ?? 0) && !busy && (
            <>
              <CameBetween by={latest} />; when you save, both are shown.
            </>
          )}
        </p>
        <Fault text={fault} />
        <footer>
          <Cancel />
          {theirs?.version !== undefined && (
            <button
              type="button"
              class="quiet"
              onClick={() => {
                setText(theirs.text);
                setTheirs(undefined);
              }}
            >
              Take theirs
            </button>
          )}
          <button type="submit" disabled={busy || text === ""} class={theirs ? "danger" : undefined}>
            {theirs ? verbOver(theirs) : "Save"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

/** Both sides of what two have written. */
function Conflict({ theirs, text, type }: { theirs: Theirs; text: string; type: string }) {
  return (
    <section class="conflict" role="alert" aria-label="Conflict">
      <p>
        <strong>
          <CameBetween by={theirs.by} />.
        </strong>{" "}
        Nothing was written yet. Compared are what is there now, and yours.
      </p>
      <DiffView
        left={theirs.text}
        right={linesOf(contentOf(new TextEncoder().encode(text), type))}
        leftTitle={
          theirs.version === undefined ? "Nothing is there now" : `Version ${theirs.version}, there now`
        }
        rightTitle="Yours"
      />
    </section>
  );
}

/** `ada wrote version 4 meanwhile (3 s ago)` */
function CameBetween({ by }: { by: Version | undefined }) {
  if (!by) return <>Somebody has changed it meanwhile</>;
  return (
    <>
      <Who name={by.updated_by} /> {by.deleted ? "deleted it" : `wrote version ${by.version}`} meanwhile (
      <Age at={by.updated_at} />)
    </>
  );
}

function verbOver({ version }: Theirs): string {
  return version === undefined ? "Write mine anew" : `Write mine over version ${version}`;
}

/** A field for text knows one kind of line's end; what had the other has it still. */
function withEndsOf(before: string, text: string): string {
  return before.includes("\r\n") ? text.replaceAll(/\r?\n/g, "\r\n") : text;
}

/** A word before something is stored that is not what it says it is. */
function Unlike({ text, type }: { text: string; type: string }) {
  if (!/\bjson\b/.test(type) || text === "") return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return <p class="fault">This is not JSON: {(error as Error).message}</p>;
  }
}

/** @returns what came in between, if something did; then nothing was written */
async function save(
  source: Source,
  text: string,
  type: string,
  etag: string | undefined,
): Promise<Theirs | undefined> {
  try {
    await source.write(text, type, etag);
    return undefined;
  } catch (error) {
    if (!(error instanceof ClientError) || error.status !== 412) throw error;
    const [now, versions] = await Promise.all([
      source.read(undefined).catch(unlessMissing),
      source.history(),
    ]);
    if (!now) return { text: "", version: undefined, etag: undefined, by: versions[0] };
    const by = versions.find(({ version }) => version === now.version);
    const { bytes, content_type: typeNow, version, etag: etagNow } = now;
    return { text: linesOf(contentOf(bytes ?? new Uint8Array(), typeNow)), version, etag: etagNow, by };
  }
}
