import { useMemo } from "preact/hooks";
import { JsonView } from "../parts/json-view.tsx";
import { Markdown } from "../parts/markdown.tsx";
import { Copy } from "../parts/panel.tsx";
import { showBytes } from "../parts/show.ts";
import { type Content, hexLines, linesOf, shownBytes, shownChars } from "./content.ts";

interface ValueViewProps {
  content: Content;
  /** Where the value is, for what only the browser can show. */
  url: string | undefined;
  name: string;
}

/** A value, and a button that takes a copy of it. */
export function CopyableValue({ content, url, name }: ValueViewProps) {
  return (
    <>
      {content.kind !== "binary" && content.kind !== "image" && (
        <div class="value-tools">
          <Copy text={linesOf(content)} label="Copy the value" />
        </div>
      )}
      <ValueView content={content} url={url} name={name} />
    </>
  );
}

/** A value by what it is. */
function ValueView({ content, url, name }: ValueViewProps) {
  const { kind, text, value, bytes } = content;
  switch (kind) {
    case "json":
      return <JsonView value={value} />;
    case "markdown":
      return <Markdown text={text} otherwise={<Text text={text} />} />;
    case "image":
      return url === undefined ? <Hex bytes={bytes} /> : <img class="picture" src={url} alt={name} />;
    case "binary":
      return <Hex bytes={bytes} />;
    case "text":
      return <Text text={text} />;
  }
}

/** A text as it is, up to a bound. */
export function Text({ text }: { text: string }) {
  return (
    <>
      <pre class="value" tabIndex={0} role="group" aria-label="Value">
        {text.slice(0, shownChars)}
      </pre>
      {text.length > shownChars && (
        <p class="more">The first {showBytes(shownChars)} are shown; Copy takes all of it.</p>
      )}
    </>
  );
}

function Hex({ bytes }: { bytes: Uint8Array }) {
  const lines = useMemo(() => hexLines(bytes), [bytes]);
  return (
    <>
      <pre class="value hex" tabIndex={0} role="group" aria-label="Bytes">
        {lines}
      </pre>
      {bytes.length > shownBytes && (
        <p class="more">
          The first {showBytes(shownBytes)} of {showBytes(bytes.length)} are shown.
        </p>
      )}
    </>
  );
}
