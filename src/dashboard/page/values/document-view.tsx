import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { confirm } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { Age, Copy, Empty, Fault, Loading, cli } from "../parts/panel.tsx";
import { showBytes } from "../parts/show.ts";
import { type Tab, Tabs } from "../parts/tabs.tsx";
import { Who } from "../parts/who.tsx";
import { place, setQuery } from "../router.ts";
import type { StoredValue } from "../server.ts";
import { Editor, brokenOff } from "./editor.tsx";
import { History } from "./history.tsx";
import type { Source } from "./source.ts";
import { type Document, useDocument } from "./use-document.ts";
import { CopyableValue } from "./value-view.tsx";

interface DocumentViewProps {
  source: Source;
  /** Where the list is that it was chosen from. */
  back: string;
  /** Tabs beside those that every value has. */
  tabs?: readonly Tab[];
}

/** A value: what it is, what it was, and what can be done with it. */
export function DocumentView({ source, back, tabs = [] }: DocumentViewProps) {
  const { document, fault } = useDocument(source);
  const [edited, setEdited] = useState<Document | undefined>(() => brokenOff(source));
  const stored = document?.stored;
  const all: Tab[] = document
    ? [
        { id: "value", title: "Value", content: () => <Value source={source} document={document} /> },
        {
          id: "history",
          title: `History (${document.versions.length})`,
          content: () => <History source={source} versions={document.versions} current={stored?.version} />,
        },
        ...tabs,
      ]
    : [];
  return (
    <section class="panel detail" aria-label={source.name} data-document={source.name}>
      <header class="detail-head">
        <a class="back" href={back} aria-label="Back to the list">
          <Icon name="back" />
        </a>
        <h2>{source.name}</h2>
        {document && (
          <div class="buttons">
            <Copy text={source.name} label="Copy the name" />
            {stored && isEditable(document) && (
              <button type="button" class="quiet" onClick={() => setEdited(document)}>
                Edit
              </button>
            )}
            {stored && (
              <button type="button" class="quiet" onClick={() => askToDelete(source, stored)}>
                Delete
              </button>
            )}
          </div>
        )}
        {document && <Facts document={document} />}
      </header>
      <Fault text={fault} />
      {!document && fault === "" && <Loading />}
      {document && document.versions.length === 0 && !stored && <Unwritten source={source} />}
      {document && document.versions.length > 0 && (
        <Tabs
          label={source.name}
          tabs={all}
          chosen={place.value.query.get("tab") ?? ""}
          onChoose={(tab) => setQuery({ tab: tab === "value" ? "" : tab, version: "" })}
        />
      )}
      {edited && (
        <Editor
          source={source}
          from={edited}
          latest={document?.versions[0]}
          onClose={() => setEdited(undefined)}
        />
      )}
    </section>
  );
}

function Unwritten({ source }: { source: Source }) {
  // As an argument it would be an option, with which an address that somebody sends could name another server.
  if (source.name.startsWith("-")) return <p class="empty">Nothing was ever written here.</p>;
  return (
    <Empty command={cli(source.command.replace(" get ", " set ").concat(" --data '{}'"))}>
      Nothing was ever written here. Write it
      {source.id.startsWith("state ") && " with the button New key, or by"}:
    </Empty>
  );
}

/** What a person can type. */
function isEditable({ content }: Document): boolean {
  return content !== undefined && content.kind !== "binary" && content.kind !== "image";
}

function Facts({ document: { stored, versions } }: { document: Document }) {
  const [latest] = versions;
  if (!latest) return null;
  const parts: ComponentChildren[] = stored
    ? [`version ${stored.version}`, stored.content_type, showBytes(stored.bytes?.length ?? 0)]
    : [<strong key="deleted">deleted</strong>];
  return (
    <p class="facts">
      {parts.map((part, index) => (
        <span key={index}>
          {part}
          {" · "}
        </span>
      ))}
      {latest.deleted ? "deleted " : "written "}
      by <Who name={latest.updated_by} link /> <Age at={latest.updated_at} />
    </p>
  );
}

function Value({ source, document: { stored, content } }: { source: Source; document: Document }) {
  if (!stored || !content) {
    return (
      <p class="empty">
        It was deleted. Its versions are in the history: rolling back to one of them brings it back.
      </p>
    );
  }
  return <CopyableValue content={content} url={source.url(stored.version)} name={source.name} />;
}

function askToDelete(source: Source, { version, etag }: StoredValue): void {
  confirm({
    title: `Delete ${source.name}, version ${version}`,
    text: "Those who read it will not find it any more. Its history stays, so that it can be brought back.",
    verb: "Delete",
    danger: true,
    act: () => source.remove(etag),
  });
}
