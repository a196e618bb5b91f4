import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { now } from "../live/clock.ts";
import { about } from "../live/lists.ts";
import { Icon } from "./icon.tsx";
import { apiAddress, showClock, showCommand, showWhen } from "./show.ts";

/** What the views have in common. */

interface ViewProps {
  title: string;
  /** Beside the title: how many there are. */
  summary?: ComponentChildren;
  /** At the right: search, buttons. */
  tools?: ComponentChildren;
  children: ComponentChildren;
}

/** A whole view: its heading and what is below. */
export function ViewFrame({ title, summary, tools, children }: ViewProps) {
  return (
    <>
      <header class="view-head">
        <h1>{title}</h1>
        {summary !== undefined && <p class="summary">{summary}</p>}
        {tools !== undefined && <div class="tools">{tools}</div>}
      </header>
      {children}
    </>
  );
}

interface PanelProps {
  id: string;
  title: string;
  count?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

/** A part of a view with a heading of its own. */
export function Panel({ id, title, count, class: name = "", children }: PanelProps) {
  const heading = `${id}-title`;
  return (
    <section class={`panel ${name}`} id={id} aria-labelledby={heading}>
      <h2 id={heading}>
        {title}
        {count !== undefined && <span class="count">{count}</span>}
      </h2>
      {children}
    </section>
  );
}

/** How long ago, or how soon; the exact time on hover. */
export function Age({ at }: { at: string }) {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {showWhen(time, now.value)}
    </time>
  );
}

/** The time of day, with the date when it was another day: where a time in the past is looked at. */
export function Clock({ at }: { at: string }) {
  return (
    <time dateTime={at} title={showWhen(Date.parse(at), now.value)}>
      {showClock(new Date(at), new Date(now.value))}
    </time>
  );
}

/** What to type where there is nothing to see yet. */
export function Empty({ children, command }: { children: ComponentChildren; command?: string }) {
  return (
    <div class="empty">
      <p>{children}</p>
      {command !== undefined && <Command text={command} />}
    </div>
  );
}

/** Lines to copy with one click. */
export function Command({ text, label = "Copy" }: { text: string; label?: string }) {
  return (
    <div class="command">
      <pre tabIndex={0} role="group" aria-label="Lines to copy">
        {text}
      </pre>
      <Copy text={text} label={label} />
    </div>
  );
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [state, setState] = useState("");
  const copy = () => {
    // Of a page that is not at localhost or https the browser gives no clipboard.
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    written.then(
      () => setState("Copied"),
      () => setState("Select and copy it"),
    );
    setTimeout(() => setState(""), 1500);
  };
  return (
    <button type="button" class="quiet copy" aria-label={label} onClick={copy}>
      <Icon name={state === "Copied" ? "check" : "copy"} />
      <span aria-live="polite">{state}</span>
    </button>
  );
}

/** A command of koor-cli that works as it stands. */
export function cli(command: string): string {
  return showCommand(`koor-cli ${command}`, apiAddress(about.value.value?.api_bind ?? "", location.hostname));
}

export function Loading() {
  return (
    <p class="loading" role="status">
      Loading…
    </p>
  );
}

/** What went wrong; nothing when nothing did. */
export function Fault({ text }: { text: string }) {
  return (
    <p class="fault" role="alert">
      {text}
    </p>
  );
}
